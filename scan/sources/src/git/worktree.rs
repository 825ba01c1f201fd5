use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use base_types::{Error, Result};
use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice};
use gix::index::entry::{Flags, Mode, Stage};
use gix::index::{Entry, State};

use crate::git::changes::Change;
use crate::outcome::Gap;

/// What is about to be committed, or could be.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) changes: Vec<Change>,
    /// Files that are no objects yet, by the ids that git would give them.
    pub(crate) unstored: HashMap<ObjectId, Vec<u8>>,
}

impl Pending {
    /// What the index has otherwise than the commit that is checked out, below the folder `prefix`.
    ///
    /// # Errors
    ///
    /// `Corrupt` if the index or the commit cannot be read.
    pub(crate) fn staged(repository: &gix::Repository, prefix: &BStr) -> Result<Self> {
        let index = index(repository)?;
        let tree =
            repository.head_tree_id_or_empty().map_err(|e| broken("the commit checked out", &e))?;
        let head =
            repository.index_from_tree(&tree).map_err(|e| broken("the commit checked out", &e))?;
        let mut changes = Vec::new();
        let mut before = entries(&head, prefix).peekable();
        for (path, entry) in entries(&index, prefix) {
            while let Some((path, gone)) = before.next_if(|(old, _)| *old < path) {
                changes.push(Change {
                    path: path.to_string(),
                    before: vec![Some(gone.id)],
                    new: None,
                });
            }
            let old = before.next_if(|(old, _)| *old == path).map(|(_, entry)| entry.id);
            if old != Some(entry.id) {
                changes.push(Change {
                    path: path.to_string(),
                    before: vec![old],
                    new: Some(entry.id),
                });
            }
        }
        for (path, gone) in before {
            changes.push(Change { path: path.to_string(), before: vec![Some(gone.id)], new: None });
        }
        Ok(Self { changes, unstored: HashMap::new() })
    }

    /// What files have otherwise than the index, below the folder `prefix`.
    ///
    /// # Errors
    ///
    /// `Corrupt` if the index cannot be read, `Invalid` for a repository without files.
    pub(crate) fn unstaged(
        repository: &gix::Repository,
        prefix: &BStr,
        gaps: &mut Vec<Gap>,
    ) -> Result<Self> {
        let folder = repository.workdir().ok_or_else(|| {
            Error::invalid("a bare repository has no files: leave --pre-commit out")
        })?;
        let index = index(repository)?;
        let mut pending = Self::default();
        for (path, entry) in entries(&index, prefix) {
            let file = folder.join(std::ffi::OsStr::from_bytes(path));
            let change = |new| Change { path: path.to_string(), before: vec![Some(entry.id)], new };
            match read_if_changed(&file, entry) {
                Ok(Some(bytes)) => {
                    let id = gix::objs::compute_hash(
                        gix::hash::Kind::Sha1,
                        gix::object::Kind::Blob,
                        &bytes,
                    )
                    .map_err(|e| broken("a file", &e))?;
                    if id != entry.id {
                        pending.changes.push(change(Some(id)));
                        pending.unstored.insert(id, bytes);
                    }
                }
                Ok(None) => {}
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    pending.changes.push(change(None))
                }
                Err(e) => gaps.push(Gap::fault(path.to_string(), e.to_string())),
            }
        }
        Ok(pending)
    }
}

fn index(repository: &gix::Repository) -> Result<gix::index::File> {
    let index = repository.index_or_empty().map_err(|e| broken("the index", &e))?;
    Ok(gix::index::File::clone(&index))
}

/// The files of an index below a folder. What is in conflict is not about to be committed.
fn entries<'a>(index: &'a State, prefix: &'a BStr) -> impl Iterator<Item = (&'a BStr, &'a Entry)> {
    let entries = index.entries().iter().map(|entry| (entry.path(index), entry));
    entries.filter(move |(path, entry)| {
        let below = prefix.is_empty()
            || path.strip_prefix(prefix.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"));
        let is_file = !entry.mode.is_submodule() && !entry.mode.is_sparse();
        let is_there = entry.stage() == Stage::Unconflicted
            && !entry.flags.intersects(Flags::INTENT_TO_ADD | Flags::SKIP_WORKTREE);
        below && is_file && is_there
    })
}

/// The content of a file, unless its size and time say that it is what the index has.
fn read_if_changed(file: &Path, entry: &Entry) -> std::io::Result<Option<Vec<u8>>> {
    let metadata = fs::symlink_metadata(file)?;
    let same = metadata.size() as u32 == entry.stat.size
        && metadata.mtime() as u32 == entry.stat.mtime.secs
        && metadata.mtime_nsec() as u32 == entry.stat.mtime.nsecs;
    if same {
        return Ok(None);
    }
    if entry.mode == Mode::SYMLINK {
        return Ok(Some(fs::read_link(file)?.as_os_str().as_bytes().to_vec()));
    }
    if metadata.is_file() { fs::read(file).map(Some) } else { Ok(None) }
}

fn broken(what: &str, fault: &dyn std::fmt::Display) -> Error {
    Error::corrupt(format!("cannot read {what}: {fault}; run git fsck"))
}
