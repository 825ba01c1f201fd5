use std::path::Path;
use std::process::Command;

use super::process::{Home, Process, attempt, free_port};

/// A Redis server, whose administrator is [`Redis::ADMIN`].
pub struct Redis {
    pub port: u16,
    home: Home,
    process: Option<Process>,
}

impl Redis {
    pub const ADMIN: &str = "default";
    pub const PASSWORD: &str = "admin's pass-word";

    pub fn start() -> Self {
        Self::start_with(&[], &[])
    }

    /// With more options of the server, and files that they name.
    pub fn start_with(options: &[&str], files: &[(&str, &str)]) -> Self {
        let mut server = Self { port: free_port(), home: Home::new("redis"), process: None };
        let configuration = server.home.write(
            "redis.conf",
            &format!(
                "bind 127.0.0.1\nsave \"\"\nrequirepass \"{}\"\ndir {}\n",
                Self::PASSWORD,
                server.home.path().display()
            ),
        );
        for (name, text) in files {
            server.home.write(name, text);
        }
        server.resume(&configuration, options);
        server
    }

    /// What `redis-cli` says to a command of the administrator.
    pub fn command(&self, words: &[&str]) -> String {
        self.command_as(Self::ADMIN, Self::PASSWORD, words)
            .unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// The same as somebody else, who may be refused.
    pub fn command_as(&self, user: &str, password: &str, words: &[&str]) -> Result<String, String> {
        let mut redis = Command::new("redis-cli");
        redis.env("REDISCLI_AUTH", password).args(["--no-auth-warning", "-e", "--user", user]);
        attempt(redis.args(["-p", &self.port.to_string()]).args(words)).and_then(|said| {
            // A refused login is only told beside the answer.
            if said.starts_with("NOAUTH") || said.starts_with("WRONGPASS") {
                Err(said)
            } else {
                Ok(said)
            }
        })
    }

    /// Ends the server.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop("KILL");
        }
    }

    fn resume(&mut self, configuration: &Path, options: &[&str]) {
        let mut redis = self.home.command("redis-server");
        redis.arg(configuration).args(["--port", &self.port.to_string()]).args(options);
        let is_ready = || self.command_as(Self::ADMIN, Self::PASSWORD, &["PING"]).is_ok();
        self.process = Some(self.home.start(redis, is_ready));
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}
