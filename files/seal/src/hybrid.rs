//! How one value is sealed: `length || RSA-OAEP-SHA256(label, key) || AES-256-GCM(key, value)`. The
//! length is that of the second part in 16 bits, big-endian; the label says where the value may be
//! used; the key is for this value alone, so that the nonce can be all zeros.

use base_crypto::{AeadKey, NONCE_LENGTH, OaepPrivateKey, OaepPublicKey, Random, random_array};
use base_types::{Error, Result, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// `value` as only the holder of the private key and under the same label can read it, in base64.
///
/// # Errors
/// None with the keys that certificates hold.
pub(crate) fn seal(
    to: &OaepPublicKey,
    label: &str,
    value: &[u8],
    random: &dyn Random,
) -> Result<String> {
    let key = Secret::new(random_array(random));
    let wrapped = to.encrypt(label.as_bytes(), key.expose())?;
    let length = u16::try_from(wrapped.len()).map_err(Error::internal)?;
    let start = [&length.to_be_bytes()[..], &wrapped].concat();
    let mut sealed = AeadKey::new(&key).seal([0; NONCE_LENGTH], b"", value, &start);
    // Everybody knows the nonce.
    sealed.drain(start.len()..start.len() + NONCE_LENGTH);
    Ok(STANDARD.encode(sealed))
}

/// The value that was sealed, with the first of `keys` that opens it.
///
/// # Errors
/// `Invalid`, in the words of kubeseal, if there is none.
pub(crate) fn open(
    keys: &[OaepPrivateKey],
    label: &str,
    sealed: &str,
) -> Result<Zeroizing<Vec<u8>>> {
    // Go's decoder passes over line feeds.
    let text: String = sealed.chars().filter(|next| !matches!(next, '\r' | '\n')).collect();
    let sealed = STANDARD.decode(text).map_err(|_| Error::invalid("this is no base64"))?;
    let (wrapped, value) = sealed
        .split_first_chunk()
        .and_then(|(length, rest)| rest.split_at_checked(u16::from_be_bytes(*length).into()))
        .ok_or_else(|| Error::invalid("SealedSecret data is too short"))?;
    let with_nonce = [&[0; NONCE_LENGTH], value].concat();
    let open = |key: &OaepPrivateKey| {
        let key = key.decrypt(label.as_bytes(), wrapped)?;
        let key: [u8; 32] = key.expose().as_slice().try_into().ok()?;
        AeadKey::new(&Secret::new(key)).open(b"", &with_nonce)
    };
    let value = keys.iter().find_map(open).map(Zeroizing::new);
    value.ok_or_else(|| Error::invalid("no key could decrypt secret"))
}
