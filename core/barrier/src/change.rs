use std::sync::Arc;

use base_crypto::AeadKey;
use base_types::{Error, Result};
use store_api::{Batch, CommitError, Expect};
use tokio::sync::OwnedMutexGuard;

use crate::keyring::{Keyring, KeyringRecord};
use crate::{Barrier, KEYRING};

/// A change of the keyring in preparation. There is one at a time.
pub(crate) struct Change {
    barrier: Arc<Barrier>,
    /// As it is until the change is made.
    pub(crate) keyring: Arc<Keyring>,
    lock: OwnedMutexGuard<()>,
}

impl Change {
    pub(crate) async fn begin(barrier: &Arc<Barrier>) -> Result<Self> {
        let lock = barrier.changes.clone().lock_owned().await;
        Ok(Self { barrier: barrier.clone(), keyring: barrier.keyring()?, lock })
    }

    /// Adds a term with a fresh key and gives its number.
    pub(crate) async fn add_term(self) -> Result<u32> {
        let mut record = self.keyring.record();
        let term = record.add_term(&*self.barrier.random, self.barrier.clock.now());
        self.store(record).await?;
        Ok(term)
    }

    /// Stores `record` under the present root key and only then uses it.
    pub(crate) async fn store(self, record: KeyringRecord) -> Result<()> {
        let root = self.keyring.root();
        self.store_under(root, record, Batch::new()).await
    }

    /// Stores `record` under `root` together with `batch`, and only then uses it.
    ///
    /// This runs to its end even if the caller goes away, as a request does whose client hangs
    /// up: else the store could have the new keyring and the memory the old one.
    pub(crate) async fn store_under(
        self,
        root: Arc<AeadKey>,
        record: KeyringRecord,
        batch: Batch,
    ) -> Result<()> {
        let bytes = record.seal(&*self.barrier.random, &root, KEYRING)?;
        let batch = batch.expect(KEYRING, Expect::At(self.keyring.revision)).put(KEYRING, bytes);
        let done = tokio::spawn(async move {
            let Self { barrier, keyring, lock } = self;
            let revision = barrier.store.commit(batch).await.map_err(refusal)?;
            let next = Arc::new(keyring.changed(record, root, revision));
            // If it was sealed in between it stays so.
            barrier.keyring.rcu(|current| current.as_ref().map(|_| next.clone()));
            drop(lock);
            Ok(())
        });
        done.await.unwrap_or_else(|error| Err(Error::internal(error)))
    }
}

fn refusal(error: CommitError) -> Error {
    match error {
        CommitError::Conflict => Error::precondition(
            "the keyring or the seals were changed by somebody else: seal, unseal and try again",
        ),
        CommitError::Failed(error) => error,
    }
}
