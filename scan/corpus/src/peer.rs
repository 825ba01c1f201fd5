use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Where a scanner found something: a file of the corpus and the first and last line.
pub(crate) struct Place {
    pub(crate) path: String,
    pub(crate) lines: (usize, usize),
}

/// Another scanner: how it is called, and where its report has what.
pub(crate) struct Peer {
    arguments: &'static [&'static str],
    list: &'static str,
    path: &'static str,
    first: &'static str,
    last: &'static str,
}

impl Peer {
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        match name {
            "gitleaks" => Ok(Self {
                arguments: &[
                    "dir",
                    ".",
                    "--no-banner",
                    "--log-level=error",
                    "--exit-code=0",
                    "--report-format=json",
                    "--report-path=-",
                ],
                list: "",
                path: "/File",
                first: "/StartLine",
                last: "/EndLine",
            }),
            "betterleaks" => Ok(Self {
                arguments: &[
                    ".",
                    "--output=-",
                    "--no-banner",
                    "--silent",
                    "--log-level=error",
                    "--exit-code=0",
                ],
                list: "/findings",
                path: "/location/path",
                first: "/location/start_line",
                last: "/location/end_line",
            }),
            "kingfisher" => Ok(Self {
                arguments: &[
                    "scan",
                    ".",
                    "--no-validate",
                    "--no-update-check",
                    "--format=json",
                    "--git-history=none",
                ],
                list: "/findings",
                path: "/finding/path",
                first: "/finding/line",
                last: "/finding/line",
            }),
            other => Err(format!("'{other}' is none of gitleaks, betterleaks, kingfisher")),
        }
    }

    pub(crate) fn search(&self, program: &Path, folder: &Path) -> Result<Vec<Place>, String> {
        let output = Command::new(program)
            .args(self.arguments)
            .current_dir(folder)
            .output()
            .map_err(|e| format!("cannot run {}: {e}", program.display()))?;
        let fault = || {
            format!(
                "{} gave no report: {}",
                program.display(),
                String::from_utf8_lossy(&output.stderr)
            )
        };
        // What comes behind the report is a summary.
        let mut values = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
        let report = values.next().and_then(Result::ok).ok_or_else(fault)?;
        let list = report.pointer(self.list).and_then(Value::as_array).ok_or_else(fault)?;
        list.iter().map(|finding| self.place(finding).ok_or_else(fault)).collect()
    }

    fn place(&self, finding: &Value) -> Option<Place> {
        let line = |pointer| {
            finding.pointer(pointer)?.as_u64().and_then(|line| usize::try_from(line).ok())
        };
        let path = finding.pointer(self.path)?.as_str()?;
        Some(Place {
            path: path.trim_start_matches("./").to_owned(),
            lines: (line(self.first)?, line(self.last)?),
        })
    }
}
