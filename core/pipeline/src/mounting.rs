use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base_crypto::{random_array, random_uuid};
use base_types::{Error, Name, Namespace, Result, Secret};
use core_engine_api::{Kind, Mount, Role, Tuning};

use crate::Core;
use crate::mounts::{self, MountConfig, MountEntry, MountRecord};
use crate::namespaces::NamespaceEntry;
use crate::passwords::{PasswordPolicy, PasswordPolicyRecord};
use crate::revocation::CUBBYHOLE;
use crate::services::MountServices;

/// What is needed to mount an engine.
#[derive(Clone, Debug, Default)]
pub struct NewMount {
    /// Relative to the namespace, below `auth/` for an auth method.
    pub path: String,
    pub kind: String,
    pub description: String,
    pub options: BTreeMap<String, String>,
    pub config: MountConfig,
    pub local: bool,
    pub seal_wrap: bool,
    pub external_entropy_access: bool,
}

/// How many keys of a mount's storage are removed at a time.
const PAGE: usize = 256;
/// The pause between two attempts to remove a mount.
const REMOVAL_PAUSE: Duration = Duration::from_secs(30);
/// Places that only the server itself may mount at.
const RESERVED: [&str; 5] = ["sys/", "cubbyhole/", "identity/", "auth/token/", "audit/"];

impl Core {
    /// Mounts an engine.
    ///
    /// # Errors
    /// `Invalid` if the engine is unknown or the path is taken, contained or reserved.
    pub async fn mount(
        self: &Arc<Self>,
        namespace: &Arc<NamespaceEntry>,
        new: NewMount,
    ) -> Result<Arc<MountEntry>> {
        let _change = self.changes.lock().await;
        let path = mount_path(&new.path)?;
        let role = if path.starts_with("auth/") { Role::Auth } else { Role::Secrets };
        let kind = self.kind(role, &new.kind, &new.options)?;
        if RESERVED.iter().any(|reserved| path.starts_with(reserved)) || kind.meta().built_in {
            return Err(Error::invalid(format!("cannot mount {path:?}")));
        }
        self.check_no_namespace(namespace, &path)?;
        if let Some(taken) = self.mounts.conflict(&format!("{}{path}", namespace.path)) {
            let shown = taken.strip_prefix("auth/").unwrap_or(&taken);
            return Err(Error::invalid(format!("path is already in use at {shown}")));
        }
        let NewMount { description, config, local, seal_wrap, external_entropy_access, .. } = new;
        let mut options = new.options;
        // A name such as `kv-v2` asks for a version; who asked for none is shown none.
        if let Some(version) = kind.meta().version.filter(|_| new.kind != kind.meta().name) {
            options.insert("version".to_owned(), version.to_owned());
        }
        let record = MountRecord {
            uuid: random_uuid(&*self.random),
            accessor: self.accessor(kind.meta().role, kind.meta().name),
            path,
            namespace: namespace.id().clone(),
            kind: kind.meta().name.to_owned(),
            description,
            options,
            config,
            local,
            seal_wrap,
            external_entropy_access,
            deleting: false,
        };
        self.state.put(&mounts::record_key(&record), &record).await?;
        self.open_mount(record, namespace.clone()).await
    }

    /// # Errors
    /// `Invalid` if `path` leads into a namespace below, where nobody would find what is mounted.
    fn check_no_namespace(&self, namespace: &NamespaceEntry, path: &str) -> Result<()> {
        if let Ok(segment) = namespace.path.child(path.split('/').next().unwrap_or_default())
            && self.namespaces.find(&segment).is_some()
        {
            let taken = self.mounts.conflict(&format!("{}{path}", namespace.path));
            let taken = taken.unwrap_or_else(|| segment.to_string());
            return Err(Error::invalid(format!("existing mount at {taken}")));
        }
        Ok(())
    }

    fn accessor(&self, role: Role, kind: &str) -> String {
        let prefix = if role == Role::Auth { "auth_" } else { "" };
        format!("{prefix}{kind}_{}", base_crypto::hex(&random_array::<4>(&*self.random)))
    }

    /// The engine called `name`, where several share a name the one of this version.
    pub fn kind(&self, role: Role, name: &str, options: &BTreeMap<String, String>) -> Result<Kind> {
        let (name, implied) = match name {
            "kv-v1" => ("kv", Some("1")),
            "kv-v2" => ("kv", Some("2")),
            "generic" => ("kv", Some("1")),
            name => (name, None),
        };
        let version = implied.or(options.get("version").map(String::as_str)).unwrap_or("1");
        let named = |kind: &&Kind| kind.meta().name == name && kind.meta().role == role;
        let fits =
            |kind: &&Kind| named(kind) && kind.meta().version.is_none_or(|own| own == version);
        self.kinds().iter().find(fits).cloned().ok_or_else(|| {
            if self.kinds().iter().any(|kind| named(&kind)) {
                return Error::invalid(format!("{name} has no version {version:?}"));
            }
            let names = |kind: &Kind| {
                (kind.meta().role == role && !kind.meta().built_in).then_some(kind.meta().name)
            };
            let mut known: Vec<_> = self.kinds().iter().filter_map(names).collect();
            known.dedup();
            let what = if role == Role::Auth { "auth method" } else { "secrets engine" };
            Error::invalid(format!("unknown {what} {name:?}: there are {}", known.join(", ")))
        })
    }

    pub(crate) async fn open_mount(
        self: &Arc<Self>,
        record: MountRecord,
        namespace: Arc<NamespaceEntry>,
    ) -> Result<Arc<MountEntry>> {
        let role = if record.path.starts_with("auth/") { Role::Auth } else { Role::Secrets };
        let kind = self.kind(role, &record.kind, &record.options)?;
        let storage = self.state.sub(&mounts::storage_prefix(&record));
        let services = MountServices::new(
            Arc::downgrade(self),
            namespace.id().clone(),
            self.tuning(&record.config),
        );
        let services = Arc::new(services);
        let mount = Mount {
            namespace: namespace.path.clone(),
            path: record.path.clone(),
            accessor: record.accessor.clone(),
            options: record.options.clone(),
            storage: storage.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            services: services.clone(),
            outbound: self.outbound.clone(),
        };
        let backend = kind.open(mount).await?;
        let full_path = format!("{}{}", namespace.path, record.path);
        let entry =
            Arc::new(MountEntry { record, namespace, full_path, kind, backend, storage, services });
        self.mounts.insert(entry.clone());
        self.spawn_jobs(&entry);
        Ok(entry)
    }

    fn tuning(&self, config: &MountConfig) -> Tuning {
        let max_ttl = config.max_lease_ttl.or(self.settings.max_lease_ttl);
        let default_ttl = config.default_lease_ttl.or(self.settings.default_lease_ttl);
        Tuning { default_ttl: default_ttl.limited_to(max_ttl), max_ttl }
    }

    /// Ends a mount: its leases are revoked, its storage is emptied, its path is free again.
    ///
    /// # Errors
    /// `Invalid` for a mount of the server's own; what engines say when they cannot revoke.
    pub async fn unmount(self: &Arc<Self>, mount: &Arc<MountEntry>) -> Result<()> {
        if mount.kind.meta().built_in {
            return Err(Error::invalid(format!("cannot unmount {:?}", mount.record.path)));
        }
        let _change = self.changes.lock().await;
        self.empty(mount).await
    }

    pub(crate) async fn empty(self: &Arc<Self>, mount: &Arc<MountEntry>) -> Result<()> {
        // Somebody else may have ended it meanwhile, and there may be another in its place.
        if self.mount_by_id(&mount.record.uuid).is_none() {
            return Ok(());
        }
        let going = MountRecord { deleting: true, ..mount.record.clone() };
        self.state.put(&mounts::record_key(&going), &going).await?;
        self.mounts.insert(Arc::new(with_record(mount, going.clone())));
        self.revoke_prefix(&mount.record.namespace, &mount.record.path, false).await?;
        while mount.storage.delete_prefix_page("", PAGE).await? {}
        let aliases = format!("entity/alias/{}/", going.accessor);
        while self.state.delete_prefix_page(&aliases, PAGE).await? {}
        self.state.delete(&mounts::record_key(&going)).await?;
        self.mounts.remove(&mount.full_path);
        Ok(())
    }

    /// Ends a mount that was going when the server stopped, however long its leases wait for a
    /// system that does not work. Nobody who changes another mount waits for that.
    async fn finish_removal(self: Arc<Self>, mount: Arc<MountEntry>) {
        while let Err(error) = self.try_removal(&mount).await {
            tracing::warn!(mount = %mount.record.path, error = %error.log(), "a mount could not be removed");
            tokio::time::sleep(REMOVAL_PAUSE).await;
        }
    }

    async fn try_removal(self: &Arc<Self>, mount: &Arc<MountEntry>) -> Result<()> {
        if self.mount_by_id(&mount.record.uuid).is_some() {
            self.revoke_prefix(&mount.record.namespace, &mount.record.path, false).await?;
        }
        let _change = self.changes.lock().await;
        self.empty(mount).await
    }

    /// Changes a mount's settings, and its engine where an option selects another.
    pub async fn tune(
        self: &Arc<Self>,
        mount: &Arc<MountEntry>,
        change: impl FnOnce(&mut MountRecord) -> Result<()>,
    ) -> Result<Arc<MountEntry>> {
        let _change = self.changes.lock().await;
        let current = self.mounts.at(&mount.full_path).ok_or_else(|| Error::not_found(""))?;
        let mut record = current.record.clone();
        change(&mut record)?;
        let (default, max) = (record.config.default_lease_ttl, record.config.max_lease_ttl);
        let max = max.or(self.settings.max_lease_ttl);
        if max < default {
            return Err(Error::invalid(format!(
                "backend max lease TTL of {} would be less than backend default lease TTL of {}",
                max.seconds(),
                default.seconds()
            )));
        }
        self.state.put(&mounts::record_key(&record), &record).await?;
        current.services.tune(self.tuning(&record.config));
        if record.options != current.record.options {
            return self.open_mount(record, current.namespace.clone()).await;
        }
        let entry = Arc::new(with_record(&current, record));
        self.mounts.insert(entry.clone());
        Ok(entry)
    }

    /// Gives a mount another path in its namespace. What it stored stays; its leases end, since
    /// their ids hold the old path.
    ///
    /// # Errors
    /// `Invalid` for a mount of the server's own, or a path that is taken, or of another role.
    pub async fn remount(self: &Arc<Self>, mount: &Arc<MountEntry>, to: &str) -> Result<()> {
        let _change = self.changes.lock().await;
        let path = mount_path(to)?;
        let full_path = format!("{}{path}", mount.namespace.path);
        if mount.kind.meta().built_in {
            return Err(Error::invalid(format!("cannot remount {}", mount.record.path)));
        }
        if RESERVED.iter().any(|reserved| path.starts_with(reserved)) {
            return Err(Error::invalid(format!("cannot remount to destination {path}")));
        }
        match (mount.role(), path.starts_with("auth/")) {
            (Role::Auth, false) => {
                let fault = format!("cannot remount auth mount to non-auth mount {path:?}");
                return Err(Error::invalid(fault));
            }
            (Role::Secrets, true) => {
                let fault = format!("cannot remount secret mount to auth mount {path:?}");
                return Err(Error::invalid(fault));
            }
            (Role::Auth, true) | (Role::Secrets, false) => {}
        }
        if let Some(taken) = self.mounts.conflict(&full_path) {
            return Err(Error::invalid(format!("path already in use at {taken:?}")));
        }
        self.check_no_namespace(&mount.namespace, &path)?;
        self.revoke_prefix(&mount.record.namespace, &mount.record.path, false).await?;
        let record = MountRecord { path, ..mount.record.clone() };
        self.state.put(&mounts::record_key(&record), &record).await?;
        self.mounts.remove(&mount.full_path);
        self.open_mount(record, mount.namespace.clone()).await.map(drop)
    }

    /// Opens a mount's engine again over what it stored.
    pub async fn reopen(self: &Arc<Self>, mount: &Arc<MountEntry>) -> Result<()> {
        let _change = self.changes.lock().await;
        let current = self.mounts.at(&mount.full_path).ok_or_else(|| Error::not_found(""))?;
        self.open_mount(current.record.clone(), current.namespace.clone()).await.map(drop)
    }

    pub fn mount_by_id(&self, uuid: &str) -> Option<Arc<MountEntry>> {
        self.mounts.by(|mount| mount.record.uuid == uuid)
    }

    /// The mount at exactly this path of a namespace.
    pub fn mount_at(&self, namespace: &Namespace, path: &str) -> Option<Arc<MountEntry>> {
        self.mounts.at(&format!("{namespace}{}/", path.trim_end_matches('/')))
    }

    /// The mount that a path of a namespace lies in.
    pub fn mount_of(&self, namespace: &Namespace, path: &str) -> Option<Arc<MountEntry>> {
        self.mounts.find(&format!("{namespace}{path}")).map(|(mount, _)| mount)
    }

    /// The mounts of one namespace, sorted by path.
    pub fn mounts_in(&self, namespace: &NamespaceEntry) -> Vec<Arc<MountEntry>> {
        self.mounts.all(|mount| mount.namespace.id() == namespace.id())
    }

    /// What every namespace has from the start.
    pub(crate) async fn mount_built_in(
        self: &Arc<Self>,
        namespace: &Arc<NamespaceEntry>,
    ) -> Result<()> {
        let kinds: Vec<Kind> =
            self.kinds().iter().filter(|kind| kind.meta().built_in).cloned().collect();
        for kind in kinds {
            let (path, name) = match (kind.meta().name, kind.meta().role) {
                (name, Role::Auth) => (format!("auth/{name}/"), name),
                ("system", Role::Secrets) => ("sys/".to_owned(), "system"),
                (name, Role::Secrets) => (format!("{name}/"), name),
            };
            if self.mounts.at(&format!("{}{path}", namespace.path)).is_some() {
                continue;
            }
            let record = MountRecord {
                uuid: random_uuid(&*self.random),
                accessor: self.accessor(kind.meta().role, name),
                path,
                namespace: namespace.id().clone(),
                kind: name.to_owned(),
                description: kind.meta().summary.to_owned(),
                options: BTreeMap::new(),
                config: MountConfig::default(),
                local: name == CUBBYHOLE,
                seal_wrap: false,
                external_entropy_access: false,
                deleting: false,
            };
            self.state.put(&mounts::record_key(&record), &record).await?;
            self.open_mount(record, namespace.clone()).await?;
        }
        Ok(())
    }

    /// Opens every stored mount, and finishes the removal of those that were going.
    pub(crate) async fn load_mounts(self: &Arc<Self>) -> Result<()> {
        for record in mounts::stored(&self.state).await? {
            let Some(namespace) = self.namespaces.by_id(&record.namespace) else { continue };
            let going = record.deleting;
            let (path, kind) = (record.path.clone(), record.kind.clone());
            match self.open_mount(record, namespace).await {
                Ok(mount) if going => self.spawn(self.clone().finish_removal(mount)),
                Ok(_) => {}
                // One mount that cannot be opened must not keep all others closed.
                Err(error) => {
                    tracing::error!(mount = %path, kind = %kind, error = %error.log(), "a mount could not be opened");
                }
            }
        }
        Ok(())
    }

    /// Makes a namespace with what every namespace has.
    pub async fn create_namespace(
        self: &Arc<Self>,
        path: &Namespace,
        custom_metadata: BTreeMap<String, String>,
    ) -> Result<Arc<NamespaceEntry>> {
        if let Some(taken) = self.mounts.conflict(path.as_str()) {
            let fault = format!("new namespace conflicts with existing mount: {taken}");
            return Err(Error::invalid(fault));
        }
        let namespace = self.namespaces.create(path, custom_metadata).await?;
        self.mount_built_in(&namespace).await?;
        Ok(namespace)
    }

    pub async fn update_namespace(
        &self,
        path: &Namespace,
        custom_metadata: BTreeMap<String, String>,
    ) -> Result<Arc<NamespaceEntry>> {
        self.namespaces.update(path, |record| record.custom_metadata = custom_metadata).await
    }

    /// Removes a namespace and everything that was ever stored for it (CVE-2026-42186).
    ///
    /// # Errors
    /// `Invalid` for the root, or while there are namespaces below it.
    pub async fn delete_namespace(self: &Arc<Self>, path: &Namespace) -> Result<()> {
        if path.is_root() {
            return Err(Error::invalid("the root namespace cannot be deleted"));
        }
        if !self.namespaces.children(path).is_empty() {
            return Err(Error::invalid("unable to delete namespace containing child namespaces"));
        }
        let namespace = self.namespaces.update(path, |record| record.deleting = true).await?;
        let _change = self.changes.lock().await;
        let id = namespace.id().clone();
        for mount in self.mounts_in(&namespace) {
            if !mount.kind.meta().built_in {
                self.empty(&mount).await?;
            }
        }
        self.revoke_prefix(&id, "", true).await?;
        for mount in self.mounts_in(&namespace) {
            self.empty(&mount).await?;
        }
        for area in [
            "policy/acl",
            "policy/password",
            "token/role",
            "entity/id",
            "token/accessor",
            "lease/job",
            "lease/stuck",
        ] {
            while self.state.delete_prefix_page(&format!("{area}/{id}/"), PAGE).await? {}
        }
        self.policies.forget();
        self.namespaces.remove(path).await
    }

    pub async fn password_policy(
        &self,
        namespace: &str,
        name: &Name,
    ) -> Result<Option<PasswordPolicyRecord>> {
        self.state.get(&password_key(namespace, name)).await
    }

    /// # Errors
    /// `Invalid` if the text is no policy, or none that passwords can meet.
    pub async fn write_password_policy(
        &self,
        namespace: &str,
        name: &Name,
        text: &str,
    ) -> Result<()> {
        PasswordPolicy::parse(text)?.generate(&*self.random)?;
        let record = PasswordPolicyRecord { text: text.to_owned() };
        self.state.put(&password_key(namespace, name), &record).await
    }

    pub async fn delete_password_policy(&self, namespace: &str, name: &Name) -> Result<()> {
        self.state.delete(&password_key(namespace, name)).await
    }

    pub async fn password_policies(&self, namespace: &str) -> Result<Vec<String>> {
        self.state.list(&format!("policy/password/{namespace}/"), "", 0).await
    }

    /// A new password by a namespace's policy, or by the server's own for `None`.
    ///
    /// # Errors
    /// `NotFound` if there is no such policy.
    pub async fn generate_password(
        &self,
        namespace: &str,
        policy: Option<&str>,
    ) -> Result<Secret<String>> {
        let Some(name) = policy else {
            return PasswordPolicy::standard().generate(&*self.random);
        };
        let record = self.password_policy(namespace, &Name::parse(name)?).await?;
        let record = record.ok_or_else(|| Error::not_found("policy does not exist"))?;
        PasswordPolicy::parse(&record.text)?.generate(&*self.random)
    }
}

/// The same mount with other settings.
fn with_record(mount: &MountEntry, record: MountRecord) -> MountEntry {
    MountEntry {
        record,
        namespace: mount.namespace.clone(),
        full_path: mount.full_path.clone(),
        kind: mount.kind.clone(),
        backend: mount.backend.clone(),
        storage: mount.storage.clone(),
        services: mount.services.clone(),
    }
}

fn password_key(namespace: &str, name: &Name) -> String {
    format!("policy/password/{namespace}/{name}")
}

/// A path with one trailing slash.
fn mount_path(text: &str) -> Result<String> {
    let path = text.trim_matches('/');
    if path.is_empty() || path == "auth" {
        return Err(Error::invalid("the mount path is empty"));
    }
    if path.trim() != path {
        return Err(Error::invalid("the mount path begins or ends with a space"));
    }
    base_types::RequestPath::parse(path)?;
    Ok(format!("{path}/"))
}
