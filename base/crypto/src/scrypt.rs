use base_types::{Error, Result, Secret};
use zeroize::Zeroizing;

/// 32 bytes from a passphrase by scrypt (RFC 7914) with `N = 2^log_n`, `r = 8` and `p = 1`: it
/// takes 2^(log_n + 10) bytes of memory, and about a second for `log_n` 18.
///
/// # Errors
/// `Invalid` if `log_n` is 0 or above 30, a tebibyte.
pub fn scrypt(passphrase: &Secret<String>, salt: &[u8], log_n: u8) -> Result<Secret<[u8; 32]>> {
    let params = scrypt::Params::new(log_n, 8, 1, 32)
        .ok()
        .filter(|_| (1..=30).contains(&log_n))
        .ok_or_else(|| Error::invalid(format!("a work factor of {log_n} is not possible")))?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(passphrase.expose().as_bytes(), salt, &params, &mut *key)
        .expect("32 bytes are a length that scrypt gives");
    Ok(Secret::new(*key))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::hex;

    /// Made by OpenSSL 3; the vectors of RFC 7914 have other parameters.
    #[test]
    fn agrees_with_another_implementation() {
        let key = |passphrase: &str, salt: &[u8], log_n| {
            hex(scrypt(&Secret::new(passphrase.to_owned()), salt, log_n).unwrap().expose())
        };
        assert_eq!(
            key("", b"", 4),
            "e2b1883717d879f495cb7d86aa1eb8697e724978e8fc819881b007fbba2cf86b"
        );
        assert_eq!(
            key("secret words", b"age-encryption.org/v1/scrypt0123456789abcdef", 10),
            "d954150aeec706eec1969fbfb803aa9089b7ea83fa5c0902fa474d8370d341a8"
        );
    }

    #[test]
    fn a_work_factor_that_is_none_is_refused() {
        for log_n in [0, 31, 64, 255] {
            assert!(scrypt(&Secret::default(), b"", log_n).is_err(), "{log_n}");
        }
    }
}
