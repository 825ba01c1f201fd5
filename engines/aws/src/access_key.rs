use base_sigv4::{Scope, Signer};
use base_types::{Error, ErrorKind, Result, Secret, Timestamp};
use bytes::Bytes;
use http::Request;

/// A key of an IAM user.
#[derive(Clone)]
pub(crate) struct AccessKey {
    /// Its name, which is no secret.
    pub(crate) id: String,
    pub(crate) secret: Secret<String>,
}

impl AccessKey {
    /// As one text. There is no colon in the name of a key.
    pub(crate) fn to_text(&self) -> Secret<String> {
        Secret::new(format!("{}:{}", self.id, self.secret.expose()))
    }

    /// What [`Self::to_text`] has written.
    ///
    /// # Errors
    /// `Corrupt` for anything else.
    pub(crate) fn from_text(text: &Secret<String>) -> Result<Self> {
        let parts = text.expose().split_once(':');
        let (id, secret) = parts.ok_or_else(|| Error::corrupt("a stored key of AWS"))?;
        Ok(Self { id: id.to_owned(), secret: Secret::new(secret.to_owned()) })
    }

    /// Adds the headers that prove who sends `request`.
    ///
    /// # Errors
    /// `Invalid` if the key's name is none that a header can hold.
    pub(crate) fn sign(
        &self,
        request: Request<Bytes>,
        scope: &Scope<'_>,
        now: Timestamp,
    ) -> Result<Request<Bytes>> {
        let signer = Signer { id: &self.id, secret: &self.secret, token: None };
        signer.sign(request, scope, now).map_err(|error| match error.kind() {
            ErrorKind::Invalid => {
                Error::invalid("access_key holds what no access key holds: set it again")
            }
            _ => error,
        })
    }
}
