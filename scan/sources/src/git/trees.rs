use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io::Read;

use gix::ObjectId;
use gix::hash::oid;
use gix::object::Kind;
use gix::objs::TreeRefIter;
use scan_engine::Scanner;

use crate::git::blobs::FoundBlobs;
use crate::git::commits::Node;
use crate::git::edges::{Edge, Edges};
use crate::git::resolve::{Relation, Visit};
use crate::git::store::Store;
use crate::outcome::Gap;
use crate::task::Task;

/// How many missing objects are named one by one.
const NAMED_MAX: usize = 10;

/// Which trees lead to something that was found, so that the history is looked through for nothing else.
pub(crate) struct Marks<'a> {
    store: &'a Store,
    /// By the number of a tree: a digest of what was found in it, however deep, and where. 0 is nothing.
    digests: Vec<u64>,
    /// Names of files of which rules for paths have something to say.
    names: HashSet<Vec<u8>>,
}

impl<'a> Marks<'a> {
    /// Reads all trees of a repository, whose blobs were shown before. What the commits lead to and is not there, or is
    /// something else, becomes a gap; so does every tree that is here and broken.
    pub(crate) fn survey(
        task: Task<'_>,
        store: &'a Store,
        commits: &[Node],
        found: &FoundBlobs,
        gaps: &mut Vec<Gap>,
    ) -> Self {
        let mut is_found = vec![false; store.numbers()];
        found.keys().filter_map(|id| store.number(id)).for_each(|blob| is_found[blob] = true);
        // Its keys are of this process alone, so nobody can make two digests equal.
        let hasher = RandomState::new();
        let visitor = || TreeVisitor {
            scanner: task.scanner,
            hasher: &hasher,
            numbers: Numbers::new(store),
            is_found: &is_found,
            above: Vec::new(),
            marked: Vec::new(),
            missing: HashMap::new(),
            names: HashMap::new(),
            gaps: Vec::new(),
        };
        let mut visitors: Vec<_> = (0..task.limits.threads).map(|_| visitor()).collect();
        store.visit(Kind::Tree, &mut visitors, task.progress);
        let (mut found, mut named) = (Vec::new(), Vec::new());
        let mut names = HashSet::new();
        let edges = visitors.iter().flat_map(|visitor| visitor.above.iter().copied());
        let above = Edges::new(store.numbers(), edges);
        for visitor in visitors {
            found.extend(visitor.marked);
            named.extend(visitor.missing);
            gaps.extend(visitor.gaps);
            let watched = visitor.names.into_iter().filter(|(_, watched)| *watched);
            names.extend(watched.map(|(name, _)| name));
        }
        let unseen = above.iter().filter(|(below, ..)| !store.was_shown(*below as usize));
        named.extend(unseen.map(|(below, tree, _)| (store.id(below as usize), vec![tree])));
        if !task.progress.is_stopped() {
            tell_missing(&missing(store, commits, &above, named), gaps);
        }
        Self { store, digests: digests(&hasher, store.numbers(), &above, found), names }
    }

    /// Whether two trees differ in something that was found, or in its path.
    pub(crate) fn differ(&self, one: Option<ObjectId>, other: Option<ObjectId>) -> bool {
        let digest = |id: Option<ObjectId>| {
            let number = id.and_then(|id| self.store.number(&id));
            number.map_or(0, |number| self.digests[number])
        };
        digest(one) != digest(other)
    }

    /// Whether rules for paths have something to say of a file's name.
    pub(crate) fn name(&self, name: &[u8]) -> bool {
        self.names.contains(name)
    }
}

/// The digest of every tree, from those at the bottom up. `found` has, for what a tree holds itself, its digest.
fn digests(
    hasher: &RandomState,
    numbers: usize,
    above: &Edges,
    found: Vec<(u32, u64)>,
) -> Vec<u64> {
    let mut leads = vec![false; numbers];
    above.spread(found.iter().map(|(tree, _)| *tree).collect(), &mut leads);
    let mut digests = vec![0u64; numbers];
    for (tree, digest) in found {
        digests[tree as usize] = digest;
    }
    // What a tree waits for are the digests below it.
    let mut waits = vec![0u32; numbers];
    for (below, tree, _) in above.iter() {
        waits[tree as usize] += u32::from(leads[below as usize]);
    }
    let mut ready: Vec<u32> = (0..numbers as u32)
        .filter(|tree| leads[*tree as usize] && waits[*tree as usize] == 0)
        .collect();
    while let Some(tree) = ready.pop() {
        // A tree that has something has a digest that is not nothing's.
        let digest = digests[tree as usize].max(1);
        digests[tree as usize] = digest;
        for (holder, name) in above.of(tree) {
            let named = hasher.hash_one((digest, name));
            digests[*holder as usize] = digests[*holder as usize].wrapping_add(named);
            waits[*holder as usize] -= 1;
            if waits[*holder as usize] == 0 {
                ready.push(*holder);
            }
        }
    }
    // What waits for ever lies in itself, or holds what does: each is like no other, so that somebody looks at it.
    for tree in (0..numbers).filter(|tree| waits[*tree] > 0) {
        digests[tree] = hasher.hash_one(tree);
    }
    digests
}

/// What the commits lead to and is not there. `named` has what trees name in vain, and these trees. What no commit leads to
/// may lack anything: git leaves there what was amended away, until it is collected.
fn missing(
    store: &Store,
    commits: &[Node],
    above: &Edges,
    named: Vec<(ObjectId, Vec<u32>)>,
) -> HashSet<ObjectId> {
    let is_there = |id: &oid| store.number(id).is_some_and(|number| store.was_shown(number));
    let trees = commits.iter().map(|commit| commit.tree);
    let mut missing: HashSet<ObjectId> = trees.clone().filter(|tree| !is_there(tree)).collect();
    if !named.is_empty() {
        let roots = trees.filter_map(|tree| store.number(&tree)).map(|number| number as u32);
        let mut reached = vec![false; store.numbers()];
        above.reversed().spread(roots.collect(), &mut reached);
        let is_reached = |tree: &u32| reached[*tree as usize];
        let reached = named.into_iter().filter(|(_, trees)| trees.iter().any(is_reached));
        missing.extend(reached.map(|(id, _)| id));
    }
    missing
}

/// The numbers of objects. Most of what a tree holds is in the next one too, so those that were looked up last are at hand.
struct Numbers<'a> {
    store: &'a Store,
    /// Each object has one place.
    recent: Vec<(ObjectId, Option<usize>)>,
}

impl<'a> Numbers<'a> {
    /// A power of two: so many fit into a cache near by.
    const PLACES: usize = 1 << 13;

    fn new(store: &'a Store) -> Self {
        // No object has this name, nor is there one by it.
        let nothing = (ObjectId::null(gix::hash::Kind::Sha1), None);
        Self { store, recent: vec![nothing; Self::PLACES] }
    }

    fn of(&mut self, id: &oid) -> Option<usize> {
        let [first, second, ..] = id.as_bytes() else { return None };
        let place = usize::from(u16::from_le_bytes([*first, *second])) % Self::PLACES;
        let (known, number) = &mut self.recent[place];
        if known.as_bytes() != id.as_bytes() {
            *known = id.into();
            *number = self.store.number(id);
        }
        *number
    }
}

struct TreeVisitor<'a> {
    scanner: &'a Scanner,
    numbers: Numbers<'a>,
    /// By the number of a blob.
    is_found: &'a [bool],
    hasher: &'a RandomState,
    /// They lead from trees to what holds them.
    above: Vec<Edge>,
    /// Trees that hold something that was found, and the digest of it.
    marked: Vec<(u32, u64)>,
    /// What is not there, and the trees that name it.
    missing: HashMap<ObjectId, Vec<u32>>,
    /// Whether rules for paths have something to say of a name.
    names: HashMap<Vec<u8>, bool>,
    gaps: Vec<Gap>,
}

impl TreeVisitor<'_> {
    /// Whether rules for paths have something to say of a name; asked once for each.
    fn watches(&mut self, name: &[u8]) -> bool {
        if !self.scanner.watches_paths() {
            return false;
        }
        if let Some(known) = self.names.get(name) {
            return *known;
        }
        let watched = self.scanner.watches(name);
        self.names.insert(name.to_vec(), watched);
        watched
    }
}

impl Visit for TreeVisitor<'_> {
    type Memory = ();

    fn object(&mut self, id: &oid, bytes: &[u8], _: Relation<'_, ()>) {
        let Some(number) = self.numbers.of(id) else { return };
        let (mut is_marked, mut digest) = (false, 0u64);
        for entry in TreeRefIter::from_bytes(bytes, id.kind()) {
            let Ok(entry) = entry else {
                self.lost(id, "it cannot be read");
                break;
            };
            // The commit of a submodule is in another repository.
            if entry.mode.is_commit() {
                continue;
            }
            match self.numbers.of(entry.oid) {
                Some(below) if entry.mode.is_tree() => {
                    let name = self.hasher.hash_one(entry.filename) as u32;
                    self.above.push((below as u32, number as u32, name));
                }
                Some(below) if self.numbers.store.was_shown(below) => {
                    if self.is_found[below] | self.watches(entry.filename) {
                        is_marked = true;
                        let found = self.hasher.hash_one((below, entry.filename));
                        digest = digest.wrapping_add(found);
                    }
                }
                _ => self.missing.entry(entry.oid.into()).or_default().push(number as u32),
            }
        }
        if is_marked {
            self.marked.push((number as u32, digest));
        }
    }

    fn stream(&mut self, id: &oid, _: &mut dyn Read) {
        self.lost(id, "a tree is larger than 128 MiB");
    }

    fn lost(&mut self, id: &oid, reason: &str) {
        self.gaps.push(Gap::fault(format!("tree {id}"), format!("{reason}: run git fsck")));
    }
}

fn tell_missing(missing: &HashSet<ObjectId>, gaps: &mut Vec<Gap>) {
    const WHY: &str =
        "it is not in the repository, or broken: fetch without --filter, or run git fsck";
    let mut missing: Vec<&ObjectId> = missing.iter().collect();
    missing.sort();
    gaps.extend(missing.iter().take(NAMED_MAX).map(|id| Gap::fault(format!("object {id}"), WHY)));
    if let Some(more) = missing.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        gaps.push(Gap::fault(format!("{more} more objects"), WHY));
    }
}
