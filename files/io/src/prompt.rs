use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};

use base_types::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Asks for the passphrase of what `name` says on the terminal, whatever standard input is; what is
/// typed is not shown. Nothing if there is no terminal.
pub fn passphrase(name: &str) -> Option<Secret<String>> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
    // Before the question, so that nothing that answers it can be shown.
    let shown = Echo::off(&terminal)?;
    write!(&terminal, "Passphrase for {name}: ").ok()?;
    let mut line = Zeroizing::new(String::new());
    let read = BufReader::new(&terminal).read_line(&mut line);
    drop(shown);
    // The line feed that was typed was not shown either.
    let _ = writeln!(&terminal);
    read.ok()?;
    let typed = line.trim_end_matches(['\r', '\n']);
    Some(Secret::new(typed.to_owned()))
}

/// A terminal that shows nothing until this is dropped.
struct Echo<'a> {
    terminal: &'a std::fs::File,
    before: Termios,
}

impl<'a> Echo<'a> {
    fn off(terminal: &'a std::fs::File) -> Option<Self> {
        let before = tcgetattr(terminal).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &silent).ok()?;
        Some(Self { terminal, before })
    }
}

impl Drop for Echo<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// Whether the answer to a question on standard error begins with a y.
pub fn confirmed(question: &str) -> bool {
    let _ = write!(std::io::stderr(), "{question} (y/n): ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && answer.trim_start().starts_with(['y', 'Y'])
}
