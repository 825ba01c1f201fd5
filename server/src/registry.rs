//! The one list of what can be mounted. A new engine is one line here.

use std::sync::Weak;

use core_engine_api::Kind;
use core_pipeline::Core;

/// Every engine. Where several share a name, the first is what is mounted without a version.
pub fn kinds(core: &Weak<Core>) -> Vec<Kind> {
    vec![
        // The server's own, mounted in every namespace.
        core_system::kind(core),
        core_system::token::kind(core),
        Kind::of::<engine_cubbyhole::Cubbyhole>(),
        // Secrets engines.
        Kind::of::<engine_kv::Kv1>(),
        Kind::of::<engine_kv::Kv2>(),
        // Auth methods.
        Kind::of::<auth_approle::Approle>(),
        Kind::of::<auth_userpass::Userpass>(),
    ]
}
