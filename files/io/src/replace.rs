use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Puts `bytes` in the place of the file at `path`, or makes it, as [`Replacement`] does.
///
/// # Errors
/// What the file system says; nothing has changed then.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = Replacement::of(path)?;
    new.write_all(bytes)?;
    new.finish()
}

/// As [`replace`], but what was there may be back after a crash until the folder, which is the answer,
/// has been given to [`sync`]: once for all files in it.
///
/// # Errors
/// As [`replace`].
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<Option<PathBuf>> {
    let mut new = Replacement::of(path)?;
    new.write_all(bytes)?;
    new.persist()
}

/// Makes durable which files are in a folder.
///
/// # Errors
/// What the file system says.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// New content for a file, written piece by piece. Whoever reads meanwhile sees the old content,
/// and after a crash, on a full disk or without [`Replacement::finish`] the old one is still there.
/// Mode and owner stay; a link goes on to point to the file.
pub struct Replacement(Target);

enum Target {
    /// A pipe or a device is written to; there is nothing to keep.
    Direct(File),
    Swap(Box<Swap>),
}

struct Swap {
    new: NamedTempFile,
    place: PathBuf,
    /// What the file is like that is replaced.
    old: Option<fs::Metadata>,
}

impl Replacement {
    /// # Errors
    /// What the file system says.
    pub fn of(path: &Path) -> io::Result<Self> {
        let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let old = fs::metadata(&place).ok();
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            let file = fs::OpenOptions::new().write(true).open(&place)?;
            return Ok(Self(Target::Direct(file)));
        }
        // The umask takes its part of a new file's mode away, as of every file that a program makes.
        let mode = if old.is_some() { 0o600 } else { 0o666 };
        let new = tempfile::Builder::new()
            .prefix(".new-")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder(&place))?;
        Ok(Self(Target::Swap(Box::new(Swap { new, place, old }))))
    }

    /// Lets the new content take the place of the old.
    ///
    /// # Errors
    /// What the file system says; nothing has changed then.
    pub fn finish(self) -> io::Result<()> {
        self.persist()?.as_deref().map_or(Ok(()), sync)
    }

    /// The folder that is still to be made durable, if there is one.
    fn persist(self) -> io::Result<Option<PathBuf>> {
        let Swap { new, place, old } = match self.0 {
            Target::Direct(_) => return Ok(None),
            Target::Swap(swap) => *swap,
        };
        if let Some(old) = old {
            keep_owner(new.as_file(), &old)?;
            new.as_file().set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
        }
        new.as_file().sync_all()?;
        new.persist(&place).map_err(|error| error.error)?;
        Ok(Some(folder(&place)))
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Target::Direct(file) => file.write(bytes),
            Target::Swap(swap) => swap.new.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Target::Direct(file) => file.flush(),
            Target::Swap(swap) => swap.new.flush(),
        }
    }
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A file of somebody else stays theirs; who may not do that gets an error instead of the file.
fn keep_owner(new: &File, old: &fs::Metadata) -> io::Result<()> {
    let made = new.metadata()?;
    if (made.uid(), made.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    fchown(new, Some(old.uid()), Some(old.gid()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn mode_and_links_stay() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_not_finished_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "old").unwrap();
        let mut new = Replacement::of(&file).unwrap();
        new.write_all(b"half").unwrap();
        drop(new);
        assert_eq!(fs::read(&file).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(Path::new("/proc/no-such-folder/file"), b"new").is_err());
    }
}
