use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use test_databases::Slapd;

use super::{STATIC_ROLE, System, text};
use crate::Result;
use crate::crash::scene::Act;
use crate::http::Client;

/// A directory. Its one administrator is the one of the configuration, which nothing else here needs.
pub(crate) struct Ldap(pub(crate) Slapd);

/// Of the accounts that are made here.
const PASSWORD: &str = "first";

const CREATION: &str = "dn: cn={{.Username}},ou=people,dc=example,dc=org\n\
    objectClass: person\nsn: made\nuserPassword: {{.Password}}\n\n\
    dn: cn=readers,ou=groups,dc=example,dc=org\nchangetype: modify\n\
    add: member\nmember: cn={{.Username}},ou=people,dc=example,dc=org\n-\n";
const DELETION: &str = "dn: cn=readers,ou=groups,dc=example,dc=org\nchangetype: modify\n\
    delete: member\nmember: cn={{.Username}},ou=people,dc=example,dc=org\n-\n\n\
    dn: cn={{.Username}},ou=people,dc=example,dc=org\nchangetype: delete\n";

impl System for Ldap {
    fn name(&self) -> &'static str {
        "slapd"
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.0.port).into()
    }

    fn acts(&self) -> &'static [Act] {
        // The last, because the password of the one administrator is then known to its engine alone.
        &[
            Act::Issue,
            Act::Revoke,
            Act::Expire,
            Act::Adopt,
            Act::Rotate,
            Act::Alternate,
            Act::Retire,
            Act::RotateRoot,
        ]
    }

    fn add_administrator(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn add_account(&self, name: &str) -> Result<()> {
        self.0.add_person(name, PASSWORD);
        Ok(())
    }

    fn mount(
        &self,
        client: &mut Client,
        mount: &str,
        through: SocketAddr,
        _: Option<&str>,
        ttl: &str,
    ) -> Result<()> {
        let path = format!("/v1/sys/mounts/{mount}");
        client.expect("POST", &path, &json!({"type": "ldap"}))?;
        let config = json!({
            "url": format!("ldap://{through}"), "binddn": Slapd::ADMIN, "bindpass": Slapd::PASSWORD,
            "userdn": Slapd::PEOPLE,
        });
        client.expect("POST", &format!("/v1/{mount}/config"), &config)?;
        let role = json!({
            "creation_ldif": CREATION, "deletion_ldif": DELETION, "default_ttl": ttl,
        });
        client.expect("POST", &format!("/v1/{mount}/role/{mount}"), &role).map(drop)
    }

    fn static_role(
        &self,
        client: &mut Client,
        mount: &str,
        accounts: &[String],
        grace_period: &str,
    ) -> Result<()> {
        let mut role = json!({"rotation_period": "24h"});
        match accounts {
            [account] => role["username"] = json!(account),
            accounts => {
                role["usernames"] = json!(accounts);
                role["grace_period"] = json!(grace_period);
            }
        }
        client.expect("POST", &format!("/v1/{mount}/static-role/{STATIC_ROLE}"), &role).map(drop)
    }

    fn static_roles(&self) -> &'static str {
        "static-role"
    }

    fn static_creds(&self) -> &'static str {
        "static-cred"
    }

    fn rotate_root(&self) -> &'static str {
        "rotate-root"
    }

    fn log_in(&self, credential: &Value) -> Result<()> {
        let dn = format!("cn={},{}", text(credential, "username"), Slapd::PEOPLE);
        match self.0.binds(&dn, &text(credential, "password")) {
            true => Ok(()),
            false => Err(format!("the directory does not let {dn} in")),
        }
    }

    fn made(&self) -> Result<Vec<String>> {
        let is_name = |line: &&str| line.starts_with("cn: ");
        Ok(self.0.search("(sn=made)").lines().filter(is_name).map(str::to_owned).collect())
    }
}
