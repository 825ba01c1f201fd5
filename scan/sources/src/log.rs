use std::io::{self, BufRead, BufReader, Read};

/// A longer line is passed on in pieces of this size, of which only the first can have a prefix.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// A build's log without what runners write before each line.
pub(crate) struct Unprefixed<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    taken: usize,
    /// Whether what is read next starts a line.
    at_start: bool,
    /// Newlines left out where a runner had cut a line in two. They follow later, so that lines keep their numbers.
    owed: usize,
}

impl<R: Read> Unprefixed<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input: BufReader::new(input), line: Vec::new(), taken: 0, at_start: true, owed: 0 }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut raw = Vec::new();
        (&mut self.input).take(LINE_BYTES_MAX).read_until(b'\n', &mut raw)?;
        self.taken = 0;
        self.line.clear();
        if raw.is_empty() {
            return Ok(());
        }
        let ends = raw.last() == Some(&b'\n');
        let text = without_escapes(&raw[..raw.len() - usize::from(ends)]);
        let text = if self.at_start { strip(&text) } else { &text };
        self.line.extend_from_slice(text);
        self.at_start = ends;
        if ends && self.continues()? {
            self.owed += 1;
        } else if ends {
            self.line.resize(self.line.len() + 1 + std::mem::take(&mut self.owed), b'\n');
        }
        Ok(())
    }

    /// Whether the next line is the rest of this one, as GitLab's runner marks it: a time, a number of the stream, `O`
    /// or `E` for which of both, and a `+`.
    fn continues(&mut self) -> io::Result<bool> {
        let ahead = self.input.fill_buf()?;
        let Some(rest) = timestamp(ahead) else { return Ok(false) };
        Ok(matches!(rest.trim_ascii_start(), [a, b, b'O' | b'E', b'+', ..]
            if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()))
    }
}

impl<R: Read> Read for Unprefixed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.line.len() {
            self.fill()?;
            if self.line.is_empty() && self.owed == 0 && self.input.fill_buf()?.is_empty() {
                return Ok(0);
            }
        }
        let length = into.len().min(self.line.len() - self.taken);
        into[..length].copy_from_slice(&self.line[self.taken..][..length]);
        self.taken += length;
        Ok(length)
    }
}

/// Without the sequences that colour a terminal, and without what a carriage return wrote over.
fn without_escapes(line: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(line.len());
    let mut at = line;
    while let Some((&byte, rest)) = at.split_first() {
        at = rest;
        match (byte, rest) {
            (0x1b, [b'[', parameters @ ..]) => {
                let end = parameters.iter().position(|byte| (0x40..=0x7e).contains(byte));
                at = end.map_or(&[][..], |end| &parameters[end + 1..]);
            }
            (b'\r', [_, ..]) => text.clear(),
            (b'\r', []) => {}
            _ => text.push(byte),
        }
    }
    text
}

/// The line without the prefixes that it starts with. There may be several: a container's name, a time, a stream.
fn strip(line: &[u8]) -> &[u8] {
    let mut text = line;
    // Four is one more than any known runner writes.
    for _ in 0..4 {
        match [fields_of_a_job, timestamp, stream, bracket, container, step, syslog]
            .iter()
            .find_map(|prefix| prefix(text))
        {
            Some(rest) => text = rest,
            None => break,
        }
    }
    text
}

/// `2026-11-22T10:00:00.1234567Z `, with a blank for the `T`, another zone or only the time.
fn timestamp(text: &[u8]) -> Option<&[u8]> {
    let rest = match shape(text, b"0000-00-00") {
        Some([b'T' | b' ', rest @ ..]) => rest,
        Some(_) => return None,
        None => text,
    };
    let mut rest = shape(rest, b"00:00:00")?;
    if let [b'.' | b',', fraction @ ..] = rest {
        rest = skip(fraction, u8::is_ascii_digit);
    }
    rest = match rest {
        [b'Z', rest @ ..] => rest,
        [b'+' | b'-', zone @ ..] => shape(zone, b"00:00").or_else(|| shape(zone, b"0000"))?,
        rest => rest,
    };
    end_of_prefix(rest)
}

/// `JOB<tab>STEP<tab>` before a time, as `gh run view --log` prints it.
fn fields_of_a_job(text: &[u8]) -> Option<&[u8]> {
    let mut fields = text.splitn(3, |byte| *byte == b'\t');
    let rest = fields.nth(2)?;
    timestamp(rest.strip_prefix("\u{feff}".as_bytes()).unwrap_or(rest))
}

/// `00O ` or `01E+`, which GitLab's runner writes after the time.
fn stream(text: &[u8]) -> Option<&[u8]> {
    match text {
        [a, b, b'O' | b'E', b' ' | b'+', rest @ ..]
            if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() =>
        {
            Some(rest)
        }
        _ => None,
    }
}

/// `[2026-11-22 10:00:00] `, `[pod/web/app] `: something with a digit or a slash in brackets, and a blank.
fn bracket(text: &[u8]) -> Option<&[u8]> {
    let inner = text.strip_prefix(b"[")?;
    let end = memchr::memchr(b']', &inner[..inner.len().min(128)])?;
    let is_prefix = inner[..end].iter().any(|byte| byte.is_ascii_digit() || *byte == b'/');
    is_prefix.then_some(()).and_then(|()| inner[end + 1..].strip_prefix(b" "))
}

/// `web-1  | `, as Docker Compose names who speaks.
fn container(text: &[u8]) -> Option<&[u8]> {
    let rest = skip(text, |byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
    let name = &text[..text.len() - rest.len()];
    let number = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let stem = &name[..name.len() - number];
    let is_numbered = number > 0 && (stem.ends_with(b"-") || stem.ends_with(b"_"));
    let rest = skip(rest, |byte| *byte == b' ');
    is_numbered.then_some(())?;
    rest.strip_prefix(b"| ").or_else(|| rest.strip_prefix(b"|").filter(|rest| rest.is_empty()))
}

/// `#12 3.456 `, as BuildKit numbers its steps.
fn step(text: &[u8]) -> Option<&[u8]> {
    let number = text.strip_prefix(b"#")?;
    let rest = skip(number, u8::is_ascii_digit);
    (rest.len() < number.len()).then_some(())?;
    let rest = rest.strip_prefix(b" ")?;
    let seconds = skip(rest, |byte| byte.is_ascii_digit() || *byte == b'.');
    if seconds.len() < rest.len() { end_of_prefix(seconds) } else { Some(rest) }
}

/// `Nov 22 10:00:00 host name[123]: `.
fn syslog(text: &[u8]) -> Option<&[u8]> {
    let (month, rest) = text.split_at_checked(4)?;
    if !(month[..3].iter().all(u8::is_ascii_alphabetic) && month[3] == b' ') {
        return None;
    }
    let rest = shape(rest, b"00").or_else(|| shape(rest, b" 0"))?;
    let rest = shape(rest.strip_prefix(b" ")?, b"00:00:00")?;
    let colon = memchr::memmem::find(&rest[..rest.len().min(256)], b": ")?;
    Some(&rest[colon + 2..])
}

/// What follows a text in which digits stand where `shape` has a `0`, and the same bytes elsewhere.
fn shape<'a>(text: &'a [u8], shape: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(shape.len())?;
    let fits = |(byte, wanted): (&u8, &u8)| {
        if *wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted }
    };
    start.iter().zip(shape).all(fits).then_some(rest)
}

fn skip(text: &[u8], of: impl Fn(&u8) -> bool) -> &[u8] {
    &text[text.iter().take_while(|byte| of(byte)).count()..]
}

/// A prefix ends with one blank, or with the line.
fn end_of_prefix(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [b' ' | b'\t', rest @ ..] => Some(rest),
        [] => Some(rest),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(log: &str, expected: &str) {
        let mut text = String::new();
        Unprefixed::new(log.as_bytes()).read_to_string(&mut text).unwrap();
        assert_eq!(text, expected);
    }

    #[test]
    fn prefixes_of_runners_are_left_out() {
        check("2026-11-22T10:00:00.1234567Z key\n", "key\n");
        check("2026-11-22 10:00:00,123 key\n", "key\n");
        check("2026-11-22T10:00:00+01:00 key", "key");
        check("10:00:00 key", "key");
        check("build\tRun make\t2026-11-22T10:00:00.1Z key", "key");
        check("[2026-11-22 10:00:00] key", "key");
        check("[pod/web-1/app] key", "key");
        check("web-1  | 2026-11-22T10:00:00Z key", "key");
        check("#12 3.456 key", "key");
        check("Nov 22 10:00:00 host app[12]: key", "key");
        check("\u{1b}[32;1mkey\u{1b}[0m\r\n", "key\n");
        check("section_start:1:a\rkey\n", "key\n");
    }

    #[test]
    fn what_is_no_prefix_stays() {
        for line in
            ["key", "10:00 key", "[key] = 1", "a | b", "#12", "token=2026-11-22T10:00:00Z", ""]
        {
            check(line, line);
        }
        // Indentation is the line's own.
        check("2026-11-22T10:00:00Z   key", "  key");
    }

    #[test]
    fn a_line_that_was_cut_is_whole_and_lines_keep_their_numbers() {
        check(
            "2026-11-22T10:00:00Z 00O AKIA\n2026-11-22T10:00:00Z 00O+ABCD\n2026-11-22T10:00:00Z 00O next\n",
            "AKIAABCD\n\nnext\n",
        );
    }

    #[test]
    fn a_line_without_end_is_passed_on_in_pieces() {
        let line = "x".repeat(200 << 10);
        check(&line, &line);
    }
}
