//! Users of RabbitMQ that live as long as their leases, made over its management interface.
//!
//! `config/connection`, `config/lease` and `role/{name}` in the mount's storage hold what is
//! configured. Of a user only the name is stored, with the lease: revoking is to delete that name,
//! whether the user was made, made in part, or never.

mod connection;
mod creds;
mod lease_config;
mod management;
mod role;

use std::sync::Arc;

use base_crypto::Random;
use base_types::{Clock, Result};
use core_barrier::View;
use core_engine_api::{Engine, Meta, Mount, Outbound, Role, Routes, Services, Verb};

pub struct Rabbitmq {
    storage: View,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    services: Arc<dyn Services>,
    outbound: Arc<dyn Outbound>,
}

impl Engine for Rabbitmq {
    const META: &'static Meta = &Meta {
        name: "rabbitmq",
        version: None,
        role: Role::Secrets,
        summary: "Makes users of RabbitMQ that live as long as their leases.",
        built_in: false,
    };

    async fn open(mount: Mount) -> Result<Self> {
        let Mount { storage, clock, random, services, outbound, .. } = mount;
        Ok(Self { storage, clock, random, services, outbound })
    }

    fn routes(table: &mut Routes<Self>) {
        table
            .on(Verb::Write, "config/connection", Self::write_connection)
            .summary("Set how to reach RabbitMQ's management interface.");
        table
            .on(Verb::Read, "config/lease", Self::read_lease_config)
            .summary("Read how long credentials live.");
        table
            .on(Verb::Write, "config/lease", Self::write_lease_config)
            .summary("Set how long credentials live.");
        table.on(Verb::List, "roles", Self::list_roles).summary("List the roles.");
        table.on(Verb::Read, "roles/{name}", Self::read_role).summary("Read a role.");
        table
            .on(Verb::Write, "roles/{name}", Self::write_role)
            .summary("Create or replace a role.");
        table.on(Verb::Delete, "roles/{name}", Self::delete_role).summary("Delete a role.");
        table
            .on(Verb::Read, "creds/{name}", Self::creds)
            .summary("Make a user with the permissions of a role.");
        table.lease(creds::LEASE, Self::renew, Self::revoke);
    }
}

#[cfg(test)]
mod tests;
