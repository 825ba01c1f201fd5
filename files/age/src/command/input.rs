use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};

use zeroize::Zeroizing;

use crate::{Error, Result};

/// What a call reads: the file that it names, or standard input.
pub(super) fn open(file: Option<&str>) -> Result<Box<dyn Read>> {
    match file {
        Some(path) => {
            let file = File::open(path).map_err(|error| Error::Io(error).at(path))?;
            Ok(Box::new(file))
        }
        None => {
            if io::stdin().is_terminal() {
                let _ = writeln!(io::stderr(), "(reading from the terminal; ctrl-D ends it)");
            }
            Ok(Box::new(io::stdin().lock()))
        }
    }
}

/// All of a small file, or of standard input for `-`.
pub(super) fn read(path: &str) -> Result<Zeroizing<Vec<u8>>> {
    /// Longer lists of keys are none.
    const SIZE_MAX: u64 = 16 << 20;
    let mut text = Zeroizing::new(Vec::new());
    let input = open(Some(path).filter(|path| *path != "-"))?;
    input.take(SIZE_MAX + 1).read_to_end(&mut text).map_err(|error| Error::Io(error).at(path))?;
    match text.len() as u64 > SIZE_MAX {
        true => Err(Error::Invalid(format!("{path} is longer than 16 MiB"))),
        false => Ok(text),
    }
}
