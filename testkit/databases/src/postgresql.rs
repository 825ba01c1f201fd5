use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{Home, Process, attempt, free_port, run};

/// A PostgreSQL server, whose administrator is [`Postgresql::ADMIN`].
pub struct Postgresql {
    pub port: u16,
    home: Home,
    process: Option<Process>,
}

impl Postgresql {
    pub const ADMIN: &str = "postgres";
    pub const PASSWORD: &str = "admin's pass-word";

    pub fn start() -> Self {
        Self::start_with("", None)
    }

    /// With more lines of `postgresql.conf`, and with a `pg_hba.conf` of its own.
    pub fn start_with(settings: &str, access: Option<&str>) -> Self {
        let home = Home::new("postgres");
        let password = home.write("password", Self::PASSWORD);
        let mut initdb = home.command(program("initdb"));
        initdb.arg("-D").arg(home.path().join("data")).arg("--pwfile").arg(password);
        run(initdb.args(["-U", Self::ADMIN, "-E", "UTF8", "-A", "scram-sha-256", "--no-sync"]));
        let text = format!(
            "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n{settings}\n"
        );
        home.write("data/postgresql.conf", &text);
        if let Some(access) = access {
            home.write("data/pg_hba.conf", access);
        }
        let mut server = Self { port: free_port(), home, process: None };
        server.resume();
        server
    }

    /// Where the server keeps what it is given.
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    /// A file that the server can read, to be named in its settings.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        self.home.write(name, text)
    }

    /// A connection URL with places for the username and the password.
    pub fn url(&self) -> String {
        let port = self.port;
        format!(
            "postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{port}/postgres?sslmode=disable"
        )
    }

    /// What `psql` says to statements of the administrator: rows as lines, columns apart by `|`.
    pub fn query(&self, statements: &str) -> String {
        self.query_as(Self::ADMIN, Self::PASSWORD, statements)
            .unwrap_or_else(|error| panic!("{statements}: {error}"))
    }

    /// The same as somebody else, who may be refused.
    pub fn query_as(&self, user: &str, password: &str, statements: &str) -> Result<String, String> {
        let mut psql = Command::new("psql");
        psql.env("PGPASSWORD", password).env("PGCONNECT_TIMEOUT", "10");
        psql.args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", user]);
        attempt(psql.args(["-p", &self.port.to_string(), "-d", "postgres", "-c", statements]))
    }

    /// Ends the server; its data stays.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop("INT");
        }
    }

    /// Starts the server on the data that it left.
    pub fn resume(&mut self) {
        let mut postgres = self.home.command(program("postgres"));
        postgres.arg("-D").arg(self.home.path().join("data"));
        postgres.args(["-p", &self.port.to_string()]);
        let is_ready = || self.query_as(Self::ADMIN, Self::PASSWORD, "SELECT 1").is_ok();
        self.process = Some(self.home.start(postgres, is_ready));
    }
}

impl Drop for Postgresql {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Debian keeps the server's programs in a folder of their version.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .expect("no PostgreSQL on this machine: `cargo xtask setup` installs it");
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|version| version.unwrap().path()).max_by_key(number);
    newest.expect("a version of PostgreSQL").join("bin").join(name)
}
