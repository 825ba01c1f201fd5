use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;

pub(crate) use files_io::{put, replace, sync};

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
