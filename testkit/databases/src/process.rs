use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A database server that runs.
pub(crate) struct Process {
    child: Child,
}

/// A folder for a server and whoever it runs as.
pub(crate) struct Home {
    folder: TempDir,
    /// Database servers refuse to run as root: the account that their package made.
    account: Option<(u32, u32)>,
}

const START_LIMIT: Duration = Duration::from_secs(30);

impl Home {
    pub(crate) fn new(account: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        let account = is_root.then(|| ids(account));
        if let Some((user, group)) = account {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        Self { folder, account }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file that the server can read and nobody else.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((user, group)) = self.account {
            chown(&path, Some(user), Some(group)).unwrap();
        }
        path
    }

    /// A command that runs as the server's account, in its folder.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).env_remove("HOME").stdin(Stdio::null());
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }

    /// Starts a server and waits until `is_ready`.
    pub(crate) fn start(&self, mut command: Command, is_ready: impl Fn() -> bool) -> Process {
        let log = File::options().create(true).append(true).open(self.path().join("log")).unwrap();
        let program = command.get_program().to_owned();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot start {program:?}: {error}: `cargo xtask setup` installs it")
        });
        let mut process = Process { child };
        let start = Instant::now();
        while !is_ready() {
            let ended = process.child.try_wait().unwrap();
            if ended.is_some() || start.elapsed() > START_LIMIT {
                let log = std::fs::read_to_string(self.path().join("log")).unwrap_or_default();
                panic!("{program:?} does not run: {ended:?}\n{log}");
            }
            wait();
        }
        process
    }
}

impl Process {
    /// Asks it to end now, with its helpers, and waits for that.
    pub(crate) fn stop(&mut self, signal: &str) {
        if let Ok(None) = self.child.try_wait() {
            let id = self.child.id().to_string();
            run(Command::new("kill").args(["-s", signal, &id]));
        }
        self.child.wait().unwrap();
    }
}

#[allow(clippy::disallowed_methods)] // Between two looks at a process that is not ours.
fn wait() {
    std::thread::sleep(Duration::from_millis(20));
}

/// The standard output of a command that must work.
pub(crate) fn run(command: &mut Command) -> String {
    attempt(command).unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()))
}

/// The standard output, or what it said instead.
pub(crate) fn attempt(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{} {}", text(&output.stderr), text(&output.stdout)))
    }
}

/// One that nobody listens on at the moment.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn ids(account: &str) -> (u32, u32) {
    let id = |flag| run(Command::new("id").args([flag, account])).parse().unwrap();
    (id("-u"), id("-g"))
}
