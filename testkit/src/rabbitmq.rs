use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Answer, exchange};

/// A RabbitMQ of its own from Debian's package, with the management interface and without AMQP.
/// It ends with this value.
pub struct RabbitMq {
    broker: Child,
    /// Erlang's name service: one of its own, so that no other node is ever met.
    epmd: Child,
    folder: TempDir,
    pub address: SocketAddr,
    /// The port where it speaks TLS, if it has a certificate; it is for `localhost`.
    pub secure_port: u16,
    epmd_port: u16,
    /// Where other nodes would speak to it.
    distribution: u16,
}

/// What it shows and asks for where it speaks TLS, as PEM.
pub struct Certificates<'a> {
    /// Who signs the certificates of its clients; it wants to see one.
    pub authority: &'a str,
    pub certificate: &'a str,
    pub key: &'a str,
}

/// The name and password of the administrator.
pub const ADMINISTRATOR: (&str, &str) = ("admin", "admin-password");

const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

impl RabbitMq {
    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// If it is not installed or does not start; the text says which.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// The same with TLS at a port of its own.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn start_with(certificates: Option<Certificates<'_>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [http, secure_port, epmd_port, distribution] = free_ports();
        let (user, password) = ADMINISTRATOR;
        let mut config = format!(
            "listeners.tcp = none\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {http}\n\
             default_user = {user}\ndefault_pass = {password}\n"
        );
        let place = |name: &str| folder.path().join(name);
        if let Some(Certificates { authority, certificate, key }) = certificates {
            config.push_str(&format!(
                "management.ssl.ip = 127.0.0.1\nmanagement.ssl.port = {secure_port}\n\
                 management.ssl.verify = verify_peer\n\
                 management.ssl.fail_if_no_peer_cert = true\n"
            ));
            for (setting, text) in
                [("cacertfile", authority), ("certfile", certificate), ("keyfile", key)]
            {
                fs::write(place(setting), text).unwrap();
                config.push_str(&format!(
                    "management.ssl.{setting} = {}\n",
                    place(setting).display()
                ));
            }
        }
        fs::write(place("rabbitmq.conf"), config).unwrap();
        fs::write(place("plugins"), "[rabbitmq_management].").unwrap();
        let epmd = Command::new("epmd")
            .args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"])
            .stdin(Stdio::null())
            .spawn()
            .expect("epmd cannot be started: install rabbitmq-server, or run cargo xtask setup");
        let broker = broker(folder.path(), epmd_port, distribution);
        let address = ([127, 0, 0, 1], http).into();
        let mut this = Self { broker, epmd, folder, address, secure_port, epmd_port, distribution };
        this.wait().await;
        this
    }

    /// The URL of the management interface.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A request to the management interface, by its path below `/api/`.
    pub async fn api(
        &self,
        (user, password): (&str, &str),
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        // HTTP/1.0, so that no answer comes in chunks.
        let request = format!(
            "{method} /api/{path} HTTP/1.0\r\nAuthorization: Basic {pair}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        exchange(self.address, request.as_bytes()).await
    }

    /// The names of all users, sorted.
    pub async fn users(&self) -> Vec<String> {
        let answer = self.api(ADMINISTRATOR, "GET", "users", None).await;
        let listed = answer.json();
        let names = listed.as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Ends the broker; what was stored stays.
    pub fn stop(&mut self) {
        let _ = self.broker.kill();
        let _ = self.broker.wait();
    }

    /// Starts the broker again on what it stored.
    pub async fn start_again(&mut self) {
        self.broker = broker(self.folder.path(), self.epmd_port, self.distribution);
        self.wait().await;
    }

    async fn wait(&mut self) {
        const TRIES: usize = 1200;
        for _ in 0..TRIES {
            if tokio::net::TcpStream::connect(self.address).await.is_ok()
                && self.api(ADMINISTRATOR, "GET", "whoami", None).await.status == 200
            {
                return;
            }
            if let Some(status) = self.broker.try_wait().unwrap() {
                panic!("RabbitMQ ended with {status}:\n{}", self.output());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("RabbitMQ has not started in a minute:\n{}", self.output());
    }

    fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        self.stop();
        let _ = self.epmd.kill();
        let _ = self.epmd.wait();
    }
}

fn broker(folder: &Path, epmd_port: u16, distribution: u16) -> Child {
    let place = |name: &str| folder.join(name);
    let log = File::create(place("output")).unwrap();
    Command::new(SERVER)
        // The script then becomes the broker, instead of watching over it.
        .env("RUNNING_UNDER_SYSTEMD", "true")
        // The secret by which nodes know one another is made there.
        .env("HOME", folder)
        .env("ERL_EPMD_PORT", epmd_port.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODENAME", "test@localhost")
        .env("RABBITMQ_DIST_PORT", distribution.to_string())
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
        .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
        .env("RABBITMQ_CONFIG_FILE", place("rabbitmq.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", place("plugins"))
        .env("RABBITMQ_MNESIA_BASE", place("data"))
        .env("RABBITMQ_LOG_BASE", place("log"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .expect("RabbitMQ cannot be started: install rabbitmq-server, or run cargo xtask setup")
}

/// Ports that nobody listens on; all are held until all are known.
fn free_ports() -> [u16; 4] {
    let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
