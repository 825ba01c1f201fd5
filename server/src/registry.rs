//! The one list of what can be mounted and of what it can be kept in. A new engine or store is one
//! line here.

use std::sync::{Arc, Weak};

use base_types::Result;
use core_engine_api::Kind;
use core_pipeline::Core;
use store_api::Store;
use store_embedded::EmbeddedStore;
use store_mem::MemStore;

use crate::config::StorageKind;

/// Every engine. Where several share a name, the first is what is mounted without a version.
pub fn kinds(core: &Weak<Core>) -> Vec<Kind> {
    vec![
        // The server's own, mounted in every namespace.
        core_system::kind(core),
        core_system::token::kind(core),
        Kind::of::<engine_cubbyhole::Cubbyhole>(),
        // Secrets engines.
        Kind::of::<engine_aws::Aws>(),
        Kind::of::<engine_database::Database>(),
        Kind::of::<engine_kubernetes::Kubernetes>(),
        Kind::of::<engine_kv::Kv1>(),
        Kind::of::<engine_kv::Kv2>(),
        Kind::of::<engine_ldap::Ldap>(),
        Kind::of::<engine_rabbitmq::Rabbitmq>(),
        // Auth methods.
        Kind::of::<auth_approle::Approle>(),
        Kind::of::<auth_userpass::Userpass>(),
    ]
}

/// Opens the store that is configured.
pub(crate) fn store(kind: &StorageKind) -> Result<Arc<dyn Store>> {
    Ok(match kind {
        StorageKind::Embedded { path } => Arc::new(EmbeddedStore::open(path, Default::default())?),
        StorageKind::Memory => Arc::new(MemStore::new()),
    })
}
