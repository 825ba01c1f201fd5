use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use gix::ObjectId;
use scan_engine::{Before, Finding, Occurrence, Reach, Scanner};

use crate::git::blobs::{FoundBlobs, Kept, Spans, Window, windows};
use crate::git::changes::Change;
use crate::git::lines::{Added, MOVED, similarity, stay};
use crate::git::objects::{Lost, Objects};
use crate::git::remote::Remote;
use crate::git::worktree::Unstored;
use crate::known::OfCommit;
use crate::outcome::{Commit, Leak};
use crate::part::Part;
use crate::search::{Found, Searcher};
use crate::sniff::{Content, is_binary_to_git, sniff};

/// Among more files that are gone nobody looks for the one that was moved.
const GONE_MAX: usize = 100;

/// What is the same for all changes that are looked at.
#[derive(Clone, Copy)]
pub(crate) struct Evidence<'a> {
    pub(crate) found: &'a FoundBlobs,
    pub(crate) remote: &'a Remote,
    pub(crate) unstored: &'a Unstored,
}

/// Says which of what was found in blobs a change brought in.
pub(crate) struct Attribution<'a, 's> {
    evidence: Evidence<'a>,
    searcher: &'a mut Searcher<'s>,
    objects: &'a mut dyn Objects,
}

impl<'a> Evidence<'a> {
    /// The same for one thread, with what it reads and searches by.
    pub(crate) fn attribution<'s>(
        self,
        searcher: &'a mut Searcher<'s>,
        objects: &'a mut dyn Objects,
    ) -> Attribution<'a, 's> {
        Attribution { evidence: self, searcher, objects }
    }
}

/// A blob that was searched again.
struct Again {
    text: Arc<Vec<u8>>,
    found: Found,
    /// The lines that its change added, if they are known.
    added: Option<Vec<Added>>,
}

impl Attribution<'_, '_> {
    /// The leaks that the changes of one commit brought in. `commit` describes it, and is asked if there are any.
    pub(crate) fn leaks(
        mut self,
        changes: &[Change],
        id: Option<ObjectId>,
        commit: &dyn Fn() -> Arc<Commit>,
    ) -> Result<Vec<Leak>, String> {
        let gone: Vec<ObjectId> = changes.iter().filter_map(Change::gone).collect();
        let moved: HashSet<ObjectId> = gone.iter().copied().collect();
        let id = id.map(|id| id.to_string());
        let mut leaks = Vec::new();
        let mut described: Option<Arc<Commit>> = None;
        for change in changes {
            if self.searcher.task.progress.is_stopped() {
                break;
            }
            // The file was moved as it is.
            if change.is_new_file() && change.new.is_some_and(|new| moved.contains(&new)) {
                continue;
            }
            let findings = self.findings(change, &gone, id.as_deref(), commit)?;
            self.searcher.task.progress.keep(findings.len());
            for (file, finding) in findings {
                let commit = Some(Arc::clone(described.get_or_insert_with(commit)));
                let mut leak =
                    Leak { finding, file, symlink: String::new(), commit, link: String::new() };
                leak.link = self.evidence.remote.link(&leak);
                leaks.push(leak);
            }
        }
        Ok(leaks)
    }

    fn findings(
        &mut self,
        change: &Change,
        gone: &[ObjectId],
        commit: Option<&str>,
        describe: &dyn Fn() -> Arc<Commit>,
    ) -> Result<Vec<(String, Finding)>, String> {
        let Some(new) = change.new else { return Ok(Vec::new()) };
        let scanner = self.searcher.task.scanner;
        let known = OfCommit { describe, remote: self.evidence.remote };
        let at = Occurrence { path: &change.path, commit, attributes: Some(&known) };
        let mut again = None;
        let found = match self.evidence.found.get(&new) {
            _ if scanner.skips(&at) => None,
            Some(Kept::Findings { found, .. }) => Some(found),
            Some(Kept::Again { reach, spans }) => {
                Some(&again.insert(self.search(change, new, spans, *reach)?).found)
            }
            None => None,
        };
        let mut findings = judge(scanner, found, &at);
        // What is too large to be held is compared with nothing.
        let is_large =
            matches!(self.evidence.found.get(&new), Some(Kept::Findings { is_large: true, .. }));
        let is_in_line =
            |(plain, _, finding): &(bool, String, Finding)| *plain && finding.start_line > 0;
        if !is_large && findings.iter().any(is_in_line) {
            let (text, added) = match again {
                Some(Again { text, added, .. }) => (text, added),
                None => (self.blob(new)?, None),
            };
            let spans = findings.iter().filter(|finding| is_in_line(finding));
            if added.is_none() && self.stay(change, &text, spans.map(|(.., f)| f.span.clone()))? {
                findings.retain(|finding| !is_in_line(finding));
            } else {
                let added = added.map_or_else(|| self.added(change, &text, gone), Ok)?;
                findings.retain_mut(|finding| {
                    !is_in_line(finding) || keep_added(&mut finding.2, &added)
                });
            }
        }
        Ok(findings.into_iter().map(|(_, file, finding)| (file, finding)).collect())
    }

    /// Searches a blob again, unless there is nothing in or around the lines that a change of it added.
    fn search(
        &mut self,
        change: &Change,
        new: ObjectId,
        spans: &Spans,
        reach: Reach,
    ) -> Result<Again, String> {
        let text = self.blob(new)?;
        let mut added = None;
        // What a new file was before is looked for only if it has something.
        if !change.is_new_file() && sniff(&text) == Content::Text {
            if let Some(spans) = spans.iter()
                && self.stay(change, &text, spans)?
            {
                return Ok(Again { text, found: Found::default(), added: Some(Vec::new()) });
            }
            let lines = added.insert(self.added(change, &text, &[])?);
            let ranges = lines.first().map(|lines| lines.ranges(&text));
            let clues = self.searcher.task.scanner.clues(&text);
            let before = Before { has_hits: true, reach };
            let settles =
                |window: &Window| self.searcher.settles(&text, &clues, window, before).is_some();
            if ranges.is_some_and(|ranges| {
                spans.miss(&ranges)
                    || windows(&text, &ranges).is_some_and(|windows| windows.iter().all(settles))
            }) {
                return Ok(Again { text, found: Found::default(), added });
            }
        }
        let found = self.searcher.bytes(&text);
        Ok(Again { text, found, added })
    }

    /// Whether nothing in these places of a text can be what a change added.
    fn stay(
        &mut self,
        change: &Change,
        text: &[u8],
        spans: impl Iterator<Item = Range<usize>>,
    ) -> Result<bool, String> {
        let Some(before) = change.before.iter().flatten().next() else { return Ok(false) };
        // Places in what was made of other content, such as UTF-16, are not those of its bytes.
        if sniff(text) != Content::Text || is_binary_to_git(text) {
            return Ok(false);
        }
        match self.blob(*before) {
            Ok(before) => Ok(stay(&before, text, spans)),
            Err(Lost::TooLarge) => Ok(false),
            Err(Lost::Broken(reason)) => Err(reason),
        }
    }

    /// The lines that a change added to each of what was before; nothing where git knows no lines.
    fn added(
        &mut self,
        change: &Change,
        text: &[u8],
        gone: &[ObjectId],
    ) -> Result<Vec<Added>, String> {
        if is_binary_to_git(text) {
            return Ok(Vec::new());
        }
        if change.is_new_file() {
            let before = self.moved_from(text, &gone[..gone.len().min(GONE_MAX)])?;
            return Ok(vec![
                before.map_or_else(Added::all, |before| Added::between(&before, text)),
            ]);
        }
        let before = change.before.iter().flatten();
        before
            .map(|id| match self.blob(*id) {
                Ok(before) => Ok(Added::between(&before, text)),
                // What is too large to be held is compared with nothing.
                Err(Lost::TooLarge) => Ok(Added::all()),
                Err(Lost::Broken(reason)) => Err(reason),
            })
            .collect()
    }

    /// What a new file was before, if it is one that is gone elsewhere, with changes.
    fn moved_from(
        &mut self,
        text: &[u8],
        gone: &[ObjectId],
    ) -> Result<Option<Arc<Vec<u8>>>, String> {
        let mut best = None;
        let mut likeness = MOVED;
        for id in gone {
            let before = match self.blob(*id) {
                Err(Lost::TooLarge) => continue,
                before => before?,
            };
            // What is less than half as long, or more than twice, cannot be alike enough.
            let (shorter, longer) = (before.len().min(text.len()), before.len().max(text.len()));
            if shorter * 2 < longer || is_binary_to_git(&before) {
                continue;
            }
            let alike = similarity(&before, text);
            if alike >= likeness {
                (best, likeness) = (Some(before), alike);
            }
        }
        Ok(best)
    }

    fn blob(&mut self, id: ObjectId) -> Result<Arc<Vec<u8>>, Lost> {
        match self.evidence.unstored.get(&id) {
            Some(file) => Ok(file.read().map(Arc::new).map_err(|e| e.to_string())?),
            None => self.objects.read(id),
        }
    }
}

/// What counts at a place, and whether it is in the file itself, not in an archive.
fn judge(
    scanner: &Scanner,
    found: Option<&Found>,
    at: &Occurrence<'_>,
) -> Vec<(bool, String, Finding)> {
    let parts = found.map_or(&[][..], |found| &found.parts);
    let alone = Part::path_alone("");
    let name_is_told = parts.iter().any(|part| part.inner.is_empty());
    let parts = parts.iter().chain((!name_is_told).then_some(&alone));
    let judged = parts.flat_map(|part| {
        let plain = part.inner.is_empty();
        let findings = part.judge(scanner, at).into_iter();
        findings.map(move |(file, finding)| (plain, file, finding))
    });
    judged.collect()
}

/// Whether a line of the finding is new to all of what was before. Columns are those of the added lines alone, as
/// gitleaks sees nothing else: in the first line of a hunk they count from 1.
fn keep_added(finding: &mut Finding, added: &[Added]) -> bool {
    let (start, end) = (finding.start_line, finding.end_line);
    if !added.iter().all(|added| added.touches(start, end)) {
        return false;
    }
    let Some(hunk) = added.first().and_then(|added| added.hunk(start, end)) else { return true };
    if *hunk.start() == start && start > 1 {
        finding.start_column -= 1;
    }
    if *hunk.start() == end && end > 1 {
        finding.end_column -= 1;
    }
    true
}
