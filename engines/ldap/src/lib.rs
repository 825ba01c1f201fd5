//! Entries of a directory that live as long as their leases, accounts whose passwords change by
//! themselves, and libraries of accounts that are lent to one borrower at a time.
//!
//! ```text
//! config           how the directory is reached
//! role/{name}      how entries are made there
//! library/{name}   which accounts are lent, and for how long
//! ```
//!
//! The accounts are stored as `core_rotation` says, under `role/{name}` if they are of a static role
//! and under `library/{name}/{hash}` if they are lent. The lease of an entry is stored before the
//! entry is made, that of a borrower before the account is lent, and a new password before the
//! directory is told: whatever the moment of a crash, nothing is left that nobody knows.

mod check_out;
mod config;
mod creds;
mod directory;
#[doc(hidden)]
pub mod fuzzing;
mod ldif;
mod library;
mod names;
mod role;
mod root;
mod rotation;
mod static_role;
mod url;

use std::sync::Arc;

use base_crypto::Random;
use base_types::{Clock, Result, Ttl};
use core_barrier::View;
use core_engine_api::{Engine, Meta, Mount, Role, Routes, Services, Verb};
use core_rotation::{Locks, Rotations, rotate_due};

pub struct Ldap {
    storage: View,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    services: Arc<dyn Services>,
    /// Held while the configuration changes, or what a library lends.
    locks: Locks,
    rotations: Rotations,
}

impl Engine for Ldap {
    const META: &'static Meta = &Meta {
        name: "ldap",
        version: None,
        role: Role::Secrets,
        summary: "Makes entries of a directory that end with their lease, and changes passwords.",
        built_in: false,
    };

    async fn open(mount: Mount) -> Result<Self> {
        let rotations = Rotations::of(&mount);
        let Mount { storage, clock, random, services, .. } = mount;
        Ok(Self { storage, clock, random, services, locks: Locks::default(), rotations })
    }

    fn routes(table: &mut Routes<Self>) {
        table
            .on(Verb::Read, "config", Self::read_config)
            .summary("Read how the directory is reached, without its secrets.");
        table
            .on(Verb::Write, "config", Self::write_config)
            .summary("Say how the directory is reached.");
        table.on(Verb::Delete, "config", Self::delete_config).summary("Forget the directory.");
        table
            .on(Verb::Write, "rotate-root", Self::rotate_root)
            .summary("Give the administrator a password that only the server knows.");
        table.exists("config", Self::config_exists);

        table.on(Verb::List, "role", Self::list_roles).summary("List the roles.");
        table.on(Verb::Read, "role/{name}", Self::read_role).summary("Read a role.");
        table.on(Verb::Write, "role/{name}", Self::write_role).summary("Create or change a role.");
        table.on(Verb::Delete, "role/{name}", Self::delete_role).summary("Delete a role.");
        table.exists("role/{name}", Self::role_exists);
        table
            .on(Verb::Read, "creds/{name}", Self::create_entry)
            .summary("Make an entry of the directory by a role.");
        table.lease(creds::LEASE, Self::renew_entry, Self::revoke_entry);

        table
            .on(Verb::List, "static-role", Self::list_static_roles)
            .summary("List the roles of accounts that stay.");
        table
            .on(Verb::Read, "static-role/{name}", Self::read_static_role)
            .summary("Read a role of an account that stays, and how its rotation goes.");
        table
            .on(Verb::Write, "static-role/{name}", Self::write_static_role)
            .summary("Take charge of the password of an account, or of two that take turns.");
        table
            .on(Verb::Delete, "static-role/{name}", Self::delete_static_role)
            .summary("Leave an account with the password that it has.");
        table.exists("static-role/{name}", Self::static_role_exists);
        table
            .on(Verb::Read, "static-cred/{name}", Self::read_static_cred)
            .summary("Read the present password of an account that stays.");
        table
            .on(Verb::Write, "rotate-role/{name}", Self::rotate_role)
            .summary("Change the password of an account that stays now.");
        table.every(Ttl::from_seconds(1), rotate_due::<Self>);

        table.on(Verb::List, "library", Self::list_libraries).summary("List the libraries.");
        table.on(Verb::Read, "library/{name}", Self::read_library).summary("Read a library.");
        table
            .on(Verb::Write, "library/{name}", Self::write_library)
            .summary("Create or change a library of accounts, and take charge of their passwords.");
        table
            .on(Verb::Delete, "library/{name}", Self::delete_library)
            .summary("Delete a library of which nothing is lent.");
        table.exists("library/{name}", Self::library_exists);
        table
            .on(Verb::Write, "library/{name}/check-out", Self::check_out)
            .summary("Borrow an account.");
        table
            .on(Verb::Write, "library/{name}/check-in", Self::check_in)
            .summary("Give back accounts that the caller has borrowed.");
        table
            .on(Verb::Write, "library/manage/{name}/check-in", Self::force_check_in)
            .summary("Take back accounts, whoever has borrowed them.");
        table
            .on(Verb::Read, "library/{name}/status", Self::status)
            .summary("Tell which accounts are lent, and to whom.");
        table.lease(check_out::LEASE, Self::renew_check_out, Self::end_check_out);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
