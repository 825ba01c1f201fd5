//! Redis and Valkey: users are access control lists, made by rules in place of statements.
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>

mod client;

use std::sync::Arc;

use base_tls::{ClientTls, ServerCheck};
use base_types::{BoxFuture, Error, Result, Secret, Timestamp};

use crate::details::Details;
use crate::driver::{Driver, Login, NewUser};
use crate::pool::{Pool, Pooled, connecting, working};

use client::{Address, Answer, Client};

pub(crate) const USERNAME_TEMPLATE: &str = r#"{{ printf "V_%s_%s_%s_%s" (.DisplayName | uppercase | replace "-" "_") (.RoleName | uppercase | replace "-" "_") (random 20 | uppercase) (unix_time) | truncate 128 }}"#;

/// What a role without rules may do, as in Vault.
const RULES: [&str; 2] = ["~*", "+@read"];

struct Redis {
    address: Arc<Address>,
    pool: Pool<Client>,
    persistence: Persistence,
}

/// How users outlive the server.
#[derive(Clone, Copy)]
enum Persistence {
    AclFile,
    Nothing,
    Rewrite,
}

pub(crate) fn open(details: &Details) -> Result<Arc<dyn Driver>> {
    let address = Arc::new(address(details)?);
    let persistence = match details.persistence_mode.to_ascii_uppercase().as_str() {
        "" => Persistence::Nothing,
        "ACLFILE" => Persistence::AclFile,
        "REWRITE" => Persistence::Rewrite,
        _ => return Err(Error::invalid("persistence_mode is neither ACLFILE nor REWRITE")),
    };
    let (maker, username) = (address.clone(), details.username.clone());
    let password = details.password.clone();
    let pool = Pool::new(details.limits(), move || {
        let (address, username, password) = (maker.clone(), username.clone(), password.clone());
        Box::pin(async move {
            let mut client = address.connect().await?;
            match client.log_in(&username, &password).await? {
                Answer::Error(text) => Err(Error::unavailable(said(&text))),
                _ => Ok(client),
            }
        })
    });
    Ok(Arc::new(Redis { address, pool, persistence }))
}

fn address(details: &Details) -> Result<Address> {
    if details.host.is_empty() {
        return Err(Error::invalid("host cannot be empty"));
    }
    if details.port == 0 {
        return Err(Error::invalid("port cannot be empty"));
    }
    if details.username.is_empty() {
        return Err(Error::invalid("username cannot be empty"));
    }
    let tls = details.tls.then(|| ClientTls {
        ca: if details.ca_cert.is_empty() { &details.tls_ca } else { &details.ca_cert }.clone(),
        certificate: details.tls_certificate.clone(),
        private_key: details.private_key.clone(),
        check: if details.insecure_tls { ServerCheck::DangerNothing } else { ServerCheck::Full },
        ..ClientTls::default()
    });
    Address::new(&details.host, details.port, tls.as_ref())
}

impl Pooled for Client {
    fn is_alive(&mut self) -> BoxFuture<'_, bool> {
        Box::pin(async { matches!(self.call(&["PING"]).await, Ok(Answer::Text(_))) })
    }
}

impl Driver for Redis {
    fn verify(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { self.call(&["PING"]).await.map(drop) })
    }

    fn create_user<'a>(
        &'a self,
        scripts: &'a [String],
        user: NewUser<'a>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let password = user.proof.password();
            let password = password.ok_or_else(|| Error::internal("Redis has passwords alone"))?;
            let password = Secret::new(format!(">{}", password.expose()));
            let mut words = vec!["ACL", "SETUSER", user.username, "ON", password.expose()];
            if scripts.is_empty() {
                words.extend(RULES);
            }
            words.extend(scripts.iter().map(|rule| rule.trim()));
            self.call(&words).await?;
            self.persist().await
        })
    }

    /// A user here has no end of its own that were to be moved.
    fn renew_user<'a>(
        &'a self,
        _: &'a [String],
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn revoke_user<'a>(&'a self, _: &'a [String], username: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.call(&["ACL", "DELUSER", username]).await?;
            self.persist().await
        })
    }

    fn set_password<'a>(
        &'a self,
        _: &'a [String],
        username: &'a str,
        password: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            // To set the rules of a user makes one that is not there.
            if matches!(self.call(&["ACL", "GETUSER", username]).await?, Answer::Nothing) {
                return Err(Error::invalid(format!("the user {username:?} does not exist")));
            }
            let password = Secret::new(format!(">{}", password.expose()));
            self.call(&["ACL", "SETUSER", username, "RESETPASS", password.expose()]).await?;
            self.persist().await
        })
    }

    fn check_login<'a>(
        &'a self,
        username: &'a str,
        password: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<Login>> {
        Box::pin(async move {
            let login = async {
                let mut client = self.address.connect().await?;
                client.log_in(username, password).await
            };
            match connecting(login).await? {
                Answer::Error(text) if text.starts_with("WRONGPASS") => Ok(Login::Refused),
                Answer::Error(text) => Err(Error::unavailable(said(&text))),
                _ => Ok(Login::Accepted),
            }
        })
    }

    fn close(&self) {
        self.pool.close();
    }
}

impl Redis {
    /// Sends a command that must succeed.
    async fn call(&self, words: &[&str]) -> Result<Answer> {
        let mut loan = self.pool.take().await?;
        let answer = working(loan.connection.call(words)).await?;
        loan.give_back();
        match answer {
            Answer::Error(text) if is_unable(&text) => Err(Error::unavailable(said(&text))),
            Answer::Error(text) => Err(Error::invalid(said(&text))),
            answer => Ok(answer),
        }
    }

    async fn persist(&self) -> Result<()> {
        match self.persistence {
            Persistence::AclFile => self.call(&["ACL", "SAVE"]).await.map(drop),
            Persistence::Nothing => Ok(()),
            Persistence::Rewrite => self.call(&["CONFIG", "REWRITE"]).await.map(drop),
        }
    }
}

/// The server is there and not able to work.
fn is_unable(text: &str) -> bool {
    ["LOADING", "BUSY", "OOM", "READONLY", "MASTERDOWN", "NOAUTH", "MISCONF"]
        .iter()
        .any(|code| text.starts_with(code))
}

fn said(text: &str) -> String {
    format!("response returned from Conn: {text}")
}
