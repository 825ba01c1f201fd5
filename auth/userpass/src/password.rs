use std::num::NonZero;
use std::sync::Arc;

use base_crypto::{Random, random_array};
use base_types::{Error, Result, Secret};
use bcrypt::{HashParts, Version};
use tokio::sync::Semaphore;

/// Hashes and checks passwords beside the threads that serve requests, no more at a time than
/// there are processors, so that a flood of logins slows down logins only.
pub(crate) struct Hasher {
    permits: Arc<Semaphore>,
}

/// 2^10 rounds: the cost of Vault's hashes.
const COST: u32 = 10;
/// Below this a hash is quick to guess.
const COST_MIN: u32 = 5;
/// Above this a login would hold a processor for seconds.
const COST_MAX: u32 = 16;
/// bcrypt reads no more of a password; two that differ only behind it would be the same.
const LENGTH_MAX: usize = 72;
/// A hash that nobody knows a password for, checked in place of one that is not there.
const NOBODY: &str = "$2b$10$S6x7Jk1q0cV4mTzYbPwLduYQy0h8m0oG7rN5XfWc3sKjEvUaBtIlO";

impl Hasher {
    pub(crate) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { permits: Arc::new(Semaphore::new(processors)) }
    }

    /// The hash to store for whichever of the two is given; `None` if neither is.
    ///
    /// # Errors
    /// `Invalid` if both are given, the password is too long or the hash is none.
    pub(crate) async fn take(
        &self,
        random: &dyn Random,
        password: Secret<String>,
        hash: &Secret<String>,
    ) -> Result<Option<String>> {
        match (password.expose().is_empty(), hash.expose().is_empty()) {
            (true, true) => Ok(None),
            (true, false) => check_hash(hash.expose()).map(|()| Some(hash.expose().clone())),
            (false, true) => self.hash(random_array(random), password).await.map(Some),
            (false, false) => {
                Err(Error::invalid("only one of password or password_hash may be provided"))
            }
        }
    }

    async fn hash(&self, salt: [u8; 16], password: Secret<String>) -> Result<String> {
        if password.expose().len() > LENGTH_MAX {
            return Err(Error::invalid(format!(
                "the password is longer than {LENGTH_MAX} bytes, which is all that bcrypt reads: \
                 choose a shorter one"
            )));
        }
        let hash = move || bcrypt::hash_with_salt(password.expose(), COST, salt);
        let parts = self.apart(hash).await?.map_err(Error::internal)?;
        Ok(parts.format_for_version(Version::TwoB))
    }

    /// Whether `password` belongs to `hash`. Without a hash it takes as long and is always false.
    pub(crate) async fn check(
        &self,
        password: Secret<String>,
        hash: Option<String>,
    ) -> Result<bool> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        let fits = password.expose().len() <= LENGTH_MAX;
        // The truncating check takes any length, so that a long password costs no less.
        let check = move || bcrypt::verify(password.expose(), &hash);
        let right = self.apart(check).await?.map_err(Error::internal)?;
        Ok(known && fits && right)
    }

    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let permit = self.permits.clone().acquire_owned().await.map_err(Error::internal)?;
        let work = move || {
            let _permit = permit;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)
    }
}

fn check_hash(hash: &str) -> Result<()> {
    let parts: HashParts =
        hash.parse().map_err(|_| Error::invalid("password_hash is not a valid bcrypt hash"))?;
    let cost = parts.get_cost();
    if cost < COST_MIN {
        return Err(Error::invalid(format!(
            "bcrypt cost of {cost} is too low, want {COST_MIN} at minimum"
        )));
    }
    if cost > COST_MAX {
        return Err(Error::invalid(format!(
            "bcrypt cost of {cost} is too high, want {COST_MAX} at most"
        )));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_crypto::SeededRandom;

    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_only() {
        let hasher = Hasher::new();
        let random = SeededRandom::new(1);
        let hash = hasher.take(&random, secret("pw"), &secret("")).await.unwrap().unwrap();
        assert!(hash.starts_with("$2b$10$"), "{hash}");
        for (password, right) in [("pw", true), ("pW", false), ("", false), ("pw\0", false)] {
            assert_eq!(hasher.check(secret(password), Some(hash.clone())).await.unwrap(), right);
        }
        assert!(!hasher.check(secret("pw"), None).await.unwrap());
    }

    #[tokio::test]
    async fn what_bcrypt_would_cut_off_is_refused() {
        let (hasher, random) = (Hasher::new(), SeededRandom::new(1));
        let long = secret(&"x".repeat(72));
        let hash = hasher.take(&random, long.clone(), &secret("")).await.unwrap();
        assert!(hasher.check(long, hash.clone()).await.unwrap());
        let longer = secret(&"x".repeat(73));
        assert!(!hasher.check(longer.clone(), hash).await.unwrap());
        assert!(hasher.take(&random, longer, &secret("")).await.is_err());
    }

    /// From the test suite of crypt_blowfish 1.3, and hashes of OpenBSD's style.
    #[tokio::test]
    async fn takes_hashes_made_elsewhere() {
        let hasher = Hasher::new();
        let hash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        assert!(check_hash(hash).is_ok());
        assert!(hasher.check(secret("U*U"), Some(hash.to_owned())).await.unwrap());
        assert!(!hasher.check(secret("U*U*"), Some(hash.to_owned())).await.unwrap());
    }

    #[test]
    fn refuses_what_is_no_hash_or_costs_too_little_or_too_much() {
        for (hash, fault) in [
            ("x", "password_hash is not a valid bcrypt hash"),
            ("$2a$10$x", "password_hash is not a valid bcrypt hash"),
            (
                "$2y$04$abcdefghijklmnopqrstuuKLZ0MGQuvvZJlNbS6sCkdJCOZcQ.B0S",
                "bcrypt cost of 4 is too low, want 5 at minimum",
            ),
            (
                "$2y$31$abcdefghijklmnopqrstuuKLZ0MGQuvvZJlNbS6sCkdJCOZcQ.B0S",
                "bcrypt cost of 31 is too high, want 16 at most",
            ),
        ] {
            assert_eq!(check_hash(hash).unwrap_err().public(), fault);
        }
        assert_eq!(NOBODY.parse::<HashParts>().unwrap().get_cost(), COST);
    }
}
