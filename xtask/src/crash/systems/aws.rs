use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{STATIC_ROLE, System, text};
use crate::crash::scene::Act;
use crate::folder::Folder;
use crate::http::Client;
use crate::{Result, server, setup, wait};

/// A moto that believes everybody: what counts here is which users and keys it has.
pub(crate) struct Aws {
    process: Child,
    folder: Folder,
    address: SocketAddr,
}

const START_LIMIT: Duration = Duration::from_secs(60);

/// How the names of accounts begin that stay.
const ACCOUNT: &str = "account-";

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

impl Aws {
    pub(crate) fn start() -> Result<Self> {
        let moto = setup::peers()?.python.with_file_name("moto_server");
        let (folder, address) = (Folder::new("moto")?, server::free_address()?);
        let log = folder.write("output", "")?;
        let log = std::fs::File::create(&log)
            .map_err(|e| format!("cannot write {}: {e}", log.display()))?;
        let process = Command::new(&moto)
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", moto.display()))?;
        let this = Self { process, folder, address };
        let started = wait::until(START_LIMIT, || this.iam("ListUsers", &[]).ok());
        started.ok_or_else(|| {
            let log = std::fs::read_to_string(this.folder.path().join("output"));
            format!("moto does not answer:\n{}", log.unwrap_or_default())
        })?;
        Ok(this)
    }

    /// What IAM answers.
    fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        let mut body = format!("Version=2010-05-08&Action={action}");
        for (name, value) in parameters {
            body.push_str(&format!("&{name}={value}"));
        }
        // That it is for IAM is read from here; nobody looks at the signature.
        let scope = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/iam/aws4_request, \
                     SignedHeaders=host, Signature=0";
        let headers = [
            ("Authorization".to_owned(), scope.to_owned()),
            ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ];
        let answer = Client::new(self.address).send("POST", "/", &headers, body.as_bytes())?;
        match answer.status {
            200 => Ok(answer.text()),
            status => Err(format!("{action} was answered {status}: {}", answer.text())),
        }
    }

    fn users(&self) -> Result<Vec<String>> {
        Ok(elements(&self.iam("ListUsers", &[])?, "UserName"))
    }

    fn keys(&self, user: &str) -> Result<Vec<String>> {
        Ok(elements(&self.iam("ListAccessKeys", &[("UserName", user)])?, "AccessKeyId"))
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl System for Aws {
    fn name(&self) -> &'static str {
        "moto"
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn acts(&self) -> &'static [Act] {
        &[Act::Issue, Act::Revoke, Act::Expire, Act::Adopt, Act::RotateRoot]
    }

    fn add_administrator(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn add_account(&self, name: &str) -> Result<()> {
        self.iam("CreateUser", &[("UserName", &format!("{ACCOUNT}{name}"))]).map(drop)
    }

    /// Each mount has an administrator of its own, with one key.
    fn mount(
        &self,
        client: &mut Client,
        mount: &str,
        through: SocketAddr,
        _: Option<&str>,
        ttl: &str,
    ) -> Result<()> {
        self.iam("CreateUser", &[("UserName", mount)])?;
        let key = self.iam("CreateAccessKey", &[("UserName", mount)])?;
        let part = |name| elements(&key, name).pop().unwrap_or_default();
        let path = format!("/v1/sys/mounts/{mount}");
        client.expect("POST", &path, &json!({"type": "aws"}))?;
        let url = format!("http://{through}");
        let config = json!({
            "access_key": part("AccessKeyId"), "secret_key": part("SecretAccessKey"),
            "iam_endpoint": url, "sts_endpoint": url,
        });
        client.expect("POST", &format!("/v1/{mount}/config/root"), &config)?;
        let lease = json!({"lease": ttl, "lease_max": "1h"});
        client.expect("POST", &format!("/v1/{mount}/config/lease"), &lease)?;
        let role = json!({"credential_type": "iam_user", "policy_document": POLICY});
        client.expect("POST", &format!("/v1/{mount}/roles/{mount}"), &role).map(drop)
    }

    fn static_role(
        &self,
        client: &mut Client,
        mount: &str,
        accounts: &[String],
        _: &str,
    ) -> Result<()> {
        let role =
            json!({"username": format!("{ACCOUNT}{}", accounts[0]), "rotation_period": "24h"});
        client.expect("POST", &format!("/v1/{mount}/static-roles/{STATIC_ROLE}"), &role).map(drop)
    }

    fn rotate_root(&self) -> &'static str {
        "config/rotate-root"
    }

    fn log_in(&self, credential: &Value) -> Result<()> {
        let key = text(credential, "access_key");
        for user in self.users()? {
            if self.keys(&user)?.contains(&key) {
                return Ok(());
            }
        }
        Err(format!("nobody has the key {key}"))
    }

    /// Users, and keys of administrators beside the one that the engine knows.
    fn made(&self) -> Result<Vec<String>> {
        let (mut made, others): (Vec<_>, Vec<_>) =
            self.users()?.into_iter().partition(|name| name.starts_with("vault-"));
        // A key of an account that stays may be left over until its next rotation.
        for administrator in others.iter().filter(|name| !name.starts_with(ACCOUNT)) {
            made.extend(self.keys(administrator)?.into_iter().skip(1));
        }
        Ok(made)
    }
}

/// The texts of all elements of this name.
fn elements(xml: &str, name: &str) -> Vec<String> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let texts = xml.split(&start).skip(1).filter_map(|rest| rest.split_once(&end));
    texts.map(|(text, _)| text.to_owned()).collect()
}
