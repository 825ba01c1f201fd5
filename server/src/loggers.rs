//! At which level each part of the server logs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use base_types::{Error, Result};
use core_pipeline::Loggers;
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::config::LogLevel;

/// The loggers of the process. What belongs to none of them, which is other people's libraries, only
/// warns, since a library's debug output may show what goes over the wire.
pub(crate) struct Levels {
    state: Mutex<State>,
    apply: Box<dyn Fn(Targets) + Send + Sync>,
}

struct State {
    configured: LogLevel,
    /// Where somebody wanted another one.
    set: BTreeMap<&'static str, LogLevel>,
}

/// The loggers, and how the names of the crates begin that log to each.
const LOGGERS: [(&str, &str); 8] = [
    ("api", "api_"),
    ("auth", "auth_"),
    ("base", "base_"),
    ("command", "strongroom"),
    ("core", "core_"),
    ("engine", "engine_"),
    ("server", "server"),
    ("store", "store_"),
];

/// Those of the process, if it has a log.
static INSTALLED: OnceLock<Arc<Levels>> = OnceLock::new();

pub(crate) fn installed() -> Option<Arc<dyn Loggers>> {
    INSTALLED.get().map(|levels| levels.clone() as Arc<dyn Loggers>)
}

impl Levels {
    pub(crate) fn new(
        configured: LogLevel,
        apply: impl Fn(Targets) + Send + Sync + 'static,
    ) -> Self {
        let state = State { configured, set: BTreeMap::new() };
        Self { state: Mutex::new(state), apply: Box::new(apply) }
    }

    /// Lets `sys/loggers` work on these.
    pub(crate) fn install(self: &Arc<Self>) {
        INSTALLED.get_or_init(|| self.clone());
    }

    /// Takes over the level of a configuration; what was set by API ends with it.
    pub(crate) fn configure(&self, level: LogLevel) {
        self.change(|state| *state = State { configured: level, set: BTreeMap::new() });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        (self.apply)(state.targets());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn level(&self, logger: &str) -> LogLevel {
        self.set.get(logger).copied().unwrap_or(self.configured)
    }

    fn targets(&self) -> Targets {
        let ours = LOGGERS.map(|(name, crates)| (crates, filter(self.level(name))));
        let others = filter(self.configured).min(LevelFilter::WARN);
        Targets::new().with_default(others).with_targets(ours)
    }
}

impl Loggers for Levels {
    fn levels(&self) -> BTreeMap<&'static str, &'static str> {
        let state = self.lock();
        LOGGERS.iter().map(|(name, _)| (*name, word(state.level(name)))).collect()
    }

    fn set(&self, logger: Option<&str>, level: &str) -> Result<()> {
        let level = parse(level)?;
        let wanted = find(logger)?;
        self.change(|state| state.set.extend(wanted.iter().map(|(name, _)| (*name, level))));
        Ok(())
    }

    fn revert(&self, logger: Option<&str>) -> Result<()> {
        let wanted = find(logger)?;
        self.change(|state| state.set.retain(|set, _| !wanted.iter().any(|(name, _)| name == set)));
        Ok(())
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.levels()).finish()
    }
}

/// The targets at the start.
pub(crate) fn targets(level: LogLevel) -> Targets {
    State { configured: level, set: BTreeMap::new() }.targets()
}

fn find(logger: Option<&str>) -> Result<&'static [(&'static str, &'static str)]> {
    let Some(logger) = logger else { return Ok(&LOGGERS) };
    let index = LOGGERS.iter().position(|(name, _)| *name == logger);
    let index = index.ok_or_else(|| Error::invalid(format!("logger {logger:?} not found")))?;
    Ok(&LOGGERS[index..=index])
}

/// With the spellings that OpenBao takes.
fn parse(text: &str) -> Result<LogLevel> {
    Ok(match text.trim().to_ascii_lowercase().as_str() {
        "debug" => LogLevel::Debug,
        "err" | "error" => LogLevel::Error,
        "info" | "notice" => LogLevel::Info,
        "trace" => LogLevel::Trace,
        "warn" | "warning" => LogLevel::Warn,
        other => {
            let text = format!("invalid level provided: unknown log level: {other}");
            return Err(Error::invalid(text));
        }
    })
}

fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Error => "error",
        LogLevel::Info => "info",
        LogLevel::Trace => "trace",
        LogLevel::Warn => "warn",
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Warn => LevelFilter::WARN,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tracing::Level;

    use super::*;

    fn levels() -> (Levels, Arc<Mutex<Targets>>) {
        let applied = Arc::new(Mutex::new(targets(LogLevel::Info)));
        let sink = applied.clone();
        (Levels::new(LogLevel::Info, move |fresh| *sink.lock().unwrap() = fresh), applied)
    }

    #[test]
    fn one_logger_is_set_and_reverted() {
        let (levels, applied) = levels();
        let logs = |target, level| applied.lock().unwrap().would_enable(target, &level);
        assert_eq!(levels.levels()["core"], "info");
        levels.set(Some("core"), "TRACE").unwrap();
        assert_eq!((levels.levels()["core"], levels.levels()["api"]), ("trace", "info"));
        assert!(logs("core_pipeline::handle", Level::TRACE));
        assert!(!logs("api_vault", Level::DEBUG));
        levels.revert(Some("core")).unwrap();
        assert_eq!(levels.levels()["core"], "info");
        assert!(!logs("core_pipeline::handle", Level::DEBUG));
    }

    #[test]
    fn all_are_set_but_libraries() {
        let (levels, applied) = levels();
        let logs = |target, level| applied.lock().unwrap().would_enable(target, &level);
        levels.set(None, "debug").unwrap();
        assert!(levels.levels().values().all(|level| *level == "debug"));
        assert!(logs("store_embedded", Level::DEBUG) && !logs("hyper::proto", Level::INFO));
        levels.configure(LogLevel::Error);
        assert!(levels.levels().values().all(|level| *level == "error"));
        assert!(!logs("hyper::proto", Level::WARN));
        levels.set(None, "warning").unwrap();
        levels.revert(None).unwrap();
        assert_eq!(levels.levels()["server"], "error");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let (levels, _) = levels();
        let refused = |outcome: Result<()>, text: &str| {
            assert_eq!(outcome.unwrap_err().public(), text);
        };
        refused(levels.set(Some("nosuch"), "info"), "logger \"nosuch\" not found");
        refused(levels.revert(Some("nosuch")), "logger \"nosuch\" not found");
        refused(levels.set(None, "odd"), "invalid level provided: unknown log level: odd");
        refused(
            levels.set(Some("nosuch"), "off"),
            "invalid level provided: unknown log level: off",
        );
    }
}
