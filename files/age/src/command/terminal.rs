use std::io::{self, BufRead, Write};

use base_types::Secret;

use crate::Person;

/// The person at the terminal.
pub(super) struct Terminal;

impl Person for Terminal {
    fn secret(&self, question: &str) -> Option<Secret<String>> {
        files_io::passphrase(question)
    }

    fn text(&self, question: &str) -> Option<String> {
        write!(io::stderr(), "{question}: ").ok()?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).ok().filter(|length| *length > 0)?;
        Some(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn choice(&self, question: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let no = no.unwrap_or("cancel");
        Some(files_io::confirmed(&format!("{question}\n  y: {yes}\n  n: {no}\nWhich one?")))
    }

    fn tell(&self, message: &str) -> bool {
        writeln!(io::stderr(), "{message}").is_ok()
    }
}
