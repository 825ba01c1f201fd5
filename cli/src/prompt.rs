use std::io::{self, IsTerminal, Read, Stdin};

use base_types::Secret;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use crate::out::{Out, Stream};

/// Asks for a secret on the terminal; what is typed is not shown.
///
/// # Errors
/// If standard input is no terminal, ends, or the user gives up with Ctrl-C.
pub(crate) fn hidden(out: &mut Out, question: &str, on: Stream) -> io::Result<Secret<String>> {
    out.prompt(&format!("{question} (will be hidden): "), on);
    let answer = read_hidden();
    out.prompt("\n", on);
    answer
}

fn read_hidden() -> io::Result<Secret<String>> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(io::Error::other("standard input is not a terminal"));
    }
    let _silent = Silent::new(&stdin)?;
    let mut line = Zeroizing::new(Vec::new());
    for byte in stdin.lock().bytes() {
        if edit(&mut line, byte?)? {
            let text = std::str::from_utf8(&line);
            let text = text.map_err(|_| io::Error::other("what was typed is not UTF-8 text"))?;
            return Ok(Secret::new(text.to_owned()));
        }
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "standard input ended"))
}

/// Does what the key means; whether the line is complete.
fn edit(line: &mut Vec<u8>, key: u8) -> io::Result<bool> {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const BACKSPACE: u8 = 8;
    const CTRL_U: u8 = 21;
    const DELETE: u8 = 127;
    match key {
        b'\r' | b'\n' => return Ok(true),
        CTRL_C => return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted")),
        CTRL_D => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "standard input ended")),
        CTRL_U => line.clear(),
        BACKSPACE | DELETE => {
            // A character may take several bytes; all but its first look like 0b10……….
            while line.pop().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {}
        }
        byte => line.push(byte),
    }
    Ok(false)
}

/// A terminal that shows nothing and sends no signals, until this is dropped: with signals on,
/// Ctrl-C would end the program and leave the terminal silent.
struct Silent<'a> {
    stdin: &'a Stdin,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn new(stdin: &'a Stdin) -> io::Result<Self> {
        let before = tcgetattr(stdin)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin, OptionalActions::Flush, &silent)?;
        Ok(Self { stdin, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        // There is nobody to tell if this fails.
        let _ = tcsetattr(self.stdin, OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> Result<String, io::ErrorKind> {
        let mut line = Vec::new();
        for key in keys.bytes() {
            if edit(&mut line, key).map_err(|error| error.kind())? {
                break;
            }
        }
        Ok(String::from_utf8(line).unwrap())
    }

    #[test]
    fn a_line_can_be_edited_unseen() {
        assert_eq!(typed("hunter2\nrest"), Ok("hunter2".to_owned()));
        assert_eq!(typed("hü\u{7f}\u{8}x\r"), Ok("x".to_owned()));
        assert_eq!(typed("wrong\u{15}right\n"), Ok("right".to_owned()));
        assert_eq!(typed("\u{7f}a\n"), Ok("a".to_owned()));
        assert_eq!(typed("abc\u{3}"), Err(io::ErrorKind::Interrupted));
        assert_eq!(typed("\u{4}"), Err(io::ErrorKind::UnexpectedEof));
    }
}
