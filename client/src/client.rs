use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use base_types::Secret;
use bytes::Bytes;
use http::Uri;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::connect::Connector;
use crate::response::envelope_of_not_found;
use crate::{ApiError, Config, Error, Request, Response, Result, SecretResponse, Verb, tls};

/// A client of one server. Cheap to clone; connections are pooled among the clones.
#[derive(Clone)]
pub struct Client {
    http: legacy::Client<Connector, Full<Bytes>>,
    config: Arc<Config>,
    /// Scheme, host and the path before `/v1`.
    base: Arc<str>,
}

/// The largest answer that is read. A listing of a million keys is about a tenth of it.
const ANSWER_BYTES_MAX: usize = 512 << 20;
/// The longest pause before a retry, also where the server asks for more.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(30);

impl Client {
    /// Opens no connection yet.
    ///
    /// # Errors
    /// `Config` if the address, a certificate file or a header cannot be used.
    pub fn new(config: Config) -> Result<Self> {
        let (socket, base) = base_of(&config.address)?;
        let needs_tls = base.starts_with("https:");
        let settings = if needs_tls { config.tls.clone() } else { crate::Tls::default() };
        let tls = if needs_tls { tls::client_config(&settings)? } else { plain()? };
        let server_name = config.tls.server_name.clone();
        let connector = Connector { socket, tls: Arc::new(tls), server_name };
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(90))
            .build(connector);
        Ok(Self { http, config: Arc::new(config), base: base.into() })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// This client with another token.
    pub fn with_token(&self, token: Option<Secret<String>>) -> Self {
        let config = Config { token, ..(*self.config).clone() };
        Self { config: Arc::new(config), ..self.clone() }
    }

    /// This client in another namespace.
    pub fn with_namespace(&self, namespace: impl Into<String>) -> Self {
        let config = Config { namespace: namespace.into(), ..(*self.config).clone() };
        Self { config: Arc::new(config), ..self.clone() }
    }

    /// The whole URL of `request`, as error texts show it.
    pub fn url(&self, request: &Request) -> String {
        format!("{}{}", self.base, request.target())
    }

    /// The headers of `request` apart from the token, by their usual spelling.
    pub fn headers(&self, request: &Request) -> Vec<(String, String)> {
        let Config { namespace, headers, wrap_ttl, .. } = &*self.config;
        let mut all = vec![("X-Vault-Request".to_owned(), "true".to_owned())];
        if !namespace.is_empty() {
            all.push(("X-Vault-Namespace".to_owned(), namespace.clone()));
        }
        if let Some(ttl) = wrap_ttl.as_ref().filter(|_| request.wrap) {
            all.push(("X-Vault-Wrap-TTL".to_owned(), ttl.clone()));
        }
        if request.verb == Verb::Patch {
            all.push(("Content-Type".to_owned(), "application/merge-patch+json".to_owned()));
        }
        for (name, value) in headers {
            all.push((name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        }
        all
    }

    /// Sends `request` and reads the whole answer.
    ///
    /// # Errors
    /// `Api` for every status of 400 and above, `Connection` if there is no answer in time.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        let limit = self.config.timeout;
        let answer = tokio::time::timeout(limit, self.send_with_retries(request)).await;
        answer.unwrap_or_else(|_| {
            let seconds = limit.as_secs_f64();
            Err(self.unreached(request, &format!("no answer within {seconds} seconds")))
        })
    }

    /// Sends `request` and reads the envelope. A 404 without content is `None` when reading,
    /// listing or scanning: there is nothing there.
    ///
    /// # Errors
    /// As [`Client::send`]; `Malformed` if the answer is no envelope.
    pub async fn secret(&self, request: &Request) -> Result<Option<SecretResponse>> {
        match self.send(request).await {
            Ok(response) => response.secret(),
            Err(Error::Api(error)) if error.status == 404 && reads(request.verb) => {
                Ok(envelope_of_not_found(&error.body))
            }
            Err(error) => Err(error),
        }
    }

    async fn send_with_retries(&self, request: &Request) -> Result<Response> {
        let mut attempt = 0;
        loop {
            let answer = self.send_following(request).await;
            if attempt == self.config.retries_max || !worth_retrying(&answer) {
                return answer.and_then(|(answer, _)| self.judge(request, answer));
            }
            attempt += 1;
            let asked = answer.ok().and_then(|(_, retry_after)| retry_after);
            let usual =
                if attempt == 1 { self.config.retry_wait } else { self.config.retry_wait * 3 / 2 };
            tokio::time::sleep(asked.unwrap_or(usual).min(RETRY_WAIT_MAX)).await;
        }
    }

    async fn send_following(&self, request: &Request) -> Result<(Response, Option<Duration>)> {
        let url = self.url(request);
        let answer = self.exchange(request, &url).await?;
        let moved = matches!(answer.status().as_u16(), 301 | 302 | 307);
        let answer = match answer.headers().get(LOCATION) {
            Some(location) if moved && self.config.redirects => {
                let target = redirect_target(&url, location)?;
                self.exchange(request, &target).await?
            }
            _ => answer,
        };
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(seconds);
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Error::Malformed("the server's answer is larger than 512 MiB".to_owned())
            } else {
                self.unreached(request, &format!("the answer broke off: {error}"))
            }
        })?;
        Ok((Response { status, body: body.to_bytes() }, retry_after))
    }

    async fn exchange(
        &self,
        request: &Request,
        url: &str,
    ) -> Result<http::Response<hyper::body::Incoming>> {
        let mut builder = http::Request::builder().method(request.verb.method()).uri(url);
        for (name, value) in self.headers(request) {
            builder = builder.header(name, value);
        }
        if let Some(token) = &self.config.token {
            let mut value = HeaderValue::from_str(token.expose()).map_err(|_| {
                Error::Config("the token holds characters that cannot be sent".to_owned())
            })?;
            value.set_sensitive(true);
            builder = builder.header("X-Vault-Token", value);
        }
        if request.body.is_some() && request.verb != Verb::Patch {
            builder = builder.header(CONTENT_TYPE, "application/json");
        }
        let message = builder
            .body(Full::new(request.body.clone().unwrap_or_default()))
            .map_err(|error| Error::Config(format!("the request cannot be sent: {error}")))?;
        self.http
            .request(message)
            .await
            .map_err(|error| self.unreached(request, &innermost(&error)))
    }

    fn judge(&self, request: &Request, answer: Response) -> Result<Response> {
        if answer.status < 400 {
            return Ok(answer);
        }
        #[derive(serde::Deserialize)]
        struct Errors {
            errors: Vec<String>,
        }
        let (errors, raw) = match serde_json::from_slice(&answer.body) {
            Ok(Errors { errors }) => (errors, false),
            // A deleted version answers 404 with its metadata in place of an error list.
            Err(_) if answer.status == 404 && envelope_of_not_found(&answer.body).is_some() => {
                (Vec::new(), false)
            }
            Err(_) => (vec![String::from_utf8_lossy(&answer.body).into_owned()], true),
        };
        Err(Error::Api(Box::new(ApiError {
            method: request.verb.method_name(),
            url: self.url(request),
            namespace: self.config.namespace.clone(),
            status: answer.status,
            errors,
            raw,
            body: answer.body,
        })))
    }

    fn unreached(&self, request: &Request, why: &str) -> Error {
        Error::Connection(format!("{} {}: {why}", request.verb.method_name(), self.url(request)))
    }
}

/// Splits an address into the unix socket, if it is one, and the base of all URLs.
fn base_of(address: &str) -> Result<(Option<std::path::PathBuf>, String)> {
    if let Some(path) = address.strip_prefix("unix://") {
        return Ok((Some(path.into()), "http://localhost".to_owned()));
    }
    let wrong = || {
        let forms = "write https://host:port, http://host:port or unix:///path";
        Error::Config(format!("the address {address:?} is no address of a server: {forms}"))
    };
    let uri: Uri = address.parse().map_err(|_| wrong())?;
    match (uri.scheme_str(), uri.authority()) {
        (Some(scheme @ ("http" | "https")), Some(authority)) => {
            Ok((None, format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/'))))
        }
        _ => Err(wrong()),
    }
}

/// A TLS configuration for a client that never uses it: plain HTTP reads no certificate store.
fn plain() -> Result<rustls::ClientConfig> {
    tls::client_config(&crate::Tls { danger_skip_verify: true, ..crate::Tls::default() })
}

fn reads(verb: Verb) -> bool {
    matches!(verb, Verb::List | Verb::Read | Verb::Scan)
}

fn worth_retrying(answer: &Result<(Response, Option<Duration>)>) -> bool {
    match answer {
        Ok((answer, _)) => match answer.status {
            412 | 429 => true,
            501 => false,
            status => status >= 500,
        },
        Err(error) => matches!(error, Error::Connection(_)),
    }
}

/// Where the redirect leads: an absolute URL, or a path on the same server.
fn redirect_target(from: &str, location: &HeaderValue) -> Result<String> {
    let wrong = || Error::Malformed("the server redirects to a place that is no URL".to_owned());
    let location = location.to_str().map_err(|_| wrong())?;
    let (origin, to): (Uri, Uri) =
        (from.parse().map_err(|_| wrong())?, location.parse().map_err(|_| wrong())?);
    match to.scheme_str() {
        None => {
            let (scheme, host) = (origin.scheme_str(), origin.authority());
            let (Some(scheme), Some(host)) = (scheme, host) else { return Err(wrong()) };
            Ok(format!("{scheme}://{host}{location}"))
        }
        Some("http") if origin.scheme_str() == Some("https") => {
            Err(Error::Malformed("redirect would cause protocol downgrade".to_owned()))
        }
        Some(_) => Ok(location.to_owned()),
    }
}

fn seconds(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// The text of the first cause: hyper's own only says that something failed.
fn innermost(error: &legacy::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_a_host_and_perhaps_a_prefix() {
        for (address, base) in [
            ("http://127.0.0.1:8200", "http://127.0.0.1:8200"),
            ("https://vault.example/", "https://vault.example"),
            ("https://[::1]:8200/proxy/", "https://[::1]:8200/proxy"),
            ("unix:///run/strongroom.sock", "http://localhost"),
        ] {
            assert_eq!(base_of(address).unwrap().1, base);
        }
        for address in ["", "127.0.0.1:8200", "ftp://x", "http://", "localhost"] {
            let error = base_of(address).unwrap_err().to_string();
            assert!(error.contains("https://host:port"), "{error}");
        }
    }

    #[test]
    fn a_redirect_never_leaves_tls() {
        let to = |text: &str| {
            redirect_target("https://a:1/v1/x?y=1", &HeaderValue::from_str(text).unwrap())
        };
        assert_eq!(to("https://b:2/v1/x").unwrap(), "https://b:2/v1/x");
        assert_eq!(to("/v1/z").unwrap(), "https://a:1/v1/z");
        assert!(to("http://b:2/v1/x").unwrap_err().to_string().contains("downgrade"));
    }
}
