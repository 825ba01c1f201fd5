use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base_types::{Error, Result, Secret, Timestamp};
use bytes::Bytes;
use http::{HeaderValue, Request};

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

    /// Adds the headers that prove who sends `request`, with the host, the other headers and the
    /// body under the signature.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>
    ///
    /// # Errors
    /// `Invalid` if the key's name is none that a header can hold.
    pub(crate) fn sign(
        &self,
        mut request: Request<Bytes>,
        region: &str,
        service: &str,
        now: Timestamp,
    ) -> Result<Request<Bytes>> {
        let secret = self.secret.expose().as_str();
        let identity = Credentials::new(self.id.as_str(), secret, None, None, "config/root").into();
        let seconds = u64::try_from(now.seconds()).map_err(Error::internal)?;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
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
            let value = HeaderValue::from_str(header.value()).map_err(|_| {
                Error::invalid("access_key holds what no access key holds: set it again")
            })?;
            request.headers_mut().insert(header.name(), value);
        }
        Ok(request)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The key and time of AWS's own examples; botocore, AWS's client for Python, signs the same
    /// request with the same signature.
    #[test]
    fn what_is_sent_is_what_is_signed() {
        let key = AccessKey {
            id: "AKIDEXAMPLE".to_owned(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
        };
        let request = Request::post("https://iam.amazonaws.com")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(Bytes::from_static(b"Action=ListUsers&Version=2010-05-08"))
            .unwrap();
        // 2015-08-30T12:36:00Z
        let now = Timestamp::from_seconds(1_440_938_160);
        let signed = key.sign(request, "us-east-1", "iam", now).unwrap();
        let header = |name: &str| signed.headers()[name].to_str().unwrap();
        assert_eq!(header("x-amz-date"), "20150830T123600Z");
        let authorization = header("authorization");
        let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d76d0de3e0ffe5a7a23cfce21b99d6f4e5060aad86bd9dc7c617f224e5b492a";
        assert_eq!(authorization, expected);
        let hostile = AccessKey { id: "A\r\nHost: evil".to_owned(), ..key };
        let request = Request::post("https://h").body(Bytes::new()).unwrap();
        assert!(hostile.sign(request, "us-east-1", "iam", now).is_err());
    }
}
