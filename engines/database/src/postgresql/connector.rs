use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use base_tls::ClientTls;
use base_types::{BoxFuture, Result, Secret};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config};
use tokio_rustls::{TlsConnector, client};

use super::target::Target;
use crate::details::Details;
use crate::pool::connecting;

/// Makes connections to one server.
pub(super) struct Connector {
    config: Config,
    tls: Tls,
}

impl Connector {
    pub(super) fn new(target: Target, details: &Details) -> Result<Self> {
        let settings = ClientTls {
            ca: details.tls_ca.clone(),
            certificate: details.tls_certificate.clone(),
            private_key: details.private_key.clone(),
            check: target.check,
            ..ClientTls::default()
        };
        let tls = Tls(Arc::new(settings.config()?));
        Ok(Self { config: target.config, tls })
    }

    pub(super) async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let client = connect(&self.config, &self.tls).await?;
        // How a script is read depends on this setting, so it is as [`crate::sql`] expects it.
        client.batch_execute("SET standard_conforming_strings = on").await?;
        Ok(client)
    }

    /// Asks the server to stop what a connection is doing.
    pub(super) async fn cancel(&self, client: &Client) {
        if let Err(error) = client.cancel_token().cancel_query(self.tls.clone()).await {
            tracing::warn!(%error, "could not stop a statement in PostgreSQL that takes too long");
        }
    }

    /// A connection as somebody else.
    ///
    /// # Errors
    /// `Unavailable` if it takes too long; the inner error is the server's.
    pub(super) async fn log_in(
        &self,
        username: &str,
        password: &Secret<String>,
    ) -> Result<Result<Client, tokio_postgres::Error>> {
        let mut config = self.config.clone();
        config.user(username).password(password.expose());
        connecting(async { Ok(connect(&config, &self.tls).await) }).await
    }
}

async fn connect(config: &Config, tls: &Tls) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(tls.clone()).await?;
    // It ends with its client.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to PostgreSQL has ended");
        }
    });
    Ok(client)
}

#[derive(Clone)]
struct Tls(Arc<ClientConfig>);

struct Handshake {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

struct Stream<S>(client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Stream<S>;
    type TlsConnect = Handshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<Handshake> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| io::Error::other("the name of the server cannot be in a certificate"))?;
        Ok(Handshake { config: self.0.clone(), name })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Handshake {
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Stream<S>>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            TlsConnector::from(self.config).connect(self.name, stream).await.map(Stream)
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    /// The chain is checked instead, where the operator asks for it.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
