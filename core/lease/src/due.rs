use base_types::{Result, Timestamp};

use crate::lease::{sortable, split_namespace};
use crate::{Lease, Leases};

const FOLDER: &str = "lease/due/";
/// Nanoseconds of the past that are looked at again each time: so long may a transaction that makes
/// a lease due now take before it is seen.
const OVERLAP: i64 = 50_000_000;

/// A lease as the index by time knows it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct DueEntry {
    pub namespace: String,
    pub id: String,
    pub expires: Timestamp,
}

/// What is due now, and when to look again.
pub struct Due {
    pub entries: Vec<DueEntry>,
    /// The time of the first lease that is not due yet, if nothing more is due.
    pub next: Option<Timestamp>,
}

/// A search for what is due that goes on where it was. An entry that has just been removed still
/// costs a store time to pass by, and where leases end by the thousand there are many.
#[derive(Default)]
pub struct DueSearch {
    after: String,
}

impl DueEntry {
    /// What the index knows of a lease, if it is in it as it was made.
    pub fn of(lease: &Lease) -> Option<Self> {
        let expires = lease.expires.filter(|_| !lease.queued && lease.failures == 0)?;
        Some(Self { namespace: lease.namespace.clone(), id: lease.id.clone(), expires })
    }

    fn parse(key: &str) -> Result<Self> {
        let (time, rest) = split_namespace(key.strip_prefix(FOLDER).unwrap_or_default())?;
        let (namespace, id) = split_namespace(rest)?;
        let expires = Timestamp(i64::from_str_radix(time, 16).unwrap_or_default());
        Ok(Self { namespace: namespace.to_owned(), id: id.to_owned(), expires })
    }

    pub(crate) fn key(&self) -> String {
        format!("{FOLDER}{}/{}/{}", sortable(self.expires), self.namespace, self.id)
    }
}

impl DueSearch {
    /// At most `limit` entries whose time has come, earliest first, from where the search was. What
    /// was found and not ended it may find again.
    pub async fn next(&mut self, leases: &Leases, limit: usize) -> Result<Due> {
        let now = leases.clock.now();
        let mut due = Due { entries: Vec::new(), next: None };
        let mut last = None;
        for key in leases.state.keys(FOLDER, &self.after, limit).await? {
            let entry = DueEntry::parse(&key)?;
            if entry.expires > now.max(Timestamp(0)) {
                due.next = Some(entry.expires);
                break;
            }
            due.entries.push(entry);
            last = Some(key);
        }
        if let Some(last) = last {
            let settled = Timestamp(now.0.saturating_sub(OVERLAP));
            let passed = last.min(format!("{FOLDER}{}", sortable(settled)));
            if self.after < passed {
                self.after = passed;
            }
        }
        Ok(due)
    }

    /// Begins at the beginning, as the next search must after a failure, and now and then, since
    /// a clock may have been set back.
    pub fn restart(&mut self) {
        self.after.clear();
    }
}

impl Leases {
    /// The lease of an entry. An entry without its lease, or of an earlier time of it, is removed.
    pub async fn read_due(&self, entry: &DueEntry) -> Result<Option<Lease>> {
        let key = entry.key();
        match self.indexed(&key, &entry.namespace, &entry.id).await? {
            Some(lease) if lease.due_key().as_deref() == Some(&key) => Ok(Some(lease)),
            _ => self.state.delete(&key).await.map(|()| None),
        }
    }
}
