//! Machines that log in with the id of a role and a secret id.
//!
//! ```text
//! salt                                   the key of the keyed hashes
//! role/{name}                            a role
//! role-id/{hash of the role id}          the name of its role
//! secret/{folder}/{hash}                 a secret id, in the folder of its role
//! accessor/{folder}/{accessor}           the hash of a secret id
//! expiry/{time}/{folder}/{hash}          which secret id expires when, in that order
//! gone/{folder}                          the folder of a deleted role, to be emptied
//! ```
//!
//! A secret id is known by its keyed hash only. Everything about it lies in the folder of its role,
//! so that no role's endpoints reach those of another (CVE-2023-24999). A deleted role loses its
//! folder at once, whatever is in it; a job empties it.

mod cidrs;
mod keys;
mod login;
mod parts;
mod requests;
mod role;
mod secret_id;
mod secret_ids;
mod tidy;

use std::sync::Arc;

use base_crypto::Random;
use base_types::{Clock, Error, Name, Result, Ttl};
use core_barrier::View;
use core_engine_api::{Engine, Meta, Mount, Role as MountRole, Routes, Services, Verb};

use keys::Hasher;
use role::Role;

pub struct Approle {
    storage: View,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    services: Arc<dyn Services>,
    hasher: Hasher,
}

impl Engine for Approle {
    const META: &'static Meta = &Meta {
        name: "approle",
        version: None,
        role: MountRole::Auth,
        summary: "Logs in machines with the id of a role and a secret id.",
        built_in: false,
    };

    async fn open(mount: Mount) -> Result<Self> {
        let Mount { storage, clock, random, services, .. } = mount;
        let hasher = Hasher::open(&storage, &*random).await?;
        Ok(Self { storage, clock, random, services, hasher })
    }

    fn routes(table: &mut Routes<Self>) {
        table.on(Verb::List, "role", Self::list_roles).summary("List the roles.");
        table.on(Verb::Read, "role/{role_name}", Self::read_role).summary("Read a role.");
        table
            .on(Verb::Write, "role/{role_name}", Self::write_role)
            .summary("Create or change a role.");
        table
            .on(Verb::Delete, "role/{role_name}", Self::delete_role)
            .summary("Delete a role with its secret ids.");
        table
            .on(Verb::Read, "role/{role_name}/role-id", Self::read_role_id)
            .summary("Read the role id.");
        table
            .on(Verb::Write, "role/{role_name}/role-id", Self::write_role_id)
            .summary("Choose the role id.");
        table
            .on(Verb::Read, "role/{role_name}/local-secret-ids", Self::read_local_secret_ids)
            .summary("Read whether secret ids stay in this cluster.");
        parts::routes(table);

        table
            .on(Verb::Write, "role/{role_name}/secret-id", Self::generate)
            .summary("Make a secret id.");
        table
            .on(Verb::List, "role/{role_name}/secret-id", Self::list_accessors)
            .summary("List the accessors of the secret ids.");
        table
            .on(Verb::Write, "role/{role_name}/custom-secret-id", Self::accept)
            .summary("Add a secret id of your choice.");
        table
            .on(Verb::Write, "role/{role_name}/secret-id/lookup", Self::look_up)
            .summary("Read what is known about a secret id.");
        table
            .on(Verb::Write, "role/{role_name}/secret-id-accessor/lookup", Self::look_up_accessor)
            .summary("Read what is known about a secret id by its accessor.");
        for verb in [Verb::Write, Verb::Delete] {
            table
                .on(verb, "role/{role_name}/secret-id/destroy", Self::destroy)
                .summary("Destroy a secret id.");
            table
                .on(verb, "role/{role_name}/secret-id-accessor/destroy", Self::destroy_accessor)
                .summary("Destroy a secret id by its accessor.");
        }

        table
            .on(Verb::Write, "login", Self::login)
            .login(|request| Some(request.role_id.trim().to_owned()).filter(|id| !id.is_empty()))
            .summary("Log in with the id of a role and a secret id.");
        table
            .on(Verb::Write, "tidy/secret-id", Self::tidy_now)
            .summary("Remove expired secret ids now.");
        table.renew_login(Self::renew);
        table.exists("role/{role_name}", Self::exists);
        table.every(Ttl::from_seconds(60), Self::tidy);
    }
}

impl Approle {
    /// # Errors
    /// `NotFound`, naming the role, if there is none.
    async fn role(&self, name: &Name) -> Result<Role> {
        let role = self.storage.get(&keys::role(name)).await?;
        role.ok_or_else(|| no_role(name))
    }
}

fn no_role(name: &Name) -> Error {
    Error::not_found(format!("role {:?} does not exist", name.as_str()))
}

#[cfg(test)]
mod tests;
