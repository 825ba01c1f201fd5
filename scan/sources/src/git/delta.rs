//! Deltas of packs: <https://git-scm.com/docs/pack-format#_deltified_representation>.

use std::ops::Range;

use scan_engine::Copied;

/// What a delta makes of its base.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Edit {
    /// Where the result is not a plain copy of the base: what was inserted, and as empty ranges the seams between two copies.
    pub(crate) novel: Vec<Range<usize>>,
    /// What is a copy, in its order.
    pub(crate) copied: Vec<Copied>,
}

/// The size that `delta` says its result has.
pub(crate) fn result_size(delta: &[u8]) -> Option<usize> {
    let mut at = delta;
    size(&mut at)?;
    size(&mut at)
}

/// Writes what `delta` makes of `base` into `result` and says what of it is new and what is not. `None` for a delta that is
/// broken or belongs to another base. The caller has looked at [`result_size`] before.
pub(crate) fn apply(base: &[u8], delta: &[u8], result: &mut Vec<u8>) -> Option<Edit> {
    let mut at = delta;
    if size(&mut at)? != base.len() {
        return None;
    }
    let expected = size(&mut at)?;
    result.clear();
    result.reserve_exact(expected);
    let Edit { mut novel, mut copied } = Edit::default();
    // Both start at nothing: a first copy of the base's start has no seam before it.
    let mut copied_until = Some(0);
    while let Some((&instruction, rest)) = at.split_first() {
        at = rest;
        let start = result.len();
        if instruction & 0x80 != 0 {
            let source = copy_range(instruction, &mut at)?;
            let is_seam = copied_until != Some(source.start);
            copied_until = Some(source.end);
            result.extend_from_slice(base.get(source.clone())?);
            match copied.last_mut() {
                Some(Copied { at, .. }) if !is_seam => at.end = result.len(),
                _ => copied.push(Copied { from: source.start, at: start..result.len() }),
            }
            if is_seam {
                novel.push(start..start);
            }
        } else {
            let (inserted, rest) = at.split_at_checked(usize::from(instruction))?;
            if inserted.is_empty() {
                return None;
            }
            at = rest;
            result.extend_from_slice(inserted);
            novel.push(start..result.len());
            copied_until = None;
        }
        if result.len() > expected {
            return None;
        }
    }
    // What the base has beyond the last copy is missing here, which is a seam too unless nothing was there.
    if copied_until != Some(base.len()) {
        novel.push(result.len()..result.len());
    }
    (result.len() == expected).then_some(Edit { novel, copied })
}

/// A number in groups of seven bits, the lowest first.
fn size(at: &mut &[u8]) -> Option<usize> {
    let mut value = 0usize;
    for shift in (0..usize::BITS).step_by(7) {
        let (&byte, rest) = at.split_first()?;
        *at = rest;
        value |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Each of the seven low bits of a copy says whether its byte of the offset or of the size is there.
fn copy_range(instruction: u8, at: &mut &[u8]) -> Option<Range<usize>> {
    let mut number = |bits: Range<u8>| {
        let mut value = 0usize;
        for (place, bit) in bits.enumerate() {
            if instruction & (1 << bit) != 0 {
                let (&byte, rest) = at.split_first()?;
                *at = rest;
                value |= usize::from(byte) << (8 * place);
            }
        }
        Some(value)
    };
    let start = number(0..4)?;
    let length = match number(4..7)? {
        0 => 0x10000,
        length => length,
    };
    Some(start..start + length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// "hello world" to "hello brave world": copy 6, insert "brave ", copy 5 from 6.
    const DELTA: &[u8] = b"\x0b\x11\x90\x06\x06brave \x91\x06\x05";

    #[test]
    fn copies_and_inserts_and_says_what_is_new() {
        let mut result = Vec::new();
        let edit = apply(b"hello world", DELTA, &mut result).unwrap();
        assert_eq!(result, b"hello brave world");
        assert_eq!(edit.novel, [6..12, 12..12]);
        let copied = [Copied { from: 0, at: 0..6 }, Copied { from: 6, at: 12..17 }];
        assert_eq!(edit.copied, copied);
        assert_eq!(result_size(DELTA), Some(17));
    }

    #[test]
    fn two_copies_that_follow_each_other_have_no_seam() {
        let mut result = Vec::new();
        let edit = apply(b"hello world", b"\x0b\x0b\x90\x06\x91\x06\x05", &mut result).unwrap();
        assert_eq!(result, b"hello world");
        assert!(edit.novel.is_empty());
        assert_eq!(edit.copied, [Copied { from: 0, at: 0..11 }]);
        let edit = apply(b"hello world", b"\x0b\x05\x90\x05", &mut result).unwrap();
        assert_eq!(edit.novel, std::iter::once(5..5).collect::<Vec<_>>());
    }

    #[test]
    fn refuses_what_is_cut_too_long_or_of_another_base() {
        let mut result = Vec::new();
        for length in 0..DELTA.len() {
            assert!(apply(b"hello world", &DELTA[..length], &mut result).is_none(), "{length}");
        }
        assert!(apply(b"hello worlds", DELTA, &mut result).is_none());
        assert!(apply(b"hello world", b"\x0b\x05\x91\x09\x05", &mut result).is_none());
        assert!(apply(b"hello world", b"\x0b\x01\x00", &mut result).is_none());
        assert!(
            apply(b"hello world", b"\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", &mut result)
                .is_none()
        );
    }
}
