use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Report;
use crate::config::{Storage, StorageKind};

/// A file that only its owner should be able to read.
pub(super) fn check_private(report: &mut Report, name: &str, path: &Path) {
    let Ok(meta) = std::fs::metadata(path) else { return };
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        report.ok(name, format!("{} is private (mode {mode:04o})", path.display()));
    } else {
        report.warning(
            name,
            format!("others than the owner may use {} (mode {mode:04o})", path.display()),
            "chmod 600 the file",
        );
    }
}

/// A file that will be appended to, or made.
pub(super) fn check_appendable(report: &mut Report, name: &str, path: &Path) {
    let shown = path.display();
    if path.exists() {
        match OpenOptions::new().append(true).open(path) {
            Ok(_) => report.ok(name, format!("{shown} can be written")),
            Err(error) => report.failure(
                name,
                format!("{shown} cannot be written: {error}"),
                "give the server's user the right to write it",
            ),
        }
        return;
    }
    let folder = parent(path);
    match probe(folder) {
        Ok(()) => report.ok(name, format!("{shown} can be made")),
        Err(error) => report.failure(
            name,
            format!("{shown} cannot be made in {}: {error}", folder.display()),
            "make the folder, and let the server's user write there",
        ),
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a file without a name, which is the one certain way to learn whether a folder can be
/// written; it is gone when it is closed.
fn probe(folder: &Path) -> std::io::Result<()> {
    let flags =
        rustix::fs::OFlags::TMPFILE | rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
    let mode = rustix::fs::Mode::RUSR;
    match rustix::fs::open(folder, flags, mode) {
        Ok(_) => Ok(()),
        // Some file systems have no files without names.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR) => Ok(rustix::fs::access(
            folder,
            rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK,
        )?),
        Err(error) => Err(error.into()),
    }
}

const FREE_BYTES_GOOD: u64 = 1 << 30;
const FREE_BYTES_LEAST: u64 = 64 << 20;

pub(super) fn check_storage(report: &mut Report, storage: &Storage) {
    let StorageKind::Embedded { path } = &storage.kind else {
        report.warning(
            "storage",
            "everything is kept in memory and gone when the server stops",
            "use storage \"embedded\" for anything but tests",
        );
        return;
    };
    // The server makes the folder itself; what is there already must let it.
    let existing: PathBuf = path.ancestors().find(|path| path.exists()).map_or_else(
        || PathBuf::from("."),
        |path| if path.as_os_str().is_empty() { ".".into() } else { path.to_owned() },
    );
    let shown = path.display();
    if !existing.is_dir() {
        report.failure(
            "storage",
            format!("{} is no folder", existing.display()),
            "name another path, or move the file away",
        );
        return;
    }
    match probe(&existing) {
        Ok(()) if existing == *path => report.ok("storage", format!("{shown} can be written")),
        Ok(()) => report.ok("storage", format!("{shown} will be made")),
        Err(error) => report.failure(
            "storage",
            format!("{} cannot be written: {error}", existing.display()),
            "make the folder, and give it to the server's user",
        ),
    }
    if existing == *path {
        check_lock(report, path);
        check_folder_mode(report, path);
    }
    check_space(report, &existing);
}

fn check_lock(report: &mut Report, path: &Path) {
    match File::open(path).map(|folder| folder.try_lock().map_err(|error| (folder, error))) {
        Ok(Ok(())) => report.ok("storage", "no other process uses it"),
        Ok(Err((_, TryLockError::WouldBlock))) => report.warning(
            "storage",
            "a process uses it at the moment",
            "if it is not this server at work, stop it first",
        ),
        Ok(Err((_, TryLockError::Error(error)))) | Err(error) => report.failure(
            "storage",
            format!("it cannot be locked: {error}"),
            "use a local disk that has flock",
        ),
    }
}

fn check_folder_mode(report: &mut Report, path: &Path) {
    let Ok(meta) = std::fs::metadata(path) else { return };
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        report.warning(
            "storage",
            format!("others than the owner may enter {} (mode {mode:04o})", path.display()),
            "chmod 700 the folder",
        );
    }
}

fn check_space(report: &mut Report, folder: &Path) {
    let Ok(disk) = rustix::fs::statvfs(folder) else { return };
    let (block, free) = (disk.f_frsize, disk.f_bavail.saturating_mul(disk.f_frsize));
    let total = disk.f_blocks.saturating_mul(block);
    let message = format!("{} MiB of {} MiB are free", free >> 20, total >> 20);
    if free < FREE_BYTES_LEAST {
        report.failure("disk space", message, "make room: without it writes are refused");
    } else if free < FREE_BYTES_GOOD || free < total / 20 {
        report.warning("disk space", message, "make room, and watch it");
    } else {
        report.ok("disk space", message);
    }
}
