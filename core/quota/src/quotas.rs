use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use base_types::{Error, Result, Timestamp, Ttl};
use serde::{Deserialize, Serialize};

use crate::bucket::{Buckets, Pace};

/// A limit on a path, as it is stored.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Quota {
    pub name: String,
    /// With the namespace in front. Empty for the whole server; ending in `/` for a mount or a
    /// namespace; else one endpoint.
    pub path: String,
    /// It also binds namespaces below.
    #[serde(default)]
    pub inheritable: bool,
    pub limit: Limit,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// At most so many leases at once.
    Leases { max: u64 },
    /// At most `rate` requests per `interval` from one client address.
    Requests { rate: f64, interval: Ttl, block_interval: Ttl },
}

/// What holds for all quotas.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct QuotaConfig {
    pub enable_rate_limit_audit_logging: bool,
    pub enable_rate_limit_response_headers: bool,
    /// Paths and, with a `*` at the end, prefixes that no rate limit touches.
    pub rate_limit_exempt_paths: Vec<String>,
}

impl Default for QuotaConfig {
    fn default() -> Self {
        Self {
            enable_rate_limit_audit_logging: false,
            enable_rate_limit_response_headers: false,
            rate_limit_exempt_paths: EXEMPT_DEFAULT.map(str::to_owned).to_vec(),
        }
    }
}

/// What brings a server back must answer under any load, as in OpenBao.
const EXEMPT_DEFAULT: [&str; 7] = [
    "sys/generate-recovery-token/attempt",
    "sys/generate-recovery-token/update",
    "sys/generate-root/attempt",
    "sys/generate-root/update",
    "sys/health",
    "sys/seal-status",
    "sys/unseal",
];

/// The quotas in force.
#[derive(Default)]
pub struct Quotas(ArcSwap<Table>);

#[derive(Clone, Default)]
struct Table {
    config: QuotaConfig,
    /// By name.
    quotas: BTreeMap<String, Arc<Active>>,
}

struct Active {
    quota: Quota,
    buckets: Buckets,
    leases: AtomicI64,
}

/// A place for one more lease. It is given back when dropped, unless the lease came to be.
#[derive(Default)]
#[must_use]
pub struct Slot(Option<Arc<Active>>);

impl Slot {
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(active) = &self.0 {
            active.leases.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// What a quota is looked for. All paths have the namespace in front.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub namespace: &'a str,
    /// The mount that `path` lies in, or empty.
    pub mount: &'a str,
    /// A request's path, or a lease's id.
    pub path: &'a str,
}

impl Quotas {
    /// # Errors
    /// `RateLimited` if the client has had its share.
    pub fn admit(&self, target: Target<'_>, client: Option<IpAddr>, now: Timestamp) -> Result<()> {
        let path = target.path;
        let table = self.0.load();
        if table.quotas.is_empty() || table.is_exempt(path) {
            return Ok(());
        }
        let is_rate = |limit: &Limit| matches!(limit, Limit::Requests { .. });
        let Some(active) = table.most_specific(target, is_rate) else { return Ok(()) };
        let Limit::Requests { rate, interval, block_interval: block } = active.quota.limit else {
            return Ok(());
        };
        // Callers without an address (a unix socket) share one bucket.
        let client = client.unwrap_or(IpAddr::from([0, 0, 0, 0]));
        if active.buckets.take(client, Pace { rate, interval, block }, now) {
            Ok(())
        } else {
            Err(Error::rate_limited(format!("request path {path:?}: rate limit quota exceeded")))
        }
    }

    /// Takes a place for a lease.
    ///
    /// # Errors
    /// `RateLimited` if there are too many already.
    pub fn lease(&self, target: Target<'_>) -> Result<Slot> {
        let table = self.0.load();
        let is_leases = |limit: &Limit| matches!(limit, Limit::Leases { .. });
        let Some(active) = table.most_specific(target, is_leases) else { return Ok(Slot(None)) };
        let Limit::Leases { max } = active.quota.limit else { return Ok(Slot(None)) };
        let before = active.leases.fetch_add(1, Ordering::SeqCst);
        let slot = Slot(Some(active));
        if before >= 0 && before as u64 >= max {
            return Err(Error::rate_limited(format!(
                "request path {:?}: lease count quota exceeded",
                target.path
            )));
        }
        Ok(slot)
    }

    /// A lease that had a place has ended.
    pub fn released(&self, target: Target<'_>) {
        let is_leases = |limit: &Limit| matches!(limit, Limit::Leases { .. });
        if let Some(active) = self.0.load().most_specific(target, is_leases) {
            // One that was made before the quota may end while it is being counted.
            let fewer = |count: i64| (count > 0).then(|| count - 1);
            let _ = active.leases.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer);
        }
    }

    /// Puts a quota in force; `leases` is how many there are below its path now.
    pub fn set(&self, quota: Quota, leases: u64) {
        self.change(|table| {
            let name = quota.name.clone();
            let leases = AtomicI64::new(i64::try_from(leases).unwrap_or(i64::MAX));
            let active = Active { quota: quota.clone(), buckets: Buckets::default(), leases };
            table.quotas.insert(name, Arc::new(active));
        });
    }

    pub fn remove(&self, name: &str) {
        self.change(|table| drop(table.quotas.remove(name)));
    }

    pub fn clear(&self) {
        self.0.store(Arc::default());
    }

    pub fn quota(&self, name: &str) -> Option<Quota> {
        self.0.load().quotas.get(name).map(|active| active.quota.clone())
    }

    /// How many leases a lease-count quota sees now.
    pub fn leases(&self, name: &str) -> u64 {
        let table = self.0.load();
        let count = table.quotas.get(name).map(|active| active.leases.load(Ordering::SeqCst));
        u64::try_from(count.unwrap_or(0)).unwrap_or(0)
    }

    pub fn all(&self) -> Vec<Quota> {
        self.0.load().quotas.values().map(|active| active.quota.clone()).collect()
    }

    pub fn config(&self) -> QuotaConfig {
        self.0.load().config.clone()
    }

    pub fn set_config(&self, config: QuotaConfig) {
        self.change(|table| table.config = config.clone());
    }

    fn change(&self, change: impl Fn(&mut Table)) {
        self.0.rcu(|table| {
            let mut table = (**table).clone();
            change(&mut table);
            table
        });
    }
}

impl Table {
    fn is_exempt(&self, path: &str) -> bool {
        self.config.rate_limit_exempt_paths.iter().any(|exempt| match exempt.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == exempt,
        })
    }

    fn most_specific(
        &self,
        target: Target<'_>,
        kind: impl Fn(&Limit) -> bool,
    ) -> Option<Arc<Active>> {
        let fits = |active: &&Arc<Active>| kind(&active.quota.limit) && active.quota.covers(target);
        self.quotas.values().filter(fits).max_by_key(|active| active.quota.path.len()).cloned()
    }
}

impl Quota {
    fn covers(&self, target: Target<'_>) -> bool {
        let own = &self.path;
        if own.is_empty() {
            return true;
        }
        if !own.ends_with('/') {
            let rest = target.path.strip_prefix(own.as_str());
            return rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        }
        let above = target.namespace != own && target.namespace.starts_with(own.as_str());
        (self.inheritable || !above)
            && (own == target.mount || target.path.starts_with(own.as_str()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn requests(name: &str, path: &str, rate: f64) -> Quota {
        let (interval, block_interval) = (Ttl::from_seconds(1), Ttl::ZERO);
        let limit = Limit::Requests { rate, interval, block_interval };
        Quota { name: name.into(), path: path.into(), inheritable: false, limit }
    }

    /// In the root namespace, in the mount that the first segment names.
    fn target(path: &str) -> Target<'_> {
        let mount = &path[..=path.find('/').unwrap()];
        Target { namespace: "", mount, path }
    }

    #[test]
    fn a_namespaces_quota_binds_those_below_only_if_it_is_inherited() {
        for (inheritable, deep) in [(false, 5), (true, 1)] {
            let quotas = Quotas::default();
            quotas.set(Quota { inheritable, ..requests("q", "ns1/", 1.0) }, 0);
            let admitted = |namespace: &str| {
                let (mount, path) = (format!("{namespace}kv/"), format!("{namespace}kv/a"));
                let target = Target { namespace, mount: &mount, path: &path };
                (0..5).filter(|_| quotas.admit(target, None, Timestamp::EPOCH).is_ok()).count()
            };
            assert_eq!(admitted("ns1/ns2/"), deep);
            assert_eq!(admitted("ns10/"), 5);
            assert_eq!(admitted(""), 5);
            assert_eq!(admitted("ns1/"), if inheritable { 0 } else { 1 });
        }
    }

    #[test]
    fn a_path_is_not_the_beginning_of_a_word() {
        let quotas = Quotas::default();
        quotas.set(requests("q", "secret/data/a", 1.0), 0);
        let admitted = |path| {
            (0..3).filter(|_| quotas.admit(target(path), None, Timestamp::EPOCH).is_ok()).count()
        };
        assert_eq!(admitted("secret/data/ab"), 3);
        assert_eq!(admitted("secret/data/a/b"), 1);
        assert_eq!(admitted("secret/data/a"), 0);
    }

    #[test]
    fn leases_end_only_once_in_the_count() {
        let quotas = Quotas::default();
        let limit = Limit::Leases { max: 1 };
        quotas.set(Quota { name: "q".into(), path: "db/".into(), inheritable: false, limit }, 0);
        for _ in 0..3 {
            quotas.released(target("db/creds/a"));
        }
        quotas.lease(target("db/creds/a")).unwrap().keep();
        assert!(quotas.lease(target("db/creds/a")).is_err());
    }

    #[test]
    fn the_longest_path_decides() {
        let quotas = Quotas::default();
        quotas.set(requests("global", "", 1.0), 0);
        quotas.set(requests("mount", "secret/", 3.0), 0);
        quotas.set(requests("path", "secret/data/a", 2.0), 0);
        let admitted = |path: &str| {
            let at = Timestamp::EPOCH;
            (0..10).filter(|_| quotas.admit(target(path), None, at).is_ok()).count()
        };
        assert_eq!(admitted("secret/data/a"), 2);
        assert_eq!(admitted("secret/data/b"), 3);
        assert_eq!(admitted("other/x"), 1);
        quotas.set_config(QuotaConfig {
            rate_limit_exempt_paths: vec!["other/*".into()],
            ..Default::default()
        });
        assert_eq!(admitted("other/x"), 10);
        let error = quotas.admit(target("secret/data/a"), None, Timestamp::EPOCH).unwrap_err();
        assert!(error.is(base_types::ErrorKind::RateLimited));
    }

    #[test]
    fn a_place_for_a_lease_is_given_back() {
        let quotas = Quotas::default();
        let limit = Limit::Leases { max: 2 };
        quotas.set(Quota { name: "q".into(), path: "db/".into(), inheritable: false, limit }, 1);
        drop(quotas.lease(target("db/creds/a")).unwrap());
        quotas.lease(target("db/creds/a")).unwrap().keep();
        assert!(quotas.lease(target("db/creds/a")).is_err());
        assert!(quotas.lease(target("other/creds/a")).is_ok());
        quotas.released(target("db/creds/a/xyz"));
        quotas.lease(target("db/creds/a")).unwrap().keep();
        assert_eq!(quotas.leases("q"), 2);
    }
}
