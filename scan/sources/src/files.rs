use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base_types::{Error, Result};
use ignore::{DirEntry, WalkBuilder, WalkState};
use scan_engine::Occurrence;

use crate::dense::Dense;
use crate::known::OfFile;
use crate::outcome::{Gap, Leak, Outcome};
use crate::part::Part;
use crate::search::{Found, Searcher};
use crate::task::Task;

/// A folder with all that is in it, or one file.
#[derive(Clone, Debug)]
pub struct Files {
    pub path: PathBuf,
    /// Whether links to files are followed. Links to folders never are, so that there are no loops.
    pub follow_links: bool,
    /// Whether what git ignores (`.gitignore`, `.ignore`, `.git/info/exclude`) is passed over.
    pub respect_ignore: bool,
    /// Files that are not scanned: the configuration and the baseline, which hold what they excuse.
    pub except: Vec<PathBuf>,
}

impl Files {
    /// Scans the files.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is nothing at the path. What cannot be read within it is a [`Gap`].
    pub fn scan(&self, task: Task<'_>) -> Result<Outcome> {
        let metadata = fs::metadata(&self.path)
            .map_err(|e| Error::not_found(format!("cannot read {}: {e}", self.path.display())))?;
        let all = Mutex::new(Outcome::default());
        if metadata.is_dir() {
            self.folder(task, &all);
        } else {
            Worker { files: self, searcher: Searcher::new(task), all: &all }.named(&metadata);
        }
        let mut outcome = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcome.sort();
        outcome.tell_stopped(task.progress);
        Ok(outcome)
    }

    fn folder(&self, task: Task<'_>, all: &Mutex<Outcome>) {
        let mut walk = WalkBuilder::new(&self.path);
        walk.standard_filters(self.respect_ignore).require_git(false).hidden(false);
        walk.threads(task.limits.threads);
        walk.build_parallel().run(|| {
            let mut worker = Worker { files: self, searcher: Searcher::new(task), all };
            Box::new(move |entry| match entry {
                Ok(entry) => worker.entry(&entry),
                Err(e) => {
                    worker.miss(self.path.display().to_string(), e.to_string());
                    WalkState::Continue
                }
            })
        });
    }
}

struct Worker<'a> {
    files: &'a Files,
    searcher: Searcher<'a>,
    all: &'a Mutex<Outcome>,
}

impl Worker<'_> {
    fn entry(&mut self, entry: &DirEntry) -> WalkState {
        if self.searcher.task.progress.is_stopped() {
            return WalkState::Quit;
        }
        let Some(kind) = entry.file_type() else { return WalkState::Continue };
        let path = plain(entry.path());
        if kind.is_dir() {
            let skip = entry.depth() > 0 && self.skips(&path);
            return if skip { WalkState::Skip } else { WalkState::Continue };
        }
        if kind.is_symlink() {
            if self.files.follow_links && !self.skips(&path) {
                self.link(&path);
            }
        } else if kind.is_file() && !self.skips(&path) && !self.excepts(&path) {
            match entry.metadata() {
                Ok(metadata) => self.file(&path, "", &metadata),
                Err(e) => self.miss(path.display().to_string(), e.to_string()),
            }
        }
        // Pipes, sockets and devices hold no text of their own, and reading them may never end.
        WalkState::Continue
    }

    fn link(&mut self, link: &Path) {
        let shown = link.display().to_string();
        match end_of(link).and_then(|target| Ok((fs::metadata(&target)?, target))) {
            Ok((metadata, target)) if metadata.is_file() => self.file(&target, &shown, &metadata),
            Ok(_) => {}
            Err(e) => self.miss(shown, format!("its end cannot be read: {e}")),
        }
    }

    /// What was named is read whatever it is: a pipe, or what the system makes up, which has no size.
    fn named(&mut self, metadata: &Metadata) {
        let path = &self.files.path;
        if metadata.is_file() && metadata.len() > 0 {
            return self.file(path, "", metadata);
        }
        match File::open(path).and_then(|mut file| self.searcher.stream(&mut file)) {
            Ok(found) => self.keep(&found, path, ""),
            Err(e) => self.miss(path.display().to_string(), e.to_string()),
        }
    }

    fn file(&mut self, path: &Path, symlink: &str, metadata: &Metadata) {
        let progress = self.searcher.task.progress;
        progress.expect(1);
        let size = metadata.len();
        let too_large = self.searcher.task.limits.file_bytes.is_some_and(|most| size > most);
        if size > 0 && !too_large {
            match self.search(path, metadata) {
                Ok(found) => self.keep(&found, path, symlink),
                Err(e) => self.miss(path.display().to_string(), e.to_string()),
            }
        }
        progress.step(1);
    }

    fn search(&mut self, path: &Path, metadata: &Metadata) -> io::Result<Found> {
        let mut file = File::open(path)?;
        // What takes up less than it holds has holes, which may be larger than anybody can read.
        if metadata.blocks() * 512 < metadata.len() {
            return self.searcher.stream(&mut Dense::new(file));
        }
        self.searcher.file(&mut file)
    }

    fn keep(&mut self, found: &Found, path: &Path, symlink: &str) {
        let scanner = self.searcher.task.scanner;
        if found.is_empty() && !scanner.watches_paths() {
            return;
        }
        let path = path.to_string_lossy();
        let mut outcome = Outcome::default();
        let alone = Part::path_alone("");
        let name_is_told = found.parts.iter().any(|part| part.inner.is_empty());
        let parts = found.parts.iter().chain((!name_is_told).then_some(&alone));
        let known = OfFile { symlink };
        let at = Occurrence { path: &path, commit: None, attributes: Some(&known) };
        for (file, finding) in parts.flat_map(|part| part.judge(scanner, &at)) {
            outcome.leaks.push(Leak {
                finding,
                file,
                symlink: symlink.into(),
                commit: None,
                link: String::new(),
            });
        }
        self.searcher.task.progress.keep(outcome.leaks.len());
        let gaps = found.gaps.iter();
        outcome.gaps =
            gaps.map(|(inner, reason)| Gap::fault(format!("{path}{inner}"), reason)).collect();
        self.all.lock().unwrap_or_else(PoisonError::into_inner).add(outcome);
    }

    fn miss(&mut self, place: String, reason: String) {
        let gap = Gap::fault(place, reason);
        self.all.lock().unwrap_or_else(PoisonError::into_inner).gaps.push(gap);
    }

    fn skips(&self, path: &Path) -> bool {
        let path = path.to_string_lossy();
        self.searcher.task.scanner.skips(&Occurrence::of(&path))
    }

    fn excepts(&self, path: &Path) -> bool {
        self.files.except.iter().any(|except| except == path)
    }
}

/// A path without `.` and with `..` taken back, as reports name files.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            component => plain.push(component),
        }
    }
    plain
}

/// Where a link and those that it leads to end. It is not made absolute, so that it reads as the other paths do.
fn end_of(link: &Path) -> io::Result<PathBuf> {
    let mut path = link.to_path_buf();
    // So many links in a row the system follows itself.
    for _ in 0..40 {
        if !fs::symlink_metadata(&path)?.is_symlink() {
            return Ok(path);
        }
        let target = fs::read_link(&path)?;
        path = plain(&path.parent().unwrap_or(Path::new("")).join(target));
    }
    Err(io::Error::other("it is a loop of links"))
}
