use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use arc_swap::ArcSwapOption;
use base_crypto::Random;
use base_types::{Clock, Error, Namespace, Result, Secret, Timestamp, Ttl};
use core_audit::Broker;
use core_barrier::{Barrier, View};
use core_engine_api::{Kind, LoginGrant, Outbound};
use core_identity::{Entities, Tokens};
use core_lease::Leases;
use core_quota::Quotas;
use core_seal::{
    GenerateRootStep, RekeyStep, RekeyTarget, RootKey, Seals, Share, Split, VerifyStep,
};
use store_api::Store;
use tokio::task::AbortHandle;

use crate::counters::Counters;
use crate::in_flight::InFlight;
use crate::jobs::Jobs;
use crate::lockout::Lockouts;
use crate::loggers::Loggers;
use crate::making::Making;
use crate::mounts::{LockoutConfig, MountEntry, MountTable};
use crate::namespaces::{Namespaces, ROOT_ID};
use crate::policies::Policies;
use crate::targets::Workers;
use crate::web::Cors;

/// The server without its doors: everything a request needs, and the way to it.
pub struct Core {
    pub barrier: Arc<Barrier>,
    pub seals: Seals,
    pub namespaces: Namespaces,
    pub policies: Policies,
    pub tokens: Tokens,
    pub entities: Entities,
    pub leases: Arc<Leases>,
    pub quotas: Quotas,
    pub lockouts: Lockouts,
    pub counters: Counters,
    pub in_flight: InFlight,
    pub settings: Settings,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub(crate) outbound: Arc<dyn Outbound>,
    pub started: Timestamp,
    /// The whole barrier. Its areas are described where they are used.
    pub state: View,
    pub(crate) mounts: MountTable,
    pub(crate) making: Making,
    pub(crate) workers: Workers,
    pub(crate) jobs: Jobs,
    pub(crate) audit_setup: AuditSetup,
    /// There is one while unsealed: its keys come from the barrier.
    pub(crate) broker: ArcSwapOption<Broker>,
    pub(crate) cors: ArcSwapOption<Cors>,
    /// Set once, when the server is put together: some engines hold the core themselves.
    kinds: OnceLock<Vec<Kind>>,
    /// Held while mounts and namespaces change.
    pub(crate) changes: tokio::sync::Mutex<()>,
    /// Held while the server is sealed or unsealed.
    transition: tokio::sync::Mutex<()>,
    /// What runs only while unsealed.
    tasks: Mutex<Vec<AbortHandle>>,
}

/// What an operator chose for the whole server.
#[derive(Clone, Debug)]
pub struct Settings {
    pub default_lease_ttl: Ttl,
    pub max_lease_ttl: Ttl,
    pub cluster_name: String,
    pub api_addr: String,
    pub storage_type: String,
    /// Audit devices may be made by API, not only declared (CVE-2025-6000).
    pub api_audit_creation: bool,
    /// By auth method, for mounts that are not tuned themselves; a method that is not here locks
    /// nobody out.
    pub lockouts: BTreeMap<String, LockoutConfig>,
    /// `None` where there is no log.
    pub loggers: Option<Arc<dyn Loggers>>,
    /// The configuration without secrets, for `sys/config/state/sanitized`.
    pub sanitized: serde_json::Value,
}

impl Default for Settings {
    fn default() -> Self {
        let month = Ttl::from_seconds(32 * 24 * 3600);
        Self {
            default_lease_ttl: month,
            max_lease_ttl: month,
            cluster_name: "strongroom".to_owned(),
            api_addr: String::new(),
            storage_type: "inmem".to_owned(),
            api_audit_creation: false,
            lockouts: LOCKABLE.map(|kind| (kind.to_owned(), LockoutConfig::default())).into(),
            loggers: None,
            sanitized: serde_json::Value::Null,
        }
    }
}

/// The auth methods in which somebody can guess.
pub const LOCKABLE: [&str; 3] = ["approle", "ldap", "userpass"];

/// What the first start gives, once.
pub struct Initialized {
    pub key_shares: Vec<Share>,
    pub has_recovery_keys: bool,
    pub root_token: Secret<String>,
}

/// What a core is put together from.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub seals: Seals,
    pub audit: AuditSetup,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub outbound: Arc<dyn Outbound>,
    pub settings: Settings,
}

/// What an operator declared about the audit log.
#[derive(Clone, Default)]
pub struct AuditSetup {
    pub devices: Vec<core_audit::DeviceConfig>,
    /// How to post over TLS.
    pub poster: Option<Arc<dyn core_audit::HttpPoster>>,
    pub allow_prefix: bool,
}

impl Core {
    /// `kinds` makes the list of engines; those of the server's own get the core through the
    /// pointer.
    pub fn new(parts: Parts, kinds: impl FnOnce(&Weak<Self>) -> Vec<Kind>) -> Arc<Self> {
        let Parts { store, seals, audit, clock, random, outbound, settings } = parts;
        let barrier = Barrier::new(store, random.clone(), clock.clone());
        let state = barrier.view("");
        let leases = Arc::new(Leases::new(state.clone(), clock.clone()));
        let core = Arc::new(Self {
            namespaces: Namespaces::new(state.clone(), random.clone()),
            policies: Policies::new(state.clone(), clock.clone()),
            tokens: Tokens::new(state.clone(), leases.clone(), clock.clone(), random.clone()),
            entities: Entities::new(state.clone(), clock.clone(), random.clone()),
            leases,
            quotas: Quotas::default(),
            lockouts: Lockouts::default(),
            counters: Counters::default(),
            in_flight: InFlight::default(),
            audit_setup: audit,
            broker: ArcSwapOption::empty(),
            cors: ArcSwapOption::empty(),
            settings,
            started: clock.now(),
            clock,
            random,
            outbound,
            state,
            barrier,
            seals,
            mounts: MountTable::default(),
            making: Making::default(),
            workers: Workers::default(),
            jobs: Jobs::default(),
            kinds: OnceLock::new(),
            changes: tokio::sync::Mutex::new(()),
            transition: tokio::sync::Mutex::new(()),
            tasks: Mutex::default(),
        });
        core.kinds.get_or_init(|| kinds(&Arc::downgrade(&core)));
        core
    }

    /// Every engine there is.
    pub fn kinds(&self) -> &[Kind] {
        self.kinds.get().map_or(&[], Vec::as_slice)
    }

    pub fn is_sealed(&self) -> bool {
        self.barrier.is_sealed()
    }

    /// A name for this installation that nobody else has, in the form of a UUID.
    ///
    /// # Errors
    /// `Sealed` while it cannot be known.
    pub fn cluster_id(&self) -> Result<String> {
        let hex = base_crypto::hex(&self.barrier.derive_key("cluster id")?.expose()[..16]);
        Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
    }

    /// Makes the keys and the root token. Afterwards the server is unsealed if a seal opens it by
    /// itself, else it waits for its shares.
    ///
    /// # Errors
    /// `Precondition` if it has been done before.
    pub async fn initialize(self: &Arc<Self>, split: Option<Split>) -> Result<Initialized> {
        let _transition = self.transition.lock().await;
        let outcome = self.seals.initialize(split).await?;
        self.barrier.initialize_with(&outcome.root_key, outcome.batch).await?;
        self.open(&outcome.root_key).await?;
        let root_token = self.root_token().await?;
        if !self.seals.has_automatic() {
            self.close().await;
        }
        let (key_shares, has_recovery_keys) = (outcome.key_shares, outcome.has_recovery_keys);
        Ok(Initialized { key_shares, has_recovery_keys, root_token })
    }

    /// Adds a share; the answer is whether the server is unsealed now.
    ///
    /// # Errors
    /// `Invalid` if the shares do not make the key.
    pub async fn unseal_with(self: &Arc<Self>, share: Share) -> Result<bool> {
        if !self.is_sealed() {
            return Ok(true);
        }
        match self.seals.unseal(share).await? {
            Some(root_key) => self.unseal(&root_key).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Unseals by a seal that needs nobody, if there is one.
    pub async fn auto_unseal(self: &Arc<Self>) -> Result<bool> {
        match self.seals.auto_unseal().await? {
            Some(root_key) => self.unseal(&root_key).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn unseal(self: &Arc<Self>, root_key: &RootKey) -> Result<()> {
        let _transition = self.transition.lock().await;
        if !self.is_sealed() {
            return Ok(());
        }
        self.open(root_key).await?;
        if let Err(error) = self.seals.refresh(root_key).await {
            tracing::warn!(error = %error.log(), "the root key could not be given to all seals");
        }
        Ok(())
    }

    async fn open(self: &Arc<Self>, root_key: &RootKey) -> Result<()> {
        self.barrier.unseal(root_key).await?;
        let opened = self.load().await;
        if opened.is_err() {
            self.close().await;
        }
        opened
    }

    async fn load(self: &Arc<Self>) -> Result<()> {
        self.tokens.unseal(&self.barrier)?;
        self.namespaces.load().await?;
        self.load_quotas().await?;
        self.load_audit().await?;
        self.load_cors().await?;
        self.load_mounts().await?;
        for namespace in self.namespaces.below(&Namespace::root()) {
            self.mount_built_in(&namespace).await?;
        }
        self.resume_jobs().await?;
        self.spawn(self.clone().expire());
        self.spawn(self.clone().rotate_keys());
        Ok(())
    }

    /// Forgets every key. Requests are refused from here on.
    pub async fn seal(&self) {
        let _transition = self.transition.lock().await;
        self.close().await;
    }

    async fn close(&self) {
        for task in std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
        {
            task.abort();
        }
        self.barrier.seal();
        self.tokens.seal();
        self.policies.forget();
        self.entities.clear();
        self.mounts.clear();
        self.workers.clear();
        self.jobs.clear().await;
        self.namespaces.clear();
        self.seals.reset_unseal();
        if let Some(broker) = self.broker.swap(None) {
            broker.close().await;
        }
    }

    /// Runs something for as long as the server is unsealed.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(tokio::spawn(task).abort_handle());
    }

    pub(crate) fn spawn_jobs(&self, mount: &Arc<MountEntry>) {
        for (job, interval) in mount.backend.intervals().into_iter().enumerate() {
            let (backend, path) = (Arc::downgrade(&mount.backend), mount.full_path.clone());
            self.spawn(async move {
                loop {
                    tokio::time::sleep(std::time::Duration::from_secs(interval.seconds().max(1))).await;
                    let Some(backend) = backend.upgrade() else { return };
                    if let Err(error) = backend.run(job).await {
                        tracing::warn!(mount = %path, error = %error.log(), "an engine's own work failed");
                    }
                }
            });
        }
    }

    async fn rotate_keys(self: Arc<Self>) {
        loop {
            tokio::time::sleep(ROTATION_CHECK).await;
            match self.barrier.rotate_if_due().await {
                Ok(Some(term)) => tracing::info!(term, "the encryption key was rotated"),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(error = %error.log(), "could not rotate the encryption key")
                }
            }
        }
    }

    /// A token that may do everything and never ends.
    pub async fn root_token(&self) -> Result<Secret<String>> {
        let mount =
            self.mounts.at("auth/token/").ok_or_else(|| Error::internal("no token engine"))?;
        let grant = LoginGrant {
            display_name: "root".to_owned(),
            policies: vec!["root".to_owned()],
            ..LoginGrant::default()
        };
        let (auth, _) = self.grant_token(&mount, "auth/token/root", grant, &mut Vec::new()).await?;
        auth.client_token.ok_or_else(|| Error::internal("a token without a text"))
    }

    /// A root token with a chosen text, for development servers.
    pub async fn dev_root_token(&self, text: Secret<String>) -> Result<()> {
        if self.tokens.authenticate(text.expose()).await?.is_some() {
            return Ok(());
        }
        let mount =
            self.mounts.at("auth/token/").ok_or_else(|| Error::internal("no token engine"))?;
        let grant = LoginGrant {
            display_name: "token".to_owned(),
            policies: vec!["root".to_owned()],
            chosen: Some(text),
            ..LoginGrant::default()
        };
        self.grant_token(&mount, "auth/token/create", grant, &mut Vec::new()).await.map(drop)
    }

    /// Adds a share towards a new root token; the token comes encoded with the one-time pad.
    pub async fn generate_root(&self, nonce: &str, share: Share) -> Result<GeneratedRoot> {
        match self.seals.generate_root_update(nonce, share).await? {
            GenerateRootStep::Continue(status) => Ok(GeneratedRoot::Continue(status)),
            GenerateRootStep::Authorized { nonce, required, otp } => {
                let token = self.root_token().await?;
                let encoded = core_seal::encode_token(&token, &otp)?;
                Ok(GeneratedRoot::Done { nonce, required, encoded })
            }
        }
    }

    /// Adds a share of the present key towards a new one; the change is in force before the new
    /// shares are given out.
    pub async fn rekey(&self, target: RekeyTarget, nonce: &str, share: Share) -> Result<RekeyStep> {
        let step = self.seals.rekey_update(target, nonce, share).await?;
        if let RekeyStep::Commit { change, .. } = &step {
            self.barrier.rekey_with(&change.root_key, change.batch.clone()).await?;
        }
        Ok(step)
    }

    /// Adds a share of the new key; with the last the new key is in force.
    pub async fn rekey_verify(
        &self,
        target: RekeyTarget,
        nonce: &str,
        share: Share,
    ) -> Result<VerifyStep> {
        let step = self.seals.rekey_verify(target, nonce, share)?;
        if let VerifyStep::Commit { change, .. } = &step {
            self.barrier.rekey_with(&change.root_key, change.batch.clone()).await?;
        }
        Ok(step)
    }

    /// The path of a namespace by its id.
    pub(crate) fn path_of(&self, namespace: &str) -> Result<Namespace> {
        if namespace == ROOT_ID {
            return Ok(Namespace::root());
        }
        let entry = self.namespaces.by_id(namespace);
        entry
            .map(|entry| entry.path.clone())
            .ok_or_else(|| Error::not_found("the namespace is gone"))
    }
}

/// How often it is checked whether the encryption key has been used enough.
const ROTATION_CHECK: std::time::Duration = std::time::Duration::from_secs(60);

/// The length of service tokens: the one-time pad of a root token covers all of it.
pub const TOKEN_LENGTH: usize = 38;

/// What became of a share towards a new root token.
pub enum GeneratedRoot {
    Continue(core_seal::GenerateRootStatus),
    Done { nonce: String, required: u8, encoded: String },
}
