use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::Arc;

use base_types::{Error, Result, Timestamp};
use gix::ObjectId;
use gix::hash::oid;
use gix::object::Kind;
use gix::objs::{CommitRef, CommitRefIter, TagRefIter};

use crate::git::Revisions;
use crate::git::changes::Trees;
use crate::git::resolve::{Relation, Visit};
use crate::git::store::Store;
use crate::outcome::{Commit, Gap};
use crate::task::Task;

/// A commit, as far as its changes are concerned.
pub(crate) struct Node {
    pub(crate) id: ObjectId,
    pub(crate) tree: ObjectId,
    /// None where the history starts, or where a shallow clone ends.
    pub(crate) parents: Vec<ObjectId>,
    /// When it was made, in seconds since 1970.
    time: i64,
}

/// Commits that were read before, by their names.
pub(crate) type Known = HashMap<ObjectId, Node>;

/// Reads all commits of a repository. What cannot be read is not among them.
pub(crate) fn read_all(task: Task<'_>, store: &Store) -> Known {
    let mut visitors: Vec<_> = (0..task.limits.threads).map(|_| CommitVisitor::default()).collect();
    store.visit(Kind::Commit, &mut visitors, task.progress);
    visitors.into_iter().flat_map(|visitor| visitor.known).collect()
}

/// The commits that are asked for, newest first.
///
/// # Errors
///
/// `NotFound` if a revision is not there.
pub(crate) fn list(
    repository: &gix::Repository,
    which: &Revisions,
    known: Known,
    gaps: &mut Vec<Gap>,
) -> Result<Vec<Node>> {
    let shallow = shallow(repository)?;
    let mut walk = Walk { repository, shallow, gaps, known, seen: HashSet::new() };
    let mut nodes = match which {
        Revisions::All => {
            let tips = walk.all_tips()?;
            walk.from(tips)
        }
        Revisions::Since(base) => {
            let base = revision(repository, base)?;
            walk.from(vec![base]);
            let tips = walk.all_tips()?;
            walk.from(tips)
        }
        Revisions::Range(range) => {
            let (tips, hidden) = ends(repository, range)?;
            walk.from(hidden);
            walk.from(tips)
        }
        Revisions::Exactly(names) => {
            let ids = names.iter().map(|name| revision(repository, name));
            ids.collect::<Result<Vec<_>>>()?.into_iter().filter_map(|id| walk.node(id)).collect()
        }
    };
    let cut = nodes.iter().any(|node| walk.shallow.contains(&node.id));
    if cut && !matches!(which, Revisions::Exactly(_)) {
        let reason =
            "the clone is shallow, what is older was not scanned: run git fetch --unshallow";
        walk.gaps.push(Gap::boundary("history", reason));
    }
    nodes.sort_by_key(|node| (std::cmp::Reverse(node.time), node.id));
    Ok(nodes)
}

/// The trees of commits that are at hand.
pub(crate) fn trees(commits: &[Node]) -> Trees {
    commits.iter().map(|commit| (commit.id, commit.tree)).collect()
}

/// What a finding says of its commit.
pub(crate) fn describe(
    repository: &gix::Repository,
    mailmap: &gix::mailmap::Snapshot,
    id: ObjectId,
) -> Arc<Commit> {
    let commit = || {
        let object = repository.find_commit(id).ok()?;
        let decoded = object.decode().ok()?;
        let author = decoded.author().ok()?;
        let seconds = author.time().map_or(0, |time| time.seconds);
        let named = mailmap.resolve(author);
        Some(Commit {
            id: id.to_string(),
            author: named.name.to_string(),
            email: named.email.to_string(),
            date: Timestamp::from_seconds(seconds).to_string(),
            message: message(&String::from_utf8_lossy(decoded.message)),
        })
    };
    Arc::new(commit().unwrap_or_else(|| Commit { id: id.to_string(), ..Commit::default() }))
}

struct Walk<'a> {
    repository: &'a gix::Repository,
    shallow: HashSet<ObjectId>,
    gaps: &'a mut Vec<Gap>,
    /// What is not among them is looked up one by one.
    known: Known,
    /// What was walked over before is not walked over again, and so is hidden from later walks.
    seen: HashSet<ObjectId>,
}

impl Walk<'_> {
    /// What all references point to, and what is checked out.
    fn all_tips(&mut self) -> Result<Vec<ObjectId>> {
        let fault =
            |e: &dyn std::fmt::Display| Error::invalid(format!("cannot read the references: {e}"));
        let platform = self.repository.references().map_err(|e| fault(&e))?;
        let mut tips = Vec::new();
        for reference in platform.all().map_err(|e| fault(&e))? {
            match reference {
                Ok(reference) => {
                    let name = reference.name().as_bstr().to_string();
                    match tip(self.repository, reference) {
                        Ok(tip) => tips.extend(tip),
                        Err(e) => self.gaps.push(Gap::fault(name, format!("{e}: run git fsck"))),
                    }
                }
                Err(e) => self.gaps.push(Gap::fault("a reference", format!("{e}: run git fsck"))),
            }
        }
        match head(self.repository) {
            Ok(head) => tips.extend(head),
            Err(e) => self.gaps.push(Gap::fault("HEAD", format!("{e}: run git fsck"))),
        }
        Ok(tips)
    }

    fn from(&mut self, tips: Vec<ObjectId>) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut queue = tips;
        while let Some(id) = queue.pop() {
            if !self.seen.insert(id) {
                continue;
            }
            if let Some(node) = self.node(id) {
                queue.extend(&node.parents);
                nodes.push(node);
            }
        }
        nodes
    }

    fn node(&mut self, id: ObjectId) -> Option<Node> {
        let mut node = match self.known.remove(&id) {
            Some(node) => node,
            None => self.read(id)?,
        };
        if self.shallow.contains(&id) {
            node.parents.clear();
        }
        Some(node)
    }

    fn read(&mut self, id: ObjectId) -> Option<Node> {
        let object = match self.repository.find_object(id) {
            Ok(object) => object,
            Err(e) => {
                self.gaps.push(Gap::fault(format!("commit {id}"), format!("{e}: run git fsck")));
                return None;
            }
        };
        if object.kind == Kind::Tag {
            let reason = "it is a tag where a commit should be: run git fsck";
            self.gaps.push(Gap::fault(format!("commit {id}"), reason));
        }
        let commit = object.try_into_commit().ok()?;
        let decoded = match commit.decode() {
            Ok(decoded) => decoded,
            Err(e) => {
                self.gaps.push(Gap::fault(format!("commit {id}"), format!("{e}: run git fsck")));
                return None;
            }
        };
        Some(Node::of(id, &decoded))
    }
}

impl Node {
    fn of(id: ObjectId, commit: &CommitRef<'_>) -> Self {
        Self {
            id,
            tree: commit.tree(),
            parents: commit.parents().collect(),
            time: commit.time().map_or(0, |time| time.seconds),
        }
    }
}

#[derive(Default)]
struct CommitVisitor {
    known: Vec<(ObjectId, Node)>,
}

impl Visit for CommitVisitor {
    type Memory = ();

    fn object(&mut self, id: &oid, bytes: &[u8], _: Relation<'_, ()>) {
        if let Ok(commit) = CommitRef::from_bytes(bytes, id.kind()) {
            let id = id.to_owned();
            self.known.push((id, Node::of(id, &commit)));
        }
    }

    // Of what is lost, only that matters which a walk leads to.
    fn stream(&mut self, _: &oid, _: &mut dyn Read) {}

    fn lost(&mut self, _: &oid, _: &str) {}
}

/// The commits after which a shallow clone has none.
fn shallow(repository: &gix::Repository) -> Result<HashSet<ObjectId>> {
    let commits = repository
        .shallow_commits()
        .map_err(|e| Error::invalid(format!("cannot read where the shallow clone ends: {e}")))?;
    Ok(commits.iter().flat_map(|commits| commits.iter().copied()).collect())
}

fn revision(repository: &gix::Repository, name: &str) -> Result<ObjectId> {
    let fault =
        |e: &dyn std::fmt::Display| Error::not_found(format!("there is no commit '{name}': {e}"));
    let id = repository.rev_parse_single(name).map_err(|e| fault(&e))?;
    let commit = commit_of(repository, id.detach()).map_err(|e| fault(&e))?;
    commit.ok_or_else(|| fault(&"it is a file or a folder"))
}

/// The commit that is checked out; `None` before the first one.
fn head(repository: &gix::Repository) -> Result<Option<ObjectId>, String> {
    let head = repository.head().map_err(|e| e.to_string())?;
    let id = head.id().filter(|_| head.is_detached());
    match (id, head.try_into_referent()) {
        (Some(id), _) => commit_of(repository, id.detach()),
        (None, Some(reference)) => tip(repository, reference),
        (None, None) => Ok(None),
    }
}

/// The tree of the commit that is checked out; `None` before the first one.
pub(crate) fn head_tree(repository: &gix::Repository) -> Result<Option<ObjectId>, String> {
    let Some(id) = head(repository)? else { return Ok(None) };
    let commit = repository.find_commit(id).map_err(|e| e.to_string())?;
    let tree = CommitRefIter::from_bytes(&commit.data, id.kind()).tree_id();
    tree.map(Some).map_err(|e| e.to_string())
}

/// The names by which people want to be known. They may be in the commit that is checked out.
pub(crate) fn mailmap(repository: &gix::Repository) -> gix::mailmap::Snapshot {
    head(repository)
        .map_or_else(|_| gix::mailmap::Snapshot::default(), |_| repository.open_mailmap())
}

/// The commit that a reference leads to. It may also lead to a file or a folder.
fn tip(
    repository: &gix::Repository,
    mut reference: gix::Reference<'_>,
) -> Result<Option<ObjectId>, String> {
    let id = reference.follow_to_object().map_err(|e| e.to_string())?;
    commit_of(repository, id.detach())
}

/// So many tags may stand before a commit. Only one that was made by hand names more, or itself.
const TAGS_MAX: usize = 64;

/// The commit that an object is, or that a tag names; `None` for a file or a folder.
fn commit_of(repository: &gix::Repository, id: ObjectId) -> Result<Option<ObjectId>, String> {
    let mut at = id;
    for _ in 0..=TAGS_MAX {
        match repository.find_header(at).map_err(|e| e.to_string())?.kind() {
            Kind::Commit => return Ok(Some(at)),
            Kind::Blob | Kind::Tree => return Ok(None),
            Kind::Tag => {
                let tag = repository.find_object(at).map_err(|e| e.to_string())?;
                let target = TagRefIter::from_bytes(&tag.data, at.kind()).target_id();
                at = target.map_err(|e| format!("tag {at}: {e}"))?;
            }
        }
    }
    Err(format!("tag {id} names itself, or more than {TAGS_MAX} others"))
}

/// `A..B` is what B has and A has not, `A...B` what one of them has and the other has not; one side alone stands
/// against what is checked out. A revision without dots is its whole history.
fn ends(repository: &gix::Repository, range: &str) -> Result<(Vec<ObjectId>, Vec<ObjectId>)> {
    let find = |name: &str| revision(repository, if name.is_empty() { "HEAD" } else { name });
    if let Some((one, other)) = range.split_once("...") {
        let (one, other) = (find(one)?, find(other)?);
        let bases = repository
            .merge_bases_many(one, &[other])
            .map_err(|e| Error::invalid(format!("cannot find where '{range}' parts: {e}")))?;
        return Ok((vec![one, other], bases.into_iter().map(gix::Id::detach).collect()));
    }
    match range.split_once("..") {
        Some((hidden, tip)) => Ok((vec![find(tip)?], vec![find(hidden)?])),
        None => Ok((vec![find(range)?], Vec::new())),
    }
}

/// A message as gitleaks reads it out of `git log`: the lines of the title become one, blank lines between others are
/// one, and blanks at the ends of lines are gone.
fn message(text: &str) -> String {
    let mut lines = text.lines().map(str::trim_end).skip_while(|line| line.is_empty());
    let title: Vec<&str> =
        lines.by_ref().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let mut message = title.join(" ");
    let mut blank = true;
    let mut body = String::new();
    for line in lines {
        if line.is_empty() {
            blank = true;
            continue;
        }
        if !body.is_empty() {
            body.push_str(if blank { "\n\n" } else { "\n" });
        }
        body.push_str(line);
        blank = false;
    }
    if !body.is_empty() {
        message.push_str("\n\n");
        message.push_str(&body);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_as_in_a_report_of_gitleaks() {
        let check = |text, expected| assert_eq!(message(text), expected);
        check("", "");
        check("title\n", "title");
        check("\n\ntwo\nlines\n", "two lines");
        check("title\n\n\nbody  \nmore\n\n\n\nend\n\n", "title\n\nbody\nmore\n\nend");
    }
}
