use std::sync::Arc;

use base_types::{ErrorKind, Result};
use core_barrier::Tx;
use core_engine_api::{Call, Response};

use crate::keys::Expiry;
use crate::requests::Nothing;
use crate::secret_id::SecretId;
use crate::{Approle, keys};

/// Secret ids removed in one commit.
const PAGE: usize = 64;

impl Approle {
    /// Removes what has expired and what belonged to deleted roles. It reads the indexes of those
    /// only, so that it costs nothing where there is nothing to do.
    pub(crate) async fn tidy(self: Arc<Self>) -> Result<()> {
        self.remove_expired().await?;
        self.empty_folders().await
    }

    /// The same at once, without waiting for its time.
    pub(crate) async fn tidy_now(self: Arc<Self>, _: Call, _: Nothing) -> Result<Response> {
        self.tidy().await?;
        Ok(Response::accepted(
            "Tidy operation successfully started. Any information from the operation will be \
             printed to Strongroom's server logs.",
        ))
    }

    async fn remove_expired(&self) -> Result<()> {
        let now = self.clock.now();
        loop {
            let keys = self.storage.keys("expiry/", "", PAGE).await?;
            let due = |key: &&String| Expiry::parse(key).is_none_or(|expiry| expiry.time <= now);
            let due: &Vec<&String> = &keys.iter().take_while(due).collect();
            if due.is_empty() {
                return Ok(());
            }
            let remove = |tx: Tx| async move {
                for key in due {
                    // The entry goes in any case, even if what it leads to is gone already.
                    tx.delete(key);
                    if let Some(Expiry { folder, hash, .. }) = Expiry::parse(key) {
                        remove(&tx, folder, hash, |found| !found.is_live(now)).await?;
                    }
                }
                Ok(())
            };
            self.storage.transact(remove).await?;
        }
    }

    async fn empty_folders(&self) -> Result<()> {
        for folder in &self.storage.list("gone/", "", 0).await? {
            loop {
                let hashes = &self.storage.list(&keys::secret(folder, ""), "", PAGE).await?;
                if hashes.is_empty() {
                    break;
                }
                let remove = |tx: Tx| async move {
                    for hash in hashes {
                        remove(&tx, folder, hash, |_| true).await?;
                    }
                    Ok(())
                };
                self.storage.transact(remove).await?;
            }
            self.storage.delete(&keys::gone(folder)).await?;
        }
        Ok(())
    }
}

/// Removes a secret id if it is `due`. One that is damaged can never be used again and goes as
/// well, so that it does not keep the others.
async fn remove(tx: &Tx, folder: &str, hash: &str, due: impl Fn(&SecretId) -> bool) -> Result<()> {
    let key = keys::secret(folder, hash);
    match tx.get::<SecretId>(&key).await {
        Ok(Some(found)) if due(&found) => found.remove(tx, folder, hash),
        Ok(_) => {}
        Err(error) if error.is(ErrorKind::Corrupt) => tx.delete(&key),
        Err(error) => return Err(error),
    }
    Ok(())
}
