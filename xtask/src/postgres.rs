use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::{Result, process, server, setup, wait};

/// A PostgreSQL server of our own in a new folder, on a free port, ended when dropped.
pub(crate) struct Postgres {
    pub(crate) address: SocketAddr,
    programs: PathBuf,
    folder: PathBuf,
    child: Child,
}

/// The administrator, and the password that the server knows it by.
pub(crate) const ADMIN: &str = "admin";
pub(crate) const ADMIN_PASSWORD: &str = "admin-password";

/// Where Debian puts the servers, one folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The account that Debian's package makes. PostgreSQL refuses to run as root.
const ACCOUNT: &str = "postgres";
const START_LIMIT: Duration = Duration::from_secs(30);

static STARTED: AtomicU32 = AtomicU32::new(0);

impl Postgres {
    pub(crate) fn start() -> Result<Self> {
        setup::postgres()?;
        let programs = programs()?;
        // Not below the checkout, which the account need not be able to enter.
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("strongroom-postgres-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder)
            .map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
        let password = folder.join("password");
        fs::write(&password, ADMIN_PASSWORD)
            .map_err(|e| format!("cannot write {}: {e}", password.display()))?;
        if setup::is_root() {
            process::capture(Command::new("chown").args(["-R", ACCOUNT]).arg(&folder))?;
        }
        let mut initdb = command(&programs.join("initdb"));
        initdb.arg("-D").arg(folder.join("data")).arg("--pwfile").arg(password);
        initdb.args(["-U", ADMIN, "-E", "UTF8", "-A", "scram-sha-256", "--no-sync"]);
        process::capture(&mut initdb)?;
        let address = server::free_address()?;
        let mut postgres = command(&programs.join("postgres"));
        postgres.arg("-D").arg(folder.join("data")).arg("-k").arg(&folder);
        postgres.args(["-h", "127.0.0.1", "-p", &address.port().to_string()]);
        postgres.args(["-c", "max_connections=200"]);
        let log = fs::File::create(folder.join("log")).map_err(|e| format!("no log: {e}"))?;
        let child = postgres
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("PostgreSQL did not start: {error}"))?;
        let server = Self { address, programs, folder, child };
        let ready = wait::until(START_LIMIT, || server.query("select 1").ok());
        ready.map(|_| server).ok_or_else(|| "PostgreSQL does not take connections".to_owned())
    }

    /// What tells PostgreSQL's own clients where it is and who connects: the administrator.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("PGHOST", self.address.ip().to_string()),
            ("PGPORT", self.address.port().to_string()),
            ("PGDATABASE", "postgres".to_owned()),
            ("PGUSER", ADMIN.to_owned()),
            ("PGPASSWORD", ADMIN_PASSWORD.to_owned()),
        ]
    }

    /// Runs `sql` as the administrator and returns the rows, one a line, columns separated by `|`.
    pub(crate) fn query(&self, sql: &str) -> Result<String> {
        self.query_as(ADMIN, ADMIN_PASSWORD, sql)
    }

    pub(crate) fn query_as(&self, user: &str, password: &str, sql: &str) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.envs(self.environment()).env("PGUSER", user).env("PGPASSWORD", password);
        psql.env("PGCONNECT_TIMEOUT", "10");
        psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"]);
        process::capture(psql.args(["-c", sql]))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its other processes end when they see that this one is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The programs of the newest version that is installed.
fn programs() -> Result<PathBuf> {
    let versions = fs::read_dir(VERSIONS).map_err(|e| format!("cannot read {VERSIONS}: {e}"))?;
    let newest = versions
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max();
    let newest = newest.ok_or_else(|| format!("{VERSIONS} has no version"))?;
    Ok(Path::new(VERSIONS).join(newest.to_string()).join("bin"))
}

/// `program`, started as an account that PostgreSQL accepts.
fn command(program: &Path) -> Command {
    if !setup::is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups", "--"]).arg(program);
    command
}
