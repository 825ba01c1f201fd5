//! SSH keys as recipients and identities: `ssh-ed25519` and `ssh-rsa`. They were not made for this;
//! age accepts them because people have them. <https://github.com/FiloSottile/age#ssh-keys>

mod ed25519;
mod private;
mod rsa;
mod wire;

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use base_crypto::sha256;

pub(crate) use private::SshIdentity;

use crate::{Error, Recipient, Result, base64};
use wire::Wire;

/// The recipient that a public key in the form of `authorized_keys` is, with or without a comment.
pub(crate) fn recipient(text: &str) -> Result<Box<dyn Recipient>> {
    let mut words = text.split_whitespace();
    let (kind, key) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let broken = || Error::invalid(format!("this is no public SSH key of type {kind}"));
    let blob = STANDARD.decode(key).map_err(|_| broken())?;
    if Wire(&blob).text() != Some(kind) {
        return Err(broken());
    }
    of_blob(&blob)
}

/// The recipient that a public key as SSH sends it is.
fn of_blob(blob: &[u8]) -> Result<Box<dyn Recipient>> {
    let mut wire = Wire(blob);
    let kind = wire.text().unwrap_or_default();
    let broken = || Error::invalid(format!("this is no public SSH key of type {kind}"));
    match kind {
        ed25519::KIND => {
            let point = wire.array().filter(|_| wire.0.is_empty()).ok_or_else(broken)?;
            Ok(Box::new(ed25519::Ed25519Recipient::new(blob, &point).ok_or_else(broken)?))
        }
        rsa::KIND => {
            let (exponent, modulus) = (wire.bytes(), wire.bytes());
            match (exponent, modulus) {
                (Some(exponent), Some(modulus)) if wire.0.is_empty() => {
                    Ok(Box::new(rsa::RsaRecipient::new(blob, modulus, exponent)?))
                }
                _ => Err(broken()),
            }
        }
        _ => Err(Error::invalid(format!(
            "SSH keys of type {kind} cannot decrypt files: use ssh-ed25519 or ssh-rsa"
        ))),
    }
}

/// By what a stanza names the key that it is for.
fn fingerprint(blob: &[u8]) -> String {
    base64::encode(&sha256(blob)[..4])
}
