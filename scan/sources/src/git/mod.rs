//! Repositories of git.
//!
//! A blob is searched once, in the order in which it can be had cheapest: a pack stores most objects as what differs
//! from another one, so each tree of such deltas is walked from its root down, and every object is decompressed
//! once. Of a changed version of a text, only the lines that the delta changes are looked through for literals and for what
//! is encoded, and only what is around the change is searched by the rules. Only for what was found is looked up which commit
//! brought it in, at which path and line.

mod attribute;
mod blobs;
mod changes;
mod commits;
mod delta;
mod edges;
mod lines;
mod objects;
mod pack;
mod remote;
mod resolve;
mod staged;
mod store;
mod trees;
mod worktree;

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use base_types::{Error, Result};
use gix::bstr::{BString, ByteSlice};
use gix::{ObjectId, ThreadSafeRepository};

pub(crate) use crate::git::blobs::Window;
pub use crate::git::remote::Platform;

use crate::git::attribute::{Attribution, Evidence};
use crate::git::blobs::{BlobVisitor, FoundBlobs, search_all};
use crate::git::changes::{Change, Differ, Fault, Wanted};
use crate::git::commits::{Known, Node, describe, head_tree, mailmap};
use crate::git::objects::{Lost, Objects, Reader};
pub(crate) use crate::git::remote::Remote;
use crate::git::resolve::{Relation, Visit};
use crate::git::store::Store;
use crate::git::trees::Marks;
use crate::git::worktree::{Pending, Unstored};
use crate::outcome::{Commit, Gap, Leak, Outcome};
use crate::search::Searcher;
use crate::task::Task;

/// What one thread keeps of trees and commits that it has read.
const OBJECT_CACHE_BYTES: usize = 8 << 20;

/// So many changes are held between two looks at their commits, about 200 bytes each.
const HELD_MAX: usize = 1 << 17;

/// So many commits, one after the other, a thread takes at a time.
const RUN_MAX: usize = 32;

/// A repository, found from a folder in it.
#[derive(Clone, Debug)]
pub struct Git {
    pub path: PathBuf,
    pub part: GitPart,
    pub platform: Platform,
}

/// Which part of a repository is scanned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum GitPart {
    /// What commits add.
    Commits(Revisions),
    /// What the index adds to the commit that is checked out.
    Staged,
    /// What files add to the index.
    Unstaged,
}

/// Which commits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Revisions {
    /// All that a reference leads to.
    All,
    /// `A..B`, `A...B`, or one revision and all before it.
    Range(String),
    /// All that a reference leads to and this commit does not.
    Since(String),
    /// These alone.
    Exactly(Vec<String>),
}

impl Git {
    /// Scans the repository.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no repository or no such revision, `Corrupt` if it cannot be read at all. What else
    /// is broken or missing is a [`Gap`].
    pub fn scan(&self, task: Task<'_>) -> Result<Outcome> {
        let shared = self.open()?;
        let mut scan = GitScan::new(self, task, &shared);
        scan.run()?;
        scan.outcome.tell_stopped(task.progress);
        Ok(scan.outcome)
    }

    fn open(&self) -> Result<ThreadSafeRepository> {
        let fault = |e: &dyn std::error::Error| {
            // What is wrong in a broken one is told by what the error comes from.
            let causes = std::iter::successors(e.source(), |cause| cause.source());
            let causes: String = causes.map(|cause| format!(": {cause}")).collect();
            let path = self.path.display();
            Error::not_found(format!(
                "cannot open a repository of git at {path}: {e}{causes}; for files use 'dir'"
            ))
        };
        // A path with `..` in it is not looked up well.
        let path = self.path.canonicalize().map_err(|e| fault(&e))?;
        ThreadSafeRepository::discover_with_environment_overrides(path).map_err(|e| fault(&e))
    }
}

struct GitScan<'a> {
    git: &'a Git,
    task: Task<'a>,
    shared: &'a ThreadSafeRepository,
    remote: Remote,
    outcome: Outcome,
}

impl<'a> GitScan<'a> {
    fn new(git: &'a Git, task: Task<'a>, shared: &'a ThreadSafeRepository) -> Self {
        let repository = shared.to_thread_local();
        let remote = match git.part {
            GitPart::Commits(_) => Remote::of(&repository, git.platform),
            GitPart::Staged | GitPart::Unstaged => Remote::default(),
        };
        Self { git, task, shared, remote, outcome: Outcome::default() }
    }

    fn run(&mut self) -> Result<()> {
        let repository = self.shared.to_thread_local();
        let gaps = &mut self.outcome.gaps;
        match &self.git.part {
            GitPart::Commits(Revisions::All) => {
                tell_submodules(&repository, gaps);
                self.history(&repository)?;
            }
            GitPart::Commits(which) => {
                let commits = commits::list(&repository, which, Known::new(), gaps)?;
                self.outcome.commits = Some(commits.len());
                self.some(&commits);
            }
            GitPart::Staged => {
                let prefix = self.prefix(&repository);
                let pending =
                    Pending::staged(&repository, prefix.as_bstr(), &mut self.outcome.gaps)?;
                self.pending(&repository, &pending);
            }
            GitPart::Unstaged => {
                let prefix = self.prefix(&repository);
                let pending =
                    Pending::unstaged(&repository, prefix.as_bstr(), &mut self.outcome.gaps)?;
                self.pending(&repository, &pending);
            }
        }
        Ok(())
    }

    /// All blobs first, then the changes that brought in what was found.
    fn history(&mut self, repository: &gix::Repository) -> Result<()> {
        let gaps = &mut self.outcome.gaps;
        let store = Store::open(repository, gaps);
        let known = commits::read_all(self.task, &store);
        let commits = commits::list(repository, &Revisions::All, known, gaps)?;
        self.outcome.commits = Some(commits.len());
        let found = search_all(self.task, &store, gaps);
        let marks = Marks::survey(self.task, &store, &commits, &found, gaps);
        let wanted = if self.task.scanner.watches_folders() {
            Wanted::All
        } else {
            Wanted::Found { marks: &marks, blobs: &found }
        };
        let evidence = Evidence { found: &found, remote: &self.remote, unstored: &Unstored::new() };
        let trees = commits::trees(&commits);
        let leaks = self.each(&commits, Some(&store), |searcher, objects, repository, commit| {
            let changes = Differ::new(objects, &trees, wanted).of(commit)?;
            leaks(evidence.attribution(searcher, objects), repository, &changes, Some(commit.id))
        });
        self.keep(leaks);
        Ok(())
    }

    /// The changes of some commits first, then the blobs that they brought in.
    fn some(&mut self, commits: &[Node]) {
        let trees = commits::trees(commits);
        let (held, blobs) = (AtomicUsize::new(0), Mutex::new(HashSet::new()));
        let compared = self.each(commits, None, |_, objects, _, commit| {
            let changes = Differ::new(objects, &trees, Wanted::All).of(commit)?;
            let new = changes.iter().filter_map(|change| change.new);
            blobs.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
            let held = held.fetch_add(changes.len(), Ordering::Relaxed) + changes.len();
            Ok(vec![Compared { commit, changes: (held <= HELD_MAX).then_some(changes) }])
        });
        let (compared, faults): (Vec<_>, Vec<_>) = compared.into_iter().partition(Result::is_ok);
        self.outcome.gaps.extend(faults.into_iter().filter_map(Result::err));
        let compared: Vec<Compared<'_>> = compared.into_iter().flatten().flatten().collect();
        let unstored = Unstored::new();
        let blobs = blobs.into_inner().unwrap_or_else(PoisonError::into_inner);
        let found = self.search(blobs.into_iter().collect(), &unstored);
        let evidence = Evidence { found: &found, remote: &self.remote, unstored: &unstored };
        let leaks = self.each(&compared, None, |searcher, objects, repository, compared| {
            let Compared { commit, changes } = compared;
            let changes = match changes {
                Some(changes) => Cow::Borrowed(changes),
                None => Cow::Owned(Differ::new(objects, &trees, Wanted::All).of(commit)?),
            };
            leaks(evidence.attribution(searcher, objects), repository, &changes, Some(commit.id))
        });
        self.keep(leaks);
    }

    fn pending(&mut self, repository: &gix::Repository, pending: &Pending) {
        let blobs: HashSet<ObjectId> =
            pending.changes.iter().filter_map(|change| change.new).collect();
        let found = self.search(blobs.into_iter().collect(), &pending.unstored);
        let evidence =
            Evidence { found: &found, remote: &self.remote, unstored: &pending.unstored };
        let (mut searcher, mut objects) = (Searcher::new(self.task), repository);
        let attribution = evidence.attribution(&mut searcher, &mut objects);
        let leaks = leaks(attribution, repository, &pending.changes, None);
        self.keep(vec![leaks.map_err(|Fault(reason)| Gap::fault("changes", reason))]);
    }

    /// Searches the blobs that changes brought in.
    fn search(&mut self, ids: Vec<ObjectId>, unstored: &Unstored) -> FoundBlobs {
        self.task.progress.expect(ids.len() as u64);
        // Only the packs themselves can be read in pieces. What is broken in them is told of the objects that are wanted.
        let large = OnceLock::new();
        let visitors = self.each_with(
            &ids,
            || BlobVisitor::new(self.task),
            |visitor, repository, id| {
                let mut objects = repository;
                match unstored.get(id) {
                    Some(file) => file.show(id, visitor),
                    None => match objects.read(*id) {
                        Ok(bytes) => {
                            visitor.object(id, &bytes, Relation::None);
                        }
                        Err(Lost::TooLarge) => {
                            large
                                .get_or_init(|| Store::open(repository, &mut Vec::new()))
                                .show(id, visitor);
                        }
                        Err(Lost::Broken(reason)) => visitor.lost(id, &reason),
                    },
                }
                self.task.progress.step(1);
            },
        );
        let mut found = FoundBlobs::new();
        for visitor in visitors {
            found.extend(visitor.found);
            self.outcome.gaps.extend(visitor.gaps);
        }
        found
    }

    /// Does something for each item on all threads. The answers are in the order of the items.
    fn each<'i, T: Sync + HasId, R: Send>(
        &self,
        items: &'i [T],
        store: Option<&Store>,
        work: impl Fn(
            &mut Searcher<'a>,
            &mut dyn Objects,
            &gix::Repository,
            &'i T,
        ) -> Result<Vec<R>, Fault>
        + Sync,
    ) -> Vec<Result<Vec<R>, Gap>> {
        self.task.progress.expect(items.len() as u64);
        let numbers: Vec<usize> = (0..items.len()).collect();
        let start = || (Searcher::new(self.task), store.map(Reader::new), Vec::new());
        let answers = self.each_with(&numbers, start, |state, repository, number| {
            let (searcher, reader, answers) = state;
            let item = &items[*number];
            let mut library = repository;
            let objects: &mut dyn Objects = match reader {
                Some(reader) => reader,
                None => &mut library,
            };
            match work(searcher, objects, repository, item) {
                Ok(list) if list.is_empty() => {}
                Ok(list) => answers.push((*number, Ok(list))),
                Err(Fault(reason)) => {
                    let place = format!("commit {}", item.id());
                    answers.push((*number, Err(Gap::fault(place, reason))));
                }
            }
            self.task.progress.step(1);
        });
        let mut answers: Vec<_> = answers.into_iter().flat_map(|(.., answers)| answers).collect();
        answers.sort_by_key(|(number, _)| *number);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    fn each_with<T: Sync, S: Send>(
        &self,
        items: &[T],
        start: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, &gix::Repository, &T) + Sync,
    ) -> Vec<S> {
        let next = AtomicUsize::new(0);
        // Neighbours have much in common, so that a thread has read half of what the next one needs.
        let run_length = (items.len() / 1024).clamp(1, RUN_MAX);
        let run = || {
            let mut repository = self.shared.to_thread_local();
            repository.object_cache_size_if_unset(OBJECT_CACHE_BYTES);
            let mut state = start();
            loop {
                let first = next.fetch_add(run_length, Ordering::Relaxed);
                let Some(rest) = items.get(first..).filter(|rest| !rest.is_empty()) else { break };
                for item in rest.iter().take(run_length) {
                    if self.task.progress.is_stopped() {
                        return state;
                    }
                    work(&mut state, &repository, item);
                }
            }
            state
        };
        let threads = self.task.limits.threads.min(items.len());
        std::thread::scope(|scope| {
            let crew: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
            crew.into_iter()
                .map(|thread| {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        })
    }

    fn keep(&mut self, leaks: Vec<Result<Vec<Leak>, Gap>>) {
        for leaks in leaks {
            match leaks {
                Ok(leaks) => {
                    let mut one = Outcome { leaks, ..Outcome::default() };
                    one.sort();
                    self.outcome.leaks.extend(one.leaks);
                }
                Err(gap) => self.outcome.gaps.push(gap),
            }
        }
    }

    /// The folder that was asked for, as a path from the top of the repository's files.
    fn prefix(&self, repository: &gix::Repository) -> BString {
        let below = || {
            let top = repository.workdir()?.canonicalize().ok()?;
            let asked = self.git.path.canonicalize().ok()?;
            asked.strip_prefix(top).ok().map(Path::to_path_buf)
        };
        BString::from(below().unwrap_or_default().into_os_string().into_encoded_bytes())
    }
}

/// Submodules are known by the file that lists them in the commit that is checked out.
fn tell_submodules(repository: &gix::Repository, gaps: &mut Vec<Gap>) {
    let Ok(Some(tree)) = head_tree(repository) else { return };
    let Ok(tree) = repository.find_tree(tree) else { return };
    let Ok(Some(entry)) = tree.lookup_entry_by_path(".gitmodules") else { return };
    let mut objects = repository;
    let Ok(list) = objects.read(entry.object_id()) else { return };
    for line in list.to_str_lossy().lines() {
        if let Some((key, path)) = line.split_once('=')
            && key.trim() == "path"
        {
            let reason = "a submodule is a repository of its own: scan it by its own path";
            gaps.push(Gap::boundary(path.trim(), reason));
        }
    }
}

/// A commit that was compared with its parents.
struct Compared<'c> {
    commit: &'c Node,
    /// None if there were too many to hold them: they are compared again.
    changes: Option<Vec<Change>>,
}

/// What a gap names.
trait HasId {
    fn id(&self) -> ObjectId;
}

impl HasId for Node {
    fn id(&self) -> ObjectId {
        self.id
    }
}

impl HasId for Compared<'_> {
    fn id(&self) -> ObjectId {
        self.commit.id
    }
}

/// The leaks that the changes of a commit brought in, or those that are not committed yet.
fn leaks(
    attribution: Attribution<'_, '_>,
    repository: &gix::Repository,
    changes: &[Change],
    id: Option<ObjectId>,
) -> Result<Vec<Leak>, Fault> {
    let leaks = attribution.leaks(changes, id, &|| match id {
        Some(id) => describe(repository, &mailmap(repository), id),
        None => Arc::new(Commit::pending()),
    });
    Ok(leaks?)
}
