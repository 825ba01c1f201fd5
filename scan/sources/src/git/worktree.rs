use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use base_types::{Error, Result};
use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice};
use gix::hash::oid;
use gix::index::entry::{Flags, Mode, Stage};
use gix::index::{Entry, State};
use gix::objs::encode::loose_header;

use crate::git::changes::Change;
use crate::git::resolve::{OBJECT_BYTES_MAX, Relation, Visit};
use crate::git::staged::staged;
use crate::outcome::Gap;

/// What is about to be committed, or could be.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) changes: Vec<Change>,
    pub(crate) unstored: Unstored,
}

/// Files that are no objects yet, by the ids that git would give them.
pub(crate) type Unstored = HashMap<ObjectId, UnstoredFile>;

/// A file, or a link, whose content is where the link leads to.
pub(crate) struct UnstoredFile {
    path: PathBuf,
    is_link: bool,
    size: u64,
}

impl Pending {
    /// What the index has otherwise than the commit that is checked out, below the folder `prefix`.
    ///
    /// # Errors
    ///
    /// `Corrupt` if the index or the commit cannot be read.
    pub(crate) fn staged(
        repository: &gix::Repository,
        prefix: &BStr,
        gaps: &mut Vec<Gap>,
    ) -> Result<Self> {
        let changes = staged(repository, prefix, gaps)?;
        Ok(Self { changes, unstored: Unstored::new() })
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
        for (path, entry) in files(&index, prefix) {
            let file = folder.join(std::ffi::OsStr::from_bytes(path));
            let change = |new| Change { path: path.to_string(), before: vec![Some(entry.id)], new };
            match UnstoredFile::changed(file, entry) {
                Ok(Some((id, file))) => {
                    pending.changes.push(change(Some(id)));
                    pending.unstored.insert(id, file);
                }
                Ok(None) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => pending.changes.push(change(None)),
                Err(e) => gaps.push(Gap::fault(path.to_string(), e.to_string())),
            }
        }
        Ok(pending)
    }
}

/// How much of a file is hashed at a time.
const HASHED_BYTES: usize = 64 << 10;

impl UnstoredFile {
    /// A file that is otherwise than the index has it, and its id. If size and time are the same, so is the rest.
    fn changed(path: PathBuf, entry: &Entry) -> io::Result<Option<(ObjectId, Self)>> {
        let metadata = fs::symlink_metadata(&path)?;
        let same = metadata.size() as u32 == entry.stat.size
            && metadata.mtime() as u32 == entry.stat.mtime.secs
            && metadata.mtime_nsec() as u32 == entry.stat.mtime.nsecs;
        let is_link = entry.mode == Mode::SYMLINK;
        if same || !(is_link || metadata.is_file()) {
            return Ok(None);
        }
        let file = Self { path, is_link, size: metadata.len() };
        let id = file.id(entry.id.kind())?;
        Ok((id != entry.id).then_some((id, file)))
    }

    /// Shows it to a visitor, however large it is.
    pub(crate) fn show(&self, id: &oid, visitor: &mut impl Visit) {
        let shown = if self.size > OBJECT_BYTES_MAX {
            self.open().map(|mut content| visitor.stream(id, &mut content))
        } else {
            self.read().map(|bytes| {
                visitor.object(id, &bytes, Relation::None);
            })
        };
        if let Err(e) = shown {
            visitor.lost(id, &e.to_string());
        }
    }

    /// The content of a file that is not too large to be held.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open()?.take(OBJECT_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn open(&self) -> io::Result<Box<dyn Read>> {
        if !self.is_link {
            return Ok(Box::new(File::open(&self.path)?));
        }
        let target = fs::read_link(&self.path)?;
        Ok(Box::new(Cursor::new(target.into_os_string().into_vec())))
    }

    fn id(&self, hash: gix::hash::Kind) -> io::Result<ObjectId> {
        let mut hasher = gix::hash::hasher(hash);
        hasher.update(&loose_header(gix::object::Kind::Blob, self.size));
        let mut content = BufReader::with_capacity(HASHED_BYTES, self.open()?);
        loop {
            let bytes = content.fill_buf()?;
            let length = bytes.len();
            if length == 0 {
                return hasher.try_finalize().map_err(io::Error::other);
            }
            hasher.update(bytes);
            content.consume(length);
        }
    }
}

pub(crate) fn index(repository: &gix::Repository) -> Result<gix::worktree::Index> {
    repository.index_or_empty().map_err(|e| broken("the index", &e))
}

/// What is in an index below a folder, and can be committed: files, and folders of a sparse index. What is in conflict is not
/// about to be.
pub(crate) fn committable<'a>(
    index: &'a State,
    prefix: &'a BStr,
) -> impl Iterator<Item = (&'a BStr, &'a Entry)> {
    let entries = index.entries().iter().map(|entry| (entry.path(index), entry));
    entries.filter(move |(path, entry)| {
        let below = prefix.is_empty()
            || path.strip_prefix(prefix.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"));
        let is_there =
            entry.stage() == Stage::Unconflicted && !entry.flags.contains(Flags::INTENT_TO_ADD);
        below && is_there && !entry.mode.is_submodule()
    })
}

/// The files of an index below a folder that are checked out.
fn files<'a>(index: &'a State, prefix: &'a BStr) -> impl Iterator<Item = (&'a BStr, &'a Entry)> {
    committable(index, prefix)
        .filter(|(_, entry)| !entry.mode.is_sparse() && !entry.flags.contains(Flags::SKIP_WORKTREE))
}

pub(crate) fn broken(what: &str, fault: &dyn std::fmt::Display) -> Error {
    Error::corrupt(format!("cannot read {what}: {fault}; run git fsck"))
}
