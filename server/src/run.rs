use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base_types::{Clock, Result, SystemClock};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Config, Environment};
use crate::listener::{Address, Listeners, connections_max};
use crate::logging::Logging;
use crate::service::Front;
use crate::wiring::{Wired, wire};

/// How long requests under way may take once the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// A server that accepts requests.
pub struct Running {
    wired: Wired,
    serving: crate::listener::Serving,
    pub addresses: Vec<Address>,
}

impl Running {
    /// Opens the storage, binds the listeners, unseals if a seal needs nobody, and accepts.
    ///
    /// # Errors
    /// What is wrong with the configuration, with its place; what the storage or a seal says.
    pub async fn start(config: &Config, environment: &Environment) -> Result<Self> {
        install_crypto();
        let wired = wire(config, environment)?;
        let listeners = Listeners::bind(&config.listeners, connections_max()).await?;
        let addresses = listeners.addresses();
        if wired.core.seals.status().await?.initialized {
            // The shares still open it, so a seal that fails must not keep the doors shut.
            if let Err(error) = wired.core.auto_unseal().await {
                tracing::error!(error = %error.log(), "the server could not unseal itself");
            }
        }
        let serving = listeners.serve(Front::new(&wired.core, &config.listeners));
        Ok(Self { wired, serving, addresses })
    }

    pub fn core(&self) -> &Arc<core_pipeline::Core> {
        &self.wired.core
    }

    /// Reads certificates again and reopens the audit log.
    pub async fn reload(&self) {
        self.serving.reload().await;
        if let Ok(audit) = self.wired.core.audit()
            && let Err(error) = audit.reopen().await
        {
            tracing::error!(error = %error.log(), "an audit device could not be reopened");
        }
    }

    /// Answers what is under way, seals, and lets go of the storage.
    ///
    /// # Errors
    /// What the storage says; nothing acknowledged is lost by it.
    pub async fn stop(self) -> Result<()> {
        let left = self.serving.stop(GRACE).await;
        if left > 0 {
            tracing::warn!(connections = left, "connections were cut at the end");
        }
        self.wired.core.seal().await;
        self.wired.store.close().await
    }
}

/// rustls asks for one provider per process; there is only one here, so a second call is no fault.
fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The signals that a server answers to.
pub(crate) struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn new() -> Result<Self> {
        let listen = |kind| signal(kind).map_err(base_types::Error::internal);
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Serves until told to stop; a hangup reloads.
    pub(crate) async fn serve(mut self, running: Running, on_hangup: impl Fn()) -> Result<()> {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => {
                    on_hangup();
                    running.reload().await;
                }
                _ = self.interrupt.recv() => break,
                _ = self.terminate.recv() => break,
            }
        }
        tracing::info!("stopping");
        running.stop().await
    }
}

/// `server -config=…`: runs until a signal ends it.
///
/// # Errors
/// What is wrong with the configuration, or what keeps the server from starting.
pub async fn serve(paths: &[PathBuf], environment: &Environment) -> Result<()> {
    let config = Config::load(paths, environment)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let logging = Logging::install(&config.log, clock)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let signals = Signals::new()?;
    let running = Running::start(&config, environment).await?;
    let _pid = config.pid_file.as_deref().map(PidFile::write).transpose()?;
    for address in &running.addresses {
        tracing::info!("listening on {address}");
    }
    let reload = || match Config::load(paths, environment) {
        Ok(fresh) => logging.reload(&fresh.log),
        Err(error) => tracing::error!(error = %error.log(), "the configuration was not read again"),
    };
    signals.serve(running, reload).await
}

/// The file that names the process, for as long as it runs.
struct PidFile<'a>(&'a std::path::Path);

impl<'a> PidFile<'a> {
    fn write(path: &'a std::path::Path) -> Result<Self> {
        std::fs::write(path, format!("{}\n", std::process::id())).map_err(|error| {
            base_types::Error::invalid(format!(
                "the pid file {} cannot be written: {error}",
                path.display()
            ))
        })?;
        Ok(Self(path))
    }
}

impl Drop for PidFile<'_> {
    fn drop(&mut self) {
        // It may have been removed by hand.
        let _ = std::fs::remove_file(self.0);
    }
}
