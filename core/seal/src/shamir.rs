use base_crypto::{AeadKey, Random, random_array, shamir, unhex};
use base_types::{Error, ErrorKind, Result, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::static_key::as_key;
use crate::{RootKey, Unwrapped};

/// One part of a key that several people hold together.
pub type Share = Secret<Vec<u8>>;

/// Into how many shares a key is split, and how many of them make it again.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Split {
    shares: u8,
    threshold: u8,
}

impl Split {
    /// # Errors
    /// `Invalid` unless 1 <= threshold <= shares <= 255, where only one share may have the
    /// threshold one.
    pub fn new(shares: u64, threshold: u64) -> Result<Self> {
        let text = match (shares, threshold) {
            (0, _) => "shares must be at least one",
            (_, 0) => "threshold must be at least one",
            (256.., _) => "shares must be less than 256",
            _ if threshold > shares => "threshold cannot be larger than shares",
            (2.., 1) => "threshold must be greater than one for multiple shares",
            _ => return Ok(Self { shares: shares as u8, threshold: threshold as u8 }),
        };
        Err(Error::invalid(text))
    }

    pub fn shares(self) -> u8 {
        self.shares
    }

    pub fn threshold(self) -> u8 {
        self.threshold
    }

    /// The shares of `key`. A single share is the key itself, as Vault does it.
    pub(crate) fn split(self, random: &dyn Random, key: &ShareKey) -> Result<Vec<Share>> {
        match self.shares {
            1 => Ok(vec![Secret::new(key.0.expose().to_vec())]),
            shares => shamir::split(random, key.0.expose(), shares, self.threshold),
        }
    }

    /// The key that `shares` make, which is only right if all of them belong to it.
    pub(crate) fn combine(self, shares: &[Share]) -> Result<ShareKey> {
        let key = match shares {
            [share] if self.shares == 1 => as_key(share),
            _ => {
                let shares: Vec<&[u8]> = shares.iter().map(|share| &**share.expose()).collect();
                shamir::combine(&shares).and_then(|key| as_key(&key))
            }
        };
        key.map(ShareKey).map_err(|error| error.at("invalid key: failed to compute combined key"))
    }
}

/// The seal that people open together: the key of which they hold the shares.
#[derive(PartialEq)]
pub(crate) struct ShareKey(Secret<[u8; 32]>);

impl ShareKey {
    pub(crate) const KIND: &str = "shamir";

    pub(crate) fn generate(random: &dyn Random) -> Self {
        Self(Secret::new(random_array(random)))
    }

    /// `nonce || ciphertext || tag`.
    pub(crate) fn wrap(&self, random: &dyn Random, root_key: &RootKey, context: &[u8]) -> Vec<u8> {
        AeadKey::new(&self.0).seal(random_array(random), context, root_key.expose(), b"")
    }

    pub(crate) fn unwrap(&self, blob: &[u8], context: &[u8]) -> Result<Unwrapped> {
        let root_key = AeadKey::new(&self.0).open(context, blob).map(Secret::new);
        // Vault's words, which scripts look for.
        let root_key = root_key.ok_or_else(|| {
            Error::invalid(
                "unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: \
                 cipher: message authentication failed",
            )
        })?;
        Ok(Unwrapped { root_key: as_key(&root_key)?, is_stale: false })
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        base_crypto::constant_time_eq(self.0.expose(), other.0.expose())
    }
}

/// A share as people send it: hexadecimal or base64.
///
/// # Errors
/// `Invalid` if it is neither, or has not the length of a share.
pub fn parse_share(text: &str) -> Result<Share> {
    const LENGTH_MIN: usize = 16;
    const LENGTH_MAX: usize = 33;
    let text = text.trim();
    let bytes = unhex(text).or_else(|| STANDARD.decode(text).ok()).map(Secret::new);
    let share =
        bytes.ok_or_else(|| Error::invalid("'key' must be a valid hex or base64 string"))?;
    match share.expose().len() {
        ..LENGTH_MIN => Err(Error::invalid("invalid key: key is shorter than minimum 16 bytes")),
        LENGTH_MIN..=LENGTH_MAX => Ok(share),
        _ => Err(Error::invalid("invalid key: key is longer than maximum 33 bytes")),
    }
}

/// Shares and tokens are not encrypted to PGP keys; whoever asks for it is told.
///
/// # Errors
/// `Unsupported` if there is any key.
pub fn refuse_pgp_keys<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<()> {
    if keys.into_iter().all(str::is_empty) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "encrypting to PGP keys is not supported: leave them out and hand over the keys yourself",
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_crypto::SeededRandom;

    use super::*;

    fn check(shares: u64, threshold: u64, refusal: Option<&str>) {
        let error = Split::new(shares, threshold).err();
        assert_eq!(error.as_ref().map(Error::public), refusal, "{threshold} of {shares}");
    }

    #[test]
    fn splits_have_the_limits_and_words_of_openbao() {
        check(1, 1, None);
        check(2, 2, None);
        check(255, 255, None);
        check(0, 0, Some("shares must be at least one"));
        check(1, 0, Some("threshold must be at least one"));
        check(256, 5, Some("shares must be less than 256"));
        check(u64::MAX, u64::MAX, Some("shares must be less than 256"));
        check(3, 5, Some("threshold cannot be larger than shares"));
        check(3, 1, Some("threshold must be greater than one for multiple shares"));
    }

    #[test]
    fn one_share_is_the_key_itself() {
        let key = ShareKey::generate(&SeededRandom::new(1));
        let split = Split::new(1, 1).unwrap();
        let shares = split.split(&SeededRandom::new(2), &key).unwrap();
        assert_eq!(shares[0].expose().as_slice(), key.0.expose());
        assert!(split.combine(&shares).unwrap().is(&key));
        assert!(split.combine(&[Secret::new(vec![0; 33])]).is_err());
        assert!(split.combine(&[]).is_err());
    }

    #[test]
    fn a_share_is_read_as_hexadecimal_or_base64() {
        // An unseal key of OpenBao in both of its forms.
        let both = [
            "98fe9373ddb3da25723a2c088708673f57d576d0363a2c8c14c25bbbdbcbbae983",
            "mP6Tc92z2iVyOiwIhwhnP1fVdtA2OiyMFMJbu9vLuumD",
        ];
        let shares = both.map(|text| parse_share(text).unwrap());
        assert_eq!(shares[0], shares[1]);
        assert_eq!(parse_share(&format!(" {}\n", both[0])).unwrap(), shares[0]);
        for (text, refusal) in [
            ("zz--", "'key' must be a valid hex or base64 string"),
            ("0011", "invalid key: key is shorter than minimum 16 bytes"),
            ("", "invalid key: key is shorter than minimum 16 bytes"),
            (&"00".repeat(34), "invalid key: key is longer than maximum 33 bytes"),
        ] {
            assert_eq!(parse_share(text).unwrap_err().public(), refusal);
        }
    }

    #[test]
    fn pgp_keys_are_refused() {
        refuse_pgp_keys([]).unwrap();
        refuse_pgp_keys(["", ""]).unwrap();
        let error = refuse_pgp_keys(["", "mQINBF..."]).unwrap_err();
        assert!(error.is(ErrorKind::Unsupported));
        assert!(error.public().contains("PGP keys is not supported"));
    }
}
