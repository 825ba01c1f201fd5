//! People who log in with a name and a password.
//!
//! `user/{name}` in the mount's storage holds a user. Names that a person would take for one are
//! one user, and one for the lockout. Whether a name exists shows neither in the answer to a wrong
//! password nor in the time that it takes.

mod login;
mod password;
mod requests;
mod user;

use std::sync::Arc;

use base_crypto::Random;
use base_types::{Name, Result};
use core_barrier::View;
use core_engine_api::{Engine, Meta, Mount, Role, Routes, Verb};

use password::Hasher;

pub struct Userpass {
    users: View,
    random: Arc<dyn Random>,
    hasher: Hasher,
}

impl Engine for Userpass {
    const META: &'static Meta = &Meta {
        name: "userpass",
        version: None,
        role: Role::Auth,
        summary: "Logs in people with a name and a password.",
        built_in: false,
    };

    async fn open(mount: Mount) -> Result<Self> {
        let users = mount.storage.sub("user/");
        Ok(Self { users, random: mount.random, hasher: Hasher::new() })
    }

    fn routes(table: &mut Routes<Self>) {
        table.on(Verb::List, "users", Self::list).summary("List the users.");
        table.on(Verb::Read, "users/{username}", Self::read).summary("Read a user.");
        table.on(Verb::Write, "users/{username}", Self::write).summary("Create or change a user.");
        table.on(Verb::Delete, "users/{username}", Self::delete).summary("Delete a user.");
        table
            .on(Verb::Write, "users/{username}/password", Self::set_password)
            .summary("Change the password of a user.");
        table
            .on(Verb::Write, "users/{username}/policies", Self::set_policies)
            .summary("Change the policies of a user.");
        table
            .on(Verb::Write, "login/{username}", Self::login)
            .login(|request| Name::parse(&request.username).ok().map(|name| name.to_string()))
            .summary("Log in with a name and a password.");
        table.renew_login(Self::renew);
        table.exists("users/{username}", Self::exists);
    }
}

#[cfg(test)]
mod tests;
