use std::io::{self, IsTerminal, Stdout, Write};
use std::path::Path;

use files_io::Replacement;

use crate::{Error, Result};

/// Where a call writes: a file, which is there only once all is written, or standard output.
pub(super) enum Output {
    File(Replacement),
    Standard(Stdout),
}

impl Output {
    pub(super) fn of(path: Option<&str>) -> Result<Self> {
        match path.filter(|path| *path != "-") {
            Some(path) => {
                let file =
                    Replacement::of(Path::new(path)).map_err(|error| Error::Io(error).at(path))?;
                Ok(Self::File(file))
            }
            None => Ok(Self::Standard(io::stdout())),
        }
    }

    /// Whether a person would see what is written.
    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Standard(stdout) if stdout.is_terminal())
    }

    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::File(file) => file.finish(),
            Self::Standard(mut stdout) => stdout.flush(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Standard(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Standard(stdout) => stdout.flush(),
        }
    }
}
