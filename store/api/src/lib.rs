//! The joint between the server and whatever keeps its bytes.
//!
//! A store maps text keys to byte values, each with a revision that changes whenever the key is
//! written. Everything above works by optimistic transactions: read, remember the revisions, commit
//! on condition that they still hold.

mod batch;

use base_types::{BoxFuture, Error};
use bytes::Bytes;

pub use batch::{Batch, Expect, Op};

/// Grows with every commit of a store; unique per write of a key.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Revision(pub u64);

/// A stored value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    pub value: Bytes,
    pub revision: Revision,
}

/// Why a commit did nothing.
#[derive(Debug)]
pub enum CommitError {
    /// A stated condition did not hold: somebody else wrote first. Read again and retry.
    Conflict,
    /// The store could not take the batch, for example because the disk is full. Nothing of it
    /// was applied.
    Failed(Error),
}

/// A durable, ordered map. Implementations share one conformance suite, in [`conformance`].
pub trait Store: Send + Sync + 'static {
    /// The value at `key`, as of the latest acknowledged commit.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, Error>>;

    /// The keys that start with `prefix` and sort after `after`, in byte order, at most `limit`.
    /// `after` is a whole key or any text; an empty one means from the beginning.
    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>>;

    /// Applies the whole batch or nothing of it. When this returns, what it did survives a crash
    /// of the machine.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Revision, CommitError>>;

    /// Waits until everything is at rest and lets go of files. Later calls fail.
    fn close(&self) -> BoxFuture<'_, Result<(), Error>>;
}

pub mod conformance;
