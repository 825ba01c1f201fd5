use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials as Identity;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderValue, Request};

use super::credentials::Credentials;
use crate::key::Surroundings;

impl Credentials {
    /// Adds the headers that prove who sends `request`.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>
    pub(super) fn sign(
        &self,
        mut request: Request<Bytes>,
        service: &str,
        region: &str,
        with: &Surroundings<'_>,
    ) -> Result<Request<Bytes>, String> {
        let fault = |_| "the request to AWS cannot be signed".to_owned();
        let token = self.token.as_ref().map(|token| token.expose().clone());
        let secret = self.secret.expose().as_str();
        let identity = Identity::new(self.id.as_str(), secret, token, None, "files").into();
        let seconds = u64::try_from(with.clock.now().seconds()).map_err(|_| fault(()))?;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(UNIX_EPOCH + Duration::from_secs(seconds))
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| fault(()))?
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
        let signable = signable.map_err(|_| fault(()))?;
        let signed = sign(signable, &params).map_err(|_| fault(()))?;
        let (headers, _) = signed.into_parts().0.into_parts();
        for header in headers {
            let value = HeaderValue::from_str(header.value())
                .map_err(|_| "the AWS credentials hold what no credentials hold")?;
            request.headers_mut().insert(header.name(), value);
        }
        Ok(request)
    }
}
