//! Lines and columns, for the errors that name them, and the ends of lines.

use base_types::Error;

/// How deep mappings and lists may lie inside each other.
pub(crate) const DEPTH_MAX: usize = 128;

/// The line and the column, both from 1, of the byte at `at`; a column is a character, and the mark
/// of the byte order is none.
pub(crate) fn place(text: &str, at: usize) -> String {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line_text = String::from_utf8_lossy(&before[start..]);
    let mark = usize::from(start == 0 && line_text.starts_with('\u{feff}'));
    let column = line_text.chars().count() + 1 - mark;
    format!("line {line}, column {column}")
}

/// A fault of the file at a byte of it.
pub(crate) fn invalid(text: &str, at: usize, what: &str) -> Error {
    Error::invalid(format!("{}: {what}", place(text, at)))
}

/// What refuses to go deeper than [`DEPTH_MAX`].
pub(crate) fn too_deep(text: &str, at: usize) -> Error {
    Error::too_large(format!(
        "{}: more than {DEPTH_MAX} levels of mappings and lists",
        place(text, at)
    ))
}

/// For how many members a text may have room is made at once. What of it is not used is not even touched.
pub(crate) fn room(text: &str) -> usize {
    const ROOM_MAX: usize = 1 << 14;
    text.bytes().filter(|byte| *byte == b'\n').count().min(ROOM_MAX)
}

/// Where the line of `at` begins.
pub(crate) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the line of `at` ends, before its line break.
pub(crate) fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    if end > at && text.as_bytes()[end - 1] == b'\r' { end - 1 } else { end }
}

/// Whether nothing but blanks stands before `at` on its line.
pub(crate) fn leads_line(text: &str, at: usize) -> bool {
    is_blank(&text[line_start(text, at)..at])
}

pub(crate) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// The line break that the file uses: that of its first line.
pub(crate) fn newline(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}
