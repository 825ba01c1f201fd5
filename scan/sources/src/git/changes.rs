use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use gix::ObjectId;
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
const DEPTH_MAX: usize = 512;

/// Compares trees.
pub(crate) struct Differ<'a> {
    objects: &'a mut dyn Objects,
    trees: &'a Trees,
    wanted: Wanted<'a>,
    depth: usize,
    changes: Vec<Change>,
}

impl<'a> Differ<'a> {
    pub(crate) fn new(objects: &'a mut dyn Objects, trees: &'a Trees, wanted: Wanted<'a>) -> Self {
        Self { objects, trees, wanted, depth: 0, changes: Vec::new() }
    }

    /// What a commit changes against its parent. A merge changes what it has otherwise than all that it merges.
    ///
    /// # Errors
    ///
    /// What cannot be read.
    pub(crate) fn of(&mut self, commit: &Node) -> Result<Vec<Change>, String> {
        let parents: Vec<ObjectId> =
            commit.parents.iter().map(|id| self.tree_of(*id)).collect::<Result<_, _>>()?;
        self.compare(parents.first().copied(), Some(commit.tree), &mut String::new())?;
        let mut changes = std::mem::take(&mut self.changes);
        for parent in parents.iter().skip(1) {
            for change in &mut changes {
                change.before.push(self.entry(*parent, &change.path)?);
            }
            changes
                .retain(|change| change.new.is_some() && change.before.last() != Some(&change.new));
        }
        Ok(changes)
    }

    fn tree_of(&mut self, id: ObjectId) -> Result<ObjectId, String> {
        if let Some(tree) = self.trees.get(&id) {
            return Ok(*tree);
        }
        let commit = self.objects.read(id)?;
        let tree = CommitRefIter::from_bytes(&commit, id.kind()).tree_id();
        tree.map_err(|e| e.to_string())
    }

    /// What is at a path below a tree, if anything is.
    fn entry(&mut self, tree: ObjectId, path: &str) -> Result<Option<ObjectId>, String> {
        let mut at = tree;
        for name in path.split('/') {
            let data = self.objects.read(at)?;
            let entry = entries(&data, at.kind())?.into_iter().find(|entry| entry.filename == name);
            match entry {
                Some(entry) => at = entry.oid.into(),
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    fn compare(
        &mut self,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
        path: &mut String,
    ) -> Result<(), String> {
        if old == new || !self.wants(old, new) {
            return Ok(());
        }
        let Some(hash) = new.or(old).map(|id| id.kind()) else { return Ok(()) };
        let (before, after) = (self.data(old)?, self.data(new)?);
        let (before, after) = (entries(&before, hash)?, entries(&after, hash)?);
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
    ) -> Result<(), String> {
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
    ) -> Result<(), String> {
        if self.depth == DEPTH_MAX {
            return Err(format!("its trees lie in each other, more than {DEPTH_MAX} of them"));
        }
        self.depth += 1;
        let outcome = self.compare(old, new, path);
        self.depth -= 1;
        outcome
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

/// The entries of a tree, but for submodules, whose commits are in another repository.
fn entries(data: &[u8], hash: gix::hash::Kind) -> Result<Vec<EntryRef<'_>>, String> {
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
