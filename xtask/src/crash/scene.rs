use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::systems::{STATIC_ROLE, System};
use super::trap::Trap;
use crate::http::Client;
use crate::server::Server;
use crate::{Result, wait};

/// What is done, and killed on the way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Act {
    /// An account gets a static role, and its first password with it.
    Adopt,
    /// The password of one of two accounts that take turns.
    Alternate,
    Expire,
    Issue,
    Renew,
    /// The account that was given out before loses its password.
    Retire,
    Revoke,
    /// The password of an account.
    Rotate,
    /// The password of the administrator.
    RotateRoot,
}

/// An act with what it needs: an engine of its own, by the act's name, and its own way to the
/// system, so that nobody else's messages are counted.
pub(super) struct Scene<'a> {
    act: Act,
    system: &'a dyn System,
    mount: String,
    pub(super) trap: Trap,
    /// The server, through the trap.
    front: SocketAddr,
    root_token: String,
    /// The lease that the act is about, if it is about one.
    lease: String,
    /// How many accounts were given a role.
    adopted: u32,
}

/// How long a credential lives. All steps of an act should be through before the first of its
/// credentials ends, lest the messages of that end be counted as steps of the act.
const TTL: &str = "25s";
/// One of which the end is what is killed.
const BRIEF_TTL: &str = "1s";
/// What the server does by itself it has done by then.
pub(super) const LIMIT: Duration = Duration::from_secs(180);

impl Act {
    /// Also of the engine in which it is done.
    pub(super) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Whether a server has leases of this act.
    pub(super) fn has_leases(self, client: &mut Client) -> Result<bool> {
        let path = format!("/v1/sys/leases/lookup/{}", self.name());
        let answer = client.call("LIST", &path, &Value::Null)?;
        match answer.status {
            200 => Ok(true),
            404 => Ok(false),
            status => Err(format!("LIST {path} was answered {status}: {}", answer.text())),
        }
    }
}

impl<'a> Scene<'a> {
    pub(super) fn set_up(act: Act, server: &Server, system: &'a dyn System) -> Result<Self> {
        let (mount, trap) = (act.name(), Trap::default());
        let (through, front) = (trap.before(system.address())?, trap.before(server.address)?);
        let mut client = server.client();
        let administrator = (act == Act::RotateRoot).then_some(mount.as_str());
        if let Some(name) = administrator {
            system.add_administrator(name)?;
        }
        let ttl = if act == Act::Expire { BRIEF_TTL } else { TTL };
        system.mount(&mut client, &mount, through, administrator, ttl)?;
        let accounts = match act {
            Act::Rotate => vec![mount.clone()],
            Act::Alternate | Act::Retire => vec![format!("{mount}-1"), format!("{mount}-2")],
            Act::Adopt | Act::Expire | Act::Issue | Act::Renew | Act::Revoke | Act::RotateRoot => {
                Vec::new()
            }
        };
        for account in &accounts {
            system.add_account(account)?;
        }
        if !accounts.is_empty() {
            let grace = if act == Act::Retire { "1s" } else { "1h" };
            system.static_role(&mut client, &mount, &accounts, grace)?;
        }
        let (root_token, lease) = (server.root_token.clone(), String::new());
        Ok(Self { act, system, mount, trap, front, root_token, lease, adopted: 0 })
    }

    /// What goes before the act.
    pub(super) fn prepare(&mut self, server: &Server) -> Result<()> {
        let mut client = server.client();
        match self.act {
            Act::Issue | Act::RotateRoot => {}
            Act::Renew | Act::Revoke => self.lease = lease_of(&self.issue(server)?),
            Act::Expire => {
                is_over(|| Act::Expire.has_leases(&mut client))?;
                self.lease = lease_of(&self.issue(server)?);
            }
            Act::Adopt => {
                let roles = self.system.static_roles();
                let path = format!("/v1/{}/{roles}/{STATIC_ROLE}", self.mount);
                client.expect("DELETE", &path, &Value::Null)?;
                self.adopted += 1;
                self.system.add_account(&self.account())?;
            }
            Act::Alternate | Act::Retire | Act::Rotate => {
                client.expect("POST", &self.rotate_role(), &json!({}))?;
            }
        }
        Ok(())
    }

    /// Does it. `watcher` asks the server without being noticed by the trap.
    pub(super) fn act(&self, watcher: &mut Client) -> Result<()> {
        // An act may have got its answer before the server was killed; the connection over which it
        // came is broken all the same, and nobody has noticed yet.
        let mut client = Client::with_token(self.front, &self.root_token);
        let empty = json!({});
        let (method, path, body) = match self.act {
            Act::Adopt => {
                let account = self.account();
                return self.system.static_role(&mut client, &self.mount, &[account], "");
            }
            Act::Expire => return is_over(|| Act::Expire.has_leases(watcher)),
            Act::Retire => {
                let path = self.static_cred();
                let has_previous = || {
                    let given = watcher.expect("GET", &path, &Value::Null)?;
                    Ok(given["data"]["previous_username"].is_string())
                };
                return is_over(has_previous);
            }
            Act::Issue => ("GET", self.creds(), Value::Null),
            Act::Renew => {
                ("POST", "/v1/sys/leases/renew".to_owned(), json!({"lease_id": self.lease}))
            }
            Act::Revoke => {
                let body = json!({"lease_id": self.lease, "sync": true});
                ("POST", "/v1/sys/leases/revoke".to_owned(), body)
            }
            Act::Alternate | Act::Rotate => ("POST", self.rotate_role(), empty),
            Act::RotateRoot => {
                ("POST", format!("/v1/{}/{}", self.mount, self.system.rotate_root()), empty)
            }
        };
        client.expect(method, &path, &body).map(drop)
    }

    /// What must hold as soon as the server is back: what it gives out logs in.
    pub(super) fn check(&self, server: &Server) -> Result<()> {
        let mut client = server.client();
        match self.act {
            Act::Expire | Act::Issue | Act::Renew | Act::Revoke => Ok(()),
            Act::RotateRoot => {
                let given = self.issue(server)?;
                self.system.log_in(&given["data"])?;
                let body = json!({"lease_id": lease_of(&given), "sync": true});
                client.expect("POST", "/v1/sys/leases/revoke", &body).map(drop)
            }
            Act::Adopt => self.is_adopted_or_not(&mut client),
            Act::Alternate | Act::Retire | Act::Rotate => {
                let given = client.expect("GET", &self.static_cred(), &Value::Null)?;
                self.system.log_in(&given["data"])
            }
        }
    }

    /// Whether there is no role, or one of which the password logs in: it may take the server some
    /// time to give the account one.
    fn is_adopted_or_not(&self, client: &mut Client) -> Result<()> {
        let path = self.static_cred();
        let told = wait::until(LIMIT, || match client.call("GET", &path, &Value::Null) {
            Ok(answer) if answer.status == 503 => None,
            told => Some(told),
        });
        let told = told.ok_or("the role has no password yet")??;
        match told.status {
            200 => self.system.log_in(&told.json()["data"]),
            400 | 404 => Ok(()),
            status => Err(format!("GET {path} was answered {status}: {}", told.text())),
        }
    }

    fn issue(&self, server: &Server) -> Result<Value> {
        server.client().expect("GET", &self.creds(), &Value::Null)
    }

    fn creds(&self) -> String {
        format!("/v1/{0}/creds/{0}", self.mount)
    }

    fn rotate_role(&self) -> String {
        format!("/v1/{}/rotate-role/{STATIC_ROLE}", self.mount)
    }

    fn static_cred(&self) -> String {
        format!("/v1/{}/{}/{STATIC_ROLE}", self.mount, self.system.static_creds())
    }

    /// The account that is given a role.
    fn account(&self) -> String {
        format!("{}-{}", self.mount, self.adopted)
    }
}

fn lease_of(given: &Value) -> String {
    given["lease_id"].as_str().unwrap_or_default().to_owned()
}

/// Waits until something is over that the server ends by itself, as long as it answers.
fn is_over(mut goes_on: impl FnMut() -> Result<bool>) -> Result<()> {
    let outcome = wait::until(LIMIT, || match goes_on() {
        Ok(true) => None,
        outcome => Some(outcome.map(drop)),
    });
    outcome.unwrap_or_else(|| Err("it does not end".to_owned()))
}
