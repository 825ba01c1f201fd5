use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;

use gix::ObjectId;
use gix::hash::oid;
use gix::object::Kind;

use crate::git::delta::Novel;
use crate::git::resolve::{Relation, Verdict, Visit};
use crate::git::store::Store;
use crate::outcome::Gap;
use crate::search::{Found, Searcher};
use crate::sniff::{Content, is_binary_to_git, sniff};
use crate::task::Task;

/// How far around a change a blob is searched for what the change may have completed. What is longer, a key of several
/// lines, is replaced as a whole and not in its middle.
const REACH: usize = 1024;
/// How much further, for the line to be whole: what is decoded has to be seen from its start.
const LINE_MAX: usize = 16 << 10;

/// What the blobs hold, without those that hold nothing.
pub(crate) type FoundBlobs = HashMap<ObjectId, Found>;

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
    pub(crate) found: FoundBlobs,
    pub(crate) gaps: Vec<Gap>,
}

impl<'a> BlobVisitor<'a> {
    pub(crate) fn new(task: Task<'a>) -> Self {
        Self { searcher: Searcher::new(task), found: FoundBlobs::new(), gaps: Vec::new() }
    }

    /// Whether all that a text can have is in what it shares with another one.
    fn changes_are_clean(&mut self, bytes: &[u8], novel: &Novel) -> bool {
        let windows = windows(bytes, novel);
        let searched: usize = windows.iter().map(Range::len).sum();
        // To search nearly all of it in pieces and then all of it again is no gain.
        if searched > bytes.len() / 2 {
            return false;
        }
        self.searcher.task.progress.read(bytes.len() as u64);
        windows.into_iter().all(|window| !self.searcher.may_hit(&bytes[window]))
    }
}

impl Visit for BlobVisitor<'_> {
    fn object(&mut self, id: &oid, bytes: &[u8], relation: Relation<'_>) -> Verdict {
        let content = sniff(bytes);
        if matches!(content, Content::Text | Content::Binary) && is_binary_to_git(bytes) {
            return Verdict::Other;
        }
        if let (
            Content::Text,
            Relation::Delta { parent: parent @ (Verdict::Clean | Verdict::Found), novel },
        ) = (content, relation)
            && self.changes_are_clean(bytes, novel)
        {
            if parent == Verdict::Found {
                self.found.insert(id.into(), Found::open());
            }
            return parent;
        }
        let found = self.searcher.bytes(bytes);
        let is_clean = found.is_empty();
        if !is_clean {
            self.found.insert(id.into(), found);
        }
        match content {
            Content::Text if is_clean => Verdict::Clean,
            Content::Text => Verdict::Found,
            _ => Verdict::Other,
        }
    }

    fn stream(&mut self, id: &oid, bytes: &mut dyn Read) {
        match self.searcher.stream(bytes) {
            Ok(found) if found.is_empty() => {}
            Ok(found) => {
                self.found.insert(id.into(), found);
            }
            Err(e) => self.lost(id, &e.to_string()),
        }
    }

    fn lost(&mut self, id: &oid, reason: &str) {
        self.gaps.push(Gap::fault(format!("object {id}"), format!("{reason}: run git fsck")));
    }
}

/// The lines around what is new, in their order.
pub(crate) fn windows(bytes: &[u8], novel: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut windows: Vec<Range<usize>> = Vec::new();
    for range in novel {
        let start = line_start(bytes, range.start.saturating_sub(REACH));
        let end = line_end(bytes, (range.end + REACH).min(bytes.len()));
        match windows.last_mut() {
            Some(last) if last.end >= start => last.end = last.end.max(end),
            _ => windows.push(start..end),
        }
    }
    windows
}

fn line_start(bytes: &[u8], at: usize) -> usize {
    let from = at.saturating_sub(LINE_MAX);
    memchr::memrchr(b'\n', &bytes[from..at]).map_or(from, |newline| from + newline + 1)
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    let until = (at + LINE_MAX).min(bytes.len());
    memchr::memchr(b'\n', &bytes[at..until]).map_or(until, |newline| at + newline + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_reach_to_whole_lines_around_changes_and_join() {
        let bytes = "0123456789abcde\n".repeat(10_000).into_bytes();
        let check = |novel: Novel, expected: Vec<Range<usize>>| {
            assert_eq!(windows(&bytes, &novel), expected)
        };
        check(vec![], vec![]);
        check(std::iter::once(0..0).collect(), std::iter::once(0..1040).collect());
        check(
            vec![10_000..10_010, 11_000..11_000, 50_000..50_001],
            vec![8976..12_032, 48_976..51_040],
        );
        check(
            std::iter::once(159_999..160_000).collect(),
            std::iter::once(158_960..160_000).collect(),
        );
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let bytes = vec![b'x'; 100_000];
        let expected: Vec<Range<usize>> = std::iter::once(32_592..67_409).collect();
        assert_eq!(windows(&bytes, &std::iter::once(50_000..50_001).collect::<Novel>()), expected);
    }
}
