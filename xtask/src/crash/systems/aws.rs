use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{STATIC_ROLE, System, text};
use crate::Result;
use crate::crash::scene::Act;
use crate::http::Client;
use crate::moto::Moto;

/// What counts here is which users and keys it has.
pub(crate) struct Aws(Moto);

/// How the names of accounts begin that stay.
const ACCOUNT: &str = "account-";

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

impl Aws {
    pub(crate) fn start() -> Result<Self> {
        Moto::start().map(Self)
    }

    fn users(&self) -> Result<Vec<String>> {
        Ok(elements(&self.0.iam("ListUsers", &[])?, "UserName"))
    }

    fn keys(&self, user: &str) -> Result<Vec<String>> {
        Ok(elements(&self.0.iam("ListAccessKeys", &[("UserName", user)])?, "AccessKeyId"))
    }
}

impl System for Aws {
    fn name(&self) -> &'static str {
        "moto"
    }

    fn address(&self) -> SocketAddr {
        self.0.address
    }

    fn acts(&self) -> &'static [Act] {
        &[Act::Issue, Act::Revoke, Act::Expire, Act::Adopt, Act::RotateRoot]
    }

    fn add_administrator(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn add_account(&self, name: &str) -> Result<()> {
        self.0.iam("CreateUser", &[("UserName", &format!("{ACCOUNT}{name}"))]).map(drop)
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
        self.0.iam("CreateUser", &[("UserName", mount)])?;
        let key = self.0.iam("CreateAccessKey", &[("UserName", mount)])?;
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
