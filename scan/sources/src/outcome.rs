use std::sync::Arc;

use scan_engine::Finding;

use crate::progress::Progress;

/// What a scan came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// In the order of the history, newest first, then of path and place.
    pub leaks: Vec<Leak>,
    /// What was not scanned. With any of these no leaks does not mean that there are none.
    pub gaps: Vec<Gap>,
    /// How many commits were looked at; `None` where there are none.
    pub commits: Option<usize>,
}

/// A secret, and where it is.
#[derive(Clone, Debug)]
pub struct Leak {
    pub finding: Finding,
    /// With `/` between folders, and `!` before what is in an archive; empty for a stream.
    pub file: String,
    /// The link that led to `file`, or nothing.
    pub symlink: String,
    pub commit: Option<Arc<Commit>>,
    /// A page that shows the place; empty where none is known.
    pub link: String,
}

/// A commit that added a secret.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Commit {
    /// In hexadecimal; empty for what is not committed yet.
    pub id: String,
    pub author: String,
    pub email: String,
    /// When it was written, as RFC 3339 in UTC.
    pub date: String,
    pub message: String,
}

/// Something that was not scanned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gap {
    pub place: String,
    /// Why, and what helps.
    pub reason: String,
    pub kind: GapKind,
}

/// Whether somebody meant a [`Gap`] to be there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GapKind {
    /// Where the repository ends by design: a shallow clone, a submodule.
    Boundary,
    /// Something is broken, missing or not allowed to be read.
    Fault,
}

impl Commit {
    /// What is not committed yet. Its date is Go's for none, which is what gitleaks writes.
    pub(crate) fn pending() -> Self {
        Self { date: "0001-01-01T00:00:00Z".into(), ..Self::default() }
    }
}

impl Gap {
    pub(crate) fn fault(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: place.into(), reason: reason.into(), kind: GapKind::Fault }
    }

    pub(crate) fn boundary(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: place.into(), reason: reason.into(), kind: GapKind::Boundary }
    }
}

impl Leak {
    /// The name by which `.gitleaksignore` knows a finding: `COMMIT:FILE:RULE:LINE`, without the commit where
    /// there is none.
    pub fn fingerprint(&self) -> String {
        match self.commit_id() {
            Some(id) => format!("{id}:{}", self.fingerprint_anywhere()),
            None => self.fingerprint_anywhere(),
        }
    }

    /// The commit that added the secret, if it is committed.
    pub fn commit_id(&self) -> Option<&str> {
        self.commit.as_ref().map(|commit| commit.id.as_str()).filter(|id| !id.is_empty())
    }

    /// The same for any commit: `FILE:RULE:LINE`.
    pub fn fingerprint_anywhere(&self) -> String {
        format!("{}:{}:{}", self.file, self.finding.rule_id, self.finding.start_line)
    }
}

impl Outcome {
    pub(crate) fn add(&mut self, other: Self) {
        self.leaks.extend(other.leaks);
        self.gaps.extend(other.gaps);
    }

    /// Notes that a scan was ended before it was done.
    pub(crate) fn tell_stopped(&mut self, progress: &Progress) {
        if let Some(reason) = progress.reason() {
            self.gaps.push(Gap::fault("the rest", reason));
        }
    }

    /// Puts leaks in the order of their places.
    pub(crate) fn sort(&mut self) {
        self.leaks.sort_by(|a, b| {
            let key = |leak: &Leak| (leak.finding.start_line, leak.finding.start_column);
            (&a.file, key(a), &a.finding.rule_id).cmp(&(&b.file, key(b), &b.finding.rule_id))
        });
        self.gaps.sort_by(|a, b| a.place.cmp(&b.place));
    }
}
