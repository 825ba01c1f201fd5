use std::time::Duration;

use http::{HeaderMap, Request};
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use zeroize::Zeroizing;

use super::message::{Verb, answered};
use super::{Address, frame};
use crate::{Failure, FailureKind, Result};

/// A person may be asked there.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// What a key service answers to a message.
///
/// # Errors
/// `Unavailable`, saying why.
pub(crate) fn ask(address: &Address, verb: Verb, message: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let unavailable = |text: String| Failure::new(FailureKind::Unavailable, text);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| unavailable(format!("cannot start: {error}")))?;
    let answer = runtime.block_on(async {
        tokio::time::timeout(WAIT_MAX, connect(address, verb, message))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} seconds", WAIT_MAX.as_secs())))
    });
    answer.map_err(unavailable)
}

async fn connect(
    address: &Address,
    verb: Verb,
    message: &[u8],
) -> Result<Zeroizing<Vec<u8>>, String> {
    match address {
        Address::Tcp(address) => {
            call(TcpStream::connect(address).await.map_err(|e| e.to_string())?, verb, message).await
        }
        Address::Unix(path) => {
            call(UnixStream::connect(path).await.map_err(|e| e.to_string())?, verb, message).await
        }
    }
}

async fn call(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    verb: Verb,
    message: &[u8],
) -> Result<Zeroizing<Vec<u8>>, String> {
    let failed = |error: hyper::Error| error.to_string();
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(failed)?;
    // It ends with the runtime; what goes wrong with it the call says.
    tokio::spawn(connection);
    let request = Request::post(format!("http://keyservice{}", verb.path()))
        .header("content-type", frame::CONTENT_TYPE)
        .header("te", "trailers")
        .body(Full::new(frame::framed(message)))
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(format!("it answers {}, and is no key service", response.status()));
    }
    refused(response.headers())?;
    let answer = frame::message(response.into_body()).await;
    let (message, trailers) = answer.ok_or("its answer is broken off")?;
    refused(&trailers)?;
    let payload = answered(&message).ok_or("its answer is no message")?;
    Ok(Zeroizing::new(payload.to_vec()))
}

/// The status stands in front of an answer without a message, and behind one with it.
fn refused(headers: &HeaderMap) -> Result<(), String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("grpc-status") {
        None | Some("0") => Ok(()),
        Some(code) => Err(format!(
            "it refuses with code {code}: {}",
            text("grpc-message").unwrap_or_default()
        )),
    }
}
