use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Version;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::accept::Stream;
use super::exchange::Exchange;
use super::pace::{Pace, Paced};
use super::tls::ServerTls;
use super::{Peer, Phase, Service, closed, draining};
use crate::config;

/// Serves the connections of one listener.
pub(super) struct Connections<S> {
    exchange: Exchange<S>,
    listener: usize,
    limits: config::Limits,
    tls: Option<Arc<ServerTls>>,
    http: auto::Builder<TokioExecutor>,
}

/// For the head of one request, in bytes.
const HEAD_SIZE_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 128;
const HTTP2_STREAMS_MAX: u32 = 256;
/// Streams that a client opens and resets at once, the "rapid reset" of CVE-2023-44487.
const HTTP2_RESETS_PENDING_MAX: usize = 20;
const HTTP2_PING_EVERY: Duration = Duration::from_secs(30);

impl<S: Service> Connections<S> {
    pub(super) fn new(
        service: S,
        listener: usize,
        config: config::Listener,
        tls: Option<Arc<ServerTls>>,
    ) -> Self {
        let limits = config.limits.clone();
        Self { exchange: Exchange::new(service, config), listener, limits, tls, http: http() }
    }

    /// Serves one connection until it ends.
    pub(super) async fn serve<T>(
        self: Arc<Self>,
        stream: T,
        remote: Option<SocketAddr>,
        mut phase: watch::Receiver<Phase>,
    ) where
        T: Stream,
    {
        match &self.tls {
            None => {
                let peer = self.peer(remote, Arc::new([]), false);
                self.serve_http(stream, peer, &mut phase).await;
            }
            Some(tls) => {
                let stream = tokio::select! {
                    biased;
                    stream = self.handshake(tls, stream, remote) => stream,
                    () = closed(&mut phase) => None,
                };
                let Some(stream) = stream else { return };
                let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
                let certificates = shown.iter().map(|der| der.to_vec()).collect();
                let peer = self.peer(remote, certificates, true);
                self.serve_http(stream, peer, &mut phase).await;
            }
        }
    }

    fn peer(
        &self,
        remote: Option<SocketAddr>,
        certificates: Arc<[Vec<u8>]>,
        tls: bool,
    ) -> Arc<Peer> {
        Arc::new(Peer { remote, certificates, tls, listener: self.listener })
    }

    async fn handshake<T>(
        &self,
        tls: &ServerTls,
        stream: T,
        remote: Option<SocketAddr>,
    ) -> Option<TlsStream<T>>
    where
        T: Stream,
    {
        let handshake = async {
            if stream.begins_with_letter().await? {
                refuse_plain(stream).await?;
                return Err(io::Error::other("the client speaks plain HTTP"));
            }
            TlsAcceptor::from(tls.current()).accept(stream).await
        };
        match tokio::time::timeout(self.limits.head, handshake).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(?remote, %error, "TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!(?remote, "TLS handshake took too long");
                None
            }
        }
    }

    async fn serve_http<T>(&self, stream: T, peer: Arc<Peer>, phase: &mut watch::Receiver<Phase>)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let pace = Pace::new(&self.limits);
        let io = TokioIo::new(Paced::new(stream, pace.clone(), &self.limits));
        let service = service_fn(|request| {
            let under_way = pace.begin(request.version() == Version::HTTP_2);
            // Boxed, since what is moved from here on would be the room for its whole state.
            let answer = Box::pin(self.exchange.clone().answer(request, peer.clone()));
            async move {
                let response = answer.await;
                drop(under_way);
                Ok::<_, Infallible>(response)
            }
        });
        let mut connection = pin!(self.http.serve_connection(io, service));
        let outcome = tokio::select! {
            biased;
            outcome = connection.as_mut() => outcome,
            () = draining(phase) => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    biased;
                    outcome = connection => outcome,
                    () = closed(phase) => return,
                }
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(remote = ?peer.remote, %error, "connection ended early");
        }
    }
}

fn http() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // The pace of the connection does it, which can tell an idle client from a slow one.
        .header_read_timeout(None)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_SIZE_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_header_list_size(HEAD_SIZE_MAX as u32)
        .max_pending_accept_reset_streams(HTTP2_RESETS_PENDING_MAX)
        .keep_alive_interval(HTTP2_PING_EVERY)
        .keep_alive_timeout(HTTP2_PING_EVERY);
    builder
}

/// Says in plain HTTP what went wrong, with the text that Go's server has for it.
async fn refuse_plain<T: Stream>(mut stream: T) -> io::Result<()> {
    stream
        .write_all(
            b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
              Client sent an HTTP request to an HTTPS server.\n",
        )
        .await?;
    stream.shutdown().await?;
    // A connection that is closed before everything was read is reset, and the text lost with it.
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}
