use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

use super::connection::Connections;
use super::{Phase, Service, draining};

/// The bytes of one connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether the client begins with a word, as plain HTTP does and TLS does not. Nothing is taken
    /// from the stream.
    fn begins_with_letter(&self) -> impl Future<Output = io::Result<bool>> + Send {
        std::future::ready(Ok(false))
    }
}

impl Stream for UnixStream {}

impl Stream for TcpStream {
    async fn begins_with_letter(&self) -> io::Result<bool> {
        let mut first = [0];
        Ok(self.peek(&mut first).await? == 1 && first[0].is_ascii_alphabetic())
    }
}

/// Something that connections come from.
pub(super) trait Accept: Send + Sync + 'static {
    type Stream: Stream;

    fn accept(&self)
    -> impl Future<Output = io::Result<(Self::Stream, Option<SocketAddr>)>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        let (stream, remote) = Self::accept(self).await?;
        // Answers are written whole; to wait for more to send would only delay them.
        stream.set_nodelay(true)?;
        Ok((stream, Some(remote)))
    }
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Option<SocketAddr>)> {
        Ok((Self::accept(self).await?.0, None))
    }
}

/// Accepts until the phase changes. At the limit of connections the next ones wait in the kernel's
/// queue, which has a limit of its own.
pub(super) async fn accept_connections<A: Accept, S: Service>(
    acceptor: A,
    connections: Arc<Connections<S>>,
    permits: Arc<Semaphore>,
    phase: watch::Receiver<Phase>,
) {
    let mut stop = phase.clone();
    let accept_all = async {
        while let Ok(permit) = permits.clone().acquire_owned().await {
            let (stream, remote) = accept_patiently(&acceptor).await;
            let serve = connections.clone().serve(stream, remote, phase.clone());
            tokio::spawn(async move {
                serve.await;
                drop(permit);
            });
        }
    };
    tokio::select! {
        () = draining(&mut stop) => {}
        () = accept_all => {}
    }
}

const PAUSE_FIRST: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The next connection. When the machine is out of something (files, memory), it waits longer and
/// longer, so that it neither spins nor gives up.
async fn accept_patiently<A: Accept>(acceptor: &A) -> (A::Stream, Option<SocketAddr>) {
    let mut pause = PAUSE_FIRST;
    loop {
        match acceptor.accept().await {
            Ok(connection) => return connection,
            Err(error) if is_of_one_connection(&error) => {
                tracing::debug!(%error, "a connection ended before it was accepted");
            }
            Err(error) => {
                tracing::warn!(%error, ?pause, "cannot accept connections at the moment");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

/// The client has gone already; the next one is not concerned.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Fails with each of these errors in turn, then has a connection.
    struct Troubled(Mutex<Vec<i32>>);

    impl Stream for tokio::io::DuplexStream {}

    impl Accept for Troubled {
        type Stream = tokio::io::DuplexStream;

        async fn accept(&self) -> io::Result<(Self::Stream, Option<SocketAddr>)> {
            match self.0.lock().unwrap().pop() {
                Some(code) => Err(io::Error::from_raw_os_error(code)),
                None => Ok((tokio::io::duplex(1).0, None)),
            }
        }
    }

    const ECONNABORTED: i32 = 103;
    const EMFILE: i32 = 24;

    async fn waited(errors: &[i32]) -> Duration {
        let start = tokio::time::Instant::now();
        accept_patiently(&Troubled(Mutex::new(errors.to_vec()))).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_longer_and_longer_when_files_run_out_and_then_goes_on() {
        assert_eq!(waited(&[]).await, Duration::ZERO);
        assert_eq!(waited(&[ECONNABORTED; 5]).await, Duration::ZERO);
        // 5 + 10 + 20 ms.
        assert_eq!(waited(&[EMFILE; 3]).await.as_millis(), 35);
        // 5 + 10 + … + 640 ms, then a second each.
        assert_eq!(waited(&[EMFILE; 10]).await.as_millis(), 1275 + 2000);
    }
}
