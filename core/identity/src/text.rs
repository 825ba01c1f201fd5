use base_crypto::{Random, random_base62};
use base_types::Secret;

/// A token as its holder has it: `srs_` (service) or `srb_` (batch), the payload, and six digits of
/// checksum, so that a scanner can tell a real token from a look-alike without asking the server.
pub struct TokenText(Secret<String>);

pub(crate) const SERVICE: &str = "srs_";
pub(crate) const BATCH: &str = "srb_";
/// Base-62 digits: 28 of them carry 166 bits.
const RANDOM_LENGTH: usize = 28;
const CHECKSUM_LENGTH: usize = 6;

impl TokenText {
    pub fn service(random: &dyn Random) -> Self {
        Self::with_checksum(SERVICE, &random_base62(random, RANDOM_LENGTH))
    }

    pub(crate) fn with_checksum(prefix: &str, payload: &str) -> Self {
        Self(Secret::new(format!("{prefix}{payload}{}", checksum(payload))))
    }

    pub fn into_secret(self) -> Secret<String> {
        self.0
    }

    /// The payload of a batch token whose checksum fits.
    pub(crate) fn batch_payload(text: &str) -> Option<&str> {
        let body = text.strip_prefix(BATCH)?;
        let (payload, sum) = body.split_at_checked(body.len().checked_sub(CHECKSUM_LENGTH)?)?;
        (checksum(payload) == sum).then_some(payload)
    }
}

/// The CRC-32 of the payload (ISO-HDLC) as six base-62 digits, as other vendors' tokens carry it.
fn checksum(payload: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = crc32fast::hash(payload.as_bytes());
    let mut text = [b'0'; CHECKSUM_LENGTH];
    for digit in text.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_crypto::SeededRandom;

    use super::*;

    #[test]
    fn a_token_is_recognisable() {
        let token = TokenText::service(&SeededRandom::new(1)).into_secret();
        let text = token.expose();
        assert_eq!(text.len(), 38);
        let (payload, sum) = text.strip_prefix("srs_").unwrap().split_at(28);
        assert_eq!(checksum(payload), sum);
        // The check value of CRC-32/ISO-HDLC for "123456789" is 0xCBF43926.
        assert_eq!(checksum("123456789"), "3jZRME");
    }

    #[test]
    fn a_changed_batch_token_is_refused_before_anything_is_decrypted() {
        let token = TokenText::with_checksum(BATCH, "payload").into_secret();
        assert_eq!(TokenText::batch_payload(token.expose()), Some("payload"));
        assert_eq!(TokenText::batch_payload(&token.expose().replace('p', "q")), None);
        for bad in ["", "srb_", "srb_abc", "srs_payload", "srb_ä€ä€"] {
            assert_eq!(TokenText::batch_payload(bad), None, "{bad:?}");
        }
    }
}
