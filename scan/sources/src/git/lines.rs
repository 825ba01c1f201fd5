use std::ops::{Range, RangeInclusive};

use imara_diff::sources::byte_lines;
use imara_diff::{Algorithm, Diff, InternedInput};
use memchr::{memchr_iter, memmem};
use scan_engine::lines_of;

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
        Self(diff(&InternedInput::new(byte_lines(old), byte_lines(new)), new.len()).0)
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

/// Whether no line that `spans` of the new text are in can be an added one, as far as that is told without a diff: the lines
/// are before or behind all differences, and what a diff finds can be moved over none of them, as each is like no other.
pub(crate) fn stay(old: &[u8], new: &[u8], spans: impl Iterator<Item = Range<usize>>) -> bool {
    let before = common(old.chunks(BLOCK).zip(new.chunks(BLOCK)), |block| block.iter());
    let (old_rest, new_rest) = (&old[before..], &new[before..]);
    let behind = old_rest.rchunks(BLOCK).zip(new_rest.rchunks(BLOCK));
    let behind = common(behind, |block| block.iter().rev());
    let stays = |span: Range<usize>| {
        let lines = lines_of(new, &span);
        let text = &new[lines.clone()];
        if lines.end < before {
            return is_single(new, text.rsplit(|byte| *byte == b'\n').next());
        }
        lines.start > new.len() - behind && is_single(new, text.split(|byte| *byte == b'\n').next())
    };
    spans.enumerate().all(|(number, span)| number < STAYING_MAX && stays(span))
}

/// For more places than this a diff takes less time, as all of the text is looked through for each of them.
const STAYING_MAX: usize = 64;

/// How many bytes are compared at a time.
const BLOCK: usize = 256;

/// How many bytes of two texts, which come in blocks, are the same before the first that is not.
fn common<'t, I: Iterator<Item = &'t u8>>(
    blocks: impl Iterator<Item = (&'t [u8], &'t [u8])>,
    bytes: impl Fn(&'t [u8]) -> I,
) -> usize {
    let mut length = 0;
    for (one, other) in blocks {
        if one != other {
            let same = bytes(one).zip(bytes(other)).take_while(|(one, other)| one == other);
            return length + same.count();
        }
        length += one.len();
    }
    length
}

/// Whether a line is at one place of a text alone.
fn is_single(text: &[u8], line: Option<&[u8]>) -> bool {
    line.is_some_and(|line| memmem::find_iter(text, line).nth(1).is_none())
}

/// From so much likeness on git takes a new file for one that was gone elsewhere.
pub(crate) const MOVED: f64 = 0.5;

/// How much of the larger one of two texts is the same in both, from 0 to 1; below [`MOVED`] it may be less.
pub(crate) fn similarity(old: &[u8], new: &[u8]) -> f64 {
    let longer = old.len().max(new.len());
    if longer == 0 {
        return 0.0;
    }
    let input = InternedInput::new(byte_lines(old), byte_lines(new));
    // No diff leaves more than the lines that are in both, and most texts have little in common.
    let mut is_old = vec![false; input.interner.num_tokens() as usize];
    input.before.iter().for_each(|line| is_old[line.0 as usize] = true);
    let common = input.after.iter().filter(|line| is_old[line.0 as usize]);
    let most = common.map(|line| input.interner[*line].len()).sum::<usize>();
    let same = if most as f64 / (longer as f64) < MOVED { most } else { diff(&input, new.len()).1 };
    same as f64 / longer as f64
}

/// The added lines, and how many bytes of the new text, which has `length`, are in lines of both.
fn diff(input: &InternedInput<&[u8]>, length: usize) -> (Vec<RangeInclusive<usize>>, usize) {
    let mut diff = Diff::compute(Algorithm::Myers, input);
    diff.postprocess_lines(input);
    let (mut hunks, mut added_bytes) = (Vec::new(), 0);
    for hunk in diff.hunks().filter(|hunk| !hunk.after.is_empty()) {
        let lines = hunk.after.start as usize..hunk.after.end as usize;
        hunks.push(lines.start + 1..=lines.end);
        added_bytes +=
            input.after[lines].iter().map(|token| input.interner[*token].len()).sum::<usize>();
    }
    (hunks, length.saturating_sub(added_bytes))
}

#[cfg(test)]
mod tests {
    use scan_corpus::Draw;

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

    /// What is said to stay is in no hunk of a diff, and most that is far from the differences is said to.
    #[test]
    fn lines_that_stay_are_in_no_hunk() {
        let mut draw = Draw::new(1);
        let mut below = |end: usize| draw.below(end);
        let (mut staying, mut checked) = (0, 0);
        for round in 0..400 {
            // Of few different lines, so that hunks can be moved far.
            let kinds = 2 + round % 12;
            let mut lines: Vec<String> = (0..20).map(|_| format!("{}\n", below(kinds))).collect();
            let old = lines.concat();
            for _ in 0..=below(3) {
                let (from, at) = (below(lines.len()), below(lines.len()));
                match below(3) {
                    0 => lines.insert(at, format!("{}\n", below(kinds))),
                    1 => lines.splice(at..at, lines[from.min(at)..at].to_vec()).for_each(drop),
                    _ => _ = lines.remove(at),
                }
            }
            let new = lines.concat();
            let added = Added::between(old.as_bytes(), new.as_bytes());
            let mut start = 0;
            for (number, line) in lines.iter().enumerate() {
                let span = start..start + line.len() - 1;
                start += line.len();
                checked += 1;
                if stay(old.as_bytes(), new.as_bytes(), std::iter::once(span)) {
                    staying += 1;
                    assert!(!added.touches(number + 1, number + 1), "{old} {new} {number}");
                }
            }
        }
        assert!(staying > checked / 30, "{staying} of {checked}");
    }

    #[test]
    fn similarity_counts_bytes_of_equal_lines() {
        assert!((similarity(b"one\ntwo\n", b"one\ntwo\n") - 1.0).abs() < 1e-9);
        assert!((similarity(b"one\ntwo\n", b"one\nxxx\n") - 0.5).abs() < 1e-9);
        assert!(similarity(b"one\n", b"two\n") < 1e-9);
        assert!(similarity(b"", b"") < 1e-9);
    }
}
