use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use base_types::{Error, Result};
use store_api::{Entry, Revision};

use crate::control::Failure;
use crate::database::Snapshot;
use crate::table::{Slot, Table};

/// What readers see: the recent writes, those on their way into the database, and the database,
/// where the first that knows a key has the last word.
///
/// The lock is held for work in memory only, never across a read or write of a file.
pub(crate) struct View(RwLock<Layers>);

struct Layers {
    active: Table,
    frozen: Option<Arc<Table>>,
    /// `None` once the store is closed.
    snapshot: Option<Arc<Snapshot>>,
}

/// How much is in memory, waiting for the database.
pub(crate) struct Load {
    pub(crate) active_bytes: usize,
    pub(crate) bytes: usize,
    pub(crate) slots: usize,
    pub(crate) database_bytes: u64,
}

impl View {
    pub(crate) fn new(active: Table, frozen: Option<Arc<Table>>, snapshot: Snapshot) -> Self {
        let snapshot = Some(Arc::new(snapshot));
        Self(RwLock::new(Layers { active, frozen, snapshot }))
    }

    fn read(&self) -> RwLockReadGuard<'_, Layers> {
        // Changes under the lock are insertions into maps and assignments, which do not panic.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Layers> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Entry>> {
        let snapshot = {
            let layers = self.read();
            if let Some(slot) = layers.slot(key) {
                return Ok(slot.entry());
            }
            layers.snapshot()?
        };
        snapshot.get(key)
    }

    pub(crate) fn revision(&self, key: &str) -> Result<Option<Revision>> {
        let snapshot = {
            let layers = self.read();
            if let Some(slot) = layers.slot(key) {
                return Ok(slot.value.as_ref().map(|_| slot.revision));
            }
            layers.snapshot()?
        };
        snapshot.revision(key)
    }

    pub(crate) fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>> {
        let (active, frozen, snapshot) = {
            let layers = self.read();
            (layers.recent(prefix, after, limit), layers.frozen.clone(), layers.snapshot()?)
        };
        let active = active.into_iter().map(|(key, live)| Ok((Cow::Owned(key), live)));
        let frozen = frozen.iter().flat_map(|table| table.range(prefix, after));
        let frozen = frozen.map(|(key, slot)| Ok((Cow::Borrowed(key), slot.value.is_some())));
        let stored = snapshot.keys(prefix, after)?.map(|key| Ok((Cow::Owned(key?), true)));
        overlay(active, overlay(frozen, stored))
            .filter_map(|item| match item {
                Ok((key, live)) => live.then(|| Ok(key.into_owned())),
                Err(error) => Some(Err(error)),
            })
            .take(limit)
            .collect()
    }

    /// Makes writes visible, all of them at once.
    pub(crate) fn publish(&self, write: impl FnOnce(&mut Table)) {
        write(&mut self.write().active);
    }

    /// Puts the active table aside, on its way into the database, and starts an empty one.
    pub(crate) fn freeze(&self) -> Arc<Table> {
        let mut layers = self.write();
        let table = Arc::new(std::mem::take(&mut layers.active));
        layers.frozen = Some(Arc::clone(&table));
        table
    }

    /// The frozen table is in the database, as `snapshot` shows.
    pub(crate) fn settle(&self, snapshot: Snapshot) {
        let mut layers = self.write();
        let old = (layers.frozen.take(), layers.snapshot.replace(Arc::new(snapshot)));
        drop(layers);
        // Only now, so that nobody waits for the memory of a whole table to be returned.
        drop(old);
    }

    pub(crate) fn load(&self) -> Load {
        let layers = self.read();
        let frozen = layers.frozen.as_ref();
        Load {
            active_bytes: layers.active.bytes(),
            bytes: layers.active.bytes() + frozen.map_or(0, |table| table.bytes()),
            slots: layers.active.len() + frozen.map_or(0, |table| table.len()),
            database_bytes: layers.snapshot.as_ref().map_or(0, |snapshot| snapshot.file_bytes),
        }
    }

    pub(crate) fn close(&self) {
        *self.write() = Layers { active: Table::default(), frozen: None, snapshot: None };
    }
}

impl Layers {
    fn slot(&self, key: &str) -> Option<&Slot> {
        self.active.get(key).or_else(|| self.frozen.as_ref()?.get(key))
    }

    fn snapshot(&self) -> Result<Arc<Snapshot>> {
        self.snapshot.clone().ok_or_else(|| Error::from(&Failure::Closed))
    }

    /// The keys in the active table and whether they have a value. A list of `limit` keys needs
    /// no more of them than lead up to the `limit`th with a value.
    fn recent(&self, prefix: &str, after: &str, limit: usize) -> Vec<(String, bool)> {
        let mut wanted = limit;
        let slots = self.active.range(prefix, after).take_while(|(_, slot)| {
            let go_on = wanted > 0;
            wanted -= usize::from(go_on && slot.value.is_some());
            go_on
        });
        slots.map(|(key, slot)| (key.to_owned(), slot.value.is_some())).collect()
    }
}

/// A key and whether it has a value.
type Listed<'a> = Result<(Cow<'a, str>, bool)>;

/// Merges two sorted lists; of a key that is in both, what `upper` says.
fn overlay<'a>(
    upper: impl Iterator<Item = Listed<'a>>,
    lower: impl Iterator<Item = Listed<'a>>,
) -> impl Iterator<Item = Listed<'a>> {
    let (mut upper, mut lower) = (upper.peekable(), lower.peekable());
    std::iter::from_fn(move || {
        let order = match (upper.peek(), lower.peek()) {
            (Some(Ok((above, _))), Some(Ok((below, _)))) => above.cmp(below),
            // A failure comes first; the list ends with it.
            (_, Some(Err(_))) | (None, _) => Ordering::Greater,
            _ => Ordering::Less,
        };
        match order {
            Ordering::Less => upper.next(),
            Ordering::Equal => lower.next().and_then(|_| upper.next()),
            Ordering::Greater => lower.next(),
        }
    })
}
