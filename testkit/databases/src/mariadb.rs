use std::process::Command;

use super::process::{Home, Process, attempt, free_port, run};

/// A MariaDB server, whose administrator is [`Mariadb::ADMIN`].
pub struct Mariadb {
    pub port: u16,
    home: Home,
    process: Option<Process>,
}

impl Mariadb {
    pub const ADMIN: &str = "admin";
    pub const PASSWORD: &str = "admin's pass-word";

    pub fn start() -> Self {
        Self::start_with(&[], &[])
    }

    /// With more options of the server, and files that they name.
    pub fn start_with(options: &[&str], files: &[(&str, &str)]) -> Self {
        let home = Home::new("mysql");
        let mut install = home.command("mariadb-install-db");
        install.args([
            "--no-defaults",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        ]);
        run(install.arg(format!("--datadir={}", home.path().join("data").display())));
        for (name, text) in files {
            home.write(&format!("data/{name}"), text);
        }
        let init = home.write(
            "init.sql",
            &format!(
                "CREATE USER '{user}'@'%' IDENTIFIED BY '{password}';\n\
                 GRANT ALL ON *.* TO '{user}'@'%' WITH GRANT OPTION;\n\
                 DELETE FROM mysql.global_priv WHERE User = '';\nFLUSH PRIVILEGES;\n",
                user = Self::ADMIN,
                password = Self::PASSWORD.replace('\'', "''"),
            ),
        );
        let mut server = Self { port: free_port(), home, process: None };
        let init = format!("--init-file={}", init.display());
        let options: Vec<&str> = options.iter().copied().chain([init.as_str()]).collect();
        server.resume(&options);
        server
    }

    /// A connection URL with places for the username and the password.
    pub fn url(&self) -> String {
        format!("{{{{username}}}}:{{{{password}}}}@tcp(127.0.0.1:{})/", self.port)
    }

    /// What `mariadb` says to statements of the administrator.
    pub fn query(&self, statements: &str) -> String {
        self.query_as(Self::ADMIN, Self::PASSWORD, statements)
            .unwrap_or_else(|error| panic!("{statements}: {error}"))
    }

    /// The same as somebody else, who may be refused.
    pub fn query_as(&self, user: &str, password: &str, statements: &str) -> Result<String, String> {
        let mut mariadb = Command::new("mariadb");
        mariadb.env("MYSQL_PWD", password).args(["--no-defaults", "--protocol=tcp", "-h127.0.0.1"]);
        mariadb.args(["-BN", "-u", user, "-P", &self.port.to_string(), "-e", statements]);
        attempt(&mut mariadb)
    }

    /// Ends the server; its data stays.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop("KILL");
        }
    }

    fn resume(&mut self, options: &[&str]) {
        let mut mariadbd = self.home.command("mariadbd");
        mariadbd.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
        mariadbd.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M"]);
        mariadbd.arg("--datadir").arg(self.home.path().join("data"));
        mariadbd.arg("--socket").arg(self.home.path().join("socket"));
        mariadbd.args(["--port", &self.port.to_string()]).args(options);
        let is_ready = || self.query_as(Self::ADMIN, Self::PASSWORD, "SELECT 1").is_ok();
        self.process = Some(self.home.start(mariadbd, is_ready));
    }
}

impl Drop for Mariadb {
    fn drop(&mut self) {
        self.stop();
    }
}
