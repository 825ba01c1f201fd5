use base_crypto::random_base62;
use base_types::{Error, Result, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::ceremony::{Added, Ceremony};
use crate::{Seals, Share};

/// A root token in the making: enough shares authorise it, a one-time pad hides it from everybody
/// but the one who started.
pub(crate) struct GenerateRoot {
    ceremony: Ceremony,
    otp: Secret<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GenerateRootStatus {
    pub started: bool,
    /// Empty if nothing was started.
    pub nonce: String,
    pub progress: u8,
    pub required: u8,
}

/// What became of a share.
#[derive(Debug)]
pub enum GenerateRootStep {
    Continue(GenerateRootStatus),
    /// Enough people agreed: make a root token and answer it [encoded](encode_token).
    Authorized {
        nonce: String,
        required: u8,
        otp: Secret<String>,
    },
}

impl Seals {
    pub async fn generate_root_status(&self) -> Result<GenerateRootStatus> {
        let required = self.required().await?;
        Ok(match &self.operations().generate_root {
            Some(operation) => operation.status(),
            None => {
                GenerateRootStatus { started: false, nonce: String::new(), progress: 0, required }
            }
        })
    }

    /// Starts, and gives the one-time pad: `otp` if the caller brought one, else a new one. A pad
    /// has as many characters as the tokens of this server, `otp_length`.
    ///
    /// # Errors
    /// `Invalid` if `otp` has another length or there is an operation already.
    pub async fn generate_root_start(
        &self,
        otp: Option<Secret<String>>,
        otp_length: usize,
    ) -> Result<(GenerateRootStatus, Secret<String>)> {
        let (_, split) = self.require_shares().await?;
        let otp = otp.unwrap_or_else(|| Secret::new(random_base62(self.random(), otp_length)));
        if otp.expose().len() != otp_length {
            return Err(Error::invalid("OTP string has incorrect length"));
        }
        let mut operations = self.operations();
        if operations.generate_root.is_some() {
            return Err(Error::invalid("root generation already in progress for this namespace"));
        }
        let ceremony = Ceremony::new(self.random(), split.threshold());
        let operation = GenerateRoot { ceremony, otp: otp.clone() };
        let status = operation.status();
        operations.generate_root = Some(operation);
        Ok((status, otp))
    }

    pub fn generate_root_cancel(&self) {
        self.operations().generate_root = None;
    }

    /// # Errors
    /// `Invalid` for a wrong nonce, a share given before, or shares that do not make the key; the
    /// last starts collecting anew.
    pub async fn generate_root_update(
        &self,
        nonce: &str,
        share: Share,
    ) -> Result<GenerateRootStep> {
        let parts = {
            let mut operations = self.operations();
            let operation = operations.generate_root.as_mut();
            let operation =
                operation.ok_or_else(|| Error::invalid("no root generation in progress"))?;
            operation.ceremony.check_nonce(nonce, "this root generation operation")?;
            match operation.ceremony.add(share) {
                Added::Continue => return Ok(GenerateRootStep::Continue(operation.status())),
                Added::Duplicate => {
                    return Err(Error::invalid(
                        "given key has already been provided during this generation operation",
                    ));
                }
                Added::Complete(parts) => parts,
            }
        };
        let aborted = "root generation aborted: unable to authenticate";
        self.open(&parts).await.map_err(|error| error.at(aborted))?;
        // Somebody may have cancelled while the shares were checked.
        let mut operations = self.operations();
        let is_current = |operation: &mut GenerateRoot| operation.ceremony.nonce() == nonce;
        let operation = operations.generate_root.take_if(is_current);
        let operation =
            operation.ok_or_else(|| Error::invalid("no root generation in progress"))?;
        let required = operation.ceremony.required();
        Ok(GenerateRootStep::Authorized { nonce: nonce.to_owned(), required, otp: operation.otp })
    }
}

impl GenerateRoot {
    fn status(&self) -> GenerateRootStatus {
        GenerateRootStatus {
            started: true,
            nonce: self.ceremony.nonce().to_owned(),
            progress: self.ceremony.progress(),
            required: self.ceremony.required(),
        }
    }
}

/// The token under the one-time pad: unpadded base64 of the exclusive or of their bytes.
///
/// # Errors
/// `Internal` if the lengths differ, because the pad was checked when it was taken.
pub fn encode_token(token: &Secret<String>, otp: &Secret<String>) -> Result<String> {
    if token.expose().len() != otp.expose().len() {
        return Err(Error::internal("the one-time pad has not the length of the token"));
    }
    Ok(STANDARD_NO_PAD.encode(exclusive_or(token.expose().as_bytes(), otp.expose())))
}

/// The token that [`encode_token`] hid. Padded base64 is taken too, as Vault's client does.
///
/// # Errors
/// `Invalid` if `encoded` is not base64, or not of a token of the length of `otp`.
pub fn decode_token(encoded: &str, otp: &Secret<String>) -> Result<Secret<String>> {
    let bytes = STANDARD_NO_PAD.decode(encoded.trim().trim_end_matches('='));
    let bytes = bytes.map_err(|_| Error::invalid("the encoded token is not base64"))?;
    if bytes.len() != otp.expose().len() {
        return Err(Error::invalid("the encoded token has not the length of the OTP"));
    }
    let token = String::from_utf8(exclusive_or(&bytes, otp.expose()));
    token.map(Secret::new).map_err(|_| Error::invalid("the OTP is not that of this token"))
}

fn exclusive_or(bytes: &[u8], pad: &str) -> Vec<u8> {
    bytes.iter().zip(pad.bytes()).map(|(byte, pad)| byte ^ pad).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    /// A root token, and what an OpenBao 2.7.2 server answered when it made it for this pad.
    #[test]
    fn tokens_are_hidden_as_openbao_hides_them() {
        let otp = secret("oinenQj7yrAjTmUvGUzfABNb0c");
        let encoded = "HEcAH1pgAVw6CngsHiMQIB8jDzAkNyoHcxo";
        let token = secret("s.nz41kkCx9FJNEVXvuVeudeCy");
        assert_eq!(encode_token(&token, &otp).unwrap(), encoded);
        assert_eq!(decode_token(encoded, &otp).unwrap(), token);
        assert_eq!(decode_token(&format!("{encoded}=\n"), &otp).unwrap(), token);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(encode_token(&secret("abc"), &secret("ab")).is_err());
        for (encoded, otp) in [("!", "a"), ("HEc", "a"), ("HEc", "abc"), ("/w", "a")] {
            assert!(decode_token(encoded, &secret(otp)).is_err(), "{encoded}");
        }
    }
}
