//! How far a change in a text reaches: what need not be searched again where a text was searched before it was changed.
//!
//! An expression is *near* if all its matches are short, or have few line breaks: a match that a change makes lies in the
//! lines around the change. Where no near expression matches anything in these lines, all its matches are elsewhere, and
//! so they are those that were there before. It takes twice the length of a match on each side, as one that
//! went over the change before may have ended where another one begins now. What is not near is *far*: as long as
//! a text has nothing that such an expression begins with, no change elsewhere completes it.

use std::ops::Range;

use regex_syntax::hir::{Class, Hir, HirKind};

/// So many bytes around a change, and [`AROUND_LINES`] lines, are what [`Scanner::settles`](crate::Scanner::settles) has to see;
/// and the rest of the lines at both ends.
pub const AROUND_BYTES: usize = 1024;
/// So many lines, as [`AROUND_BYTES`] says.
pub const AROUND_LINES: usize = 26;

/// Blanks of any number (`\s*`) are taken to have no more line breaks than this, and a text that has more is searched as a
/// whole.
const BLANK_BREAKS: usize = 3;

/// What a search learns of a text for those that are changed versions of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Reach {
    /// A change may complete a match that begins far from it.
    pub(crate) is_far: bool,
    /// A keyword at one place may make a match elsewhere count.
    pub(crate) waits: bool,
}

/// What is known of a text when a changed version of it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    /// Whether it has hits; the changed one then may have those too that are near the change.
    pub has_hits: bool,
    pub reach: Reach,
}

/// How far a match of an expression goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Extent {
    /// At most so many bytes.
    Bytes(usize),
    /// Over at most so many line breaks.
    Breaks(usize),
    Far,
}

impl Extent {
    pub(crate) fn of(hir: &Hir) -> Self {
        let bytes = hir.properties().maximum_len().filter(|bytes| *bytes <= AROUND_BYTES / 2);
        let breaks = || line_breaks(hir).filter(|breaks| *breaks < AROUND_LINES / 2);
        match bytes {
            Some(bytes) => Self::Bytes(bytes),
            None => breaks().map_or(Self::Far, Self::Breaks),
        }
    }

    /// Whether the matches in a text, which was changed in `core`, leave a gap on each side of the change. A match begins
    /// where the one before has ended, so what ends at another place makes the next one begin at another place too, and
    /// so on; but not beyond a gap that is as long as a match.
    pub(crate) fn stand_apart(
        self,
        text: &[u8],
        core: &Range<usize>,
        matches: &[Range<usize>],
    ) -> bool {
        let (mut from, mut before, mut behind) = (0, core.start == 0, core.end == text.len());
        for found in matches {
            before |= from < core.start && self.fits(text, from..found.start.min(core.start), 1);
            behind |= core.end < found.start && self.fits(text, from.max(core.end)..found.start, 1);
            from = found.end;
        }
        before |= from < core.start && self.fits(text, from..core.start, 1);
        // What is not whole in the piece may begin at its end.
        behind |= self.fits(text, from.max(core.end)..text.len(), 2);
        before && behind
    }

    /// Whether so many matches that follow each other are no longer than a gap.
    fn fits(self, text: &[u8], gap: Range<usize>, times: usize) -> bool {
        match self {
            Self::Bytes(bytes) => gap.len() >= times * bytes,
            Self::Breaks(breaks) => {
                memchr::memchr_iter(b'\n', text.get(gap).unwrap_or_default()).count()
                    > times * breaks + 1
            }
            Self::Far => false,
        }
    }
}

/// The longest part that a far expression begins with and that is near itself.
pub(crate) fn head(hir: &Hir) -> Option<Hir> {
    match hir.kind() {
        HirKind::Capture(capture) => head(&capture.sub),
        HirKind::Concat(list) => {
            let parts = (1..list.len()).rev().map(|end| Hir::concat(list[..end].to_vec()));
            parts.into_iter().find(|part| Extent::of(part) != Extent::Far)
        }
        _ => None,
    }
}

/// Whether a text has more blank lines in a row than expressions are taken to have.
pub(crate) fn has_gap(text: &[u8]) -> bool {
    let (mut breaks, mut line) = (0, 0);
    memchr::memchr_iter(b'\n', text).any(|at| {
        let is_blank = text[line..at].iter().all(|byte| is_space(*byte));
        breaks = if is_blank { breaks + 1 } else { 1 };
        line = at + 1;
        breaks > BLANK_BREAKS
    })
}

/// How many line breaks a match has at most; `None` means without a bound.
fn line_breaks(hir: &Hir) -> Option<usize> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(0),
        HirKind::Literal(literal) => Some(memchr::memchr_iter(b'\n', &literal.0).count()),
        HirKind::Class(class) => Some(usize::from(has_line_break(class))),
        HirKind::Capture(capture) => line_breaks(&capture.sub),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.map(|max| max as usize);
            match line_breaks(&repetition.sub)? {
                0 => Some(0),
                1 if is_blank(&repetition.sub) => {
                    Some(times.map_or(BLANK_BREAKS, |times| times.min(BLANK_BREAKS)))
                }
                once => once.checked_mul(times?),
            }
        }
        HirKind::Concat(list) => list.iter().map(line_breaks).sum(),
        HirKind::Alternation(list) => {
            list.iter().map(line_breaks).try_fold(0, |most, breaks| Some(most.max(breaks?)))
        }
    }
}

/// Whether an expression is one character, and that is a blank or a line break.
fn is_blank(hir: &Hir) -> bool {
    let is_space = |from: u32, to: u32| (from..=to).all(|c| u8::try_from(c).is_ok_and(is_space));
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.is_ascii()
                && class.iter().all(|range| is_space(range.start().into(), range.end().into()))
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().all(|range| is_space(range.start().into(), range.end().into()))
        }
        _ => false,
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

fn has_line_break(class: &Class) -> bool {
    match class {
        Class::Unicode(class) => {
            class.iter().any(|range| (range.start()..=range.end()).contains(&'\n'))
        }
        Class::Bytes(class) => {
            class.iter().any(|range| (range.start()..=range.end()).contains(&b'\n'))
        }
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, clippy::unwrap_used)]
mod tests {
    use super::*;
    use scan_rules::Pattern;

    #[test]
    fn near_is_what_is_short_or_has_few_lines() {
        let check = |source: &str, near: bool| {
            let extent = Extent::of(Pattern::new(source).unwrap().hir());
            assert_eq!(extent != Extent::Far, near, "{source}");
        };
        check(r"ghp_[0-9a-zA-Z]{36}", true);
        check(r"ey[\w-]{17,}\.ey[\w-]{17,}", true);
        check(r"key[^\n]*=\s{0,5}[a-z]+", true);
        check(r"key\s*=\s*[a-z]+", true);
        check(r"key[\s,]*[a-z]+", false);
        check(r"key[a-z]+(?:\n|\r\n){12}", true);
        check(r"key[a-z]+(?:\n|\r\n){13}", false);
        check(r"(?s)BEGIN.{20,20000}?END", false);
        check(r"BEGIN[\s\S]{20,100}?END", true);
        check(r"a(?:b|\n)*[a-z]+", false);
    }

    #[test]
    fn matches_stand_apart_where_none_can_go_over_the_gap() {
        let text = [b'x'; 100];
        let check = |core: Range<usize>, matches: &[Range<usize>], apart: bool| {
            assert_eq!(Extent::Bytes(10).stand_apart(&text, &core, matches), apart, "{matches:?}");
        };
        check(40..60, &[], true);
        check(40..60, &[45..50], true);
        check(40..60, &[35..40, 75..80], true);
        check(40..60, &[60..65, 65..70, 70..75, 75..80], true);
        check(40..60, &[60..65, 65..70, 70..75, 75..85], false);
        check(40..60, &[9..15, 20..25, 30..35, 37..39], false);
        check(0..60, &[9..15, 20..25], true);
        check(9..60, &[], false);
        check(0..100, &[0..100], true);
        let lines = b"a\n".repeat(20);
        assert!(Extent::Breaks(1).stand_apart(&lines, &(18..20), &[]));
        assert!(!Extent::Breaks(5).stand_apart(&lines, &(18..20), &[]));
        assert!(!Extent::Far.stand_apart(&lines, &(18..20), &[]));
    }

    #[test]
    fn far_expressions_have_heads() {
        let check = |source: &str, expected: Option<&str>| {
            let hir = head(Pattern::new(source).unwrap().hir());
            assert_eq!(hir, expected.map(|e| Pattern::new(e).unwrap().hir().clone()), "{source}");
        };
        check(
            r"-----BEGIN (?:RSA )?KEY-----[\s\S]{20,20000}?-----END",
            Some("-----BEGIN (?:RSA )?KEY-----"),
        );
        check(r"(?m)(^kind:[ \t]*Secret$[\s\S]{0,500}?^data:)", Some(r"(?m)^kind:[ \t]*Secret$"));
        check(r"[\s\S]*secret", None);
        check(r"(?:a|b\n)*", None);
    }

    #[test]
    fn gaps_are_more_than_two_blank_lines() {
        assert!(!has_gap(b"a\n\n \t\nb\nc\n\n\nd"));
        assert!(has_gap(b"a\n\n\n \r\nb"));
        assert!(!has_gap(b""));
    }
}
