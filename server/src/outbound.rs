use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base_types::{BoxFuture, Error, Result, Secret};
use bytes::Bytes;
use core_audit::HttpPoster;
use core_engine_api::{ClientTls, Outbound, Pod};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use quick_cache::sync::Cache;

use crate::config::Environment;

/// HTTP/1.1 to other systems, with a pool of connections for each TLS setting.
#[derive(Clone)]
pub(crate) struct HttpOutbound {
    plain: Pool<HttpConnector>,
    /// By the fingerprint of the settings.
    secure: Arc<Cache<[u8; 32], SecurePool>>,
    cluster: Arc<Cluster>,
}

type Pool<C> = Client<C, Full<Bytes>>;
type SecurePool = Pool<HttpsConnector<HttpConnector>>;

/// Where the pod around the server keeps what it was given.
struct Cluster {
    host: Option<String>,
    port: Option<String>,
    folder: PathBuf,
}

/// From the first try to connect to the last byte of the answer.
const TIME_MAX: Duration = Duration::from_secs(30);
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Less than servers allow, lest a request meets a connection that is just being closed.
const IDLE_TIME_MAX: Duration = Duration::from_secs(20);
const IDLE_CONNECTIONS_MAX: usize = 16;
const ANSWER_SIZE_MAX: usize = 4 << 20;
/// Beyond this the pools that were used least lose their connections.
const SETTINGS_MAX: usize = 256;
const POD_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

impl HttpOutbound {
    pub(crate) fn new(environment: &Environment) -> Self {
        let variable = |name| environment.exact(name).filter(|value| !value.is_empty());
        let cluster = Cluster {
            host: variable("KUBERNETES_SERVICE_HOST"),
            port: variable("KUBERNETES_SERVICE_PORT_HTTPS"),
            folder: POD_FOLDER.into(),
        };
        Self {
            plain: client(connector()),
            secure: Arc::new(Cache::new(SETTINGS_MAX)),
            cluster: Arc::new(cluster),
        }
    }

    async fn exchange(&self, request: Request<Bytes>, tls: &ClientTls) -> Result<Response<Bytes>> {
        let place = Place::of(request.uri());
        let request = request.map(Full::new);
        let answer = match request.uri().scheme_str() {
            Some("https") => self.secure(tls)?.request(request).await,
            _ => self.plain.request(request).await,
        };
        let answer = answer.map_err(|error| place.unreachable(&error))?;
        let (head, body) = answer.into_parts();
        let body = Limited::<Incoming>::new(body, ANSWER_SIZE_MAX).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return Error::upstream(format!("{place} answers with more than 4 MiB"));
            }
            place.unreachable(&*error)
        })?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    fn secure(&self, tls: &ClientTls) -> Result<SecurePool> {
        self.secure.get_or_insert_with(&tls.fingerprint(), || {
            let mut connector = connector();
            connector.enforce_http(false);
            let mut builder =
                HttpsConnectorBuilder::new().with_tls_config(tls.config()?).https_only();
            if !tls.server_name.is_empty() {
                let name = tls.server_name_for("")?;
                builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
            }
            Ok(client(builder.enable_http1().wrap_connector(connector)))
        })
    }
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_TIME_MAX));
    connector.set_nodelay(true);
    connector
}

fn client<C>(connector: C) -> Pool<C>
where
    C: hyper_util::client::legacy::connect::Connect + Clone,
{
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE_TIME_MAX)
        // Without it what is idle is only found out when it is asked for again.
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .build(connector)
}

impl Outbound for HttpOutbound {
    fn send<'a>(
        &'a self,
        request: Request<Bytes>,
        tls: &'a ClientTls,
    ) -> BoxFuture<'a, Result<Response<Bytes>>> {
        Box::pin(async move {
            let place = Place::of(request.uri());
            let late = |_| Error::unavailable(format!("{place} has not answered in 30 seconds"));
            tokio::time::timeout(TIME_MAX, self.exchange(request, tls)).await.map_err(late)?
        })
    }

    fn pod(&self) -> BoxFuture<'_, Pod> {
        Box::pin(async {
            let Cluster { host, port, folder } = &*self.cluster;
            let read =
                |name| async move { tokio::fs::read_to_string(folder.join(name)).await.ok() };
            let token = read("token").await.map(|text| Secret::new(text.trim().to_owned()));
            Pod { host: host.clone(), port: port.clone(), token, ca: read("ca.crt").await }
        })
    }
}

/// Audit entries go to an `https` address that the machine trusts.
impl HttpPoster for HttpOutbound {
    fn post(&self, request: Request<Bytes>) -> BoxFuture<'static, Result<StatusCode>> {
        let outbound = self.clone();
        Box::pin(async move {
            let answer = outbound.send(request, &ClientTls::default()).await?;
            Ok(answer.status())
        })
    }
}

/// The host of a URL, for errors: its path may hold what is not for everybody.
struct Place(String);

impl Place {
    fn of(uri: &Uri) -> Self {
        let host = uri.authority().map_or("", |authority| authority.as_str());
        // What stands before an @ would be a password.
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        Self(format!("{}://{host}", uri.scheme_str().unwrap_or_default()))
    }

    fn unreachable(&self, error: &(dyn StdError + 'static)) -> Error {
        let mut cause = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let hint = match cause.to_string() {
            text if text.contains("UnknownIssuer") => "; is it signed by another authority?",
            text if text.contains("InvalidContentType") => "; does it speak plain http?",
            _ => "",
        };
        Error::unavailable(format!("cannot reach {self}: {cause}{hint}")).because(error)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
