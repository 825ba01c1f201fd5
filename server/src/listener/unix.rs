use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use base_types::{Error, Result};
use tokio::net::UnixListener;

use crate::config::UnixSocket;

/// The file of a bound socket, taken away when dropped.
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode: a file that somebody else has put there since is not ours to remove.
    identity: (u64, u64),
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|meta| identity(&meta) == self.identity)
        {
            // What cannot be removed is found stale at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(meta: &std::fs::Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// Binds the socket. It is made under another name, given its mode and owner, and only then moved
/// to its place, so that nobody can open it too early.
pub(super) fn bind(config: &UnixSocket) -> Result<(UnixListener, SocketFile)> {
    let path = &config.path;
    let failed = |error: std::io::Error| {
        Error::invalid(format!("the socket {} cannot be made: {error}", path.display()))
    };
    if answers(path)? {
        return Err(Error::invalid(format!(
            "another process answers on the socket {}: stop it or choose another path",
            path.display()
        )));
    }
    let (user, group) = owner_ids(config)?;
    let draft = draft_path(path);
    let _ = std::fs::remove_file(&draft);
    let listener = UnixListener::bind(&draft).map_err(failed)?;
    let dress = || {
        if let Some(mode) = config.mode {
            std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(mode))?;
        }
        if user.is_some() || group.is_some() {
            std::os::unix::fs::chown(&draft, user, group)?;
        }
        let identity = identity(&std::fs::symlink_metadata(&draft)?);
        std::fs::rename(&draft, path)?;
        Ok(identity)
    };
    match dress() {
        Ok(identity) => Ok((listener, SocketFile { path: path.clone(), identity })),
        Err(error) => {
            let _ = std::fs::remove_file(&draft);
            Err(failed(error))
        }
    }
}

fn draft_path(path: &Path) -> PathBuf {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    draft.into()
}

/// Whether a process listens on the socket. A socket on which nobody does is a leftover.
///
/// # Errors
/// `Invalid` if something else than a socket is there, or nobody can tell.
pub(crate) fn answers(path: &Path) -> Result<bool> {
    let place = path.display();
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::invalid(format!("{place} cannot be looked at: {error}"))),
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(Error::invalid(format!("{place} exists and is no socket: move it away")));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Ok(true),
        Err(error)
            if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) =>
        {
            Ok(false)
        }
        Err(error) => Err(Error::invalid(format!("the socket {place} cannot be tried: {error}"))),
    }
}

/// The numbers of the configured user and group.
///
/// # Errors
/// `Invalid` if there is no such user or group on this machine.
pub(crate) fn owner_ids(config: &UnixSocket) -> Result<(Option<u32>, Option<u32>)> {
    let user = config.user.as_deref().map(|name| id("user", name, "/etc/passwd")).transpose()?;
    let group = config.group.as_deref().map(|name| id("group", name, "/etc/group")).transpose()?;
    Ok((user, group))
}

/// A number as it is, a name by the table of this machine. Directory services are not asked.
fn id(kind: &str, name: &str, table: &str) -> Result<u32> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let table_text = std::fs::read_to_string(table).unwrap_or_default();
    table_text.lines().find_map(|line| id_in(line, name)).ok_or_else(|| {
        Error::invalid(format!("{table} has no {kind} {name:?}: make it, or write its number"))
    })
}

/// The third field of `name:password:number:…`.
fn id_in(line: &str, name: &str) -> Option<u32> {
    let mut fields = line.split(':');
    if fields.next()? != name { None } else { fields.nth(1)?.parse().ok() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn socket(path: PathBuf) -> UnixSocket {
        UnixSocket { path, mode: Some(0o600), user: None, group: None }
    }

    #[tokio::test]
    async fn a_leftover_is_replaced_and_a_live_socket_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let config = socket(folder.path().join("s"));
        // The standard library leaves the file behind.
        drop(std::os::unix::net::UnixListener::bind(&config.path).unwrap());
        assert!(config.path.exists());
        let (listener, file) = bind(&config).unwrap();
        let mode = std::fs::metadata(&config.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = bind(&config).err().unwrap();
        assert!(error.public().contains("another process answers"), "{error:?}");
        drop((listener, file));
        assert!(!config.path.exists());
    }

    #[tokio::test]
    async fn another_file_is_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        let config = socket(folder.path().join("s"));
        std::fs::write(&config.path, "precious").unwrap();
        assert!(bind(&config).err().unwrap().public().contains("is no socket"));
        assert_eq!(std::fs::read(&config.path).unwrap(), b"precious");
        std::fs::remove_file(&config.path).unwrap();
        let (_listener, file) = bind(&config).unwrap();
        std::fs::remove_file(&config.path).unwrap();
        std::fs::write(&config.path, "precious").unwrap();
        drop(file);
        assert!(config.path.exists());
    }

    #[tokio::test]
    async fn owners_are_numbers_or_names() {
        assert_eq!(id("user", "1000", "/etc/passwd").unwrap(), 1000);
        assert_eq!(id("user", "root", "/etc/passwd").unwrap(), 0);
        assert_eq!(id("group", "root", "/etc/group").unwrap(), 0);
        assert!(id("user", "no such user", "/etc/passwd").is_err());
        let folder = tempfile::tempdir().unwrap();
        let wrong = UnixSocket { group: Some("no-such".into()), ..socket(folder.path().join("s")) };
        assert!(bind(&wrong).err().unwrap().public().contains("no group \"no-such\""));
    }
}
