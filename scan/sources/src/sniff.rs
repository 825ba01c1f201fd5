/// What some content is, by its first bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Content {
    Text,
    /// Text of more than one byte a unit.
    Wide(Wide),
    Archive(Archive),
    /// A format in which text is not written as such.
    Binary,
}

/// How units are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wide {
    Utf16Be,
    Utf16Le,
    Utf32Be,
    Utf32Le,
}

/// What is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Archive {
    Bzip2,
    Gzip,
    Tar,
    Xz,
    Zip,
    Zstd,
}

/// So many bytes are enough to tell.
pub(crate) const SNIFF_BYTES: usize = 512;

const ARCHIVES: &[(usize, &[u8], Archive)] = &[
    (0, b"PK\x03\x04", Archive::Zip),
    (0, b"PK\x05\x06", Archive::Zip),
    (0, b"\x1f\x8b", Archive::Gzip),
    (0, b"BZh", Archive::Bzip2),
    (0, b"\xfd7zXZ\0", Archive::Xz),
    (0, b"\x28\xb5\x2f\xfd", Archive::Zstd),
    (257, b"ustar", Archive::Tar),
];

const BINARIES: &[(usize, &[u8])] = &[
    (0, b"%PDF"),
    (0, b"MZ"),
    (0, b"\x7fELF"),
    (0, b"\xca\xfe\xba\xbe"),
    (0, b"\xfe\xed\xfa"),
    (0, b"\xcf\xfa\xed\xfe"),
    (0, b"\0asm"),
    (0, b"7z\xbc\xaf\x27\x1c"),
    (0, b"Rar!\x1a\x07"),
    (0, b"SQLite format 3\0"),
    (0, b"!<arch>"),
    (0, b"\xed\xab\xee\xdb"),
    (0, b"MSCF"),
    (0, b"LZIP"),
    (0, b"\x1f\x9d"),
    (0, b"\x1f\xa0"),
    (0, b"NES\x1a"),
    (0, b"Cr24"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
];

/// Says what content is that starts with `head`.
pub(crate) fn sniff(head: &[u8]) -> Content {
    let has = |at: usize, magic: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(magic));
    if let Some((.., archive)) = ARCHIVES.iter().find(|(at, magic, _)| has(*at, magic)) {
        return Content::Archive(*archive);
    }
    if BINARIES.iter().any(|(at, magic)| has(*at, magic)) {
        return Content::Binary;
    }
    match head {
        [0xff, 0xfe, 0, 0, rest @ ..] if are_characters(rest, u32::from_le_bytes) => {
            Content::Wide(Wide::Utf32Le)
        }
        [0, 0, 0xfe, 0xff, rest @ ..] if are_characters(rest, u32::from_be_bytes) => {
            Content::Wide(Wide::Utf32Be)
        }
        [0xff, 0xfe, ..] => Content::Wide(Wide::Utf16Le),
        [0xfe, 0xff, ..] => Content::Wide(Wide::Utf16Be),
        _ => unmarked(head),
    }
}

/// The mark of UTF-32 may also be that of UTF-16 and a zero; but two units of that are hardly ever one of this.
fn are_characters(head: &[u8], unit: impl Fn([u8; 4]) -> u32) -> bool {
    let (units, _) = head[..head.len().min(SNIFF_BYTES)].as_chunks::<4>();
    units.iter().all(|bytes| char::from_u32(unit(*bytes)).is_some())
}

/// Text of two bytes a unit may lack the mark at its start. Then every other byte of what is mostly ASCII is zero, and no
/// other one is.
fn unmarked(head: &[u8]) -> Content {
    if head.len() < 2 || memchr::memchr(0, head).is_none() {
        return Content::Text;
    }
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let many = head.len() / 2 * 3 / 4;
    match (zeros(0), zeros(1)) {
        (0, low) if low > many => Content::Wide(Wide::Utf16Le),
        (high, 0) if high > many => Content::Wide(Wide::Utf16Be),
        _ => Content::Text,
    }
}

/// What git takes for binary, and shows no lines of: a zero byte among the first 8000.
pub(crate) fn is_binary_to_git(bytes: &[u8]) -> bool {
    memchr::memchr(0, &bytes[..bytes.len().min(8000)]).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_by_its_start() {
        let check = |head: &[u8], content| assert_eq!(sniff(head), content);
        check(b"", Content::Text);
        check(b"PK", Content::Text);
        check(b"PK\x03\x04rest", Content::Archive(Archive::Zip));
        check(b"\x1f\x8b\x08", Content::Archive(Archive::Gzip));
        check(b"\xff\xfe\0\0a\0\0\0", Content::Wide(Wide::Utf32Le));
        check(b"\0\0\xfe\xff\0\0\0a", Content::Wide(Wide::Utf32Be));
        check(b"\xff\xfe\0\0a\0b\0", Content::Wide(Wide::Utf16Le));
        check(b"\xff\xfea\0", Content::Wide(Wide::Utf16Le));
        check(b"a\0=\0b\0c\0d\0e\0\x61\x01", Content::Wide(Wide::Utf16Le));
        check(b"a\0=\0b\0\x61\x01", Content::Text);
        check(b"\0a\0=\0b\0\n\0", Content::Wide(Wide::Utf16Be));
        check(b"a\0", Content::Wide(Wide::Utf16Le));
        check(b"\0", Content::Text);
        check(b"ab\0cd\0ef\0", Content::Text);
        check(&[0; 64], Content::Text);
        check(b"%PDF-1.7", Content::Binary);
        check(b"MZ\x90", Content::Binary);
        let mut tar = [0; SNIFF_BYTES];
        tar[257..262].copy_from_slice(b"ustar");
        check(&tar, Content::Archive(Archive::Tar));
    }
}
