//! Tokens of Kubernetes service accounts, with the accounts and rights that they need.
//!
//! `config` and `role/{name}` in the mount's storage hold what is configured. With the lease of
//! what was made its name and kinds are stored, so that ending it is to delete those objects,
//! whether all of them were made, some, or none. A token of an account that existed before cannot
//! be taken back: Kubernetes forgets it when it expires.

mod cluster;
mod config;
mod creds;
mod names;
mod objects;
mod role;
mod selector;
mod token;

use std::sync::Arc;

use base_crypto::Random;
use base_types::{Clock, Result};
use core_barrier::View;
use core_engine_api::{Engine, Meta, Mount, Outbound, Role, Routes, Services, Verb};

pub struct Kubernetes {
    storage: View,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    services: Arc<dyn Services>,
    outbound: Arc<dyn Outbound>,
}

impl Engine for Kubernetes {
    const META: &'static Meta = &Meta {
        name: "kubernetes",
        version: None,
        role: Role::Secrets,
        summary: "Issues tokens of Kubernetes service accounts.",
        built_in: false,
    };

    async fn open(mount: Mount) -> Result<Self> {
        let Mount { storage, clock, random, services, outbound, .. } = mount;
        Ok(Self { storage, clock, random, services, outbound })
    }

    fn routes(table: &mut Routes<Self>) {
        table.on(Verb::Read, "config", Self::read_config).summary("Read how to reach the cluster.");
        table
            .on(Verb::Write, "config", Self::write_config)
            .summary("Set how to reach the cluster.");
        table
            .on(Verb::Delete, "config", Self::delete_config)
            .summary("Forget how to reach the cluster.");
        table
            .on(Verb::Read, "check", Self::check)
            .summary("Tell whether the server runs in a pod of the cluster.");
        table.on(Verb::List, "roles", Self::list_roles).summary("List the roles.");
        table.on(Verb::Read, "roles/{name}", Self::read_role).summary("Read a role.");
        table.on(Verb::Write, "roles/{name}", Self::write_role).summary("Create or change a role.");
        table.on(Verb::Delete, "roles/{name}", Self::delete_role).summary("Delete a role.");
        table.exists("roles/{name}", Self::role_exists);
        table
            .on(Verb::Write, "creds/{name}", Self::creds)
            .summary("Issue a token by a role, and make what it needs.");
        table.lease(creds::LEASE, Self::renew, Self::revoke);
    }
}

#[cfg(test)]
mod tests;
