use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use test_databases::free_port;

use crate::{Answer, exchange};

/// A moto of its own: IAM and STS in one process on the loopback interface. It checks the signatures
/// of all requests, and the actions in the policies of users, groups and assumed roles. It does not
/// check: resources and conditions of policies, permission boundaries, the filters of sessions, the
/// times at which anything ends, and the order in which users are taken down. It knows neither
/// federated users nor session tokens again that it gave out.
pub struct Moto {
    process: Child,
    folder: TempDir,
    pub address: SocketAddr,
    /// Of somebody who may do anything.
    pub administrator: Key,
}

/// A key of AWS.
#[derive(Clone, Debug)]
pub struct Key {
    pub id: String,
    pub secret: String,
    /// Of a session.
    pub token: Option<String>,
}

/// Where `cargo xtask setup` puts it.
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/peers/python/bin/moto_server");
/// Everything is allowed.
pub const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

impl Moto {
    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// If it is not installed or does not start; the text says which.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("output")).unwrap();
        let port = free_port();
        let process = Command::new(SERVER)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("moto cannot be started: cargo xtask setup installs it");
        let (id, secret) = ("AKIANOBODY".to_owned(), "none".to_owned());
        let administrator = Key { id, secret, token: None };
        let address = ([127, 0, 0, 1], port).into();
        let mut this = Self { process, folder, address, administrator };
        this.wait().await;
        // Until now moto believes everybody.
        this.administrator = this.user("administrator", EVERYTHING);
        let body = "POST /moto-api/reset-auth HTTP/1.0\r\nContent-Length: 1\r\n\r\n0";
        assert_eq!(exchange(address, body.as_bytes()).await.status, 200);
        this
    }

    /// Of both services.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a user with a policy and a key.
    pub fn user(&self, name: &str, policy: &str) -> Key {
        self.iam("CreateUser", &[("UserName", name)]);
        let policy = [("UserName", name), ("PolicyName", "own"), ("PolicyDocument", policy)];
        self.iam("PutUserPolicy", &policy);
        let made = self.iam("CreateAccessKey", &[("UserName", name)]);
        let (id, secret) = (element(&made, "AccessKeyId"), element(&made, "SecretAccessKey"));
        Key { id, secret, token: None }
    }

    /// What IAM answers to the administrator, who must be obeyed.
    pub fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let answer = self.call(&self.administrator, "iam", action, parameters);
        assert_eq!(answer.status, 200, "{action} {parameters:?}: {answer:?}");
        answer.text
    }

    /// The names of all users, sorted.
    pub fn users(&self) -> Vec<String> {
        let mut names = elements(&self.iam("ListUsers", &[]), "UserName");
        names.sort();
        names
    }

    /// A call by the holder of `key`, signed by curl.
    pub fn call(
        &self,
        key: &Key,
        service: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Answer {
        let quoted =
            |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let mut options = format!(
            "url = {}\nsilent\nshow-error\naws-sigv4 = aws:amz:us-east-1:{service}\n\
             user = \"{}:{}\"\nwrite-out = \"\\n%{{http_code}}\"\n",
            self.url(),
            quoted(&key.id),
            quoted(&key.secret),
        );
        if let Some(token) = &key.token {
            options.push_str(&format!("header = \"X-Amz-Security-Token: {token}\"\n"));
        }
        let version = if service == "iam" { "2010-05-08" } else { "2011-06-15" };
        for (name, value) in [("Action", action), ("Version", version)].iter().chain(parameters) {
            options.push_str(&format!("data-urlencode = \"{name}={}\"\n", quoted(value)));
        }
        // Keys are read from there, and not seen in the list of processes.
        let mut curl = Command::new("curl")
            .args(["--disable", "--config", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("curl cannot be started: cargo xtask setup installs it");
        curl.stdin.take().unwrap().write_all(options.as_bytes()).unwrap();
        let output = curl.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (text, status) = text.rsplit_once('\n').unwrap();
        Answer { status: status.parse().unwrap(), head: String::new(), text: text.to_owned() }
    }

    /// Whoever holds `key`, in AWS's words.
    pub fn arn(&self, key: &Key) -> Option<String> {
        let answer = self.call(key, "sts", "GetCallerIdentity", &[]);
        (answer.status == 200).then(|| element(&answer.text, "Arn"))
    }

    async fn wait(&mut self) {
        const TRIES: usize = 1200;
        for _ in 0..TRIES {
            if tokio::net::TcpStream::connect(self.address).await.is_ok() {
                return;
            }
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("moto ended with {status}:\n{}", self.output());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("moto has not started in a minute:\n{}", self.output());
    }

    fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Key {
    /// The key in an answer of this server.
    pub fn of(data: &Value) -> Self {
        let text = |name: &str| data[name].as_str().unwrap().to_owned();
        let token = data["session_token"].as_str().map(str::to_owned);
        Self { id: text("access_key"), secret: text("secret_key"), token }
    }
}

/// The texts of all elements of this name.
pub fn elements(xml: &str, name: &str) -> Vec<String> {
    let start = format!("<{name}>");
    let end = format!("</{name}>");
    let texts = xml.split(&start).skip(1).filter_map(|rest| rest.split_once(&end));
    texts.map(|(text, _)| text.to_owned()).collect()
}

/// The text of the first element of this name.
///
/// # Panics
/// If there is none.
pub fn element(xml: &str, name: &str) -> String {
    elements(xml, name).into_iter().next().unwrap_or_else(|| panic!("no {name} in {xml}"))
}
