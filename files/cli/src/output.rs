use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Puts `bytes` in the place of the file at `path`, or makes it. Whoever reads meanwhile sees the
/// old content or the new, and after a crash or on a full disk the old one is still there. Mode and
/// owner stay; a link goes on to point to the file.
///
/// # Errors
/// What the file system says; nothing has changed then.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let old = fs::metadata(&target).ok();
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        // A pipe or a device is written to; there is nothing to keep.
        return fs::OpenOptions::new().write(true).open(&target)?.write_all(bytes);
    }
    let folder = folder(&target);
    let mode = old.as_ref().map_or(0o666, |old| old.mode() & 0o7777);
    // The umask takes its part of a new file's mode away, as of every file that a program makes.
    let mut new = tempfile::Builder::new()
        .prefix(".sops-")
        .permissions(Permissions::from_mode(if old.is_some() { 0o600 } else { mode }))
        .tempfile_in(&folder)?;
    new.write_all(bytes)?;
    if let Some(old) = old {
        keep_owner(new.as_file(), &old)?;
        new.as_file().set_permissions(Permissions::from_mode(mode))?;
    }
    new.as_file().sync_all()?;
    new.persist(&target).map_err(|error| error.error)?;
    File::open(&folder)?.sync_all()
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

/// A folder for plaintext that only this person can enter, and that is removed with the value: in
/// memory where the machine has such a place.
///
/// # Errors
/// What the file system says.
pub(crate) fn private_folder() -> io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".sops").permissions(Permissions::from_mode(0o700));
    match builder.tempdir_in("/dev/shm") {
        Ok(folder) => Ok(folder),
        Err(_) => builder.tempdir(),
    }
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
    fn what_cannot_be_written_leaves_the_old_file() {
        let missing = Path::new("/proc/no-such-folder/file");
        assert!(replace(missing, b"new").is_err());
    }
}
