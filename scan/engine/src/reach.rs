//! How far a change in a text reaches: what need not be searched again where a text was searched before it was changed.
//!
//! An expression is *near* if all its matches are short, or have few line breaks. A match that a change makes lies near
//! the change then, and so does one that could not begin before as another one went over its place. Where no near
//! expression has a literal of its matches around the change, all its matches are elsewhere, and so they are those that
//! were there before. What is not near is *far*: as long as a text has nothing that such an expression begins with, no
//! change elsewhere completes it.

use std::ops::Range;

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::Clues;
use crate::names::has_char;
use crate::trigger::Trigger;

/// So many bytes around a change, and [`AROUND_LINES`] line breaks, are what [`Scanner::settles`](crate::Scanner::settles) has
/// to look for literals in; and the rest of the lines at both ends.
pub const AROUND_BYTES: usize = 512;
/// So many lines, as [`AROUND_BYTES`] says.
pub const AROUND_LINES: usize = 14;

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

/// What is around a change of a text.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'t> {
    /// From [`AROUND_BYTES`] and [`AROUND_LINES`] before the change, or more, to twice as much behind it; or all that there is.
    pub text: &'t [u8],
    /// Where it begins in all of the text.
    pub start: usize,
    /// What all of the text has.
    pub clues: &'t Clues,
    /// Up to here literals are looked for: [`AROUND_BYTES`] and [`AROUND_LINES`] behind the change, or more.
    pub around: usize,
    /// Whether it is the first of its text.
    pub begins: bool,
    /// Whether `around` is the end of its text.
    pub ends: bool,
}

/// How far a match of an expression goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Extent {
    Near {
        most: Distance,
        /// From the start of a match to the end of the literal by which it is found, at most; in the same unit.
        lead: Distance,
    },
    Far,
}

/// A distance in a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Distance {
    Bytes(usize),
    /// Over so many line breaks.
    Breaks(usize),
}

impl Extent {
    /// Of an expression that is found by `trigger`, or is looked for everywhere.
    pub(crate) fn of(hir: &Hir, trigger: Option<&Trigger>) -> Self {
        let lead = trigger.and_then(Trigger::end_of_literal);
        let bytes = || {
            let most = hir.properties().maximum_len()?;
            let lead = lead.unwrap_or(most).min(most);
            (most + lead <= AROUND_BYTES)
                .then_some(Self::Near { most: Distance::Bytes(most), lead: Distance::Bytes(lead) })
        };
        let breaks = || {
            let most = line_breaks(hir)?;
            let lead = if trigger.is_some_and(Trigger::is_in_first_line) { 0 } else { most };
            (most < AROUND_LINES && most + lead <= AROUND_LINES).then_some(Self::Near {
                most: Distance::Breaks(most),
                lead: Distance::Breaks(lead),
            })
        };
        bytes().or_else(breaks).unwrap_or(Self::Far)
    }

    /// Whether the matches in a piece leave a gap on each side of the change, which is `core` of it. A match begins
    /// where the one before has ended, so what ends at another place makes the next one begin at another place too, and
    /// so on; but not beyond a gap that is as long as a match.
    pub(crate) fn stand_apart(
        self,
        piece: Piece<'_>,
        core: &Range<usize>,
        matches: &[Range<usize>],
    ) -> bool {
        let Self::Near { most, lead } = self else { return false };
        let Piece { text, around, begins, ends, .. } = piece;
        // What begins further behind may have its literal where nobody looked.
        let until = lead.before(text, around);
        let (mut from, mut before, mut behind) = (0, begins, ends);
        let ends = matches.iter().map(|found| found.start).chain([text.len()]);
        for (gap_end, next) in ends.zip(matches.iter().map(|found| found.end).chain([text.len()])) {
            before |= most.fits(text, from..gap_end.min(core.start));
            behind |= most.fits(text, from.max(core.end)..gap_end.min(until));
            from = next;
        }
        before && behind
    }
}

impl Distance {
    /// Whether it is no longer than a gap.
    fn fits(self, text: &[u8], gap: Range<usize>) -> bool {
        match self {
            Self::Bytes(bytes) => gap.end >= gap.start + bytes,
            Self::Breaks(breaks) => {
                memchr::memchr_iter(b'\n', text.get(gap).unwrap_or_default()).count() > breaks
            }
        }
    }

    /// The place that is so far before `end`.
    fn before(self, text: &[u8], end: usize) -> usize {
        match self {
            Self::Bytes(bytes) | Self::Breaks(bytes @ 0) => end.saturating_sub(bytes),
            Self::Breaks(breaks) => {
                memchr::memrchr_iter(b'\n', &text[..end]).nth(breaks - 1).unwrap_or(0)
            }
        }
    }
}

/// The longest part that a far expression begins with and that is near itself.
pub(crate) fn head(hir: &Hir) -> Option<Hir> {
    match hir.kind() {
        HirKind::Capture(capture) => head(&capture.sub),
        HirKind::Concat(list) => {
            let parts = (1..list.len()).rev().map(|end| Hir::concat(list[..end].to_vec()));
            parts.into_iter().find(|part| Extent::of(part, None) != Extent::Far)
        }
        _ => None,
    }
}

/// The lines that `range` of a text touches, without the last line break.
pub fn lines_of(text: &[u8], range: &Range<usize>) -> Range<usize> {
    let start = memchr::memrchr(b'\n', &text[..range.start]).map_or(0, |newline| newline + 1);
    let end = memchr::memchr(b'\n', &text[range.end..]);
    start..end.map_or(text.len(), |newline| range.end + newline)
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
        HirKind::Class(class) => Some(usize::from(has_char(class, '\n'))),
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

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::trigger;
    use scan_rules::Pattern;

    fn extent(source: &str) -> Extent {
        let hir = Pattern::new(source).unwrap().hir().clone();
        Extent::of(&hir, trigger::of(&hir).as_ref())
    }

    #[test]
    fn near_is_what_is_short_or_has_few_lines() {
        let check = |source: &str, near: bool| {
            assert_eq!(extent(source) != Extent::Far, near, "{source}");
        };
        check(r"ghp_[0-9a-zA-Z]{36}", true);
        check(r"ghp_[0-9a-zA-Z\n]{504}", true);
        check(r"ghp_[0-9a-zA-Z\n]{505}", false);
        check(r"[0-9a-zA-Z\n]{252}ghp_", true);
        check(r"[0-9a-zA-Z\n]{253}ghp_", false);
        check(r"ey[\w-]{17,}\.ey[\w-]{17,}", true);
        check(r"key[^\n]*=\s{0,5}[a-z]+", true);
        check(r"key\s*=\s*[a-z]+", true);
        check(r"key[\s,]*[a-z]+", false);
        check(r"key[a-z]+(?:\n|\r\n){13}", true);
        check(r"key[a-z]+(?:\n|\r\n){14}", false);
        check(r"[a-z]+(?:\n|\r\n){7}key", true);
        check(r"[a-z]+(?:\n|\r\n){8}key", false);
        check(r"(?s)BEGIN.{20,20000}?END", false);
        check(r"BEGIN[\s\S]{20,100}?END", true);
        check(r"a(?:b|\n)*[a-z]+", false);
    }

    #[test]
    fn matches_stand_apart_where_none_can_go_over_the_gap() {
        let text = [b'x'; 100];
        let ten = Extent::Near { most: Distance::Bytes(10), lead: Distance::Bytes(3) };
        let clues = Clues::default();
        let piece =
            Piece { text: &text, start: 0, clues: &clues, around: 90, begins: false, ends: false };
        let check = |core: Range<usize>, matches: &[Range<usize>], apart: bool| {
            assert_eq!(ten.stand_apart(piece, &core, matches), apart, "{core:?} {matches:?}");
        };
        check(40..60, &[], true);
        check(40..60, &[45..50], true);
        check(40..60, &[35..40, 75..80], true);
        check(40..60, &[60..65, 65..70, 70..77], true);
        // What begins at 88 has a literal that nobody looked for.
        check(40..60, &[60..65, 65..70, 70..78], false);
        check(40..60, &[9..15, 20..25, 30..35, 37..39], false);
        check(9..60, &[], false);
        check(10..60, &[], true);
        check(40..78, &[], false);
        let whole = Piece { around: 100, begins: true, ends: true, ..piece };
        assert!(ten.stand_apart(whole, &(0..100), &[0..100]));
        assert!(!Extent::Far.stand_apart(piece, &(40..60), &[]));
        let lines = b"a\n".repeat(20);
        let piece = Piece { text: &lines, around: 30, ..piece };
        let apart = |most: usize, lead: usize| {
            let extent =
                Extent::Near { most: Distance::Breaks(most), lead: Distance::Breaks(lead) };
            extent.stand_apart(piece, &(18..20), &[])
        };
        assert!(apart(4, 0) && apart(3, 1) && apart(2, 2));
        assert!(!apart(5, 0) && !apart(4, 1) && !apart(3, 2));
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
