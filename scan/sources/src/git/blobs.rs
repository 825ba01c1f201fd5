use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;

use gix::ObjectId;
use gix::hash::oid;
use gix::object::Kind;
use scan_engine::{AROUND_BYTES, AROUND_LINES, Before, Clues, Copied, Reach};

use crate::git::resolve::{Relation, Visit};
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
    Again { reach: Reach, spans: Spans },
}

/// So much of what it finds each thread keeps, in bytes.
const FINDINGS_BYTES_MAX: usize = 4 << 20;

/// Of so many matches the places are kept.
const SPANS_MAX: usize = 64;

/// A window around a change, and where the matches in it are, none of which the change has made.
struct Settled {
    window: Range<usize>,
    spans: Vec<Range<usize>>,
}

/// Where the matches in a blob are, in their order, if they are known and few.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Spans(Option<Box<[Range<u32>]>>);

impl Spans {
    fn of(found: &Found) -> Self {
        let small = |at: usize| u32::try_from(at).ok();
        let spans = match found.parts.as_slice() {
            [] => Some(Vec::new()),
            [part] if part.inner.is_empty() && part.hits.len() <= SPANS_MAX => {
                let spans = part.hits.spans();
                let spans = spans.map(|span| Some(small(span.start)?..small(span.end)?));
                // What rules for paths say is at no place.
                let spans: Option<Vec<_>> = spans.collect();
                spans.filter(|spans| spans.len() == part.hits.len())
            }
            _ => None,
        };
        Self(spans.map(|mut spans| {
            spans.sort_unstable_by_key(|span| (span.start, span.end));
            spans.into_boxed_slice()
        }))
    }

    /// Where they are in a text that has copies of this one, if the `windows` around the change have no others.
    fn moved(&self, copied: &[Copied], windows: &[Settled]) -> Self {
        let Some(spans) = &self.0 else { return Self(None) };
        let mut moved = Vec::new();
        for Copied { from, at } in copied.iter().filter(|_| !spans.is_empty()) {
            let range = *from..from + at.len();
            let first = spans.partition_point(|span| (span.start as usize) < range.start);
            let within = spans[first..].iter().take_while(|span| (span.start as usize) < range.end);
            for span in within.filter(|span| span.end as usize <= range.end) {
                let place = |old: u32| u32::try_from(old as usize - from + at.start).ok();
                let Some(span) = place(span.start).zip(place(span.end)) else { return Self(None) };
                moved.push(span.0..span.1);
            }
        }
        let same = windows.iter().all(|Settled { window, spans: found }| {
            let is_within =
                |span: &Range<usize>| window.start <= span.start && span.end <= window.end;
            let spans = moved.iter().map(|span| span.start as usize..span.end as usize);
            let mut found = found.clone();
            found.sort_unstable_by_key(|span| (span.start, span.end));
            found.into_iter().eq(spans.filter(is_within))
        });
        Self((same && moved.len() <= SPANS_MAX).then(|| moved.into_boxed_slice()))
    }

    fn is_nothing(&self) -> bool {
        self.0.as_ref().is_some_and(|spans| spans.is_empty())
    }

    /// The places, if they are known.
    pub(crate) fn iter(&self) -> Option<impl Iterator<Item = Range<usize>>> {
        let spans = self.0.as_ref()?.iter();
        Some(spans.map(|span| span.start as usize..span.end as usize))
    }

    /// Whether it is known that no match touches the lines that a change added.
    pub(crate) fn miss(&self, added: &[Range<usize>]) -> bool {
        let touches = |span: &Range<usize>| {
            added.iter().any(|lines| span.start <= lines.end && lines.start <= span.end + 1)
        };
        self.iter().is_some_and(|mut spans| !spans.any(|span| touches(&span)))
    }
}

/// What is known of a text for those that are changed versions of it.
pub(crate) struct Known {
    /// `None` if they were let go to save memory.
    clues: Option<Clues>,
    reach: Reach,
    spans: Spans,
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

    /// The windows of a changed text, if it has what the one has of which it is a changed version.
    fn settles(
        &mut self,
        text: &[u8],
        clues: &Clues,
        novel: &[Range<usize>],
        before: Before,
    ) -> Option<Vec<Settled>> {
        let windows = windows(text, novel)?;
        let searched: usize = windows.iter().map(|window| window.range.len()).sum();
        // To search nearly all of it in pieces is no gain.
        if searched > text.len() / 8 * 7 {
            return None;
        }
        let settled = windows.into_iter().map(|window| {
            let spans = self.searcher.settles(text, clues, &window, before)?;
            Some(Settled { window: window.range, spans })
        });
        let settled = settled.collect::<Option<_>>()?;
        self.searcher.task.progress.read(text.len() as u64);
        Some(settled)
    }

    /// Searches a text, if need be, and says what is known of it.
    fn text(&mut self, id: &oid, text: &[u8], relation: Relation<'_, Option<Known>>) -> Known {
        let scanner = self.searcher.task.scanner;
        let before = match relation {
            Relation::Delta {
                parent: Some(Known { clues: Some(clues), reach, spans }),
                base,
                edit,
            } if !self.searches_all => Some((clues, *reach, spans, base, edit)),
            _ => None,
        };
        let Some((clues, reach, spans, base, edit)) = before else {
            let clues = scanner.clues(text);
            return self.search(id, text, clues);
        };
        let lines = same_lines(base, text, &edit.copied);
        let clues = scanner.clues_of_change(text, clues, &lines);
        let before = Before { has_hits: !spans.is_nothing(), reach };
        let Some(windows) = self.settles(text, &clues, &edit.novel, before) else {
            return self.search(id, text, clues);
        };
        let spans = spans.moved(&edit.copied, &windows);
        if !spans.is_nothing() {
            self.found.insert(id.into(), Kept::Again { reach, spans: spans.clone() });
        }
        Known { clues: Some(clues), reach, spans }
    }

    fn search(&mut self, id: &oid, text: &[u8], clues: Clues) -> Known {
        let found = self.searcher.text(text, &clues);
        let known = Known { clues: Some(clues), reach: found.reach, spans: Spans::of(&found) };
        self.note(id, found, false);
        known
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
            Kept::Again { reach: found.reach, spans: Spans::of(&found) }
        };
        self.found.insert(id.into(), kept);
    }
}

impl Visit for BlobVisitor<'_> {
    /// `None` of what is no text, or was not looked at.
    type Memory = Option<Known>;

    fn object(
        &mut self,
        id: &oid,
        bytes: &[u8],
        relation: Relation<'_, Self::Memory>,
    ) -> Self::Memory {
        let content = sniff(bytes);
        if matches!(content, Content::Text | Content::Binary) && is_binary_to_git(bytes) {
            return None;
        }
        if content == Content::Text {
            return Some(self.text(id, bytes, relation));
        }
        let found = self.searcher.bytes(bytes);
        self.note(id, found, false);
        None
    }

    fn shorten(memory: &mut Self::Memory) {
        if let Some(known) = memory {
            known.clues = None;
        }
    }

    fn restore(&self, memory: &mut Self::Memory, bytes: &[u8]) {
        if let Some(known) = memory {
            known.clues = Some(self.searcher.task.scanner.clues(bytes));
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

/// What of a text's copies is whole lines, which are whole in the base too.
fn same_lines(base: &[u8], text: &[u8], copied: &[Copied]) -> Vec<Copied> {
    let begins_line = |text: &[u8], at: usize| at == 0 || text[at - 1] == b'\n';
    let lines = |Copied { from, at }: &Copied| {
        let bytes = &text[at.clone()];
        let start = match begins_line(base, *from) && begins_line(text, at.start) {
            true => 0,
            false => memchr::memchr(b'\n', bytes)? + 1,
        };
        let end = match at.end == text.len() && from + bytes.len() == base.len() {
            true => bytes.len(),
            false => memchr::memrchr(b'\n', bytes)? + 1,
        };
        (start < end).then(|| Copied { from: from + start, at: at.start + start..at.start + end })
    };
    copied.iter().filter_map(lines).collect()
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
    use scan_corpus::Draw;

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
    fn lines_stay_where_both_texts_have_all_of_them() {
        let base = b"one\ntwo\nthree\nfour";
        let check =
            |text: &[u8], copied: &[(usize, Range<usize>)], expected: &[(usize, Range<usize>)]| {
                let list = |list: &[(usize, Range<usize>)]| -> Vec<Copied> {
                    list.iter().map(|(from, at)| Copied { from: *from, at: at.clone() }).collect()
                };
                assert_eq!(same_lines(base, text, &list(copied)), list(expected), "{copied:?}");
            };
        check(base, &[(0, 0..18)], &[(0, 0..18)]);
        // Something is new before, within and behind.
        check(b"none\ntwo\nthree\nfour", &[(0, 1..19)], &[(4, 5..19)]);
        check(b"new\none\ntwo\nthree\nfour", &[(0, 4..22)], &[(0, 4..22)]);
        check(b"one\ntxo\nthree\nfour", &[(0, 0..5), (6, 6..18)], &[(0, 0..4), (8, 8..18)]);
        check(b"one\ntwo\nthree\nfours", &[(0, 0..18)], &[(0, 0..14)]);
        // Whole lines are gone, and parts of some.
        check(b"one\nthree\nfour", &[(0, 0..4), (8, 4..14)], &[(0, 0..4), (8, 4..14)]);
        check(b"one\nree\nfour", &[(0, 0..4), (10, 4..12)], &[(0, 0..4), (14, 8..12)]);
        check(b"one\ntwo\nthree\nfo", &[(0, 0..16)], &[(0, 0..14)]);
        check(b"wo", &[(5, 0..2)], &[]);
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
        "U+0074\nU+006B\nU+0074\nU+005F ",
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

    /// Draws texts and changes of them.
    struct Numbers(Draw);

    impl Numbers {
        fn below(&mut self, end: usize) -> usize {
            self.0.below(end.max(1))
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
            let before = Before { has_hits, reach: before.reach };
            let settles = visitor.settles(&after, &scanner.clues(&after), &[6..7], before);
            if !has_hits && !visitor.searcher.bytes(&after).parts.is_empty() {
                shifted += 1;
                assert!(settles.is_none(), "{lead}");
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
            let mut numbers = Numbers(Draw::new(number as u64));
            let settled = (0..30).map(|_| versions(&mut visitor, &mut numbers)).sum::<usize>();
            assert!(settled > 10, "{rules}: {settled}");
        }
    }

    /// Makes a text and changed versions of it, each from the one before; how many of them needed no whole search.
    fn versions(visitor: &mut BlobVisitor<'_>, numbers: &mut Numbers) -> usize {
        let scanner = visitor.searcher.task.scanner;
        let mut text = numbers.text();
        let found = visitor.searcher.bytes(&text);
        let (mut spans, mut reach) = (Spans::of(&found), found.reach);
        let mut clues = scanner.clues(&text);
        let mut settled = 0;
        for _ in 0..8 {
            let delta = numbers.delta(&text);
            let mut changed = Vec::new();
            let edit = crate::git::delta::apply(&text, &delta, &mut changed).unwrap();
            let novel = &edit.novel;
            let lines = same_lines(&text, &changed, &edit.copied);
            clues = scanner.clues_of_change(&changed, &clues, &lines);
            assert_eq!(clues, scanner.clues(&changed), "{novel:?}");
            let found = visitor.searcher.bytes(&changed);
            let before = Before { has_hits: !spans.is_nothing(), reach };
            if let Some(windows) = visitor.settles(&changed, &clues, novel, before) {
                settled += 1;
                let all = Spans::of(&found);
                spans = spans.moved(&edit.copied, &windows);
                if spans.0.is_some() {
                    assert_eq!(spans, all, "{novel:?}");
                }
                let touches = |span: &Range<usize>| {
                    novel.iter().any(|new| new.start < span.end && span.start < new.end)
                };
                assert!(!all.iter().is_some_and(|mut all| all.any(|span| touches(&span))));
            } else {
                (spans, reach) = (Spans::of(&found), found.reach);
            }
            text = changed;
        }
        settled
    }
}
