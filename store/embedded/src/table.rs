use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use store_api::{Entry, Op, Revision};

use crate::record::Ops;

/// Recent writes in the order of their keys: what one log segment holds.
#[derive(Default)]
pub(crate) struct Table {
    slots: BTreeMap<String, Slot>,
    bytes: usize,
}

/// The latest write of a key; without a value it was deleted.
pub(crate) struct Slot {
    pub(crate) revision: Revision,
    pub(crate) value: Option<Bytes>,
}

/// What a slot costs beside its key and value, roughly.
const SLOT_BYTES: usize = 128;

impl Table {
    pub(crate) fn apply(&mut self, ops: Ops, revision: Revision) {
        for (key, op) in ops {
            let value = match op {
                Op::Delete => None,
                Op::Put(value) => Some(value),
            };
            self.bytes += key.len() + value.as_ref().map_or(0, Bytes::len) + SLOT_BYTES;
            self.slots.insert(key, Slot { revision, value });
        }
    }

    /// Takes over the later writes of `other`.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.slots.append(&mut other.slots);
        self.bytes += other.bytes;
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Slot> {
        self.slots.get(key)
    }

    /// The slots of keys that start with `prefix` and sort after `after`.
    pub(crate) fn range<'a>(
        &'a self,
        prefix: &'a str,
        after: &str,
    ) -> impl Iterator<Item = (&'a str, &'a Slot)> {
        let slots = self.slots.range::<str, _>((start(prefix, after), Bound::Unbounded));
        let slots = slots.map(|(key, slot)| (key.as_str(), slot));
        slots.take_while(move |(key, _)| key.starts_with(prefix))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Slot)> {
        self.slots.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// What was written into the table since it was empty. Writing a key again counts again:
    /// it does not cost memory, but it does cost log.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Slot {
    pub(crate) fn entry(&self) -> Option<Entry> {
        self.value.clone().map(|value| Entry { value, revision: self.revision })
    }
}

/// Where a list of `prefix` after `after` begins.
pub(crate) fn start<'a>(prefix: &'a str, after: &'a str) -> Bound<&'a str> {
    if after < prefix { Bound::Included(prefix) } else { Bound::Excluded(after) }
}
