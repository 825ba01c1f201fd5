//! One request to one HTTP server, for commands that ask a few questions and end: no pool, no
//! retries, no redirects, and no runtime that would have to be there already.

use std::time::Duration;

use base_types::{Error, Result};
use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub use base_tls::{ClientTls, ServerCheck};

/// From the first try to connect to the last byte of the answer.
const TIME_MAX: Duration = Duration::from_secs(60);
const ANSWER_SIZE_MAX: usize = 16 << 20;

/// Sends `request`, whose URI is a whole `http` or `https` URL, over a connection of its own and
/// waits for the answer, whatever its status.
///
/// # Errors
/// `Invalid` if the URL or `tls` cannot be used; `Unavailable` if there is no answer within a
/// minute; `Upstream` if it is longer than 16 MiB. The text names the server.
pub fn send(request: Request<Bytes>, tls: &ClientTls) -> Result<Response<Bytes>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::internal)?;
    runtime.block_on(async {
        let place = place(request.uri())?;
        let exchange = tokio::time::timeout(TIME_MAX, exchange(request, &place, tls));
        exchange.await.map_err(|_| {
            Error::unavailable(format!(
                "{place} has not answered in {} seconds",
                TIME_MAX.as_secs()
            ))
        })?
    })
}

/// Host and port.
fn place(uri: &Uri) -> Result<String> {
    let port = match uri.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return Err(Error::invalid(format!("'{uri}' is no http:// or https:// address"))),
    };
    let host = uri.host().unwrap_or_default();
    Ok(format!("{host}:{}", uri.port_u16().unwrap_or(port)))
}

async fn exchange(
    mut request: Request<Bytes>,
    place: &str,
    tls: &ClientTls,
) -> Result<Response<Bytes>> {
    let unreachable =
        |error: std::io::Error| Error::unavailable(format!("cannot connect to {place}: {error}"));
    let stream = TcpStream::connect(place).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let uri = request.uri().clone();
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    // What stands before an @ is no part of the host.
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = HeaderValue::from_str(host).map_err(|_| Error::invalid("the host is none"))?;
    request.headers_mut().entry(HOST).or_insert(host);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(Error::internal)?;
    if uri.scheme_str() == Some("http") {
        return over(stream, request, place).await;
    }
    let config = tls.config()?;
    let name = tls.server_name_for(uri.host().unwrap_or_default())?;
    let connector = TlsConnector::from(std::sync::Arc::new(config));
    let stream = connector.connect(name, stream).await;
    let stream =
        stream.map_err(|error| Error::unavailable(format!("TLS with {place} failed: {error}")))?;
    over(stream, request, place).await
}

async fn over<S>(stream: S, request: Request<Bytes>, place: &str) -> Result<Response<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken =
        |error: hyper::Error| Error::unavailable(format!("{place} does not answer: {error}"));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request.map(Full::new)).await.map_err(broken)?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_SIZE_MAX).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            return Error::upstream(format!("{place} answers with more than 16 MiB"));
        }
        Error::unavailable(format!("{place} broke off its answer: {error}"))
    })?;
    // It would wait for another request.
    connection.abort();
    Ok(Response::from_parts(head, body.to_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    fn get(url: &str) -> Result<Response<Bytes>> {
        send(Request::get(url).body(Bytes::new()).unwrap(), &ClientTls::default())
    }

    /// Answers one request with `answer` and gives the request.
    fn serve(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut part = [0; 1024];
            while !request.ends_with(b"\r\n\r\n") {
                let length = stream.read(&mut part).unwrap();
                request.extend_from_slice(&part[..length]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        });
        (place, server)
    }

    #[test]
    fn a_request_is_answered() {
        let (place, server) = serve("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone");
        let answer = get(&format!("http://{place}/a/b?c=d")).unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (404, &b"none"[..]));
        let request = server.join().unwrap();
        assert!(request.starts_with("GET /a/b?c=d HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("host: {place}\r\n")), "{request}");
    }

    #[test]
    fn what_is_broken_is_named() {
        let (place, server) = serve("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
        let error = get(&format!("http://{place}/")).unwrap_err();
        assert!(error.public().contains(&place), "{}", error.public());
        server.join().unwrap();
        let plain = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = plain.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = plain.accept().unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        });
        let error = get(&format!("https://{place}/")).unwrap_err();
        assert!(error.public().contains("TLS"), "{}", error.public());
        server.join().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = get(&format!("http://{closed}/")).unwrap_err();
        assert!(error.public().contains("cannot connect"), "{}", error.public());
        assert!(get("ftp://host/").is_err());
    }
}
