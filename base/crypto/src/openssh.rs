use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use base_types::Secret;
use zeroize::Zeroizing;

/// Decrypts the private part of an SSH key in the way of OpenSSH, `bcrypt` with `aes256-ctr`.
/// Whether the passphrase is right is for the caller to see, in the two numbers that must be equal.
/// <https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key>
///
/// Nothing if the passphrase or the salt is empty, or if there are no rounds or more than 2^16,
/// many minutes of work.
pub fn openssh_decrypt(
    passphrase: &Secret<String>,
    salt: &[u8],
    rounds: u32,
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    const ROUNDS_MAX: u32 = 1 << 16;
    if rounds > ROUNDS_MAX {
        return None;
    }
    let mut stretched = Zeroizing::new([0; 48]);
    bcrypt_pbkdf::bcrypt_pbkdf(passphrase.expose(), salt, rounds, &mut *stretched).ok()?;
    let (key, iv) = stretched.split_at(32);
    let iv = FixedLength::from(<[u8; 16]>::try_from(iv).ok()?);
    let key = DecryptingKey::ctr(UnboundCipherKey::new(&AES_256, key).ok()?).ok()?;
    let mut plain = Zeroizing::new(sealed.to_vec());
    let length = key.decrypt(&mut plain, DecryptionContext::Iv128(iv)).ok()?.len();
    plain.truncate(length);
    Some(plain)
}
