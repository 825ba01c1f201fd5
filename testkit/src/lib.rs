//! A whole server in the test's own process, on a port of its own, with its data in a folder that
//! goes with it.
//!
//! ```no_run
//! # async fn example() {
//! let server = testkit::server().await;
//! let answer = server.call("GET", "sys/mounts", &server.root, None).await;
//! assert_eq!(answer.status, 200);
//! # }
//! ```
// A kit for tests: what cannot work out ends the test.
#![allow(clippy::unwrap_used)]

pub mod moto;
pub mod rabbitmq;

pub use test_databases as databases;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use server::Running;
use server::config::{Config, Environment};
use server::listener::Address;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A running server, initialised and unsealed.
pub struct TestServer {
    running: Option<Running>,
    folder: TempDir,
    data: PathBuf,
    /// Where requests go: the first of `addresses`, unless a test chooses another.
    pub address: SocketAddr,
    /// Of all TCP listeners, in the order of the configuration.
    pub addresses: Vec<SocketAddr>,
    /// The root token.
    pub root: String,
    /// The one share of the recovery key.
    pub recovery_key: String,
    extra: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The head as it was sent.
    pub head: String,
    pub text: String,
}

impl Answer {
    /// The body as JSON; `null` if it is empty or none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The first of `errors`, or nothing.
    pub fn error(&self) -> String {
        self.json()["errors"][0].as_str().unwrap_or_default().to_owned()
    }
}

/// A server on embedded storage with an audit file, unsealed by a key file.
pub async fn server() -> TestServer {
    server_with("").await
}

/// The same with more configuration.
pub async fn server_with(extra: &str) -> TestServer {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    start_first(folder, data, extra).await
}

/// The same with its data in a folder of the test's choice; all else is as it was.
pub async fn server_at(data: PathBuf) -> TestServer {
    start_first(tempfile::tempdir().unwrap(), data, "").await
}

async fn start_first(folder: TempDir, data: PathBuf, extra: &str) -> TestServer {
    std::fs::write(folder.path().join("seal.key"), "00".repeat(32)).unwrap();
    let (running, addresses) = start(folder.path(), &data, extra).await;
    let mut server = TestServer {
        running: Some(running),
        folder,
        data,
        address: addresses[0],
        addresses,
        root: String::new(),
        recovery_key: String::new(),
        extra: extra.to_owned(),
    };
    let body = json!({ "recovery_shares": 1, "recovery_threshold": 1 });
    let answer = server.call("PUT", "sys/init", "", Some(body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let made = answer.json();
    server.root = made["root_token"].as_str().unwrap().to_owned();
    server.recovery_key = made["recovery_keys"][0].as_str().unwrap().to_owned();
    server
}

async fn start(folder: &Path, data: &Path, extra: &str) -> (Running, Vec<SocketAddr>) {
    let text = format!(
        "listener \"tcp\" {{ address = \"127.0.0.1:0\" tls_disable = true }}\n\
         storage \"embedded\" {{ path = {:?} }}\n\
         seal \"static\" {{ current_key_id = \"test\" current_key = \"file://{}\" }}\n\
         audit \"file\" \"file\" {{ options {{ file_path = {:?} }} }}\n{extra}\n",
        data,
        folder.join("seal.key").display(),
        folder.join("audit.log"),
    );
    let environment = Environment::from_fn(|_| None);
    let config = Config::parse("test", &text, &environment).unwrap();
    // A task of the server that was here before may hold on to its data for a moment; where a process
    // ends, as it does outside of tests, nothing does.
    let mut looks = 0..1000;
    let running = loop {
        match Running::start(&config, &environment).await {
            Err(error)
                if error.public().contains("another process uses") && looks.next().is_some() =>
            {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            started => break started.unwrap(),
        }
    };
    let tcp = |address: &Address| match address {
        Address::Tcp { address, .. } => Some(*address),
        Address::Unix(_) => None,
    };
    let addresses = running.addresses.iter().filter_map(tcp).collect();
    (running, addresses)
}

impl TestServer {
    /// Where the data, the audit log and the key lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The audit log as it is now.
    pub fn audit_log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("audit.log")).unwrap()
    }

    /// Stops the server and starts it again on the same data.
    pub async fn restart(&mut self) {
        self.running.take().unwrap().stop().await.unwrap();
        let (running, addresses) = start(self.folder.path(), &self.data, &self.extra).await;
        (self.running, self.address) = (Some(running), addresses[0]);
        self.addresses = addresses;
    }

    /// Another server, on a copy of what is on the disk at this moment: what comes back after the power
    /// went. This one knows nothing of it.
    pub async fn after_a_power_cut(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        copy(&self.data, &data);
        std::fs::copy(self.folder.path().join("seal.key"), folder.path().join("seal.key")).unwrap();
        let (running, addresses) = start(folder.path(), &data, &self.extra).await;
        Self {
            running: Some(running),
            folder,
            data,
            address: addresses[0],
            addresses,
            root: self.root.clone(),
            recovery_key: self.recovery_key.clone(),
            extra: self.extra.clone(),
        }
    }

    /// One request below `/v1/`.
    pub async fn call(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
        self.call_with(method, path, token, &[], body).await
    }

    /// One request with headers of its own.
    pub async fn call_with(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let mut text =
            format!("{method} /v1/{path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
        if !token.is_empty() {
            text.push_str(&format!("X-Vault-Token: {token}\r\n"));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        self.raw(text.as_bytes()).await
    }

    /// Exactly these bytes on a connection of their own.
    pub async fn raw(&self, bytes: &[u8]) -> Answer {
        exchange(self.address, bytes).await
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(path, to.join(name)).unwrap();
        }
    }
}

/// Sends these bytes on a connection of their own, and reads until the other side ends it.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that refuses early may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    let text = String::from_utf8_lossy(&all).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), text: body.to_owned() }
}
