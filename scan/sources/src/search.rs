use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use scan_engine::{Before, Clues, HITS_MAX, Hits, Occurrence, Piece, Reach, Scratch};

use crate::archive;
use crate::git::Window;
use crate::part::Part;
use crate::sniff::{Content, SNIFF_BYTES, sniff};
use crate::task::Task;
use crate::wide::WideText;

/// How much of a large input is searched at a time.
const WINDOW: usize = 4 << 20;
/// How much of a window the next one sees again, so that a secret on the border is whole in one of them. Half of
/// this is the longest secret that is found everywhere.
const OVERLAP: usize = 128 << 10;
/// What comes out of one archive at most, with all that it holds.
const EXTRACTED_BYTES_MAX: u64 = 2 << 30;

/// What one input came to.
#[derive(Default)]
pub(crate) struct Found {
    /// Without those that have nothing, unless there are rules for paths alone.
    pub(crate) parts: Vec<Part>,
    /// Of a text that was searched as a whole.
    pub(crate) reach: Reach,
    /// What could not be looked at, by its path within the input, and why.
    pub(crate) gaps: Vec<(String, String)>,
    /// In what was searched in windows.
    hits: usize,
}

impl Found {
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.gaps.is_empty()
    }

    /// Whether there is more in it than anybody reads.
    fn is_full(&self) -> bool {
        self.hits >= HITS_MAX
    }

    /// Keeps what all of a text has.
    fn keep(&mut self, hits: Hits) {
        self.reach = hits.reach();
        if hits.is_cut() {
            self.gaps.push((String::new(), too_many()));
        }
        if !hits.is_empty() {
            self.parts.push(Part { hits, ..Part::path_alone("") });
        }
    }
}

/// Searches one input after the other; each thread has its own.
pub(crate) struct Searcher<'a> {
    pub(crate) task: Task<'a>,
    scratch: Scratch,
    window: Vec<u8>,
    /// Bytes that may still come out of the present archive.
    left: Arc<AtomicU64>,
}

impl<'a> Searcher<'a> {
    pub(crate) fn new(task: Task<'a>) -> Self {
        let scratch = task.scanner.scratch().stopped_by(task.progress.stopped());
        Self { task, scratch, window: Vec::new(), left: Arc::default() }
    }

    /// Searches content that is in memory.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Found {
        let mut found = Found::default();
        match sniff(bytes) {
            Content::Text => return self.text(bytes, &self.task.scanner.clues(bytes)),
            content => self.input(content, &mut Cursor::new(bytes), &mut found),
        }
        found
    }

    /// As [`Searcher::bytes`], for a text, by its clues.
    pub(crate) fn text(&mut self, text: &[u8], clues: &Clues) -> Found {
        let mut found = Found::default();
        self.task.progress.read(text.len() as u64);
        found.keep(self.task.scanner.search_by(&mut self.scratch, text, clues));
        found
    }

    /// Whether a changed text has what the one before has, as far as the change in a window goes; and where that is in the
    /// window.
    pub(crate) fn settles(
        &mut self,
        text: &[u8],
        clues: &Clues,
        window: &Window,
        before: Before,
    ) -> Option<Vec<Range<usize>>> {
        let Window { range, core, end } = window;
        let piece = Piece {
            text: &text[range.start..*end],
            start: range.start,
            clues,
            around: range.len(),
            begins: range.start == 0,
            ends: range.end == text.len(),
        };
        let core = core.start - range.start..core.end - range.start;
        self.task.scanner.settles(&mut self.scratch, piece, &core, before)
    }

    /// Searches a file.
    pub(crate) fn file(&mut self, file: &mut File) -> io::Result<Found> {
        let mut head = [0; SNIFF_BYTES];
        let length = read_full(file, &mut head)?;
        file.rewind()?;
        let mut found = Found::default();
        self.input(sniff(&head[..length]), file, &mut found);
        Ok(found)
    }

    /// Searches what can be read only once.
    pub(crate) fn stream(&mut self, input: &mut dyn Read) -> io::Result<Found> {
        let mut found = Found::default();
        self.left.store(EXTRACTED_BYTES_MAX, Ordering::Relaxed);
        self.member(input, "", 0, &mut found)?;
        Ok(found)
    }

    fn input<R: Read + Seek>(&mut self, content: Content, input: &mut R, found: &mut Found) {
        self.left.store(EXTRACTED_BYTES_MAX, Ordering::Relaxed);
        let outcome = match content {
            Content::Archive(archive::Archive::Zip) if self.opens(0) => {
                archive::zip(self, input, "", 0, found)
            }
            content => self.content(content, input, "", 0, found),
        };
        self.note(outcome, "", found);
    }

    /// Searches what is at `inner` within an input, as deep as `depth` archives.
    pub(crate) fn member(
        &mut self,
        input: &mut dyn Read,
        inner: &str,
        depth: usize,
        found: &mut Found,
    ) -> io::Result<()> {
        let mut head = [0; SNIFF_BYTES];
        let length = read_full(input, &mut head)?;
        let head = &head[..length];
        let mut whole = head.chain(input);
        self.content(sniff(head), &mut whole, inner, depth, found)
    }

    fn content(
        &mut self,
        content: Content,
        input: &mut dyn Read,
        inner: &str,
        depth: usize,
        found: &mut Found,
    ) -> io::Result<()> {
        match content {
            Content::Text => self.windows(input, inner, found),
            Content::Wide(wide) => self.windows(&mut WideText::new(input, wide), inner, found),
            Content::Archive(kind) if self.opens(depth) => {
                archive::open(self, kind, input, inner, depth, found)
            }
            Content::Archive(_) if self.task.limits.archive_depth > 0 => {
                Err(io::Error::other(format!("it is deeper than {depth} archives")))
            }
            Content::Archive(_) | Content::Binary => {
                self.path_alone(inner, found);
                Ok(())
            }
        }
    }

    /// Searches a text in windows that overlap.
    fn windows(&mut self, input: &mut dyn Read, inner: &str, found: &mut Found) -> io::Result<()> {
        // What makes it full has told so.
        if found.is_full() {
            return Ok(());
        }
        let mut window = std::mem::take(&mut self.window);
        window.clear();
        let (mut lines_before, mut columns_before, mut first) = (0, 0, true);
        let outcome = loop {
            let before = window.len();
            let outcome = input.take((WINDOW - before) as u64).read_to_end(&mut window);
            let last = outcome.is_err() || window.len() < WINDOW;
            self.task.progress.read((window.len() - before) as u64);
            let hits = self.task.scanner.search(&mut self.scratch, &window);
            found.hits += hits.len();
            if !hits.is_empty() || (first && !inner.is_empty() && self.task.scanner.watches_paths())
            {
                let start = if first { 0 } else { OVERLAP / 2 };
                let end = if last { usize::MAX } else { WINDOW - OVERLAP / 2 };
                let inner = inner.into();
                found.parts.push(Part {
                    inner,
                    hits,
                    own: start..end,
                    lines_before,
                    columns_before,
                });
            }
            if found.is_full() {
                found.gaps.push((inner.into(), too_many()));
                break Ok(());
            }
            if last || self.task.progress.is_stopped() {
                break outcome.map(|_| ());
            }
            let gone = &window[..WINDOW - OVERLAP];
            lines_before += memchr::memchr_iter(b'\n', gone).count();
            columns_before = match memchr::memrchr(b'\n', gone) {
                Some(newline) => gone.len() - newline - 1,
                None => columns_before + gone.len(),
            };
            window.drain(..WINDOW - OVERLAP);
            first = false;
        };
        self.window = window;
        outcome
    }

    pub(crate) fn opens(&self, depth: usize) -> bool {
        depth < self.task.limits.archive_depth
    }

    /// Whether the allow lists for paths excuse all of a member of an archive.
    pub(crate) fn skips(&self, name: &str) -> bool {
        self.task.scanner.skips(&Occurrence::of(name))
    }

    /// Reads no more than what may still come out of this archive.
    pub(crate) fn metered<R: Read>(&self, inner: R) -> Metered<R> {
        Metered { inner, left: Arc::clone(&self.left) }
    }

    /// Notes a member that could not be looked at. What else its archive holds is looked at all the same.
    pub(crate) fn note(&self, outcome: io::Result<()>, inner: &str, found: &mut Found) {
        if let Err(e) = outcome {
            found.gaps.push((inner.into(), e.to_string()));
        }
    }

    fn path_alone(&self, inner: &str, found: &mut Found) {
        if !inner.is_empty() && self.task.scanner.watches_paths() {
            found.parts.push(Part::path_alone(inner));
        }
    }
}

fn too_many() -> String {
    format!(
        "there are {HITS_MAX} findings up to here, and what follows is not searched: mend the rule that finds them, or these first"
    )
}

/// Counts what comes out of an archive, and stops at the limit.
pub(crate) struct Metered<R> {
    inner: R,
    left: Arc<AtomicU64>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        let left = self.left.load(Ordering::Relaxed);
        match left.checked_sub(read as u64) {
            Some(left) => self.left.store(left, Ordering::Relaxed),
            None => {
                let limit = EXTRACTED_BYTES_MAX >> 30;
                return Err(io::Error::other(format!(
                    "it holds more than {limit} GiB; unpack it and scan the folder"
                )));
            }
        }
        Ok(read)
    }
}

fn read_full(input: &mut dyn Read, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match input.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
