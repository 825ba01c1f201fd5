//! Requests to AWS, signed: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base_types::{Error, Result, Secret, Timestamp};
use bytes::Bytes;
use http::{HeaderValue, Request};

/// Who signs.
pub struct Signer<'a> {
    /// The name of the access key, which is no secret.
    pub id: &'a str,
    pub secret: &'a Secret<String>,
    /// Of keys that are good for a session only.
    pub token: Option<&'a Secret<String>>,
}

/// For whom a request is.
pub struct Scope<'a> {
    pub region: &'a str,
    pub service: &'a str,
}

impl Signer<'_> {
    /// Adds the headers that prove who sends `request`, with the host, the other headers and the
    /// body under the signature.
    ///
    /// # Errors
    /// `Invalid` if the key's name or token is none that a header can hold.
    pub fn sign(
        &self,
        mut request: Request<Bytes>,
        scope: &Scope<'_>,
        now: Timestamp,
    ) -> Result<Request<Bytes>> {
        let secret = self.secret.expose().as_str();
        let token = self.token.map(|token| token.expose().clone());
        let identity = Credentials::new(self.id, secret, token, None, "configuration").into();
        let seconds = u64::try_from(now.seconds()).map_err(Error::internal)?;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(scope.region)
            .name(scope.service)
            .time(UNIX_EPOCH + Duration::from_secs(seconds))
            .settings(SigningSettings::default())
            .build()
            .map_err(Error::internal)?
            .into();
        let headers = request.headers().iter();
        let headers =
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.uri().to_string(),
            headers,
            SignableBody::Bytes(request.body()),
        );
        let signed = sign(signable.map_err(Error::internal)?, &params).map_err(Error::internal)?;
        let (headers, _) = signed.into_parts().0.into_parts();
        for header in headers {
            let value = HeaderValue::from_str(header.value())
                .map_err(|_| Error::invalid("the access key holds what no access key holds"))?;
            request.headers_mut().insert(header.name(), value);
        }
        Ok(request)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_types::ErrorKind;

    use super::*;

    /// The key and time of AWS's own examples; botocore, AWS's client for Python, signs the same
    /// request with the same signature.
    #[test]
    fn what_is_sent_is_what_is_signed() {
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned());
        let key = Signer { id: "AKIDEXAMPLE", secret: &secret, token: None };
        let scope = Scope { region: "us-east-1", service: "iam" };
        let request = Request::post("https://iam.amazonaws.com")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(Bytes::from_static(b"Action=ListUsers&Version=2010-05-08"))
            .unwrap();
        // 2015-08-30T12:36:00Z
        let now = Timestamp::from_seconds(1_440_938_160);
        let signed = key.sign(request, &scope, now).unwrap();
        let header = |name: &str| signed.headers()[name].to_str().unwrap();
        assert_eq!(header("x-amz-date"), "20150830T123600Z");
        let authorization = header("authorization");
        let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d76d0de3e0ffe5a7a23cfce21b99d6f4e5060aad86bd9dc7c617f224e5b492a";
        assert_eq!(authorization, expected);
        let hostile = Signer { id: "A\r\nHost: evil", ..key };
        let request = Request::post("https://h").body(Bytes::new()).unwrap();
        assert!(hostile.sign(request, &scope, now).unwrap_err().is(ErrorKind::Invalid));
    }
}
