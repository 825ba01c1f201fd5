//! Where requests arrive: TCP with or without TLS, and unix sockets.
//!
//! Each listener accepts in its own task and hands every connection to a task of its own, where the
//! TLS handshake, HTTP/1.1 and HTTP/2 happen, so that nobody waits for a slow client. Every wait for
//! a client has an end: see [`crate::config::Limits`].

mod accept;
mod body;
mod certificate;
mod client_certificates;
mod connection;
mod exchange;
mod forwarded;
mod open_files;
mod pace;
mod tls;
mod unix;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base_types::{Error, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::config;

pub use body::{BodyError, read_body};
pub(crate) use certificate::Certificate;
pub(crate) use exchange::refusal;
pub use open_files::{connections_max, open_files_max};
pub(crate) use tls::{certificates, private_key};
pub(crate) use unix::{answers, owner_ids};

use accept::accept_connections;
use connection::Connections;
use tls::ServerTls;
use unix::SocketFile;

/// What answers requests.
///
/// The future may be dropped when the client goes away or the time is over, but only for methods
/// that read (`GET`, `HEAD`, `LIST`, `SCAN`, `OPTIONS`); the others always run to their end.
pub trait Service: Clone + Send + Sync + 'static {
    fn call(
        &self,
        request: Request<Incoming>,
        peer: Arc<Peer>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// Who sent a request.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The client's address: the one a trusted load balancer names, else that of the connection.
    /// `None` on unix sockets.
    pub remote: Option<SocketAddr>,
    /// The client's certificate chain in DER form, its own first. Its holder has proven to have the
    /// key; who that is has been checked only where the listener requires a certificate.
    pub certificates: Arc<[Vec<u8>]>,
    pub tls: bool,
    /// The index of the listener in the configuration.
    pub listener: usize,
}

/// Where a listener can be reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Address {
    Tcp { address: SocketAddr, tls: bool },
    Unix(PathBuf),
}

/// As a URL, or `unix:` with the path.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { address, tls: true } => write!(f, "https://{address}"),
            Self::Tcp { address, tls: false } => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Listeners that are bound and do not accept yet.
pub struct Listeners {
    bound: Vec<Bound>,
    connections_max: usize,
}

struct Bound {
    socket: Socket,
    config: config::Listener,
    tls: Option<Arc<ServerTls>>,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

impl Listeners {
    /// Binds all addresses and loads all certificates. `connections_max` holds for all listeners
    /// together; see [`connections_max`] for a good one.
    ///
    /// # Errors
    /// `Invalid`, with the place in the configuration, for the first that does not work.
    pub async fn bind(configs: &[config::Listener], connections_max: usize) -> Result<Self> {
        let mut bound = Vec::with_capacity(configs.len());
        for config in configs {
            bound.push(Bound::new(config).await.map_err(|error| error.at(&config.place))?);
        }
        Ok(Self { bound, connections_max })
    }

    /// The addresses in the order of the configuration, with the ports that were chosen for port 0.
    pub fn addresses(&self) -> Vec<Address> {
        self.bound.iter().map(Bound::address).collect()
    }

    /// Begins to accept.
    pub fn serve<S: Service>(self, service: S) -> Serving {
        let (phase, _) = watch::channel(Phase::Serving);
        let permits = Arc::new(Semaphore::new(self.connections_max));
        let mut serving = Serving {
            phase,
            permits: permits.clone(),
            connections_max: self.connections_max,
            tls: Vec::new(),
            tasks: Vec::new(),
        };
        for (index, Bound { socket, config, tls }) in self.bound.into_iter().enumerate() {
            serving.watch_certificate(&config, tls.as_ref());
            let connections = Arc::new(Connections::new(service.clone(), index, config, tls));
            let (permits, phase) = (permits.clone(), serving.phase.subscribe());
            serving.tasks.push(match socket {
                Socket::Tcp(listener) => {
                    tokio::spawn(accept_connections(listener, connections, permits, phase))
                }
                Socket::Unix(listener, file) => tokio::spawn(async move {
                    accept_connections(listener, connections, permits, phase).await;
                    drop(file);
                }),
            });
        }
        serving
    }
}

impl Bound {
    async fn new(config: &config::Listener) -> Result<Self> {
        let tls = config.tls.as_ref().map(ServerTls::load).transpose()?.map(Arc::new);
        let socket = match &config.bind {
            config::Bind::Tcp(address) => Socket::Tcp(bind_tcp(address).await?),
            config::Bind::Unix(socket) => {
                let (listener, file) = unix::bind(socket)?;
                Socket::Unix(listener, file)
            }
        };
        Ok(Self { socket, config: config.clone(), tls })
    }

    fn address(&self) -> Address {
        match &self.socket {
            Socket::Tcp(listener) => Address::Tcp {
                address: listener.local_addr().expect("a bound socket has an address"),
                tls: self.tls.is_some(),
            },
            Socket::Unix(_, file) => Address::Unix(file.path().to_owned()),
        }
    }
}

async fn bind_tcp(address: &str) -> Result<TcpListener> {
    TcpListener::bind(bindable(address)).await.map_err(|error| {
        Error::invalid(format!("the address {address} cannot be bound: {}", hint(&error)))
    })
}

/// `:8200` means every address, as in Go.
pub(crate) fn bindable(address: &str) -> String {
    if address.starts_with(':') { format!("[::]{address}") } else { address.to_owned() }
}

/// The error with what to do about it.
pub(crate) fn hint(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another process listens there: stop it or choose another port".to_owned()
        }
        std::io::ErrorKind::AddrNotAvailable => {
            "this machine does not have that address".to_owned()
        }
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 need the capability CAP_NET_BIND_SERVICE".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Listeners at work. Dropping it stops them at once.
pub struct Serving {
    phase: watch::Sender<Phase>,
    permits: Arc<Semaphore>,
    connections_max: usize,
    tls: Vec<Arc<ServerTls>>,
    tasks: Vec<JoinHandle<()>>,
}

/// How far the end has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Serving,
    /// Nothing new is accepted; requests under way are answered.
    Draining,
    Closed,
}

/// Waits until nothing new is to be accepted; at once if the [`Serving`] is gone.
async fn draining(phase: &mut watch::Receiver<Phase>) {
    let _ = phase.wait_for(|phase| *phase != Phase::Serving).await;
}

/// Waits until what is left is to be closed; at once if the [`Serving`] is gone.
async fn closed(phase: &mut watch::Receiver<Phase>) {
    let _ = phase.wait_for(|phase| *phase == Phase::Closed).await;
}

impl Serving {
    /// Reads certificates and keys again, for SIGHUP. What cannot be read or used is logged, and
    /// the old certificate stays.
    pub async fn reload(&self) {
        for tls in &self.tls {
            tls.clone().reload().await;
        }
    }

    /// Stops accepting, lets requests under way finish for at most `grace`, then closes what is
    /// left. Tells how many connections that were.
    pub async fn stop(mut self, grace: Duration) -> usize {
        self.phase.send_replace(Phase::Draining);
        for task in self.tasks.drain(..) {
            // A task that panicked has stopped as well.
            let _ = task.await;
        }
        let all = u32::try_from(self.connections_max).unwrap_or(u32::MAX);
        let drained = tokio::time::timeout(grace, self.permits.acquire_many(all)).await;
        let left = if drained.is_ok() {
            0
        } else {
            self.connections_max.saturating_sub(self.permits.available_permits())
        };
        self.phase.send_replace(Phase::Closed);
        left
    }

    fn watch_certificate(&mut self, config: &config::Listener, tls: Option<&Arc<ServerTls>>) {
        let Some(tls) = tls else { return };
        self.tls.push(tls.clone());
        let Some(every) = config.tls.as_ref().and_then(|tls| tls.reload_every) else { return };
        let (tls, mut phase) = (tls.clone(), self.phase.subscribe());
        self.tasks.push(tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = draining(&mut phase) => return,
                    () = tokio::time::sleep(every) => tls.clone().reload().await,
                }
            }
        }));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
