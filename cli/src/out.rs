use std::io::{self, IsTerminal, Write};

use crate::failure::{Failure, Outcome};
use crate::format::{Format, json, table, yaml};
use crate::json::Json;

/// The one place that writes to the user: data to standard output, everything else to standard
/// error.
pub(crate) struct Out {
    stdout: Box<dyn Write + Send>,
    stderr: Box<dyn Write + Send>,
    pub(crate) format: Format,
    pub(crate) detailed: bool,
    /// Whether a bare field gets a newline: a person wants one, a pipe does not.
    terminal: bool,
    /// Warnings are held back where only a preview of the request is wanted.
    pub(crate) quiet: bool,
}

impl Out {
    pub(crate) fn of_process() -> Self {
        Self {
            stdout: Box::new(io::stdout()),
            stderr: Box::new(io::stderr()),
            format: Format::Table,
            detailed: false,
            terminal: io::stdout().is_terminal(),
            quiet: false,
        }
    }

    pub(crate) fn is_table(&self) -> bool {
        self.format == Format::Table
    }

    /// One line of data.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) {
        // A reader that went away is no reason to fail, and there is nobody to tell.
        let _ = writeln!(self.stdout, "{}", text.as_ref());
    }

    /// A value for other programs: no newline unless a person looks on.
    pub(crate) fn bare(&mut self, text: &str) {
        let newline = if self.terminal { "\n" } else { "" };
        let _ = write!(self.stdout, "{text}{newline}");
        let _ = self.stdout.flush();
    }

    /// Bytes as the server sent them.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.stdout.write_all(bytes);
        let _ = self.stdout.write_all(b"\n");
    }

    /// A prompt without a newline, on the stream that the command uses for prompts.
    pub(crate) fn prompt(&mut self, text: &str, on: Stream) {
        let stream = match on {
            Stream::Stderr => &mut self.stderr,
            Stream::Stdout => &mut self.stdout,
        };
        let _ = stream.write_all(text.as_bytes());
        let _ = stream.flush();
    }

    pub(crate) fn warn(&mut self, text: impl AsRef<str>) {
        if !self.quiet {
            self.error(text);
        }
    }

    pub(crate) fn error(&mut self, text: impl AsRef<str>) {
        let _ = writeln!(self.stderr, "{}", text.as_ref());
    }

    /// A success message: people read it, programs that ask for JSON do not get it.
    pub(crate) fn success(&mut self, text: impl AsRef<str>) {
        if self.is_table() {
            self.line(text);
        }
    }

    /// `data` in the form that was asked for.
    ///
    /// # Errors
    /// If the data has no such form.
    pub(crate) fn data(&mut self, data: &Json) -> Outcome {
        match (self.format, data) {
            (Format::Json, data) => self.line(json::pretty(data)),
            (Format::Yaml, data) => self.line(yaml::emit(data)),
            (Format::Table, Json::Map(members)) => {
                if let Some(text) = table::map(members) {
                    self.line(text);
                }
            }
            (Format::Pretty | Format::Raw | Format::Table, _) => {
                return Err(no_such_form(self.format));
            }
        }
        Ok(())
    }

    /// `value` alone: the answer to `-field`.
    pub(crate) fn field(&mut self, value: &Json) -> Outcome {
        let text = match self.format {
            Format::Json => json::pretty(value),
            Format::Yaml => yaml::emit(value) + "\n",
            Format::Pretty | Format::Raw | Format::Table => value.to_string(),
        };
        self.bare(&text);
        Ok(())
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Stderr,
    Stdout,
}

pub(crate) fn no_such_form(format: Format) -> Failure {
    let form = match format {
        Format::Json => "json",
        Format::Pretty => "pretty",
        Format::Raw => "raw",
        Format::Table => "table",
        Format::Yaml => "yaml",
    };
    Failure::local(format!(
        "Could not parse output: there is no {form} form of this; try -format=json"
    ))
}
