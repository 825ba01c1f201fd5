//! The log of the whole test process, at its most talkative.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use base_types::SystemClock;
use server::config::{Config, Environment};
use server::logging::Logging;
use tempfile::TempDir;

/// What the log file says as soon as it is there.
pub(crate) const FIRST_LINE: &str = "the log is read";

/// Where the log goes. A server that is started before this was called cannot show its loggers.
pub(crate) fn file() -> PathBuf {
    static LOG: OnceLock<(TempDir, Logging)> = OnceLock::new();
    let (folder, _) = LOG.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "log_level = \"trace\"\nlog_file = {:?}\nstorage \"inmem\" {{}}\n\
             listener \"tcp\" {{ address = \"127.0.0.1:0\" tls_disable = true }}\n",
            folder.path().join("test.log")
        );
        let config = Config::parse("test", &text, &Environment::from_fn(|_| None)).unwrap();
        let logging = Logging::install(&config.log, Arc::new(SystemClock::default())).unwrap();
        tracing::info!(target: "server", "{FIRST_LINE}");
        (folder, logging)
    });
    folder.path().join("test.log")
}
