use base_tls::ClientTls;
use base_types::{BoxFuture, Error, Result, Secret};
use bytes::Bytes;
use http::{Request, Response};

/// How an engine reaches other systems over HTTP. There is one in the server, which keeps
/// connections open for the next request with the same TLS settings.
pub trait Outbound: Send + Sync + 'static {
    /// Sends a request with an absolute `http` or `https` URL and gives the whole answer, whatever
    /// its status. A redirect is an answer like any other: it is never followed, so that what a
    /// request carries reaches nobody but the host it was meant for.
    ///
    /// # Errors
    /// `Invalid` if the TLS settings cannot be used; `Unavailable` if there is no whole answer
    /// after 30 seconds; `Upstream` if the answer has more than 4 MiB.
    fn send<'a>(
        &'a self,
        request: Request<Bytes>,
        tls: &'a ClientTls,
    ) -> BoxFuture<'a, Result<Response<Bytes>>>;

    /// What the Kubernetes pod around the server was given, read anew each time: tokens in it
    /// are replaced while it runs.
    fn pod(&self) -> BoxFuture<'_, Pod>;
}

/// How a Kubernetes pod reaches the API of its own cluster; outside of a pod nothing is there.
///
/// <https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/>
#[derive(Clone, Debug, Default)]
pub struct Pod {
    /// `KUBERNETES_SERVICE_HOST`.
    pub host: Option<String>,
    /// `KUBERNETES_SERVICE_PORT_HTTPS`.
    pub port: Option<String>,
    /// The token of the pod's service account.
    pub token: Option<Secret<String>>,
    /// The authority of the cluster, as PEM.
    pub ca: Option<String>,
}

/// For a server whose engines reach nobody.
pub struct Isolated;

impl Outbound for Isolated {
    fn send<'a>(
        &'a self,
        _: Request<Bytes>,
        _: &'a ClientTls,
    ) -> BoxFuture<'a, Result<Response<Bytes>>> {
        Box::pin(async { Err(Error::unavailable("this server reaches no other system")) })
    }

    fn pod(&self) -> BoxFuture<'_, Pod> {
        Box::pin(async { Pod::default() })
    }
}
