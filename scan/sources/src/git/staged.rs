//! What is about to be committed.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use base_types::Result;
use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice};
use gix::index::Entry;
use gix::index::extension::Tree as CachedTree;
use gix::objs::tree::EntryRef;

use crate::git::changes::{Change, DEPTH_MAX, Differ, Fault, Trees, Wanted, entries};
use crate::git::commits::head_tree;
use crate::git::objects::Objects;
use crate::git::worktree::{broken, committable, index};
use crate::outcome::Gap;

/// What the index has otherwise than the commit that is checked out, below the folder `prefix`.
///
/// Both are walked side by side. A folder that the index knows to be as it was is not read, and one of which the index has
/// nothing is read once, however many paths lead to it: the work is bounded by the index and by the number of trees, not by
/// the number of paths that trees can spell. A tree that cannot be read is a [`Gap`], and what is staged in it counts as new.
///
/// # Errors
///
/// `Corrupt` if the index or the commit cannot be read.
pub(crate) fn staged(
    repository: &gix::Repository,
    prefix: &BStr,
    gaps: &mut Vec<Gap>,
) -> Result<Vec<Change>> {
    let index = index(repository)?;
    let top = head_tree(repository).map_err(|e| broken("the commit checked out", &e))?;
    let staged: Vec<Staged<'_>> = committable(&index, prefix).collect();
    let (above, gone) = (Vec::new(), HashSet::new());
    let mut walk = Walk { repository, path: Vec::new(), above, gone, changes: Vec::new(), gaps };
    let (mut tree, mut cached) = (top, index.tree());
    for name in prefix.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
        tree = tree.and_then(|tree| walk.folder_in(tree, name));
        cached =
            cached.and_then(|cached| cached.children.iter().find(|child| *child.name == *name));
        walk.path.extend(name.iter().chain(b"/"));
    }
    walk.compare(tree, cached, &staged);
    Ok(walk.changes)
}

/// A file, or a folder of a sparse index, and its path.
type Staged<'a> = (&'a BStr, &'a Entry);

struct Walk<'a> {
    repository: &'a gix::Repository,
    /// The folder that is compared, with a slash at its end.
    path: Vec<u8>,
    /// The trees that it lies in.
    above: Vec<ObjectId>,
    /// The trees that were read of which the index has nothing. What is gone counts by its content alone, so the paths of its
    /// other places would say nothing more.
    gone: HashSet<ObjectId>,
    changes: Vec<Change>,
    gaps: &'a mut Vec<Gap>,
}

impl Walk<'_> {
    /// Compares a folder with what is staged in it.
    fn compare(
        &mut self,
        tree: Option<ObjectId>,
        cached: Option<&CachedTree>,
        mut staged: &[Staged<'_>],
    ) {
        let is_same = |cached: &CachedTree| cached.num_entries.is_some() && Some(cached.id) == tree;
        if cached.is_some_and(is_same) {
            return;
        }
        if let [(path, entry)] = staged
            && path.len() == self.path.len()
        {
            return self.add(tree, path, entry);
        }
        let read = tree.and_then(|tree| Some((tree, self.read(tree, staged.is_empty())?)));
        let Some((tree, data)) = read else {
            staged.iter().for_each(|(path, entry)| self.add(None, path, entry));
            return;
        };
        let mut before = self.entries(tree, &data).into_iter().peekable();
        let children = cached.map_or(&[][..], |cached| &cached.children);
        let children: HashMap<&[u8], &CachedTree> =
            children.iter().map(|child| (&*child.name, child)).collect();
        self.above.push(tree);
        loop {
            let new = staged.first().map(|(path, _)| Name::first_of(&path[self.path.len()..]));
            let old = before.peek().map(Name::of);
            let Some(name) = [old, new].into_iter().flatten().min() else { break };
            let is_here =
                |(path, _): &&Staged<'_>| Name::first_of(&path[self.path.len()..]) == name;
            let (here, rest) = staged.split_at(staged.iter().take_while(is_here).count());
            staged = rest;
            let old = before.next_if(|entry| Name::of(entry) == name);
            let old = old.map(|entry| entry.oid.to_owned());
            if name.is_folder {
                self.folder(name, old, children.get(name.bytes).copied(), here);
            } else {
                self.file(name, old, here);
            }
        }
        self.above.pop();
    }

    fn folder(
        &mut self,
        name: Name<'_>,
        old: Option<ObjectId>,
        cached: Option<&CachedTree>,
        staged: &[Staged<'_>],
    ) {
        let start = self.path.len();
        self.path.extend(name.bytes.iter().chain(b"/"));
        self.compare(old, cached, staged);
        self.path.truncate(start);
    }

    fn file(&mut self, name: Name<'_>, old: Option<ObjectId>, staged: &[Staged<'_>]) {
        if staged.is_empty() {
            let path = [&self.path, name.bytes].concat().to_str_lossy().into_owned();
            self.changes.push(Change { path, before: vec![old], new: None });
        }
        staged.iter().for_each(|(path, entry)| self.add(old, path, entry));
    }

    /// Notes a file, or all of a folder of a sparse index, that is staged and was another one before.
    fn add(&mut self, old: Option<ObjectId>, path: &BStr, entry: &Entry) {
        if old == Some(entry.id) {
            return;
        }
        if !entry.mode.is_sparse() {
            let path = path.to_string();
            self.changes.push(Change { path, before: vec![old], new: Some(entry.id) });
            return;
        }
        let (mut objects, trees) = (self.repository, Trees::new());
        let differ = Differ::new(&mut objects, &trees, Wanted::All);
        let folder = path.trim_end_with(|c| c == '/').to_str_lossy();
        match differ.between(old, Some(entry.id), &folder) {
            Ok(changes) => self.changes.extend(changes),
            Err(Fault(reason)) => {
                self.gaps.push(Gap::fault(format!("tree {}", entry.id), reason));
            }
        }
    }

    /// The folder with this name in a tree.
    fn folder_in(&mut self, tree: ObjectId, name: &[u8]) -> Option<ObjectId> {
        let data = self.read(tree, false)?;
        let entries = self.entries(tree, &data);
        let is_it = |entry: &&EntryRef<'_>| entry.mode.is_tree() && entry.filename == name;
        entries.iter().find(is_it).map(|entry| entry.oid.to_owned())
    }

    /// A tree. One that is gone is there but once.
    fn read(&mut self, tree: ObjectId, is_gone: bool) -> Option<Arc<Vec<u8>>> {
        let mut objects = self.repository;
        let read = if self.above.contains(&tree) {
            Err("it lies in itself".to_owned())
        } else if self.above.len() == DEPTH_MAX {
            Err(format!("it lies in more than {DEPTH_MAX} others"))
        } else if is_gone && !self.gone.insert(tree) {
            return None;
        } else {
            objects.read(tree).map_err(String::from)
        };
        read.map_err(|reason| self.tell(tree, &reason)).ok()
    }

    fn entries<'t>(&mut self, tree: ObjectId, data: &'t [u8]) -> Vec<EntryRef<'t>> {
        entries(data, tree.kind()).unwrap_or_else(|reason| {
            self.tell(tree, &reason);
            Vec::new()
        })
    }

    fn tell(&mut self, tree: ObjectId, reason: &str) {
        self.gaps.push(Gap::fault(format!("tree {tree}"), format!("{reason}: run git fsck")));
    }
}

/// What is in a folder under one name. A file and a folder of the same name are two things.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Name<'a> {
    bytes: &'a [u8],
    is_folder: bool,
}

impl<'a> Name<'a> {
    fn of(entry: &EntryRef<'a>) -> Self {
        Self { bytes: entry.filename, is_folder: entry.mode.is_tree() }
    }

    /// The first part of a path.
    fn first_of(path: &'a [u8]) -> Self {
        let slash = memchr::memchr(b'/', path);
        Self { bytes: &path[..slash.unwrap_or(path.len())], is_folder: slash.is_some() }
    }

    /// As it is sorted: the name of a folder ends with a slash.
    fn sorted(self) -> impl Iterator<Item = u8> + 'a {
        self.bytes.iter().copied().chain(self.is_folder.then_some(b'/'))
    }
}

impl Ord for Name<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sorted().cmp(other.sorted())
    }
}

impl PartialOrd for Name<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
