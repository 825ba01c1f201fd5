use std::io;
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

/// Runs a program to its end, and outlives it: whoever interrupts the program from the terminal would
/// else end this process too, before it has removed what was decrypted for the program. What is sent
/// to this process alone is passed on.
///
/// # Errors
/// If the program cannot be started.
pub(crate) fn run(command: Command) -> io::Result<ExitStatus> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // The terminal sends these two to the program as well.
        let _interrupts = signal(SignalKind::interrupt())?;
        let _quits = signal(SignalKind::quit())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let mut hangups = signal(SignalKind::hangup())?;
        let mut child = tokio::process::Command::from(command).spawn()?;
        let id = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        loop {
            let passed_on = tokio::select! {
                status = child.wait() => return status,
                _ = terminations.recv() => Signal::TERM,
                _ = hangups.recv() => Signal::HUP,
            };
            if let Some(id) = id {
                // It may have ended a moment ago.
                let _ = kill_process(id, passed_on);
            }
        }
    })
}
