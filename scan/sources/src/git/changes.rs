use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::hash::oid;
use gix::objs::tree::EntryRef;
use gix::objs::{CommitRefIter, TreeRefIter};

use crate::git::blobs::FoundBlobs;
use crate::git::commits::Node;
use crate::git::objects::{Lost, Objects};
use crate::git::trees::Marks;

/// A file that a commit, or the index, has otherwise than what was before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Change {
    pub(crate) path: String,
    /// What was at the path before, in each of the commits that a merge merges.
    pub(crate) before: Vec<Option<ObjectId>>,
    /// `None` if the file is gone.
    pub(crate) new: Option<ObjectId>,
}

impl Change {
    /// What is gone, if all of the file is.
    pub(crate) fn gone(&self) -> Option<ObjectId> {
        if self.new.is_none() { self.before.first().copied().flatten() } else { None }
    }

    pub(crate) fn is_new_file(&self) -> bool {
        self.before.iter().all(Option::is_none)
    }
}

/// Why the changes of a commit are not known, and what helps.
#[derive(Debug)]
pub(crate) struct Fault(pub(crate) String);

/// What is broken.
impl<T: Into<String>> From<T> for Fault {
    fn from(reason: T) -> Self {
        Self(format!("{}: run git fsck", reason.into()))
    }
}

/// Which changes anybody asks for.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'a> {
    All,
    /// Only those of what was found.
    Found {
        marks: &'a Marks<'a>,
        blobs: &'a FoundBlobs,
    },
}

/// The trees of commits that were read before.
pub(crate) type Trees = HashMap<ObjectId, ObjectId>;

/// How deep folders may lie in each other: what git itself allows at least (`core.maxTreeDepth`). Only trees that were made by hand
/// lie deeper, or in themselves.
pub(crate) const DEPTH_MAX: usize = 512;

/// So many files and folders one commit's changes may be among: some times what the largest public repositories have.
/// A few trees, each of which names the next one some times, can spell as many as one likes. What is kept of a change takes up about
/// 200 bytes, so this is a bound for memory too.
const ENTRIES_MAX: usize = 1 << 21;

/// Compares trees.
pub(crate) struct Differ<'a> {
    objects: &'a mut dyn Objects,
    trees: &'a Trees,
    wanted: Wanted<'a>,
    depth: usize,
    /// The tree with what is new.
    top: Option<ObjectId>,
    /// Files and folders that were looked at.
    entries: usize,
    changes: Vec<Change>,
}

impl<'a> Differ<'a> {
    pub(crate) fn new(objects: &'a mut dyn Objects, trees: &'a Trees, wanted: Wanted<'a>) -> Self {
        Self { objects, trees, wanted, depth: 0, top: None, entries: 0, changes: Vec::new() }
    }

    /// What a commit changes against its parent. A merge changes what it has otherwise than all that it merges.
    ///
    /// # Errors
    ///
    /// What cannot be read.
    pub(crate) fn of(&mut self, commit: &Node) -> Result<Vec<Change>, Fault> {
        let parents: Vec<ObjectId> =
            commit.parents.iter().map(|id| self.tree_of(*id)).collect::<Result<_, _>>()?;
        self.top = Some(commit.tree);
        self.compare(parents.first().copied(), self.top, &mut String::new())?;
        let mut changes = std::mem::take(&mut self.changes);
        for parent in parents.iter().skip(1) {
            self.add_before(Some(*parent), &mut changes, 0)?;
            changes
                .retain(|change| change.new.is_some() && change.before.last() != Some(&change.new));
        }
        Ok(changes)
    }

    /// What the folder `path` of one tree has otherwise than that of another one.
    ///
    /// # Errors
    ///
    /// What cannot be read.
    pub(crate) fn between(
        mut self,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
        path: &str,
    ) -> Result<Vec<Change>, Fault> {
        self.top = new;
        self.compare(old, new, &mut path.to_owned())?;
        Ok(self.changes)
    }

    fn tree_of(&mut self, id: ObjectId) -> Result<ObjectId, Fault> {
        if let Some(tree) = self.trees.get(&id) {
            return Ok(*tree);
        }
        let commit = self.objects.read(id)?;
        let tree = CommitRefIter::from_bytes(&commit, id.kind()).tree_id();
        Ok(tree.map_err(|e| e.to_string())?)
    }

    /// Adds to changes in a folder, whose path has `start` bytes, what was at their paths in another one.
    fn add_before(
        &mut self,
        tree: Option<ObjectId>,
        changes: &mut [Change],
        start: usize,
    ) -> Result<(), Fault> {
        let Some(tree) = tree else {
            changes.iter_mut().for_each(|change| change.before.push(None));
            return Ok(());
        };
        if self.depth == DEPTH_MAX {
            return Err(too_deep(tree));
        }
        let data = self.objects.read(tree)?;
        let entries = entries(&data, tree.kind())?;
        let entries: HashMap<Cow<'_, str>, &EntryRef<'_>> =
            entries.iter().map(|entry| (entry.filename.to_str_lossy(), entry)).collect();
        for together in changes.chunk_by_mut(|one, other| first(one, start) == first(other, start))
        {
            let (name, is_folder) = first(&together[0], start);
            let entry = entries.get(name).filter(|entry| entry.mode.is_tree() == is_folder);
            let (id, length) = (entry.map(|entry| entry.oid.to_owned()), name.len());
            if is_folder {
                self.depth += 1;
                let outcome = self.add_before(id, together, start + length + 1);
                self.depth -= 1;
                outcome?;
            } else {
                together.iter_mut().for_each(|change| change.before.push(id));
            }
        }
        Ok(())
    }

    fn compare(
        &mut self,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
        path: &mut String,
    ) -> Result<(), Fault> {
        if old == new || !self.wants(old, new) {
            return Ok(());
        }
        let Some(hash) = new.or(old).map(|id| id.kind()) else { return Ok(()) };
        let (before, after) = (self.data(old)?, self.data(new)?);
        let (before, after) = (entries(&before, hash)?, entries(&after, hash)?);
        self.entries += before.len() + after.len();
        if self.entries > ENTRIES_MAX {
            return Err(self.too_many());
        }
        let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => compare_names(old, new),
            };
            let old = before.next_if(|_| order != Ordering::Greater);
            let new = after.next_if(|_| order != Ordering::Less);
            let Some(either) = new.or(old) else { return Ok(()) };
            let id = |entry: Option<EntryRef<'_>>| entry.map(|entry| entry.oid.to_owned());
            self.differ(id(old), id(new), either.filename, either.mode.is_tree(), path)?;
        }
    }

    fn differ(
        &mut self,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
        name: &[u8],
        is_tree: bool,
        path: &mut String,
    ) -> Result<(), Fault> {
        if old == new {
            return Ok(());
        }
        let length = path.len();
        if length > 0 {
            path.push('/');
        }
        path.push_str(&String::from_utf8_lossy(name));
        let outcome = if is_tree {
            self.below(old, new, path)
        } else {
            if self.wants_blob(old, name) || self.wants_blob(new, name) {
                self.changes.push(Change { path: path.clone(), before: vec![old], new });
            }
            Ok(())
        };
        path.truncate(length);
        outcome
    }

    fn below(
        &mut self,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
        path: &mut String,
    ) -> Result<(), Fault> {
        if let Some(tree) = new.or(old).filter(|_| self.depth == DEPTH_MAX) {
            return Err(too_deep(tree));
        }
        self.depth += 1;
        let outcome = self.compare(old, new, path);
        self.depth -= 1;
        outcome
    }

    /// It is no fault to git, so nothing else would tell.
    fn too_many(&self) -> Fault {
        let tree = self.top.map_or(String::new(), |id| id.to_string());
        Fault(format!(
            "its changes are among more than {ENTRIES_MAX} files and folders, over and over the same: look at git ls-tree {tree}, \
             and leave it out of the history if nobody needs it"
        ))
    }

    fn data(&mut self, tree: Option<ObjectId>) -> Result<Arc<Vec<u8>>, Lost> {
        tree.map_or_else(|| Ok(Arc::default()), |id| self.objects.read(id))
    }

    /// Whether anybody asks for what two trees differ in.
    fn wants(&self, old: Option<ObjectId>, new: Option<ObjectId>) -> bool {
        match self.wanted {
            Wanted::All => true,
            Wanted::Found { marks, .. } => marks.differ(old, new),
        }
    }

    fn wants_blob(&self, blob: Option<ObjectId>, name: &[u8]) -> bool {
        let is_found = |blobs: &FoundBlobs, id: &oid| blobs.contains_key(id);
        match (self.wanted, blob) {
            (_, None) => false,
            (Wanted::All, _) => true,
            (Wanted::Found { marks, blobs }, Some(blob)) => {
                is_found(blobs, &blob) || marks.name(name)
            }
        }
    }
}

fn too_deep(tree: ObjectId) -> Fault {
    format!("tree {tree} lies in itself, or in more than {DEPTH_MAX} others").into()
}

/// The first part of the path of a change behind so many bytes of it, and whether that is a folder.
fn first(change: &Change, start: usize) -> (&str, bool) {
    let path = &change.path[start..];
    path.split_once('/').map_or((path, false), |(name, _)| (name, true))
}

/// The entries of a tree, but for submodules, whose commits are in another repository.
pub(crate) fn entries(data: &[u8], hash: gix::hash::Kind) -> Result<Vec<EntryRef<'_>>, String> {
    TreeRefIter::from_bytes(data, hash)
        .filter(|entry| !entry.as_ref().is_ok_and(|entry| entry.mode.is_commit()))
        .map(|entry| entry.map_err(|e| e.to_string()))
        .collect()
}

/// The order of trees, in which a folder's name ends with a slash.
fn compare_names(one: &EntryRef<'_>, other: &EntryRef<'_>) -> Ordering {
    let name = |entry: &EntryRef<'_>| entry.mode.is_tree().then_some(b'/');
    let ours = one.filename.iter().copied().chain(name(one));
    ours.cmp(other.filename.iter().copied().chain(name(other)))
}
