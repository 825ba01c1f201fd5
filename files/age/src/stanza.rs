use std::io::BufRead;

use zeroize::Zeroize;

use crate::{Error, Result, base64};

/// A part of a header: a type, arguments, and bytes. <https://c2sp.org/age#recipient-stanza>
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stanza {
    /// The type, and what follows it in the line: never empty, each of visible ASCII.
    pub arguments: Vec<String>,
    pub body: Vec<u8>,
}

/// The columns of a full line of a body.
const COLUMNS: usize = 64;
/// The bytes in such a line.
const LINE_BYTES: usize = COLUMNS / 4 * 3;

impl Stanza {
    pub fn new<S: Into<String>>(
        arguments: impl IntoIterator<Item = S>,
        body: impl Into<Vec<u8>>,
    ) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { arguments, body: body.into() }
    }

    pub(crate) fn tag(&self) -> &str {
        self.arguments.first().map(String::as_str).unwrap_or_default()
    }

    /// The text in a header, with line feeds.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("-> {}\n", self.arguments.join(" "));
        for line in self.body.chunks(LINE_BYTES) {
            text.push_str(&base64::encode(line));
            text.push('\n');
        }
        // The last line is always shorter than a full one.
        if self.body.len().is_multiple_of(LINE_BYTES) {
            text.push('\n');
        }
        text
    }

    /// Reads what follows the arrow of a first line.
    pub(crate) fn read(first: &str, lines: &mut Lines<impl BufRead>) -> Result<Self> {
        let arguments: Vec<String> = first.split(' ').map(str::to_owned).collect();
        let is_visible = |word: &String| !word.is_empty() && word.bytes().all(is_visible);
        if !arguments.iter().all(is_visible) {
            return Err(Error::header("the first line of a stanza is none"));
        }
        let mut body = Vec::new();
        loop {
            let line = lines.next_line()?;
            let bytes = base64::decode(line).filter(|_| line.len() <= COLUMNS);
            let bytes = bytes
                .ok_or_else(|| Error::header("the body of a stanza is no base64 in lines of 64"))?;
            body.extend_from_slice(&bytes);
            if line.len() < COLUMNS {
                return Ok(Self { arguments, body });
            }
        }
    }
}

/// What plugins are told holds file keys.
impl Drop for Stanza {
    fn drop(&mut self) {
        self.body.zeroize();
    }
}

fn is_visible(byte: u8) -> bool {
    (0x21..=0x7e).contains(&byte)
}

/// The lines of a header, and all that was read of it.
pub(crate) struct Lines<R> {
    reader: R,
    pub(crate) read: Vec<u8>,
    start: usize,
}

/// No header is longer: it has room for some thousands of recipients.
const HEADER_SIZE_MAX: usize = 16 << 20;

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, read: Vec::new(), start: 0 }
    }

    /// The next line, without its line feed.
    pub(crate) fn next_line(&mut self) -> Result<&str> {
        self.start = self.read.len();
        let left = HEADER_SIZE_MAX.saturating_sub(self.read.len());
        let mut limited = std::io::Read::take(&mut self.reader, left as u64);
        limited.read_until(b'\n', &mut self.read)?;
        let line = self.read[self.start..].strip_suffix(b"\n").ok_or_else(|| match left {
            0 => Error::header("it is longer than 16 MiB"),
            _ => Error::header("it ends in the middle"),
        })?;
        std::str::from_utf8(line).map_err(|_| Error::header("a line is no text"))
    }

    pub(crate) fn into_reader(self) -> R {
        self.reader
    }
}
