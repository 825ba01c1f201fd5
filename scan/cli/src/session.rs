use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base_crypto::SystemRandom;
use base_types::{Clock, SystemClock};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use scan_engine::{Options, Scanner};
use scan_report::{
    Accepted, Baseline, Format, Ignored, Known, Redaction, write_gaps, write_human, write_verbose,
};
use scan_rules::Config;
use scan_sources::{Limits, Outcome, Progress, Task};

use crate::dialect::Dialect;
use crate::grammar::Words;
use crate::output::complain;
use crate::progress::{size, watch};
use crate::stop::Stop;

/// Where accepted findings are kept if nobody says.
const ACCEPTED: &str = ".strongroom-accepted.toml";

/// One call of a command.
pub(crate) struct Session {
    pub(crate) dialect: Dialect,
    pub(crate) words: Words,
    redaction: Redaction,
    /// Where the report goes, and in which format.
    report: Option<(String, Format)>,
    quiet: bool,
}

impl Session {
    /// Checks what can be checked before anything is read.
    pub(crate) fn new(dialect: Dialect, words: Words) -> Result<Self, Stop> {
        for unsupported in ["report-template", "diagnostics", "diagnostics-dir"] {
            if words.value(unsupported).is_some() {
                return Err(Stop::error(format!(
                    "--{unsupported} is not supported; reports are {}",
                    formats()
                )));
            }
        }
        let redaction = words.number("redact")?.map_or(dialect.redaction(), Redaction::percent);
        let report = report(&words)?;
        let quiet = match words.value("log-level").unwrap_or("info").to_lowercase().as_str() {
            "trace" | "debug" | "info" => false,
            "warn" | "err" | "error" | "fatal" => true,
            other => return Err(Stop::error(format!("unknown log level: {other}"))),
        };
        if words.on("accept")? && words.value("reason").is_none() {
            return Err(Stop::error(
                "--accept needs a --reason, which the next reader will look for",
            ));
        }
        Ok(Self { dialect, words, redaction, report, quiet })
    }

    /// What is to be scanned: the only word, or the folder in which the program was started.
    pub(crate) fn source(&self) -> Result<PathBuf, Stop> {
        match self.words.others.as_slice() {
            [] => Ok(PathBuf::from(".")),
            [one] if one.is_empty() => Ok(PathBuf::from(".")),
            [one] => Ok(PathBuf::from(one)),
            [_, second, ..] => {
                Err(Stop::error(format!("one thing at a time: '{second}' is one too many")))
            }
        }
    }

    /// Files that a scan of `source` passes over: they hold what they are about.
    pub(crate) fn own_files(&self, source: &Path) -> Vec<PathBuf> {
        let config = self
            .words
            .value("config")
            .map_or_else(|| plain_join(source, ".gitleaks.toml"), PathBuf::from);
        let named = [self.words.value("baseline-path"), Some(self.accepted_path())];
        std::iter::once(config).chain(named.into_iter().flatten().map(PathBuf::from)).collect()
    }

    /// Scans `source` and tells what it came to.
    pub(crate) fn scan(
        &self,
        source: &Path,
        scan: impl FnOnce(Task<'_>) -> base_types::Result<Outcome>,
    ) -> Result<u8, Stop> {
        let start = Instant::now();
        // The process ends with the scan. To give back hundreds of expressions part by part would be a twentieth of a small one.
        let scanner: &Scanner = Box::leak(Box::new(self.scanner(source)?));
        let known = self.known(source)?;
        let progress = Progress::default();
        let task = Task { scanner, limits: self.limits()?, progress: &progress };
        let timeout =
            self.words.number("timeout")?.filter(|seconds| *seconds > 0).map(Duration::from_secs);
        let shown = self.dialect == Dialect::Strongroom && !self.quiet;
        let mut outcome = watch(&progress, shown, timeout, || scan(task))?;
        if self.words.on("accept")? {
            return self.accept(&outcome, known.accepted);
        }
        let sifted = known.sift(std::mem::take(&mut outcome.leaks));
        outcome.leaks = sifted.leaks;
        self.tell(&outcome, &sifted.warnings)?;
        self.write_report(&outcome, scanner)?;
        self.sum_up(&outcome, sifted.known, &progress, start.elapsed());
        let of_findings = self.words.number("exit-code")?;
        let of_findings = of_findings.map(u8::try_from).transpose();
        let of_findings =
            of_findings.map_err(|_| Stop::error("--exit-code is a number up to 255"))?;
        Ok(self.dialect.code(&outcome, of_findings))
    }

    /// In the order of gitleaks: the flag, the environment, the file beside what is scanned, the default set.
    fn scanner(&self, source: &Path) -> Result<Scanner, Stop> {
        let text = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
        let set = |name: &str| text(name).filter(|value| !value.is_empty());
        let beside = source.join(".gitleaks.toml");
        let mut config = if let Some(path) = self.words.value("config") {
            Config::open(Path::new(path))?
        } else if let Some(path) = set("GITLEAKS_CONFIG") {
            Config::open(Path::new(&path))?
        } else if let Some(content) = set("GITLEAKS_CONFIG_TOML") {
            Config::parse(&content, "GITLEAKS_CONFIG_TOML")?
        } else if beside.is_file() {
            Config::open(&beside)?
        } else {
            Config::default_set()
        };
        config.warnings.iter().for_each(|warning| complain(&format!("warning: {warning}")));
        if config.rules.is_empty() {
            self.tell_no_rules()?;
        }
        self.choose_rules(&mut config)?;
        let options = Options {
            decode_depth: self.words.number("max-decode-depth")?.map_or(5, |depth| depth as usize),
            allow_comments: !self.words.on("ignore-gitleaks-allow")?,
        };
        Ok(Scanner::new(config, options)?)
    }

    /// Nothing is found without rules, which says nothing of what is scanned.
    fn tell_no_rules(&self) -> Result<(), Stop> {
        const NO_RULES: &str = "the configuration has no rules, so nothing can be found: add some, or extend others \
                                with useDefault = true under [extend]";
        match self.dialect {
            Dialect::Strongroom => Err(Stop::error(NO_RULES)),
            Dialect::Gitleaks => {
                complain(&format!("warning: {NO_RULES}"));
                Ok(())
            }
        }
    }

    fn choose_rules(&self, config: &mut Config) -> Result<(), Stop> {
        let chosen = self.words.list("enable-rule");
        if chosen.is_empty() {
            return Ok(());
        }
        if let Some(missing) = chosen.iter().find(|id| config.rule(id).is_none()) {
            return Err(Stop::error(format!("Requested rule {missing} not found in rules")));
        }
        for rule in &mut config.rules {
            // Others may require it, so it stays as a part of them.
            rule.skip_report |= !chosen.contains(&rule.id);
        }
        Ok(())
    }

    fn limits(&self) -> Result<Limits, Stop> {
        let depth = self.words.number("max-archive-depth")?;
        let megabytes =
            self.words.number("max-target-megabytes")?.filter(|megabytes| *megabytes > 0);
        Ok(Limits {
            archive_depth: depth
                .map_or(self.dialect.archive_depth(), |depth| depth.min(64) as usize),
            file_bytes: megabytes.map(|megabytes| megabytes.saturating_mul(1_000_000)),
            ..Limits::default()
        })
    }

    fn known(&self, source: &Path) -> Result<Known, Stop> {
        let mut ignored = Ignored::default();
        let asked = PathBuf::from(self.words.value("gitleaks-ignore-path").unwrap_or("."));
        let mut files =
            vec![asked.clone(), asked.join(".gitleaksignore"), source.join(".gitleaksignore")];
        files.retain(|path| path.is_file());
        files.dedup_by_key(|path| path.canonicalize().unwrap_or_else(|_| path.clone()));
        files.iter().try_for_each(|path| ignored.read(path))?;
        let baseline = self.words.value("baseline-path");
        let accepted = match self.dialect {
            Dialect::Gitleaks => Accepted::none(),
            Dialect::Strongroom => Accepted::open(Path::new(self.accepted_path()))?,
        };
        Ok(Known {
            baseline: baseline.map(|path| Baseline::open(Path::new(path))).transpose()?,
            ignored,
            accepted,
            today: today(),
        })
    }

    fn accepted_path(&self) -> &str {
        self.words.value("accept-path").unwrap_or(ACCEPTED)
    }

    fn accept(&self, outcome: &Outcome, mut accepted: Accepted) -> Result<u8, Stop> {
        let reason = self.words.value("reason").unwrap_or_default();
        let expires = self.words.value("expires").map(|day| {
            day.parse::<Date>()
                .map_err(|_| Stop::error(format!("--expires is a day as 2027-01-31, not '{day}'")))
        });
        let expires = expires.transpose()?;
        let new = |leak| accepted.accept(leak, reason, expires, &SystemRandom);
        let number = outcome.leaks.iter().map(new).filter(|new| *new).count();
        let path = self.accepted_path();
        accepted.save(Path::new(path))?;
        write_gaps(&outcome.gaps, &mut io::stderr()).map_err(cannot_write)?;
        complain(&format!("{number} secrets are accepted in {path}: {reason}"));
        let rest = Outcome { leaks: Vec::new(), ..outcome.clone() };
        Ok(self.dialect.code(&rest, None))
    }

    fn tell(&self, outcome: &Outcome, warnings: &[String]) -> Result<(), Stop> {
        write_gaps(&outcome.gaps, &mut io::stderr()).map_err(cannot_write)?;
        warnings.iter().for_each(|warning| complain(&format!("warning: {warning}")));
        let mut output = BufWriter::new(io::stdout().lock());
        let to_stdout = self.report.as_ref().is_some_and(|(path, _)| path == "-");
        let written = match self.dialect {
            Dialect::Strongroom if to_stdout => Ok(()),
            Dialect::Strongroom => write_human(&outcome.leaks, self.redaction, &mut output),
            Dialect::Gitleaks if self.words.on("verbose")? => {
                let mut leaks = outcome.leaks.iter();
                leaks.try_for_each(|leak| write_verbose(leak, self.redaction, &mut output))
            }
            Dialect::Gitleaks => Ok(()),
        };
        written.and_then(|()| output.flush()).or_else(allow_closed).map_err(cannot_write)
    }

    fn write_report(&self, outcome: &Outcome, scanner: &Scanner) -> Result<(), Stop> {
        let Some((path, format)) = &self.report else { return Ok(()) };
        let write = |output: &mut dyn Write| {
            let tool = self.dialect.tool();
            format.write(&outcome.leaks, scanner.rules(), self.redaction, &tool, output)?;
            output.flush()
        };
        let written = match path.as_str() {
            "-" => write(&mut BufWriter::new(io::stdout().lock())).or_else(allow_closed),
            path => File::create(path).and_then(|file| write(&mut BufWriter::new(file))),
        };
        written.map_err(|e| Stop::error(format!("cannot write the report to {path}: {e}")))
    }

    fn sum_up(&self, outcome: &Outcome, known: usize, progress: &Progress, took: Duration) {
        if self.quiet {
            return;
        }
        let commits =
            outcome.commits.map_or(String::new(), |commits| format!(" of {commits} commits"));
        complain(&format!(
            "scanned {}{commits} in {:.2} s",
            size(progress.bytes()),
            took.as_secs_f64()
        ));
        if known > 0 {
            complain(&format!("{known} findings are known"));
        }
        let partial = if outcome.gaps.is_empty() { "" } else { " in what could be scanned" };
        match outcome.leaks.len() {
            0 => complain(&format!("no leaks found{partial}")),
            leaks => complain(&format!("leaks found: {leaks}{partial}")),
        }
    }
}

/// Where the report goes and how it is written: by the flag, or by the end of the file's name.
fn report(words: &Words) -> Result<Option<(String, Format)>, Stop> {
    let Some(path) = words.value("report-path") else { return Ok(None) };
    let by_name = || Path::new(path).extension().and_then(|end| end.to_str());
    let name = words.value("report-format").or_else(by_name).unwrap_or_default();
    let format = Format::by_name(name).ok_or_else(|| {
        Stop::error(format!("unknown report format '{name}': it is one of {}", formats()))
    })?;
    Ok(Some((path.to_owned(), format)))
}

fn formats() -> String {
    Format::ALL.map(|(name, _)| name).join(", ")
}

fn today() -> Date {
    let now = Timestamp::from_second(SystemClock::default().now().seconds()).unwrap_or_default();
    now.to_zoned(TimeZone::UTC).date()
}

fn plain_join(folder: &Path, name: &str) -> PathBuf {
    if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) }
}

/// Who has closed the pipe does not want to know.
fn allow_closed(fault: io::Error) -> io::Result<()> {
    if fault.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(fault) }
}

fn cannot_write(fault: io::Error) -> Stop {
    Stop::error(format!("cannot write: {fault}"))
}
