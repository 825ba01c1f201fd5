//! Keys of AWS: users of IAM that live as long as their leases, sessions of STS that end by
//! themselves, and users that stay, whose keys change by themselves.
//!
//! `config/root`, `config/lease` and `role/{name}` in the mount's storage hold what is configured.
//! Of a user only its name and account are stored, with the lease: revoking is to take down whatever
//! bears that name there, whether the user was made, made in part, or never. A session cannot be
//! taken back, so that its lease only tells when it ends. Users that stay are stored as
//! `core_rotation` says.

mod access_key;
mod client;
mod config;
mod creds;
mod endpoint;
mod fault;
#[doc(hidden)]
pub mod fuzzing;
mod lease_config;
mod names;
mod policy;
mod query;
mod recent;
mod role;
mod roles;
mod rotation;
mod session;
mod static_key;
mod static_role;
mod user;
mod xml;

use std::sync::Arc;

use base_crypto::Random;
use base_types::{Clock, Result, Ttl};
use core_barrier::View;
use core_engine_api::{Engine, Meta, Mount, Outbound, Role, Routes, Services, Verb};

use core_rotation::{Rotations, rotate_due};

use crate::recent::RecentUsers;

pub struct Aws {
    storage: View,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    services: Arc<dyn Services>,
    outbound: Arc<dyn Outbound>,
    /// Whoever writes the configuration holds it.
    turn: tokio::sync::Mutex<()>,
    recent: RecentUsers,
    rotations: Rotations,
}

/// How often a change of the configured key that was cut short is taken up again.
const SETTLING: Ttl = Ttl::from_seconds(60);

impl Engine for Aws {
    const META: &'static Meta = &Meta {
        name: "aws",
        version: None,
        role: Role::Secrets,
        summary: "Makes IAM users that live as long as their leases, and opens STS sessions.",
        built_in: false,
    };

    async fn open(mount: Mount) -> Result<Self> {
        let rotations = Rotations::of(&mount);
        let Mount { storage, clock, random, services, outbound, .. } = mount;
        let (turn, recent) = Default::default();
        Ok(Self { storage, clock, random, services, outbound, turn, recent, rotations })
    }

    fn routes(table: &mut Routes<Self>) {
        table
            .on(Verb::Read, "config/root", Self::read_config)
            .summary("Read by which key AWS is reached.");
        table
            .on(Verb::Write, "config/root", Self::write_config)
            .summary("Set by which key AWS is reached.");
        table
            .on(Verb::Write, "config/rotate-root", Self::rotate_root)
            .summary("Change the configured key for one that only this server knows.");
        table
            .on(Verb::Read, "config/lease", Self::read_lease_config)
            .summary("Read how long users live.");
        table
            .on(Verb::Write, "config/lease", Self::write_lease_config)
            .summary("Set how long users live.");
        table.on(Verb::List, "roles", Self::list_roles).summary("List the roles.");
        table.on(Verb::Read, "roles/{name}", Self::read_role).summary("Read a role.");
        table.on(Verb::Write, "roles/{name}", Self::write_role).summary("Create or change a role.");
        table.on(Verb::Delete, "roles/{name}", Self::delete_role).summary("Delete a role.");
        for pattern in ["creds/{name}", "sts/{name}"] {
            for verb in [Verb::Read, Verb::Write] {
                table
                    .on(verb, pattern, Self::creds)
                    .summary("Make a user or open a session by a role.");
            }
        }
        table
            .on(Verb::List, "static-roles", Self::list_static_roles)
            .summary("List the roles of users that stay.");
        table
            .on(Verb::Read, "static-roles/{name}", Self::read_static_role)
            .summary("Read a role of a user that stays, and how its rotation goes.");
        table
            .on(Verb::Write, "static-roles/{name}", Self::write_static_role)
            .summary("Take charge of the keys of a user.");
        table
            .on(Verb::Delete, "static-roles/{name}", Self::delete_static_role)
            .summary("Delete a role of a user that stays, with its key.");
        table
            .on(Verb::Read, "static-creds/{name}", Self::read_static_creds)
            .summary("Read the present key of a user that stays.");
        table.lease(creds::USER, Self::renew_user, Self::revoke_user);
        table.lease(creds::SESSION, Self::renew_session, Self::revoke_session);
        table.every(SETTLING, Self::settle_rotation);
        table.every(Ttl::from_seconds(1), rotate_due::<Self>);
    }
}

#[cfg(test)]
mod tests;
