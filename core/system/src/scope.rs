use std::sync::Arc;

use base_types::{Error, Result};
use core_engine_api::Call;
use core_pipeline::{Core, NamespaceEntry, Session};

use crate::System;

/// Where a request works: nothing outside its namespace is looked up or changed (CVE-2026-40264,
/// CVE-2026-45808, CVE-2026-55774).
pub(crate) struct Scope {
    pub(crate) core: Arc<Core>,
    pub(crate) namespace: Arc<NamespaceEntry>,
}

impl System {
    /// The namespace of the request.
    pub(crate) fn scope(&self, call: &Call) -> Result<Scope> {
        let core = self.core()?;
        let namespace = core.namespaces.find(&call.namespace);
        let namespace = namespace.ok_or_else(|| Error::not_found("namespace not found"))?;
        Ok(Scope { core, namespace })
    }

    /// The server, for what concerns all of it.
    ///
    /// # Errors
    /// `Invalid` in any namespace but the root.
    pub(crate) fn server(&self, call: &Call) -> Result<Arc<Core>> {
        if call.namespace.is_root() {
            self.core()
        } else {
            Err(Error::invalid("operation unavailable in namespaces"))
        }
    }
}

impl Scope {
    /// The id of the namespace.
    pub(crate) fn id(&self) -> &str {
        self.namespace.id()
    }

    /// A path of this namespace as policies judge it.
    pub(crate) fn full_path(&self, path: &str) -> String {
        format!("{}{}", self.namespace.path, path.trim_start_matches('/'))
    }
}

/// The caller, where one is known.
pub(crate) fn session(call: &Call) -> Option<Arc<Session>> {
    call.caller.session.clone()?.downcast().ok()
}
