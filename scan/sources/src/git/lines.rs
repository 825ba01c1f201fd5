use std::ops::{Range, RangeInclusive};

use imara_diff::sources::byte_lines;
use imara_diff::{Algorithm, Diff, InternedInput};
use memchr::memchr_iter;

/// Lines that a change added, counted from 1, as the hunks of `git diff -U0` have them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Added(Vec<RangeInclusive<usize>>);

impl Added {
    /// All lines, as of a new file.
    pub(crate) fn all() -> Self {
        Self(vec![1..=usize::MAX])
    }

    /// What `new` has and `old` has not.
    pub(crate) fn between(old: &[u8], new: &[u8]) -> Self {
        Self(diff(old, new).0)
    }

    /// The hunk in which a line is, or else one of the lines that follow up to `end`.
    pub(crate) fn hunk(&self, start: usize, end: usize) -> Option<&RangeInclusive<usize>> {
        self.0.iter().find(|hunk| *hunk.start() <= end && start <= *hunk.end())
    }

    /// Where the added lines are in the text.
    pub(crate) fn ranges(&self, text: &[u8]) -> Vec<Range<usize>> {
        let starts: Vec<usize> =
            std::iter::once(0).chain(memchr_iter(b'\n', text).map(|at| at + 1)).collect();
        let start = |line: usize| starts.get(line - 1).copied().unwrap_or(text.len());
        self.0
            .iter()
            .map(|hunk| start(*hunk.start())..start(hunk.end().saturating_add(1)))
            .collect()
    }

    /// Whether one of these lines was added.
    pub(crate) fn touches(&self, start: usize, end: usize) -> bool {
        self.hunk(start, end).is_some()
    }
}

/// How much of the larger one of two texts is the same in both, from 0 to 1. Git takes a file for a moved one from one
/// half on.
pub(crate) fn similarity(old: &[u8], new: &[u8]) -> f64 {
    let longer = old.len().max(new.len());
    if longer == 0 {
        return 0.0;
    }
    diff(old, new).1 as f64 / longer as f64
}

/// The added lines, and how many bytes the lines have that are in both.
fn diff(old: &[u8], new: &[u8]) -> (Vec<RangeInclusive<usize>>, usize) {
    let input = InternedInput::new(byte_lines(old), byte_lines(new));
    let mut diff = Diff::compute(Algorithm::Myers, &input);
    diff.postprocess_lines(&input);
    let (mut hunks, mut added_bytes) = (Vec::new(), 0);
    for hunk in diff.hunks().filter(|hunk| !hunk.after.is_empty()) {
        let lines = hunk.after.start as usize..hunk.after.end as usize;
        hunks.push(lines.start + 1..=lines.end);
        added_bytes +=
            input.after[lines].iter().map(|token| input.interner[*token].len()).sum::<usize>();
    }
    (hunks, new.len().saturating_sub(added_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_lines_are_those_of_the_hunks() {
        let added = Added::between(b"a\nb\nc\n", b"a\nx\nb\nc\ny\nz\n");
        assert_eq!(added, Added(vec![2..=2, 5..=6]));
        assert!(added.touches(2, 2) && added.touches(4, 5) && added.touches(6, 9));
        assert!(!added.touches(1, 1) && !added.touches(3, 4) && !added.touches(7, 7));
        assert_eq!(Added::between(b"a\n", b"a\n"), Added::default());
        assert_eq!(Added::between(b"", b"a"), Added(std::iter::once(1..=1).collect()));
        assert!(Added::all().touches(1_000_000, 1_000_000));
        assert_eq!(added.ranges(b"a\nx\nb\nc\ny\nz\n"), [2..4, 8..12]);
        assert_eq!(Added::all().ranges(b"a\nb"), std::iter::once(0..3).collect::<Vec<_>>());
    }

    #[test]
    fn similarity_counts_bytes_of_equal_lines() {
        assert!((similarity(b"one\ntwo\n", b"one\ntwo\n") - 1.0).abs() < 1e-9);
        assert!((similarity(b"one\ntwo\n", b"one\nxxx\n") - 0.5).abs() < 1e-9);
        assert!(similarity(b"one\n", b"two\n") < 1e-9);
        assert!(similarity(b"", b"") < 1e-9);
    }
}
