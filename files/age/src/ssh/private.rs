use std::sync::OnceLock;

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use base_crypto::{OaepPrivateKey, RsaNumbers, openssh_decrypt};
use base_types::Secret;
use zeroize::Zeroizing;

use super::ed25519::{self, Ed25519Key};
use super::rsa::{self, RsaKey};
use super::wire::Wire;
use super::{fingerprint, of_blob};
use crate::{Error, FileKey, Identity, Person, Recipient, Result, Stanza};

/// A private SSH key, as `ssh-keygen` writes it.
pub(crate) struct SshIdentity<'a> {
    /// What to call it when a passphrase is asked.
    name: String,
    /// The public key.
    blob: Vec<u8>,
    /// The private key, once it is decrypted.
    key: OnceLock<Key>,
    /// What to decrypt it from.
    locked: Option<Locked>,
    person: &'a dyn Person,
}

enum Key {
    Ed25519(Ed25519Key),
    Rsa(RsaKey),
}

struct Locked {
    salt: Vec<u8>,
    rounds: u32,
    sealed: Vec<u8>,
}

// https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key
const MAGIC: &[u8] = b"openssh-key-v1\0";
const CIPHER: &str = "aes256-ctr";
const KDF: &str = "bcrypt";

impl<'a> SshIdentity<'a> {
    /// Reads a key in PEM: that of OpenSSH, or the older one of RSA keys.
    ///
    /// # Errors
    /// `Invalid` if it is neither, or of a type or a cipher that is not known here.
    pub(crate) fn parse(pem: &str, name: &str, person: &'a dyn Person) -> Result<Self> {
        if let Some(der) = unarmored(pem, "RSA PRIVATE KEY") {
            return Self::of_pkcs1(&der, name, person);
        }
        let file = unarmored(pem, "OPENSSH PRIVATE KEY").ok_or_else(|| {
            Error::invalid("this is no private SSH key: one begins with BEGIN OPENSSH PRIVATE KEY")
        })?;
        let broken = || Error::invalid("the private SSH key is damaged");
        let mut wire = Wire(file.strip_prefix(MAGIC).ok_or_else(broken)?);
        let (cipher, kdf) = (wire.text().ok_or_else(broken)?, wire.text().ok_or_else(broken)?);
        let mut options = Wire(wire.bytes().ok_or_else(broken)?);
        if wire.number() != Some(1) {
            return Err(Error::invalid("the file holds several SSH keys"));
        }
        let blob = wire.bytes().ok_or_else(broken)?.to_vec();
        let private = wire.bytes().ok_or_else(broken)?;
        // Whether its type is one that can decrypt, before anybody is asked for a passphrase.
        of_blob(&blob)?;
        let (key, locked) = match (cipher, kdf) {
            ("none", "none") => (OnceLock::from(Key::read(private).ok_or_else(broken)?), None),
            (CIPHER, KDF) => {
                let salt = options.bytes().ok_or_else(broken)?.to_vec();
                let rounds = options.number().ok_or_else(broken)?;
                (OnceLock::new(), Some(Locked { salt, rounds, sealed: private.to_vec() }))
            }
            _ => {
                return Err(Error::invalid(format!(
                    "the private SSH key is encrypted by {cipher} and {kdf}, which is not known here: \
                     ssh-keygen -p -Z {CIPHER} changes that"
                )));
            }
        };
        Ok(Self { name: name.to_owned(), blob, key, locked, person })
    }

    fn of_pkcs1(der: &[u8], name: &str, person: &'a dyn Person) -> Result<Self> {
        let [modulus, exponent] = pkcs1_public(der).ok_or_else(|| {
            Error::invalid(
                "the private key is damaged, or encrypted in the old way: ssh-keygen -p changes that",
            )
        })?;
        let key = RsaKey::new(modulus, exponent, OaepPrivateKey::from_pkcs1(der)?);
        let blob = key.blob().to_vec();
        let key = OnceLock::from(Key::Rsa(key));
        Ok(Self { name: name.to_owned(), blob, key, locked: None, person })
    }

    /// For whom files are encrypted that this key opens.
    pub(crate) fn recipient(&self) -> Result<Box<dyn Recipient>> {
        of_blob(&self.blob)
    }

    fn key(&self) -> Result<&Key> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let locked = self.locked.as_ref().expect("a key that is not there is locked");
        let passphrase = self.person.secret(&self.name).ok_or_else(|| {
            Error::Unavailable(format!(
                "{} needs a passphrase, and nobody is there to ask",
                self.name
            ))
        })?;
        let wrong = || Error::invalid(format!("the passphrase of {} is another one", self.name));
        let plain = openssh_decrypt(&passphrase, &locked.salt, locked.rounds, &locked.sealed)
            .ok_or_else(wrong)?;
        let key = Key::read(&plain).filter(|key| key.blob() == self.blob).ok_or_else(wrong)?;
        Ok(self.key.get_or_init(|| key))
    }
}

impl Identity for SshIdentity<'_> {
    fn unwrap(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>> {
        let kind = Wire(&self.blob).text().unwrap_or_default();
        let fingerprint = fingerprint(&self.blob);
        // A stanza that names nobody is damaged, and no key could say for whom it was.
        if stanzas.iter().any(|stanza| stanza.tag() == kind && stanza.arguments.len() < 2) {
            return Err(Error::header(format!("an {kind} stanza is none")));
        }
        let own = stanzas
            .iter()
            .find(|stanza| stanza.tag() == kind && stanza.arguments[1] == fingerprint);
        match own {
            None => Ok(None),
            Some(stanza) => match self.key()? {
                Key::Ed25519(key) => key.open(stanza).map(Some),
                Key::Rsa(key) => key.open(stanza).map(Some),
            },
        }
    }
}

impl Key {
    /// The decrypted part of a file of OpenSSH. Nothing if it is none: then the passphrase was wrong,
    /// or the file is damaged.
    fn read(plain: &[u8]) -> Option<Self> {
        let mut wire = Wire(plain);
        // Two numbers that were equal when the file was encrypted.
        if wire.number()? != wire.number()? {
            return None;
        }
        match wire.text()? {
            ed25519::KIND => {
                let _public = wire.bytes()?;
                let seed = wire.bytes()?.first_chunk::<32>()?;
                Some(Self::Ed25519(Ed25519Key::from_seed(&Secret::new(*seed))))
            }
            rsa::KIND => {
                let mut next = || wire.bytes().map(without_zeros);
                let (n, e, d) = (next()?, next()?, next()?);
                let (q_inverse, p, q) = (next()?, next()?, next()?);
                let numbers = RsaNumbers { n, e, d, p, q, q_inverse };
                let key = OaepPrivateKey::from_numbers(&numbers).ok()?;
                Some(Self::Rsa(RsaKey::new(n, e, key)))
            }
            _ => None,
        }
    }

    fn blob(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key.blob(),
            Self::Rsa(key) => key.blob(),
        }
    }
}

/// A number without the zero that keeps it positive.
fn without_zeros(number: &[u8]) -> &[u8] {
    number.strip_prefix(&[0]).unwrap_or(number)
}

/// What is in PEM of a kind.
fn unarmored(pem: &str, kind: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (_, body) = pem.split_once(&format!("-----BEGIN {kind}-----"))?;
    let (body, _) = body.split_once(&format!("-----END {kind}-----"))?;
    let body: Zeroizing<String> =
        Zeroizing::new(body.chars().filter(|next| !next.is_ascii_whitespace()).collect());
    STANDARD.decode(body.as_bytes()).ok().map(Zeroizing::new)
}

/// Modulus and exponent of an `RSAPrivateKey` (RFC 8017, appendix A.1.2).
fn pkcs1_public(der: &[u8]) -> Option<[&[u8]; 2]> {
    let (inner, _) = der_value(der, 0x30)?;
    let (_version, rest) = der_value(inner, 0x02)?;
    let (modulus, rest) = der_value(rest, 0x02)?;
    let (exponent, _) = der_value(rest, 0x02)?;
    Some([modulus, exponent].map(without_zeros))
}

/// The first value in DER, which must have this tag, and what follows it.
fn der_value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length).filter(|_| *found == tag)
}
