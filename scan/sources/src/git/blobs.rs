use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;

use gix::ObjectId;
use gix::hash::oid;
use gix::object::Kind;
use scan_engine::{AROUND_BYTES, AROUND_LINES, Before, Reach, lines_of};

use crate::git::delta::Novel;
use crate::git::resolve::{Relation, Verdict, Visit};
use crate::git::store::Store;
use crate::outcome::Gap;
use crate::search::{Found, Searcher};
use crate::sniff::{Content, is_binary_to_git, sniff};
use crate::task::Task;

/// So long the lines around a change may be on each side, for it to be searched alone.
const LINES_BYTES_MAX: usize = 16 << 10;

/// The blobs that hold something, and what to do to know what.
pub(crate) type FoundBlobs = HashMap<ObjectId, Kept>;

/// What is kept of a blob that has something.
pub(crate) enum Kept {
    /// All that was found, as the blob is too large to be held, or this is little.
    Findings { found: Found, is_large: bool },
    /// The blob is searched again when a change is to be told that brought it in. So however much is found, it takes up
    /// little memory.
    Again {
        reach: Reach,
        /// Where matches are, if they are known and few.
        spans: Option<Box<[Range<u32>]>>,
    },
}

/// So much of what it finds each thread keeps, in bytes.
const FINDINGS_BYTES_MAX: usize = 4 << 20;

/// Of so many matches the places are kept.
const SPANS_MAX: usize = 64;

impl Kept {
    fn again(found: &Found) -> Self {
        let hits = match found.parts.as_slice() {
            [part] if part.inner.is_empty() && part.hits.len() <= SPANS_MAX => Some(&part.hits),
            _ => None,
        };
        let spans = hits.and_then(|hits| {
            let small = |at: usize| u32::try_from(at).ok();
            let spans = hits.spans().map(|span| Some(small(span.start)?..small(span.end)?));
            let spans: Box<[Range<u32>]> = spans.collect::<Option<_>>()?;
            // What rules for paths say is at no place.
            (spans.len() == hits.len()).then_some(spans)
        });
        Self::Again { reach: found.reach, spans }
    }

    /// Whether it is known that no match touches the lines that a change added.
    pub(crate) fn misses(&self, added: &[Range<usize>]) -> bool {
        let Self::Again { spans: Some(spans), .. } = self else { return false };
        let touches = |span: &Range<u32>, lines: &Range<usize>| {
            span.start as usize <= lines.end && lines.start <= span.end as usize + 1
        };
        !spans.iter().any(|span| added.iter().any(|lines| touches(span, lines)))
    }
}

/// Searches every blob of a repository once.
pub(crate) fn search_all(task: Task<'_>, store: &Store, gaps: &mut Vec<Gap>) -> FoundBlobs {
    let mut visitors: Vec<_> = (0..task.limits.threads).map(|_| BlobVisitor::new(task)).collect();
    store.visit(Kind::Blob, &mut visitors, task.progress);
    let mut all = FoundBlobs::new();
    for visitor in visitors {
        all.extend(visitor.found);
        gaps.extend(visitor.gaps);
    }
    all
}

/// Searches blobs, as one thread does.
pub(crate) struct BlobVisitor<'a> {
    searcher: Searcher<'a>,
    /// Whether changed versions of a text are searched as if they were none.
    searches_all: bool,
    pub(crate) found: FoundBlobs,
    findings_bytes: usize,
    pub(crate) gaps: Vec<Gap>,
}

impl<'a> BlobVisitor<'a> {
    pub(crate) fn new(task: Task<'a>) -> Self {
        let searches_all = task.limits.searches_all;
        Self {
            searcher: Searcher::new(task),
            searches_all,
            found: FoundBlobs::new(),
            findings_bytes: 0,
            gaps: Vec::new(),
        }
    }

    /// Whether a text has what the one has of which it is a changed version.
    fn settles(&mut self, bytes: &[u8], novel: &Novel, before: Before) -> bool {
        let Some(windows) = windows(bytes, novel) else { return false };
        let searched: usize = windows.iter().map(|window| window.range.len()).sum();
        // To search nearly all of it in pieces is no gain.
        if searched > bytes.len() / 8 * 7 {
            return false;
        }
        let settles = windows.iter().all(|window| self.searcher.settles(bytes, window, before));
        if settles {
            self.searcher.task.progress.read(bytes.len() as u64);
        }
        settles
    }

    fn note(&mut self, id: &oid, found: Found, is_large: bool) {
        let gaps = found.gaps.iter();
        let place = |inner: &String| format!("object {id}{inner}");
        self.gaps.extend(gaps.map(|(inner, reason)| Gap::fault(place(inner), reason)));
        if found.parts.is_empty() {
            return;
        }
        let bytes = found.parts.iter().map(|part| part.hits.size()).sum::<usize>();
        let is_little = self.findings_bytes + bytes <= FINDINGS_BYTES_MAX;
        let kept = if is_large || is_little {
            self.findings_bytes += bytes;
            Kept::Findings { found, is_large }
        } else {
            Kept::again(&found)
        };
        self.found.insert(id.into(), kept);
    }
}

impl Visit for BlobVisitor<'_> {
    fn object(&mut self, id: &oid, bytes: &[u8], relation: Relation<'_>) -> Verdict {
        let content = sniff(bytes);
        if matches!(content, Content::Text | Content::Binary) && is_binary_to_git(bytes) {
            return Verdict::Other;
        }
        let before = match (content, relation) {
            (
                Content::Text,
                Relation::Delta { parent: parent @ Verdict::Text { is_found, reach }, novel },
            ) if !self.searches_all => Some((parent, novel, Before { has_hits: is_found, reach })),
            _ => None,
        };
        let found = match before {
            Some((parent, novel, before)) if self.settles(bytes, novel, before) => {
                if before.has_hits {
                    let kept = Kept::Again { reach: before.reach, spans: None };
                    self.found.insert(id.into(), kept);
                }
                return parent;
            }
            Some((_, novel, before)) => {
                self.searcher.changed(bytes, &changed_lines(bytes, novel), before.reach)
            }
            None => self.searcher.bytes(bytes),
        };
        let is_found = !found.parts.is_empty();
        let reach = found.reach;
        self.note(id, found, false);
        match content {
            Content::Text => Verdict::Text { is_found, reach },
            _ => Verdict::Other,
        }
    }

    fn stream(&mut self, id: &oid, bytes: &mut dyn Read) {
        match self.searcher.stream(bytes) {
            Ok(found) => self.note(id, found, true),
            Err(e) => self.lost(id, &e.to_string()),
        }
    }

    fn lost(&mut self, id: &oid, reason: &str) {
        self.gaps.push(Gap::fault(format!("object {id}"), format!("{reason}: run git fsck")));
    }
}

/// The lines in which something is new, in their order.
fn changed_lines(bytes: &[u8], novel: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut lines: Vec<Range<usize>> = Vec::new();
    for range in novel {
        match lines.last_mut() {
            Some(last) if range.end <= last.end => {}
            Some(last) if range.start <= last.end => last.end = lines_of(bytes, range).end,
            _ => lines.push(lines_of(bytes, range)),
        }
    }
    lines
}

/// What is around a change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Window {
    /// Whole lines, as far as the change reaches.
    pub(crate) range: Range<usize>,
    /// From the first to the last byte that is new.
    pub(crate) core: Range<usize>,
    /// Where what is as far behind the range ends.
    pub(crate) end: usize,
}

/// The windows around what is new, in their order. `None` if their lines are too long.
pub(crate) fn windows(bytes: &[u8], novel: &[Range<usize>]) -> Option<Vec<Window>> {
    let mut windows: Vec<Window> = Vec::new();
    for changed in novel.chunk_by(|one, next| next.start <= one.end + 2 * AROUND_BYTES) {
        let core = changed[0].start..changed[changed.len() - 1].end;
        let range = window_start(bytes, core.start)?..window_end(bytes, core.end)?;
        let end = window_end(bytes, range.end)?;
        match windows.last_mut() {
            Some(last) if last.range.end >= range.start => {
                last.range.end = last.range.end.max(range.end);
                last.core.end = core.end;
                last.end = last.end.max(end);
            }
            _ => windows.push(Window { range, core, end }),
        }
    }
    Some(windows)
}

fn window_start(bytes: &[u8], at: usize) -> Option<usize> {
    let from = at.saturating_sub(AROUND_BYTES + LINES_BYTES_MAX);
    let mut breaks = memchr::memrchr_iter(b'\n', &bytes[from..at]).skip(AROUND_LINES);
    match breaks.find(|newline| from + newline + 1 + AROUND_BYTES <= at) {
        Some(newline) => Some(from + newline + 1),
        None => (from == 0).then_some(0),
    }
}

fn window_end(bytes: &[u8], at: usize) -> Option<usize> {
    let until = bytes.len().min(at + AROUND_BYTES + LINES_BYTES_MAX);
    let mut breaks = memchr::memchr_iter(b'\n', &bytes[at..until]).skip(AROUND_LINES);
    match breaks.find(|newline| newline + 1 >= AROUND_BYTES) {
        Some(newline) => Some(at + newline + 1),
        None => (until == bytes.len()).then_some(until),
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn windows_reach_to_whole_lines_around_changes_and_join() {
        let check = |line: &str, novel: &[Range<usize>], expected: &[(Range<usize>, usize)]| {
            let bytes = line.repeat(160_000 / line.len()).into_bytes();
            let windows = windows(&bytes, novel).unwrap();
            let ranges: Vec<_> =
                windows.into_iter().map(|window| (window.range, window.end)).collect();
            assert_eq!(ranges, expected);
        };
        // 512 bytes are more than 14 lines of 16 bytes.
        let line = "0123456789abcde\n";
        check(line, &[], &[]);
        check(line, &[0..0], &[(0..512, 1024)]);
        check(line, &[1..1], &[(0..528, 1040)]);
        check(
            line,
            &[10_000..10_010, 10_600..10_600, 50_000..50_001],
            &[(9488..11_120, 11_632), (49_488..50_528, 51_040)],
        );
        check(line, &[159_999..160_000], &[(159_472..160_000, 160_000)]);
        // And less than so many lines of a hundred.
        let line = format!("{}\n", "x".repeat(99));
        check(&line, &[50_000..50_010], &[(48_600..51_500, 53_000)]);
    }

    #[test]
    fn where_lines_are_too_long_there_are_no_windows() {
        let bytes = vec![b'x'; 100_000];
        assert_eq!(windows(&bytes, &[50_000..50_001]), None);
        let window = Window { range: 0..10_000, core: 5000..5001, end: 10_000 };
        assert_eq!(windows(&bytes[..10_000], &[5000..5001]).unwrap(), [window]);
    }

    #[test]
    fn changed_lines_are_whole_and_told_once() {
        let text = b"one\ntwo\nthree\nfour\n";
        let check = |novel: &[Range<usize>], expected: &[Range<usize>]| {
            assert_eq!(changed_lines(text, novel), expected, "{novel:?}");
        };
        check(&[], &[]);
        check(&[0..0], &[0..3]);
        check(&[3..4], &[0..7]);
        check(&[4..4, 5..6, 7..7], &[4..7]);
        check(&[5..6, 7..9], &[4..13]);
        check(&[5..6, 14..15, 19..19], &[4..7, 14..18, 19..19]);
    }

    /// One rule of each kind that may go wrong where only a change is searched.
    const RULES: &[&str] = &[
        "id = 'short'\nregex = 'tkt_[a-z0-9]{12}'\nkeywords = ['tkt_']",
        "id = 'lines'\nregex = '''name\\s*=\\s*\"([^\"\\n]+)\"'''",
        "id = 'key'\nregex = '''-----BEGIN KEY-----[a-z \\n]{1,20000}?-----END KEY-----'''",
        "id = 'headless'\nregex = '''[a-z \\n]{0,700}omega'''",
        "id = 'gated'\nregex = '''\\b[0-9a-f]{32}\\b'''\nkeywords = ['acme']",
        CHAIN,
    ];

    /// Where one match ends the next begins: which of them start with `y` changes far away.
    const CHAIN: &str =
        "id = 'chain'\nregex = '[xy\\n]{6}'\n[[rules.allowlists]]\nregexes = ['^[x\\n]']";

    /// What is put into texts, so that it comes, goes and is completed.
    const FRAGMENTS: &[&str] = &[
        "tkt_aaaaaaaaaaaa",
        "tkt_",
        "aaaaaaaaaaaa",
        "dGt0X2FhYWFhYWFhYWFhYQ==",
        "%74kt_bbbbbbbbbbbb",
        "name = \"value\"\n",
        "name\n\n\n\n\n=",
        "= \"value\"\n",
        "-----BEGIN KEY-----\n",
        "-----END KEY-----\n",
        " omega ",
        "acme",
        "0123456789abcdef0123456789abcdef",
        " gitleaks:allow",
        "x",
        "\n",
    ];

    /// The numbers of a linear congruence, the same in each run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            (self.0 >> 33) as usize % end.max(1)
        }

        fn fragment(&mut self) -> &'static str {
            FRAGMENTS[self.below(FRAGMENTS.len())]
        }

        fn text(&mut self) -> Vec<u8> {
            let mut text = String::new();
            for _ in 0..300 {
                match self.below(150) {
                    0 => text.push_str(self.fragment()),
                    1 => text.push_str(&"xy".repeat(self.below(900))),
                    // Where matches begin shows far behind a change.
                    2 => {
                        text.push_str(&"xxxx\n".repeat(self.below(500)));
                        text.push_str(&"xy".repeat(self.below(900)));
                    }
                    3 => text.push_str(&"xxyx\n".repeat(self.below(300))),
                    _ => text.push_str("some words of a line\n"),
                }
            }
            text.into_bytes()
        }

        /// Some bytes go, and something comes, at one to three places.
        fn delta(&mut self, base: &[u8]) -> Vec<u8> {
            let mut places: Vec<usize> =
                (0..=self.below(3)).map(|_| self.below(base.len())).collect();
            places.sort_unstable();
            let (mut instructions, mut length, mut copied) = (Vec::new(), 0, 0);
            for place in places {
                length += copy(copied..place, &mut instructions);
                copied = copied.max(place) + [0, 0, 1, 5, 30][self.below(5)];
                if self.below(4) > 0 {
                    // A part of it may be what was there.
                    let fragment = self.fragment();
                    let fragment = &fragment[self.below(2) * self.below(fragment.len())..];
                    instructions.push(u8::try_from(fragment.len()).unwrap());
                    instructions.extend(fragment.as_bytes());
                    length += fragment.len();
                }
            }
            length += copy(copied..base.len(), &mut instructions);
            let size = |size: usize| {
                let group = |shift: usize| (size >> shift & 0x7F) as u8;
                [group(0) | 0x80, group(7) | 0x80, group(14)]
            };
            [&size(base.len())[..], &size(length), &instructions].concat()
        }
    }

    fn copy(range: Range<usize>, instructions: &mut Vec<u8>) -> usize {
        if !range.is_empty() {
            instructions.push(0xFF);
            instructions.extend((range.start as u32).to_le_bytes());
            instructions.extend(&(range.len() as u32).to_le_bytes()[..3]);
        }
        range.len()
    }

    /// Where one match begins hangs on where the one before has ended, from a change to what is far behind it.
    #[test]
    fn matches_that_shift_far_behind_a_change_are_noticed() {
        let config = scan_rules::Config::parse(&format!("[[rules]]\n{CHAIN}\n"), "rules.toml");
        let scanner = scan_engine::Scanner::new(config.unwrap(), Default::default()).unwrap();
        let progress = crate::Progress::default();
        let task = Task { scanner: &scanner, limits: Default::default(), progress: &progress };
        let mut visitor = BlobVisitor::new(task);
        let mut shifted = 0;
        for lead in 0..6 {
            let text = |lead: usize| {
                let (lines, end) = ("xxxx\n".repeat(500), "xy".repeat(100));
                format!("start {}{lines}{end}\n", "x".repeat(lead)).into_bytes()
            };
            let (before, after) = (visitor.searcher.bytes(&text(lead)), text(lead + 1));
            let has_hits = !before.parts.is_empty();
            let settles =
                visitor.settles(&after, &vec![6..7], Before { has_hits, reach: before.reach });
            if !has_hits && !visitor.searcher.bytes(&after).parts.is_empty() {
                shifted += 1;
                assert!(!settles, "{lead}");
            }
        }
        assert!(shifted > 0);
    }

    /// A text of which only what is around a change is searched has nothing that a search of all of it finds.
    #[test]
    fn changes_settle_what_whole_texts_say() {
        let rules = RULES.iter().map(|rule| format!("[[rules]]\n{rule}\n"));
        let all = rules.clone().collect::<String>();
        for (number, rules) in rules.chain([all]).enumerate() {
            let config = scan_rules::Config::parse(&rules, "rules.toml").unwrap();
            let scanner = scan_engine::Scanner::new(config, Default::default()).unwrap();
            let progress = crate::Progress::default();
            let task = Task { scanner: &scanner, limits: Default::default(), progress: &progress };
            let mut visitor = BlobVisitor::new(task);
            let mut numbers = Numbers(number as u64);
            let settled = (0..30).map(|_| versions(&mut visitor, &mut numbers)).sum::<usize>();
            assert!(settled > 10, "{rules}: {settled}");
        }
    }

    /// What a search says of a text.
    fn told(found: &Found) -> (Reach, Vec<Range<usize>>) {
        (found.reach, found.parts.iter().flat_map(|part| part.hits.spans()).collect())
    }

    /// Makes a text and changed versions of it, each from the one before; how many of them needed no whole search.
    fn versions(visitor: &mut BlobVisitor<'_>, numbers: &mut Numbers) -> usize {
        let mut text = numbers.text();
        let found = visitor.searcher.bytes(&text);
        let (mut is_found, mut reach) = (!found.parts.is_empty(), found.reach);
        let mut settled = 0;
        for _ in 0..8 {
            let delta = numbers.delta(&text);
            let mut changed = Vec::new();
            let novel = crate::git::delta::apply(&text, &delta, &mut changed).unwrap();
            let found = visitor.searcher.bytes(&changed);
            let lines = changed_lines(&changed, &novel);
            let again = visitor.searcher.changed(&changed, &lines, reach);
            assert_eq!(told(&again), told(&found), "{novel:?}");
            if visitor.settles(&changed, &novel, Before { has_hits: is_found, reach }) {
                settled += 1;
                let spans: Vec<Range<usize>> =
                    found.parts.iter().flat_map(|part| part.hits.spans()).collect();
                assert!(is_found || spans.is_empty(), "{spans:?} {novel:?}");
                let touches = |span: &Range<usize>| {
                    novel.iter().any(|new| new.start < span.end && span.start < new.end)
                };
                assert!(!spans.iter().any(touches), "{spans:?} {novel:?}");
            } else {
                (is_found, reach) = (!found.parts.is_empty(), found.reach);
            }
            text = changed;
        }
        settled
    }
}
