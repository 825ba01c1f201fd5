use base_types::{ErrorKind, Result, Timestamp};
use core_barrier::{Record, Tx};
use serde::{Deserialize, Serialize};

use crate::lease::{Mark, split_namespace};
use crate::{Lease, Leases};

/// The system that secrets live in. One that does not answer holds up its own leases, which wait
/// in its queue, and no others.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Target {
    /// The mount's id.
    pub mount: String,
    /// In the engine's own words; empty if it has only one.
    pub name: String,
}

/// Why the leases of a target wait.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Trouble {
    pub since: Timestamp,
    /// How often it has been tried since then.
    pub tries: u32,
    /// Why the latest attempt failed.
    pub error: String,
    pub next_try: Timestamp,
    /// How many leases waited at the latest attempt.
    pub waiting: u64,
    /// When the latest attempt that failed began; the beginning of time for a trouble from before
    /// this was kept.
    #[serde(default)]
    pub tried: Timestamp,
}

impl Record for Trouble {
    const KIND: &'static str = "trouble of a target";
}

impl Target {
    pub(crate) fn queue(&self) -> String {
        format!("lease/queue/{}/{}/", self.mount, escape(&self.name))
    }

    fn trouble(&self) -> String {
        format!("lease/trouble/{}/{}", self.mount, escape(&self.name))
    }
}

impl Leases {
    /// Moves a lease whose time has come, or comes with this, into the queue of its target. One
    /// that was given up on begins anew. Leases of tokens have no target and stay as they are.
    pub fn enqueue(&self, tx: &Tx, stored: &Lease) -> Result<()> {
        if stored.queued || stored.target().is_none() {
            return Ok(());
        }
        let now = self.clock.now();
        let queued = Lease {
            queued: true,
            expires: Some(stored.expires.map_or(now, |at| at.min(now))),
            failures: if stored.is_stuck() { 0 } else { stored.failures },
            ..stored.clone()
        };
        self.replace(tx, stored, &queued)
    }

    /// Moves all that is due into the queues of its targets at once, unless it has been renewed
    /// or has ended meanwhile.
    pub async fn enqueue_due(&self, due: &[Lease]) -> Result<()> {
        self.state
            .transact(move |tx| async move {
                for lease in due {
                    let stored = self.read_in(&tx, &lease.namespace, &lease.id).await?;
                    if let Some(stored) =
                        stored.filter(|stored| stored.due_key() == lease.due_key())
                    {
                        self.enqueue(&tx, &stored)?;
                    }
                }
                Ok(())
            })
            .await
    }

    /// Entries of the queue of a target that sort after `after`, a page of them.
    pub async fn queue(&self, target: &Target, after: &str, limit: usize) -> Result<Vec<String>> {
        let root = target.queue();
        let after = if after.is_empty() { String::new() } else { format!("{root}{after}") };
        let mut keys = self.state.keys(&root, &after, limit).await?;
        keys.iter_mut().for_each(|key| drop(key.drain(..root.len())));
        Ok(keys)
    }

    /// The lease that an entry of a queue stands for. An entry that stands for none is removed.
    pub async fn queued(&self, target: &Target, entry: &str) -> Result<Option<Lease>> {
        let key = format!("{}{entry}", target.queue());
        let (namespace, id) = split_namespace(entry)?;
        let lease = self.indexed(&key, namespace, id).await?;
        let lease = lease.filter(|lease| lease.queue_key().as_deref() == Some(&key));
        // Mostly it has just ended, and its entry with it.
        if lease.is_none() && self.state.get::<Mark>(&key).await?.is_some() {
            self.state.delete(&key).await?;
        }
        Ok(lease)
    }

    /// The targets for which leases wait. It looks at one entry of each, not at all.
    pub async fn queues(&self) -> Result<Vec<Target>> {
        self.targets("lease/queue/").await
    }

    /// How many leases wait for a target; reads keys only, page by page.
    pub async fn count_queue(&self, target: &Target) -> Result<u64> {
        self.count_keys(&target.queue()).await
    }

    /// The targets that do not work, and why.
    pub async fn troubles(&self) -> Result<Vec<(Target, Trouble)>> {
        let mut troubles = Vec::new();
        for target in self.targets("lease/trouble/").await? {
            if let Some(trouble) = self.trouble(&target).await? {
                troubles.push((target, trouble));
            }
        }
        Ok(troubles)
    }

    /// What is known of a target that does not work. What cannot be read is removed: the next
    /// attempt finds it out anew.
    pub async fn trouble(&self, target: &Target) -> Result<Option<Trouble>> {
        match self.state.get(&target.trouble()).await {
            Err(error) if error.is(ErrorKind::Corrupt) => {
                tracing::error!(error = %error.log(), "what was known of a target cannot be read");
                self.clear_trouble(target).await?;
                Ok(None)
            }
            found => found,
        }
    }

    pub async fn note_trouble(&self, target: &Target, trouble: &Trouble) -> Result<()> {
        self.state.put(&target.trouble(), trouble).await
    }

    pub async fn clear_trouble(&self, target: &Target) -> Result<()> {
        self.state.delete(&target.trouble()).await
    }

    async fn targets(&self, area: &str) -> Result<Vec<Target>> {
        let mut targets = Vec::new();
        for mount in self.state.list(area, "", 0).await? {
            for name in self.state.list(&format!("{area}{mount}"), "", 0).await? {
                let mount = mount.trim_end_matches('/').to_owned();
                targets.push(Target { mount, name: unescape(name.trim_end_matches('/')) });
            }
        }
        Ok(targets)
    }
}

/// A name as one segment of a key, never an empty one.
fn escape(name: &str) -> String {
    format!("={}", name.replace('%', "%25").replace('/', "%2f"))
}

fn unescape(segment: &str) -> String {
    segment.strip_prefix('=').unwrap_or(segment).replace("%2f", "/").replace("%25", "%")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_does_not_change() {
        let trouble = Trouble {
            since: Timestamp::from_seconds(10),
            tries: 3,
            error: "connection refused".into(),
            next_try: Timestamp::from_seconds(17),
            waiting: 1000,
            tried: Timestamp::from_seconds(13),
        };
        let golden = r#"{"since":"1970-01-01T00:00:10Z","tries":3,"error":"connection refused","next_try":"1970-01-01T00:00:17Z","waiting":1000,"tried":"1970-01-01T00:00:13Z"}"#;
        assert_eq!(serde_json::to_string(&trouble).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Trouble>(golden).unwrap(), trouble);
        let old = r#"{"since":"1970-01-01T00:00:10Z","tries":3,"error":"connection refused","next_try":"1970-01-01T00:00:17Z","waiting":1000}"#;
        let old: Trouble = serde_json::from_str(old).unwrap();
        assert_eq!(old, Trouble { tried: Timestamp(0), ..trouble });
    }

    #[test]
    fn every_name_is_one_segment_of_its_own() {
        let names = ["", "orders", "a/b", "a%2fb", "%", "=x", "a%b/c"];
        for name in names {
            assert!(!escape(name).contains('/'));
            assert_eq!(unescape(&escape(name)), name);
        }
        assert_ne!(escape("a/b"), escape("a%2fb"));
    }
}
