use std::convert::Infallible;
use std::io;

use base_types::Secret;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use super::message::{Question, Verb, answer};
use super::{Address, frame};
use crate::Result;

/// A question, and where its answer goes. Whoever drops it refuses it.
pub struct Job {
    pub question: Question,
    pub reply: oneshot::Sender<Result<Secret<Vec<u8>>>>,
}

/// Takes questions at an address until the process is interrupted, and hands them to `jobs`. `ready`
/// gets the address once it listens there.
///
/// # Errors
/// If it cannot listen.
pub async fn listen(
    address: &Address,
    jobs: mpsc::Sender<Job>,
    ready: impl FnOnce(&Address),
) -> io::Result<()> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let serving = serve(address, jobs, ready);
    let outcome = tokio::select! {
        outcome = serving => outcome,
        _ = interrupts.recv() => Ok(()),
        _ = terminations.recv() => Ok(()),
    };
    if let (Ok(()), Address::Unix(path)) = (&outcome, address) {
        std::fs::remove_file(path)?;
    }
    outcome
}

async fn serve(
    address: &Address,
    jobs: mpsc::Sender<Job>,
    ready: impl FnOnce(&Address),
) -> io::Result<()> {
    match address {
        Address::Tcp(address) => {
            let listener = TcpListener::bind(address).await?;
            ready(&Address::Tcp(listener.local_addr()?.to_string()));
            loop {
                tokio::spawn(connection(listener.accept().await?.0, jobs.clone()));
            }
        }
        Address::Unix(path) => {
            let listener = UnixListener::bind(path)?;
            ready(address);
            loop {
                tokio::spawn(connection(listener.accept().await?.0, jobs.clone()));
            }
        }
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    jobs: mpsc::Sender<Job>,
) {
    let service = service_fn(move |request| {
        let jobs = jobs.clone();
        async move { Ok::<_, Infallible>(respond(request, jobs).await) }
    });
    let serving = http2::Builder::new(TokioExecutor::new());
    // A client that goes away is no matter.
    let _ = serving.serve_connection(TokioIo::new(stream), service).await;
}

/// What the numbers of answers mean: <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>.
mod status {
    pub(super) const UNKNOWN: &str = "2";
    pub(super) const INVALID_ARGUMENT: &str = "3";
    pub(super) const UNIMPLEMENTED: &str = "12";
}

async fn respond(
    request: Request<Incoming>,
    jobs: mpsc::Sender<Job>,
) -> Response<BoxBody<Bytes, Infallible>> {
    let path = request.uri().path();
    let Some(verb) = Verb::ALL.into_iter().find(|verb| verb.path() == path) else {
        return refusal(status::UNIMPLEMENTED, "there is no such call");
    };
    let Some((message, _)) = frame::message(request.into_body()).await else {
        return refusal(status::INVALID_ARGUMENT, "the message is broken");
    };
    let Some(question) = Question::decode(verb, &message) else {
        return refusal(
            status::INVALID_ARGUMENT,
            "the message names no key of a source that is known here",
        );
    };
    let (reply, answered) = oneshot::channel();
    if jobs.send(Job { question, reply }).await.is_err() {
        return refusal(status::UNKNOWN, "the key service ends");
    }
    match answered.await {
        Ok(Ok(payload)) => accepted(&answer(payload.expose())),
        Ok(Err(failure)) => refusal(status::UNKNOWN, &failure.text),
        Err(_) => refusal(status::UNKNOWN, "the request was refused"),
    }
}

fn accepted(message: &[u8]) -> Response<BoxBody<Bytes, Infallible>> {
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )]);
    let body = Full::new(frame::framed(message));
    response(body.with_trailers(std::future::ready(Some(Ok(trailers)))).boxed())
}

fn refusal(code: &'static str, text: &str) -> Response<BoxBody<Bytes, Infallible>> {
    let mut response = response(Empty::new().boxed());
    let plain: String = text
        .chars()
        .map(|next| if matches!(next, ' '..='~') && next != '%' { next } else { ' ' })
        .collect();
    let headers = response.headers_mut();
    headers.insert("grpc-status", HeaderValue::from_static(code));
    headers.extend(
        HeaderValue::from_str(&plain)
            .ok()
            .map(|text| (http::HeaderName::from_static("grpc-message"), text)),
    );
    response
}

fn response(body: BoxBody<Bytes, Infallible>) -> Response<BoxBody<Bytes, Infallible>> {
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", HeaderValue::from_static(frame::CONTENT_TYPE));
    response
}
