use base_crypto::random_array;
use base_types::{Error, Result, Secret};
use store_api::Batch;

use crate::ceremony::{Added, Ceremony};
use crate::seals::Opened;
use crate::shamir::ShareKey;
use crate::{RootKey, Seals, Share, Split};

/// Which key people want to have replaced. The root key is replaced with it in any case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RekeyTarget {
    /// The recovery keys, where there is an automatic seal.
    Recovery,
    /// The unseal keys; where there is an automatic seal, the root key alone.
    Root,
}

#[derive(Clone, Debug)]
pub struct RekeyOptions {
    pub target: RekeyTarget,
    /// For the new shares. Without meaning if there will be none.
    pub split: Split,
    /// Nothing changes before the new shares were given once.
    pub require_verification: bool,
}

/// A replacement of keys in progress.
pub(crate) struct Rekey {
    options: RekeyOptions,
    ceremony: Ceremony,
    /// Made but not in force, until the new shares have been shown.
    pending: Option<Pending>,
}

struct Pending {
    change: RootKeyChange,
    share_key: ShareKey,
    verification: Ceremony,
}

/// A new root key and its seals, to be committed in one batch with the keyring.
#[derive(Clone, Debug)]
pub struct RootKeyChange {
    pub root_key: RootKey,
    pub batch: Batch,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RekeyStatus {
    pub nonce: String,
    pub started: bool,
    /// Of the new shares (`t` and `n`).
    pub threshold: u8,
    pub shares: u8,
    pub progress: u8,
    /// Of the present shares.
    pub required: u8,
    pub verification_required: bool,
    /// Empty unless verification has begun.
    pub verification_nonce: String,
}

/// What became of a share of the present key.
#[derive(Debug)]
pub enum RekeyStep {
    Continue(RekeyStatus),
    /// Commit `change`, and only then give out the new shares.
    Commit {
        nonce: String,
        key_shares: Vec<Share>,
        change: RootKeyChange,
    },
    /// Give out the new shares. They are in force when they have been verified.
    Verify {
        nonce: String,
        key_shares: Vec<Share>,
        verification_nonce: String,
    },
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifyStatus {
    pub nonce: String,
    pub started: bool,
    pub threshold: u8,
    pub shares: u8,
    pub progress: u8,
}

/// What became of a share of the new key.
#[derive(Debug)]
pub enum VerifyStep {
    Continue(VerifyStatus),
    Commit { nonce: String, change: RootKeyChange },
}

impl Seals {
    pub async fn rekey_status(&self, target: RekeyTarget) -> Result<RekeyStatus> {
        let required = self.required().await?;
        let operations = self.operations();
        let rekey = operations.rekey.as_ref().filter(|rekey| rekey.options.target == target);
        Ok(rekey.map_or_else(|| RekeyStatus::idle(required), Rekey::status))
    }

    /// # Errors
    /// `Invalid` if there is an operation already, or no such keys.
    pub async fn rekey_start(&self, options: RekeyOptions) -> Result<RekeyStatus> {
        let (stored, present) = self.require_shares().await?;
        if options.target == RekeyTarget::Recovery && !stored.record.has_automatic() {
            return Err(Error::invalid("recovery keys not supported"));
        }
        let mut operations = self.operations();
        if operations.rekey.is_some() {
            return Err(Error::invalid("rotation already in progress"));
        }
        let ceremony = Ceremony::new(self.random(), present.threshold());
        let rekey = operations.rekey.insert(Rekey { options, ceremony, pending: None });
        Ok(rekey.status())
    }

    pub fn rekey_cancel(&self, target: RekeyTarget) {
        self.operations().rekey.take_if(|rekey| rekey.options.target == target);
    }

    /// Adds a share of the present key.
    ///
    /// # Errors
    /// `Invalid` for a wrong nonce, a share given before, or shares that do not make the key; the
    /// last starts collecting anew.
    pub async fn rekey_update(
        &self,
        target: RekeyTarget,
        nonce: &str,
        share: Share,
    ) -> Result<RekeyStep> {
        let (parts, options) = {
            let mut operations = self.operations();
            let rekey = in_progress(&mut operations.rekey, target)?;
            rekey.ceremony.check_nonce(nonce, "rotation")?;
            if rekey.pending.is_some() {
                return Err(Error::invalid("rekey has all shares and waits for verification"));
            }
            match rekey.ceremony.add(share) {
                Added::Continue => return Ok(RekeyStep::Continue(rekey.status())),
                Added::Duplicate => {
                    return Err(Error::invalid(
                        "given key has already been provided during this rotation",
                    ));
                }
                Added::Complete(parts) => (parts, rekey.options.clone()),
            }
        };
        let opened =
            self.open(&parts).await.map_err(|error| error.at("failed to read root key"))?;
        let (change, new_shares) = self.replace_keys(opened, &options).await?;
        // Somebody may have cancelled while the keys were made.
        let mut operations = self.operations();
        in_progress(&mut operations.rekey, target)?.ceremony.check_nonce(nonce, "rotation")?;
        let nonce = nonce.to_owned();
        match new_shares {
            Some((key_shares, share_key)) if options.require_verification => {
                let verification = Ceremony::new(self.random(), options.split.threshold());
                let verification_nonce = verification.nonce().to_owned();
                in_progress(&mut operations.rekey, target)?.pending =
                    Some(Pending { change, share_key, verification });
                Ok(RekeyStep::Verify { nonce, key_shares, verification_nonce })
            }
            new_shares => {
                operations.rekey = None;
                let key_shares = new_shares.map(|(shares, _)| shares).unwrap_or_default();
                Ok(RekeyStep::Commit { nonce, key_shares, change })
            }
        }
    }

    /// # Errors
    /// `Invalid` if nothing waits for verification.
    pub fn rekey_verify_status(&self, target: RekeyTarget) -> Result<VerifyStatus> {
        in_progress(&mut self.operations().rekey, target)?.verify_status()
    }

    /// Forgets the new shares given so far and takes a new nonce; the new key stays.
    pub fn rekey_verify_restart(&self, target: RekeyTarget) -> Result<VerifyStatus> {
        let mut operations = self.operations();
        let rekey = in_progress(&mut operations.rekey, target)?;
        let threshold = rekey.options.split.threshold();
        rekey.pending()?.verification = Ceremony::new(self.random(), threshold);
        rekey.verify_status()
    }

    /// Adds a share of the new key.
    ///
    /// # Errors
    /// `Invalid` for a wrong nonce, a share given before, or shares that do not make the new key;
    /// the last restarts the verification.
    pub fn rekey_verify(
        &self,
        target: RekeyTarget,
        nonce: &str,
        share: Share,
    ) -> Result<VerifyStep> {
        let mut operations = self.operations();
        let rekey = in_progress(&mut operations.rekey, target)?;
        let split = rekey.options.split;
        let pending = rekey.pending()?;
        pending.verification.check_nonce(nonce, "this verify operation")?;
        let parts = match pending.verification.add(share) {
            Added::Continue => return rekey.verify_status().map(VerifyStep::Continue),
            Added::Duplicate => {
                return Err(Error::invalid(
                    "given key has already been provided during this verify operation",
                ));
            }
            Added::Complete(parts) => parts,
        };
        let is_right = split.combine(&parts).is_ok_and(|key| key.is(&pending.share_key));
        if !is_right {
            pending.verification = Ceremony::new(self.random(), split.threshold());
            return Err(Error::invalid(
                "the given keys do not make the new key: verification was restarted with a new nonce",
            ));
        }
        let change = pending.change.clone();
        operations.rekey = None;
        Ok(VerifyStep::Commit { nonce: nonce.to_owned(), change })
    }

    /// A new root key under all seals, with new shares unless people keep their recovery keys.
    async fn replace_keys(
        &self,
        opened: Opened,
        options: &RekeyOptions,
    ) -> Result<(RootKeyChange, Option<(Vec<Share>, ShareKey)>)> {
        let Opened { share_key, stored, .. } = opened;
        let keeps_shares = options.target == RekeyTarget::Root && self.has_automatic();
        let shared = match stored.record.shared() {
            Some((_, split)) if keeps_shares => (split, share_key),
            _ => (options.split, ShareKey::generate(self.random())),
        };
        let root_key = Secret::new(random_array(self.random()));
        let record = self.wrap_all(&root_key, Some(&shared)).await?;
        let batch = stored.replacement(&record, &root_key)?;
        let new_shares = match keeps_shares {
            true => None,
            false => Some((shared.0.split(self.random(), &shared.1)?, shared.1)),
        };
        Ok((RootKeyChange { root_key, batch }, new_shares))
    }
}

impl Rekey {
    fn status(&self) -> RekeyStatus {
        let Self { options, ceremony, pending } = self;
        RekeyStatus {
            nonce: ceremony.nonce().to_owned(),
            started: true,
            threshold: options.split.threshold(),
            shares: options.split.shares(),
            progress: ceremony.progress(),
            required: ceremony.required(),
            verification_required: options.require_verification,
            verification_nonce: pending
                .as_ref()
                .map(|pending| pending.verification.nonce().to_owned())
                .unwrap_or_default(),
        }
    }

    fn verify_status(&self) -> Result<VerifyStatus> {
        let pending = self.pending.as_ref().ok_or_else(no_verification)?;
        Ok(VerifyStatus {
            nonce: pending.verification.nonce().to_owned(),
            started: true,
            threshold: self.options.split.threshold(),
            shares: self.options.split.shares(),
            progress: pending.verification.progress(),
        })
    }

    fn pending(&mut self) -> Result<&mut Pending> {
        self.pending.as_mut().ok_or_else(no_verification)
    }
}

impl RekeyStatus {
    fn idle(required: u8) -> Self {
        Self {
            nonce: String::new(),
            started: false,
            threshold: 0,
            shares: 0,
            progress: 0,
            required,
            verification_required: false,
            verification_nonce: String::new(),
        }
    }
}

fn in_progress(rekey: &mut Option<Rekey>, target: RekeyTarget) -> Result<&mut Rekey> {
    let rekey = rekey.as_mut().filter(|rekey| rekey.options.target == target);
    rekey.ok_or_else(|| Error::invalid("no rotation in progress"))
}

fn no_verification() -> Error {
    Error::invalid("no rekey verification in progress")
}
