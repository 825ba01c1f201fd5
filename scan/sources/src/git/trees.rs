use std::collections::{HashMap, HashSet};
use std::io::Read;

use gix::ObjectId;
use gix::hash::oid;
use gix::object::Kind;
use gix::objs::TreeRefIter;
use scan_engine::Scanner;

use crate::git::blobs::FoundBlobs;
use crate::git::commits::Node;
use crate::git::resolve::{Relation, Verdict, Visit};
use crate::git::store::Store;
use crate::outcome::Gap;
use crate::task::Task;

/// How many missing objects are named one by one.
const NAMED_MAX: usize = 10;

/// Which trees lead to something that was found, so that the history is looked through for nothing else.
pub(crate) struct Marks<'a> {
    store: &'a Store,
    /// By the number of the object.
    leads: Vec<bool>,
    /// Names of files of which rules for paths have something to say.
    names: HashSet<Vec<u8>>,
}

impl<'a> Marks<'a> {
    /// Reads all trees of a repository, whose blobs were shown before. What they and the commits name and is not
    /// there, or is something else, becomes a gap.
    pub(crate) fn survey(
        task: Task<'_>,
        store: &'a Store,
        commits: &[Node],
        found: &FoundBlobs,
        gaps: &mut Vec<Gap>,
    ) -> Self {
        let visitor = || TreeVisitor {
            scanner: task.scanner,
            store,
            found,
            above: Vec::new(),
            marked: Vec::new(),
            missing: HashSet::new(),
            names: HashMap::new(),
            gaps: Vec::new(),
        };
        let mut visitors: Vec<_> = (0..task.limits.threads).map(|_| visitor()).collect();
        store.visit(Kind::Tree, &mut visitors, task.progress);
        let mut marks = Self { store, leads: vec![false; store.numbers()], names: HashSet::new() };
        let (mut above, mut marked, mut missing) = (Vec::new(), Vec::new(), HashSet::new());
        for mut visitor in visitors {
            // Most trees are in many others, in the same one of a pack again and again.
            visitor.above.sort_unstable();
            visitor.above.dedup();
            above.append(&mut visitor.above);
            marked.extend(visitor.marked);
            missing.extend(visitor.missing);
            gaps.extend(visitor.gaps);
            let watched = visitor.names.into_iter().filter(|(_, watched)| *watched);
            marks.names.extend(watched.map(|(name, _)| name));
        }
        above.sort_unstable();
        above.dedup();
        missing.extend(
            above
                .iter()
                .filter(|(below, _)| !store.was_shown(*below as usize))
                .map(|(below, _)| store.id(*below as usize)),
        );
        let is_there = |id: &oid| store.number(id).is_some_and(|number| store.was_shown(number));
        missing.extend(commits.iter().map(|commit| commit.tree).filter(|tree| !is_there(tree)));
        if !task.progress.is_stopped() {
            tell_missing(&missing, gaps);
        }
        marks.spread(&above, marked);
        marks
    }

    /// Whether a tree holds, however deep, something that was found.
    pub(crate) fn tree(&self, id: &oid) -> bool {
        self.store.number(id).is_some_and(|number| self.leads[number])
    }

    /// Whether rules for paths have something to say of a file's name.
    pub(crate) fn name(&self, name: &[u8]) -> bool {
        self.names.contains(name)
    }

    /// From the marked trees up to those that hold them.
    fn spread(&mut self, above: &[(u32, u32)], mut marked: Vec<u32>) {
        while let Some(tree) = marked.pop() {
            if std::mem::replace(&mut self.leads[tree as usize], true) {
                continue;
            }
            let from = above.partition_point(|(below, _)| *below < tree);
            let parents = above[from..].iter().take_while(|(below, _)| *below == tree);
            marked.extend(parents.map(|(_, parent)| *parent));
        }
    }
}

struct TreeVisitor<'a> {
    scanner: &'a Scanner,
    store: &'a Store,
    found: &'a FoundBlobs,
    /// Trees and what holds them.
    above: Vec<(u32, u32)>,
    marked: Vec<u32>,
    missing: HashSet<ObjectId>,
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
        let path = String::from_utf8_lossy(name);
        let watched = self.scanner.watches(&path);
        self.names.insert(name.to_vec(), watched);
        watched
    }
}

impl Visit for TreeVisitor<'_> {
    fn object(&mut self, id: &oid, bytes: &[u8], _: Relation<'_>) -> Verdict {
        let Some(number) = self.store.number(id) else { return Verdict::Other };
        let mut marked = false;
        for entry in TreeRefIter::from_bytes(bytes, gix::hash::Kind::Sha1) {
            let Ok(entry) = entry else {
                self.lost(id, "it cannot be read");
                break;
            };
            // The commit of a submodule is in another repository.
            if entry.mode.is_commit() {
                continue;
            }
            let Some(below) = self.store.number(entry.oid) else {
                self.missing.insert(entry.oid.into());
                continue;
            };
            if entry.mode.is_tree() {
                self.above.push((below as u32, number as u32));
            } else if !self.store.was_shown(below) {
                self.missing.insert(entry.oid.into());
            } else {
                marked |= self.found.contains_key(entry.oid) || self.watches(entry.filename);
            }
        }
        if marked {
            self.marked.push(number as u32);
        }
        Verdict::Other
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
