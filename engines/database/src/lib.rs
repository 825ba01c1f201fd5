//! Users of databases that live as long as their lease, and passwords of users that stay.
//!
//! ```text
//! config/{name}   how a database is reached
//! role/{name}     how users are made there
//! ```
//!
//! Users that stay are stored as `core_rotation` says, with the database for their target.
//!
//! The lease of a user is stored before the user is made, and the new password of a user that stays
//! before the database is told: whatever the moment of a crash, nothing is left that nobody knows.

mod certificate;
mod connection;
mod connections;
mod credential;
mod creds;
mod details;
mod driver;
mod key;
mod mysql;
mod names;
mod pool;
mod postgresql;
mod proof;
mod redis;
mod role;
mod root;
mod rotation;
mod sql;
mod statements;
mod static_role;
mod static_role_request;
mod static_roles;
mod url;

use std::sync::Arc;

use base_crypto::Random;
use base_types::{Clock, Result, Ttl};
use core_barrier::View;
use core_engine_api::{Engine, Meta, Mount, Role, Routes, Verb};
use core_rotation::{Locks, Rotations, rotate_due};

use connections::Connections;

pub struct Database {
    storage: View,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    connections: Connections,
    /// Held while the password of the administrator at `config/{name}` changes.
    locks: Locks,
    rotations: Rotations,
}

impl Engine for Database {
    const META: &'static Meta = &Meta {
        name: "database",
        version: None,
        role: Role::Secrets,
        summary: "Makes users of databases that end with their lease.",
        built_in: false,
    };

    async fn open(mount: Mount) -> Result<Self> {
        let rotations = Rotations::of(&mount);
        let Mount { storage, clock, random, .. } = mount;
        Ok(Self {
            storage,
            clock,
            random,
            connections: Connections::default(),
            locks: Locks::default(),
            rotations,
        })
    }

    fn routes(table: &mut Routes<Self>) {
        table.on(Verb::List, "config", Self::list_connections).summary("List the databases.");
        table
            .on(Verb::Read, "config/{name}", Self::read_connection)
            .summary("Read how a database is reached, without its secrets.");
        table
            .on(Verb::Write, "config/{name}", Self::write_connection)
            .summary("Say how a database is reached, and try it.");
        table
            .on(Verb::Delete, "config/{name}", Self::delete_connection)
            .summary("Forget a database.");
        table
            .on(Verb::Write, "reset/{name}", Self::reset)
            .summary("Close the connections to a database.");
        table
            .on(Verb::Write, "rotate-root/{name}", Self::rotate_root)
            .summary("Give the administrator of a database a password that only the server knows.");

        table.on(Verb::List, "roles", Self::list_roles).summary("List the roles.");
        table.on(Verb::Read, "roles/{name}", Self::read_role).summary("Read a role.");
        table.on(Verb::Write, "roles/{name}", Self::write_role).summary("Create or change a role.");
        table.on(Verb::Delete, "roles/{name}", Self::delete_role).summary("Delete a role.");
        table
            .on(Verb::Read, "creds/{name}", Self::create_user)
            .summary("Make a user of a database by a role.");
        table.lease(creds::LEASE, Self::renew_user, Self::revoke_user);

        table
            .on(Verb::List, "static-roles", Self::list_static_roles)
            .summary("List the roles of users that stay.");
        table
            .on(Verb::Read, "static-roles/{name}", Self::read_static_role)
            .summary("Read a role of a user that stays, and how its rotation goes.");
        table
            .on(Verb::Write, "static-roles/{name}", Self::write_static_role)
            .summary("Take charge of the password of a user, or of two that take turns.");
        table
            .on(Verb::Delete, "static-roles/{name}", Self::delete_static_role)
            .summary("Leave a user with the password that it has.");
        table
            .on(Verb::Read, "static-creds/{name}", Self::read_static_creds)
            .summary("Read the present password of a user that stays.");
        table
            .on(Verb::Write, "rotate-role/{name}", Self::rotate_role)
            .summary("Change the password of a user that stays now.");
        table.every(Ttl::from_seconds(1), rotate_due::<Self>);

        table.exists("config/{name}", Self::connection_exists);
        table.exists("roles/{name}", Self::role_exists);
        table.exists("static-roles/{name}", Self::static_role_exists);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
