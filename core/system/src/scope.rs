use std::sync::Arc;

use base_types::{Error, Result};
use core_engine_api::Call;
use core_pipeline::{Core, MountEntry, NamespaceEntry, Session};

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
            Err(Error::invalid("operation only available in root namespace"))
        }
    }
}

impl Scope {
    /// The id of the namespace.
    pub(crate) fn id(&self) -> &str {
        self.namespace.id()
    }

    /// The mount at exactly this path of this namespace. A path that leads into a namespace below
    /// finds nothing: what lies there is administrated there, under its own policies.
    pub(crate) fn mount(&self, path: &str) -> Option<Arc<MountEntry>> {
        let mount = self.core.mount_at(&self.namespace.path, path);
        mount.filter(|mount| mount.namespace.id() == self.namespace.id())
    }

    /// A path of this namespace as policies judge it.
    pub(crate) fn full_path(&self, path: &str) -> String {
        format!("{}{}", self.namespace.path, path.trim_start_matches('/'))
    }
}

/// What the rest of a path names, where the path alone has another meaning or none.
///
/// # Errors
/// `Unsupported` if it is empty.
pub(crate) fn named(rest: &str) -> Result<&str> {
    if rest.is_empty() { Err(Error::unsupported()) } else { Ok(rest) }
}

/// The caller, where one is known.
pub(crate) fn session(call: &Call) -> Option<Arc<Session>> {
    call.caller.session.clone()?.downcast().ok()
}
