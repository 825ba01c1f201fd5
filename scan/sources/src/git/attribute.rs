use std::collections::HashMap;
use std::sync::Arc;

use gix::ObjectId;
use scan_engine::{Finding, Scanner};

use crate::git::blobs::{FoundBlobs, windows};
use crate::git::changes::Change;
use crate::git::lines::{Added, similarity};
use crate::git::remote::Remote;
use crate::outcome::{Commit, Leak};
use crate::part::Part;
use crate::search::{Found, Searcher};
use crate::sniff::is_binary_to_git;

/// From so much likeness on git takes a new file for one that was gone elsewhere.
const MOVED: f64 = 0.5;
/// Among more files that are gone nobody looks for the one that was moved.
const GONE_MAX: usize = 100;

/// Says which of what was found in blobs a change brought in.
pub(crate) struct Attribution<'a> {
    pub(crate) scanner: &'a Scanner,
    pub(crate) repository: &'a gix::Repository,
    pub(crate) found: &'a FoundBlobs,
    pub(crate) remote: &'a Remote,
    /// Files that are no objects yet, by the ids that git would give them.
    pub(crate) unstored: &'a HashMap<ObjectId, Vec<u8>>,
}

impl Attribution<'_> {
    /// The leaks that the changes of one commit brought in. `commit` describes it, and is asked if there are any.
    pub(crate) fn leaks(
        &self,
        searcher: &mut Searcher<'_>,
        changes: &[Change],
        id: Option<ObjectId>,
        commit: &dyn Fn() -> Arc<Commit>,
    ) -> Result<Vec<Leak>, String> {
        let gone: Vec<ObjectId> = changes.iter().filter_map(Change::gone).collect();
        let id = id.map(|id| id.to_string());
        let mut leaks = Vec::new();
        let mut described: Option<Arc<Commit>> = None;
        for change in changes {
            for (file, finding) in self.findings(searcher, change, &gone, id.as_deref())? {
                let commit = Some(Arc::clone(described.get_or_insert_with(commit)));
                let mut leak =
                    Leak { finding, file, symlink: String::new(), commit, link: String::new() };
                leak.link = self.remote.link(&leak);
                leaks.push(leak);
            }
        }
        Ok(leaks)
    }

    fn findings(
        &self,
        searcher: &mut Searcher<'_>,
        change: &Change,
        gone: &[ObjectId],
        commit: Option<&str>,
    ) -> Result<Vec<(String, Finding)>, String> {
        let Some(new) = change.new else { return Ok(Vec::new()) };
        if change.is_new_file() && gone.contains(&new) {
            // The file was moved as it is.
            return Ok(Vec::new());
        }
        let mut added = None;
        let looked_up;
        let found = match self.found.get(&new) {
            Some(found) if found.is_open => {
                let text = self.blob(new)?;
                let lines = added.insert(self.added(change, &text, gone)?);
                looked_up = look_up(searcher, &text, lines);
                Some(&looked_up)
            }
            found => found,
        };
        let mut findings = self.judge(found, &change.path, commit);
        if findings.iter().any(|(plain, _, finding)| *plain && finding.start_line > 0) {
            let added = match added {
                Some(added) => added,
                None => self.added(change, &self.blob(new)?, gone)?,
            };
            findings.retain_mut(|(plain, _, finding)| {
                !*plain || finding.start_line == 0 || keep_added(finding, &added)
            });
        }
        Ok(findings.into_iter().map(|(_, file, finding)| (file, finding)).collect())
    }

    /// What counts at a path, and whether it is in the file itself, not in an archive.
    fn judge(
        &self,
        found: Option<&Found>,
        path: &str,
        commit: Option<&str>,
    ) -> Vec<(bool, String, Finding)> {
        let parts = found.map_or(&[][..], |found| &found.parts);
        let alone = Part::path_alone("");
        let name_is_told = parts.iter().any(|part| part.inner.is_empty());
        let parts = parts.iter().chain((!name_is_told).then_some(&alone));
        let judged = parts.flat_map(|part| {
            let plain = part.inner.is_empty();
            let findings = part.judge(self.scanner, path, commit).into_iter();
            findings.map(move |(file, finding)| (plain, file, finding))
        });
        judged.collect()
    }

    /// The lines that a change added to each of what was before; nothing where git knows no lines.
    fn added(&self, change: &Change, text: &[u8], gone: &[ObjectId]) -> Result<Vec<Added>, String> {
        if is_binary_to_git(text) {
            return Ok(Vec::new());
        }
        if change.is_new_file() {
            let before = self.moved_from(text, gone)?;
            return Ok(vec![
                before.map_or_else(Added::all, |before| Added::between(&before, text)),
            ]);
        }
        let before = change.before.iter().flatten();
        before.map(|id| Ok(Added::between(&self.blob(*id)?, text))).collect()
    }

    /// What a new file was before, if it is one that is gone elsewhere, with changes.
    fn moved_from(&self, text: &[u8], gone: &[ObjectId]) -> Result<Option<Vec<u8>>, String> {
        let mut best = None;
        let mut likeness = MOVED;
        for id in gone.iter().take(GONE_MAX) {
            let before = self.blob(*id)?;
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

    fn blob(&self, id: ObjectId) -> Result<Vec<u8>, String> {
        if let Some(bytes) = self.unstored.get(&id) {
            return Ok(bytes.clone());
        }
        let object = self.repository.find_object(id).map_err(|e| e.to_string())?;
        Ok(object.detach().data)
    }
}

/// Searches a text of which it was left open what it has, unless nothing is in or around the added lines.
fn look_up(searcher: &mut Searcher<'_>, text: &[u8], added: &[Added]) -> Found {
    let ranges = added.first().map(|added| added.ranges(text)).unwrap_or_default();
    let has_any = windows(text, &ranges).into_iter().any(|window| searcher.may_hit(&text[window]));
    if has_any { searcher.bytes(text) } else { Found::default() }
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
