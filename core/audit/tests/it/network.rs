use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base_types::{BoxFuture, Error, ManualClock, Secret, Timestamp};
use bytes::Bytes;
use core_audit::{Broker, HttpPoster, Kind, Setup};
use http_body_util::{BodyExt, Empty};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use crate::support::{
    broker, config, device, enable, enable_file, ids, pair, pairs, signing_key, until, verify_bytes,
};

/// A port at which nobody listens.
fn dead_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_dead_socket_fails_closed_alone_and_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let address = dead_address();
    let broker = broker();
    let refusal = enable(&broker, "s/", Kind::Socket, &[("address", &address)]).await.unwrap_err();
    assert!(refusal.public().contains("failed to connect to"), "{refusal:?}");
    let options = [("address", &*address), ("skip_test", "true")];
    enable(&broker, "s/", Kind::Socket, &options).await.unwrap();
    assert!(pair(&broker, "1", "{}").await.is_err());
    enable_file(&broker, &folder.path().join("a")).await;
    pairs(&broker, 3).await;
    assert_eq!(device(&broker, "s/").entries, 0);
}

#[tokio::test]
async fn a_tcp_stream_is_a_verifiable_log() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let broker = broker();
    enable(&broker, "s/", Kind::Socket, &[("address", &address)]).await.unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    pairs(&broker, 3).await;
    broker.close().await;
    let mut log = Vec::new();
    stream.read_to_end(&mut log).unwrap();
    let report = verify_bytes(&log, None);
    assert!(report.is_intact() && report.closed && report.entries == 6, "{report:?}");
}

#[tokio::test]
async fn a_socket_that_comes_back_is_told_what_it_missed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let broker = broker();
    let options =
        [("address", path.to_str().unwrap()), ("socket_type", "unix"), ("skip_test", "true")];
    enable(&broker, "s/", Kind::Socket, &options).await.unwrap();
    assert!(pair(&broker, "1", "{}").await.is_err());
    assert!(pair(&broker, "2", "{}").await.is_err());
    let listener = UnixListener::bind(&path).unwrap();
    until(|| device(&broker, "s/").trouble.is_none()).await;
    pairs(&broker, 1).await;
    broker.close().await;
    let mut log = Vec::new();
    listener.accept().unwrap().0.read_to_end(&mut log).unwrap();
    let report = verify_bytes(&log, None);
    assert!(report.is_intact() && report.closed, "{report:?}");
    assert_eq!((report.entries, report.lost), (2, 2));
}

#[tokio::test]
async fn a_socket_that_nobody_reads_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (folder.path().join("socket"), folder.path().join("a"));
    let _listener = UnixListener::bind(&path).unwrap();
    let broker = broker();
    let options =
        [("address", path.to_str().unwrap()), ("socket_type", "unix"), ("write_timeout", "0")];
    enable(&broker, "s/", Kind::Socket, &options).await.unwrap();
    enable_file(&broker, &file).await;
    let large = format!("{{\"{}\":1}}", "k".repeat(100_000));
    for id in 0..20 {
        drop(pair(&broker, &id.to_string(), &large).await.unwrap());
    }
    assert_eq!(ids(&std::fs::read(&file).unwrap()).len(), 20);
}

#[tokio::test]
async fn a_line_too_long_for_a_datagram_is_lost_alone() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = receiver.local_addr().unwrap().to_string();
    let broker = broker();
    let options = [("address", &*address), ("socket_type", "udp")];
    enable(&broker, "s/", Kind::Socket, &options).await.unwrap();
    let large = format!("{{\"{}\":1}}", "k".repeat(100_000));
    assert!(pair(&broker, "large", &large).await.is_err());
    pairs(&broker, 1).await;
    let mut log = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    // The opening checkpoint, the one that tells of the loss, and the pair.
    for _ in 0..4 {
        let length = receiver.recv(&mut buffer).unwrap();
        log.extend_from_slice(&buffer[..length]);
        log.push(b'\n');
    }
    let report = verify_bytes(&log, None);
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.entries, report.lost, report.checkpoints), (2, 1, 2));
}

#[tokio::test]
async fn syslog_lines_have_a_header_and_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let broker = broker();
    let options = [("address", path.to_str().unwrap()), ("facility", "LOCAL1"), ("tag", "vault")];
    enable(&broker, "syslog/", Kind::Syslog, &options).await.unwrap();
    pairs(&broker, 1).await;
    broker.close().await;
    let header = format!("<142>Nov 22 00:02:03 vault[{}]: ", std::process::id());
    let mut log = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    for _ in 0..4 {
        let length = receiver.recv(&mut buffer).unwrap();
        let line = buffer[..length].strip_prefix(header.as_bytes()).unwrap();
        log.extend_from_slice(line);
        log.push(b'\n');
    }
    let report = verify_bytes(&log, None);
    assert!(report.is_intact() && report.closed && report.entries == 2, "{report:?}");
}

type Posts = Arc<Mutex<Vec<u8>>>;

/// A receiver that keeps the bodies of requests with the right header.
async fn receiver(posts: Posts) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let posts = Arc::clone(&posts);
            let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
                let posts = Arc::clone(&posts);
                async move {
                    let allowed = request.headers().get("x-token").is_some_and(|v| v == "t1")
                        && request.uri() == "/in?x=1";
                    let body = request.into_body().collect().await?.to_bytes();
                    let mut response = Response::new(Empty::<Bytes>::new());
                    if allowed {
                        posts.lock().unwrap().extend_from_slice(&body);
                    } else {
                        *response.status_mut() = StatusCode::FORBIDDEN;
                    }
                    Ok::<_, hyper::Error>(response)
                }
            });
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(stream), answer));
        }
    });
    format!("http://{address}/in?x=1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posted_lines_are_a_verifiable_log() {
    let posts = Posts::default();
    let uri = receiver(Arc::clone(&posts)).await;
    let broker = broker();
    let refusal = enable(&broker, "h/", Kind::Http, &[("uri", &uri)]).await.unwrap_err();
    assert!(refusal.public().contains("the receiver answered 403"), "{refusal:?}");
    assert!(!refusal.public().contains("x=1"), "{refusal:?}");
    let options = [("uri", &*uri), ("headers", r#"{"X-Token":["t1"]}"#)];
    enable(&broker, "h/", Kind::Http, &options).await.unwrap();
    pairs(&broker, 2).await;
    broker.reopen().await.unwrap();
    broker.close().await;
    let report = verify_bytes(&posts.lock().unwrap(), None);
    assert!(report.is_intact() && report.closed && report.entries == 4, "{report:?}");
}

/// Stands for a connector that speaks TLS.
struct Kept(Posts);

impl HttpPoster for Kept {
    fn post(&self, request: Request<Bytes>) -> BoxFuture<'static, Result<StatusCode, Error>> {
        assert_eq!(request.uri().scheme_str(), Some("https"));
        self.0.lock().unwrap().extend_from_slice(request.body());
        Box::pin(async { Ok(StatusCode::NO_CONTENT) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_given_poster_makes_https_possible() {
    let options = [("uri", "https://log.example/in")];
    let refusal = enable(&broker(), "h/", Kind::Http, &options).await.unwrap_err();
    assert!(refusal.public().contains("https"), "{refusal:?}");
    let posts = Posts::default();
    let broker = Broker::new(Setup {
        clock: Arc::new(ManualClock::at(Timestamp::EPOCH)),
        signing_key: signing_key(),
        poster: Some(Arc::new(Kept(Arc::clone(&posts)))),
        allow_prefix: false,
        patience: Duration::from_secs(60),
    });
    broker.enable(config("h/", Kind::Http, &options), Secret::new([1; 32])).await.unwrap();
    pairs(&broker, 1).await;
    broker.close().await;
    assert!(verify_bytes(&posts.lock().unwrap(), None).is_intact());
}
