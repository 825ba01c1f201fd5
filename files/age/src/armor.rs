//! The form in which files of age are text: PEM in its strictest spelling.
//! <https://c2sp.org/age#ascii-armor>

use std::io::{self, BufRead, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Error;

pub(crate) const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END: &str = "-----END AGE ENCRYPTED FILE-----";
const COLUMNS: usize = 64;
const LINE_BYTES: usize = COLUMNS / 4 * 3;

/// Writes armor around what is written to it. Without [`ArmorWriter::finish`] it has no end.
pub(crate) struct ArmorWriter<W> {
    output: W,
    /// Bytes that do not fill a line.
    rest: Vec<u8>,
}

impl<W: Write> ArmorWriter<W> {
    pub(crate) fn new(mut output: W) -> io::Result<Self> {
        output.write_all(BEGIN.as_bytes())?;
        output.write_all(b"\n")?;
        Ok(Self { output, rest: Vec::new() })
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        if !self.rest.is_empty() {
            self.output.write_all(STANDARD.encode(&self.rest).as_bytes())?;
            self.output.write_all(b"\n")?;
        }
        self.output.write_all(END.as_bytes())?;
        self.output.write_all(b"\n")?;
        Ok(self.output)
    }
}

impl<W: Write> Write for ArmorWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(bytes);
        let full = self.rest.len() / LINE_BYTES * LINE_BYTES;
        let mut text = String::with_capacity(full / LINE_BYTES * (COLUMNS + 1));
        for line in self.rest[..full].chunks(LINE_BYTES) {
            STANDARD.encode_string(line, &mut text);
            text.push('\n');
        }
        self.output.write_all(text.as_bytes())?;
        self.rest.drain(..full);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Reads what is inside armor. White space may stand around it, nothing else.
pub(crate) struct ArmorReader<R> {
    input: R,
    /// The bytes of a line, of which `start` were given.
    line: Vec<u8>,
    start: usize,
    state: State,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    Start,
    Inside,
    /// After a line that is not full, which must be the last one.
    Short,
    End,
}

/// No line of armor is longer, and no more white space stands around it at once.
const LINE_MAX: usize = 1024;

impl<R: BufRead> ArmorReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, line: Vec::new(), start: 0, state: State::Start }
    }

    /// The next line without its end; nothing after the last one.
    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        (&mut self.input).take(LINE_MAX as u64).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        } else if line.len() == LINE_MAX {
            return Err(damaged("a line is too long"));
        }
        Ok(Some(line))
    }

    fn advance(&mut self) -> io::Result<()> {
        let line = self.next_line()?;
        match (self.state, line) {
            (State::End, _) => {}
            (State::Start, Some(line)) => match line.trim_ascii_start() {
                [] => {}
                start if start == BEGIN.as_bytes() => self.state = State::Inside,
                _ => return Err(damaged("its first line is none")),
            },
            (_, None) => return Err(damaged("its last line is missing")),
            (_, Some(line)) if line.trim_ascii_end() == END.as_bytes() => self.end()?,
            (State::Short, Some(_)) => return Err(damaged("a line before the last is short")),
            (State::Inside, Some(line)) => {
                let bytes = STANDARD.decode(&line).ok();
                let bytes = bytes.filter(|_| !line.is_empty() && line.len() <= COLUMNS);
                self.line = bytes.ok_or_else(|| damaged("a line is no base64 of 64 letters"))?;
                self.start = 0;
                if self.line.len() < LINE_BYTES {
                    self.state = State::Short;
                }
            }
        }
        Ok(())
    }

    /// Nothing but white space may follow.
    fn end(&mut self) -> io::Result<()> {
        while let Some(line) = self.next_line()? {
            if !line.trim_ascii().is_empty() {
                return Err(damaged("something follows its last line"));
            }
        }
        self.state = State::End;
        Ok(())
    }
}

impl<R: BufRead> Read for ArmorReader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.start == self.line.len() && self.state != State::End {
            self.advance()?;
        }
        let rest = &self.line[self.start..];
        let length = rest.len().min(bytes.len());
        bytes[..length].copy_from_slice(&rest[..length]);
        self.start += length;
        Ok(length)
    }
}

fn damaged(text: &str) -> io::Error {
    Error::Armor(text.to_owned()).into()
}
