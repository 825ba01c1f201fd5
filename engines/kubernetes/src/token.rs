use base_types::{Error, Result, Secret, Ttl};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

/// How long a token lives from when it was issued, by its own word (RFC 7519, section 4.1). The
/// cluster that made it just said so over TLS, which is why nobody checks the signature.
///
/// # Errors
/// `Upstream` if it is no JWT with both times.
pub(crate) fn lifetime(token: &Secret<String>) -> Result<Ttl> {
    #[derive(Deserialize)]
    struct Claims {
        exp: u64,
        iat: u64,
    }
    let claims = || {
        let payload = token.expose().split('.').nth(1)?;
        let payload = Secret::new(BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?);
        let Claims { exp, iat } = serde_json::from_slice(payload.expose()).ok()?;
        exp.checked_sub(iat).map(Ttl::from_seconds)
    };
    claims().ok_or_else(|| Error::upstream("the cluster's token is no JWT with exp and iat"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_its_lifetime() {
        let token = |payload: &str| {
            Secret::new(format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(payload)))
        };
        let seconds = |payload: &str| lifetime(&token(payload)).map(Ttl::seconds).ok();
        assert_eq!(seconds(r#"{"exp": 1700003600, "iat": 1700000000, "sub": "x"}"#), Some(3600));
        assert_eq!(seconds(r#"{"exp": 1, "iat": 2}"#), None);
        assert_eq!(seconds(r#"{"exp": 1}"#), None);
        assert_eq!(seconds("hunter2"), None);
        let error = lifetime(&Secret::new("hunter2".to_owned())).unwrap_err();
        assert!(!error.log().to_string().contains("hunter2"));
    }
}
