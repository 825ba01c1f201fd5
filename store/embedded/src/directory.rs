use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base_types::{Error, Result};

/// The data directory, held exclusively (by `flock`) for as long as this lives.
pub(crate) struct Directory {
    path: PathBuf,
    handle: File,
}

impl Directory {
    /// Creates the directory, for the owner alone, if it is not there yet.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be made or if another process holds it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |error| io_error("open the data directory", path, &error);
        let missing = path.ancestors().take_while(|path| !path.exists()).count();
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        // The new directories must outlive a crash just like what will be written into them.
        if missing > 0 {
            for parent in path.canonicalize().map_err(failed)?.ancestors().skip(1).take(missing) {
                File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
            }
        }
        let handle = File::open(path).map_err(failed)?;
        match handle.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), handle }),
            Err(TryLockError::Error(error)) => {
                Err(io_error("lock the data directory", path, &error))
            }
            Err(TryLockError::WouldBlock) => Err(Error::unavailable(format!(
                "another process uses the data directory {}: stop it, or choose another directory",
                path.display()
            ))),
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let failed = |error| io_error("read the data directory", &self.path, &error);
        let entries = std::fs::read_dir(&self.path).map_err(failed)?;
        // A name that is not UTF-8 is none of ours.
        let names = entries.map(|entry| Ok(entry.map_err(failed)?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    /// Makes created, renamed and removed names durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    /// How many bytes the disk still takes.
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::fstatvfs(&self.handle)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

/// Opens a file for reading and writing; one that is created belongs to the owner alone.
pub(crate) fn open_file(path: &Path, create: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(create).truncate(false).mode(0o600).open(path)
}

/// The disk or the owner's quota on it is used up.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

pub(crate) fn io_error(act: &str, path: &Path, error: &io::Error) -> Error {
    Error::unavailable(format!("cannot {act} {}: {error}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn is_private_and_held_by_one() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/data");
        let first = Directory::open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let file = open_file(&first.file("x"), true).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

        let refused = Directory::open(&path).err().unwrap();
        assert!(refused.public().contains(&*path.to_string_lossy()), "{refused:?}");
        drop(first);
        Directory::open(&path).unwrap();
    }
}
