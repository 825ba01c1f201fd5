use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::config::{Config, Environment, Limits};

/// A service that shows what it was given, and that can be held up.
#[derive(Clone)]
struct Probe {
    /// A permit for each request that waits.
    entered: Arc<Semaphore>,
    /// Takes a permit for each request that may go on.
    release: Arc<Semaphore>,
    finished: Arc<AtomicUsize>,
    limits: Arc<Limits>,
}

impl Probe {
    fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    fn with_limits(limits: Limits) -> Self {
        Self {
            entered: Arc::new(Semaphore::new(0)),
            release: Arc::new(Semaphore::new(0)),
            finished: Arc::default(),
            limits: Arc::new(limits),
        }
    }

    async fn entered(&self) {
        self.entered.acquire().await.unwrap().forget();
    }
}

impl Service for Probe {
    async fn call(&self, request: Request<Incoming>, peer: Arc<Peer>) -> Response<Full<Bytes>> {
        match request.uri().path() {
            "/wait" => {
                self.entered.add_permits(1);
                self.release.acquire().await.unwrap().forget();
                self.finished.fetch_add(1, Ordering::SeqCst);
                text(StatusCode::OK, "released")
            }
            "/body" => match read_body(request.into_body(), &self.limits).await {
                Ok(body) => text(StatusCode::OK, &format!("{} bytes", body.len())),
                Err(error) => text(StatusCode::BAD_REQUEST, &format!("{error:?}")),
            },
            "/panic" => panic!("as asked"),
            _ => text(
                StatusCode::OK,
                &format!(
                    "{:?} remote={} certificates={} tls={} listener={}",
                    request.version(),
                    peer.remote.map_or("none".to_owned(), |remote| remote.ip().to_string()),
                    peer.certificates.len(),
                    peer.tls,
                    peer.listener,
                ),
            ),
        }
    }
}

fn text(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_owned()));
    *response.status_mut() = status;
    response
}

fn configs(text: &str) -> Vec<config::Listener> {
    let text = format!("storage \"inmem\" {{}}\n{text}");
    Config::parse("a.hcl", &text, &Environment::from_fn(|_| None)).unwrap().listeners
}

/// A listener at work, with what tests need to reach it.
struct Running {
    serving: Serving,
    addresses: Vec<Address>,
    probe: Probe,
}

impl Running {
    async fn start(config: &str) -> Self {
        Self::start_with(config, Probe::new(), 1000).await
    }

    async fn plain(keys: &str) -> Self {
        Self::start(&plain(keys)).await
    }

    async fn start_with(config: &str, probe: Probe, connections_max: usize) -> Self {
        let listeners = Listeners::bind(&configs(config), connections_max).await.unwrap();
        let addresses = listeners.addresses();
        Self { serving: listeners.serve(probe.clone()), addresses, probe }
    }

    fn address(&self) -> SocketAddr {
        match &self.addresses[0] {
            Address::Tcp { address, .. } => *address,
            Address::Unix(_) => panic!("a TCP listener"),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }

    async fn get(&self, path: &str) -> String {
        send(self.connect().await, "GET", path, "").await
    }
}

fn plain(keys: &str) -> String {
    format!("listener \"tcp\" {{ address = \"127.0.0.1:0\" tls_disable = true {keys} }}")
}

/// Sends one request and reads until the connection ends.
async fn send<T: AsyncRead + AsyncWrite + Unpin>(
    mut stream: T,
    method: &str,
    path: &str,
    headers: &str,
) -> String {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    read_all(stream).await
}

async fn read_all<T: AsyncRead + Unpin>(mut stream: T) -> String {
    let mut answer = Vec::new();
    // A connection may be reset after the answer has arrived.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// Sends one request over HTTP/2.
async fn send_http2<T>(stream: T, path: &str) -> String
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let uri = format!("http://a{path}");
    let request = Request::get(uri).body(Full::<Bytes>::default()).unwrap();
    let body = sender.send_request(request).await.unwrap().into_body();
    String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// A CA that issues certificates into files.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for `localhost` and its key, in PEM form.
    fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn write(&self, folder: &Path) {
        let (cert, key) = self.issue();
        std::fs::write(folder.join("cert.pem"), cert).unwrap();
        std::fs::write(folder.join("key.pem"), key).unwrap();
        std::fs::write(folder.join("ca.pem"), &self.pem).unwrap();
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        roots
    }
}

fn tls(folder: &Path, keys: &str) -> String {
    let folder = folder.display();
    format!(
        "listener \"tcp\" {{ address = \"127.0.0.1:0\" tls_cert_file = \"{folder}/cert.pem\" \
         tls_key_file = \"{folder}/key.pem\" {keys} }}"
    )
}

struct Client<'a> {
    authority: &'a Authority,
    versions: &'a [&'static SupportedProtocolVersion],
    /// A certificate and a key, which need not belong together.
    certificate: Option<(&'a str, &'a str)>,
    alpn: &'a [u8],
}

impl<'a> Client<'a> {
    fn of(authority: &'a Authority) -> Self {
        Self { authority, versions: rustls::ALL_VERSIONS, certificate: None, alpn: b"http/1.1" }
    }

    async fn connect(&self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(self.authority.roots());
        let mut config = match self.certificate {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => builder.with_client_cert_resolver(resolver(cert, key)),
        };
        config.alpn_protocols = vec![self.alpn.to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// What the server answers, or nothing if it does not take this client. With TLS 1.3 the
    /// client learns that only when it reads.
    async fn get(&self, address: SocketAddr) -> String {
        match self.connect(address).await {
            Ok(mut stream) => {
                let head = b"GET /v1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(head).await;
                read_all(stream).await
            }
            Err(_) => String::new(),
        }
    }
}

fn resolver(cert: &str, key: &str) -> Arc<dyn ResolvesClientCert> {
    let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)))
}

#[tokio::test]
async fn plain_http_in_both_versions() {
    let server = Running::plain("").await;
    let answer = server.get("/v1/a").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let shown = "HTTP/1.1 remote=127.0.0.1 certificates=0 tls=false listener=0";
    assert!(answer.ends_with(shown), "{answer}");
    let answer = send_http2(server.connect().await, "/v1/a").await;
    assert!(answer.starts_with("HTTP/2.0 remote=127.0.0.1"), "{answer}");
}

#[tokio::test]
async fn a_connection_serves_several_requests() {
    let server = Running::plain("").await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        while !stream_ends_with(&mut stream, b"listener=0").await {}
    }
}

/// Reads up to and including `end`, byte by byte.
async fn stream_ends_with(stream: &mut TcpStream, end: &[u8]) -> bool {
    let mut seen = Vec::new();
    while !seen.ends_with(end) {
        seen.push(stream.read_u8().await.unwrap());
    }
    true
}

#[tokio::test]
async fn tls_in_both_versions_with_both_protocols() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.write(folder.path());
    let server = Running::start(&tls(folder.path(), "")).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = Client { versions: &[version], ..Client::of(&authority) };
        let answer = client.get(server.address()).await;
        assert!(answer.ends_with("certificates=0 tls=true listener=0"), "{answer}");
        let client = Client { alpn: b"h2", ..client };
        let stream = client.connect(server.address()).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let answer = send_http2(stream, "/v1/a").await;
        assert!(answer.starts_with("HTTP/2.0 "), "{answer}");
    }
    let only13 = Running::start(&tls(folder.path(), "tls_min_version = \"tls13\"")).await;
    let client = Client { versions: &[&rustls::version::TLS12], ..Client::of(&authority) };
    assert_eq!(client.get(only13.address()).await, "");
    assert!(Client::of(&authority).get(only13.address()).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_configured_suites_and_key_exchanges_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.write(folder.path());
    let keys = "tls_cipher_suites = \"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256\"\n\
                tls_key_exchange_preferences = [\"CurveP384\"]";
    let server = Running::start(&tls(folder.path(), keys)).await;
    let client = Client { versions: &[&rustls::version::TLS12], ..Client::of(&authority) };
    let stream = client.connect(server.address()).await.unwrap();
    let session = stream.get_ref().1;
    let suite = session.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
    let group = session.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::secp384r1);
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new().write(folder.path());
    let server = Running::start(&tls(folder.path(), "")).await;
    let answer = server.get("/v1/a").await;
    assert!(answer.starts_with("HTTP/1.0 400 Bad Request\r\n"), "{answer}");
    assert!(answer.ends_with("Client sent an HTTP request to an HTTPS server.\n"), "{answer}");
}

#[tokio::test]
async fn any_client_certificate_is_taken_if_its_key_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new(), Authority::new());
    authority.write(folder.path());
    let (cert, key) = stranger.issue();
    let (_, other_key) = stranger.issue();
    let server = Running::start(&tls(folder.path(), "")).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = Client { versions: &[version], ..Client::of(&authority) };
        assert!(client.get(server.address()).await.contains("certificates=0"));
        let client = Client { certificate: Some((&cert, &key)), ..client };
        assert!(client.get(server.address()).await.contains("certificates=1"));
        // Somebody else's certificate without its key.
        let client = Client { certificate: Some((&cert, &other_key)), ..client };
        assert_eq!(client.get(server.address()).await, "");
    }
    let deaf = Running::start(&tls(folder.path(), "tls_disable_client_certs = true")).await;
    let client = Client { certificate: Some((&cert, &key)), ..Client::of(&authority) };
    assert!(client.get(deaf.address()).await.contains("certificates=0"));
}

#[tokio::test]
async fn a_required_client_certificate_must_be_of_the_ca() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new(), Authority::new());
    authority.write(folder.path());
    let keys = format!(
        "tls_require_and_verify_client_cert = true tls_client_ca_file = \"{}/ca.pem\"",
        folder.path().display()
    );
    let server = Running::start(&tls(folder.path(), &keys)).await;
    let (cert, key) = authority.issue();
    let client = Client { certificate: Some((&cert, &key)), ..Client::of(&authority) };
    assert!(client.get(server.address()).await.contains("certificates=1"));
    let (cert, key) = stranger.issue();
    let client = Client { certificate: Some((&cert, &key)), ..Client::of(&authority) };
    assert_eq!(client.get(server.address()).await, "");
    assert_eq!(Client::of(&authority).get(server.address()).await, "");
}

#[tokio::test]
async fn reload_takes_a_new_certificate_and_keeps_the_old_one_if_that_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.write(folder.path());
    let server = Running::start(&tls(folder.path(), "")).await;
    let shown = async || {
        let stream = Client::of(&authority).connect(server.address()).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let first = shown().await;
    let old = Client::of(&authority).connect(server.address()).await.unwrap();

    let (cert, _) = authority.issue();
    std::fs::write(folder.path().join("cert.pem"), cert).unwrap();
    server.serving.reload().await;
    assert_eq!(shown().await, first, "the key does not belong to the new certificate");
    std::fs::write(folder.path().join("cert.pem"), "rubbish").unwrap();
    server.serving.reload().await;
    assert_eq!(shown().await, first);

    authority.write(folder.path());
    server.serving.reload().await;
    assert_ne!(shown().await, first);
    // A connection that was there before goes on.
    assert!(send(old, "GET", "/v1", "").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_certificate_that_changes_is_noticed_if_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.write(folder.path());
    let mut config = configs(&tls(folder.path(), ""));
    config[0].tls.as_mut().unwrap().reload_every = Some(Duration::from_millis(1));
    let listeners = Listeners::bind(&config, 10).await.unwrap();
    let Address::Tcp { address, .. } = listeners.addresses()[0].clone() else { panic!("TCP") };
    let _serving = listeners.serve(Probe::new());
    let shown = async || {
        let stream = Client::of(&authority).connect(address).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let first = shown().await;
    authority.write(folder.path());
    while shown().await == first {}
}

#[tokio::test]
async fn slow_clients_are_cut_and_hinder_nobody() {
    let server = Running::plain("http_read_header_timeout = \"1s\"").await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /v1 HTTP/1.1\r\nHost:").await.unwrap();
        slow.push(stream);
    }
    assert!(server.get("/v1").await.starts_with("HTTP/1.1 200"));
    // One of them goes on byte by byte, which does not help.
    let mut dribbling = slow.pop().unwrap();
    while dribbling.write_u8(b'x').await.is_ok() {
        tokio::task::yield_now().await;
    }
    for stream in slow {
        assert_eq!(read_all(stream).await, "");
    }
    assert!(server.get("/v1").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new().write(folder.path());
    let server = Running::start(&tls(folder.path(), "http_read_header_timeout = \"1s\"")).await;
    assert_eq!(read_all(server.connect().await).await, "");
}

#[tokio::test]
async fn at_the_limit_of_connections_the_next_one_waits_its_turn() {
    let server = Running::start_with(&plain(""), Probe::new(), 2).await;
    let first = server.connect().await;
    let second = server.connect().await;
    let mut third = server.connect().await;
    third.write_all(b"GET /v1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    while server.serving.permits.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    // Nothing can have come yet: both permits are taken by others.
    assert!(third.try_read(&mut [0]).is_err());
    drop(first);
    assert!(read_all(third).await.starts_with("HTTP/1.1 200"));
    drop(second);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered() {
    let server = Running::plain("max_request_duration = \"1s\"").await;
    let answer = server.get("/wait").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("{\"errors\":[\"the request took longer than 1s"), "{answer}");
    assert!(answer.contains("cache-control: no-store"), "{answer}");
    assert_eq!(server.probe.finished.load(Ordering::SeqCst), 0);
    // One that changes something is answered as well, but runs to its end.
    let answer = send(server.connect().await, "POST", "/wait", "").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    server.probe.release.add_permits(1);
    while server.probe.finished.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_change_is_finished_when_its_client_goes_away() {
    let server = Running::plain("").await;
    let mut stream = server.connect().await;
    stream.write_all(b"PUT /wait HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    server.probe.entered().await;
    drop(stream);
    // All but the one that the listener holds for the next connection.
    while server.serving.permits.available_permits() < 999 {
        tokio::task::yield_now().await;
    }
    server.probe.release.add_permits(1);
    while server.probe.finished.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn stopping_lets_requests_under_way_finish() {
    let server = Running::plain("").await;
    let address = server.address();
    let idle = server.connect().await;
    let busy = server.connect().await;
    let answer = tokio::spawn(send(busy, "GET", "/wait", ""));
    server.probe.entered().await;
    let Running { serving, probe, .. } = server;
    let stopped = tokio::spawn(serving.stop(Duration::from_secs(60)));
    // The idle connection ends at once, the busy one only when it is answered.
    assert_eq!(read_all(idle).await, "");
    assert!(TcpStream::connect(address).await.is_err());
    probe.release.add_permits(1);
    assert!(answer.await.unwrap().ends_with("released"));
    assert_eq!(stopped.await.unwrap(), 0);
}

#[tokio::test]
async fn stopping_waits_no_longer_than_it_may() {
    let server = Running::plain("").await;
    let answer = tokio::spawn(send(server.connect().await, "GET", "/wait", ""));
    server.probe.entered().await;
    assert_eq!(server.serving.stop(Duration::from_millis(1)).await, 1);
    assert_eq!(answer.await.unwrap(), "");
}

#[tokio::test]
async fn a_unix_socket_serves_and_goes_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let config = format!("listener \"unix\" {{ address = \"{}\" }}", path.display());
    let server = Running::start(&format!("{}\n{config}", plain(""))).await;
    assert_eq!(server.addresses[1], Address::Unix(path.clone()));
    let answer = send(UnixStream::connect(&path).await.unwrap(), "GET", "/v1", "").await;
    assert!(answer.ends_with("remote=none certificates=0 tls=false listener=1"), "{answer}");
    server.serving.stop(Duration::from_secs(60)).await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_body_has_limits() {
    let limits = Limits {
        request_size: Some(10),
        body: Some(Duration::from_millis(100)),
        ..Limits::default()
    };
    let server = Running::start_with(&plain(""), Probe::with_limits(limits), 10).await;
    for (headers_and_body, outcome) in [
        ("Content-Length: 10\r\n\r\n0123456789", "10 bytes"),
        ("\r\n", "0 bytes"),
        ("Content-Length: 11\r\n\r\n", "TooLarge"),
        ("Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n", "TooLarge"),
        ("Content-Length: 10\r\n\r\n01234", "TooSlow"),
        ("Transfer-Encoding: chunked\r\n\r\nrubbish\r\n", "Broken"),
    ] {
        let mut stream = server.connect().await;
        let head = "POST /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
        stream.write_all(format!("{head}{headers_and_body}").as_bytes()).await.unwrap();
        let answer = read_all(stream).await;
        assert!(answer.ends_with(outcome), "{headers_and_body:?}: {answer}");
    }
}

#[tokio::test]
async fn heads_have_limits() {
    let server = Running::plain("").await;
    let many = "X-A: b\r\n".repeat(200);
    let answer = send(server.connect().await, "GET", "/v1", &many).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let long = format!("X-A: {}\r\n", "b".repeat(70_000));
    let answer = send(server.connect().await, "GET", "/v1", &long).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let answer = send(server.connect().await, "GET", "/v1", "no colon\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let server = Running::plain("").await;
    assert_eq!(server.get("/panic").await, "");
    let answer = send(server.connect().await, "POST", "/panic", "").await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(server.get("/v1").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_load_balancer_names_the_client() {
    let server = Running::plain("x_forwarded_for_authorized_addrs = \"127.0.0.1\"").await;
    let with = "X-Forwarded-For: 1.2.3.4\r\n";
    let answer = send(server.connect().await, "GET", "/v1", with).await;
    assert!(answer.contains("remote=1.2.3.4 "), "{answer}");
    let answer = server.get("/v1").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("{\"errors\":[\"missing x-forwarded-for header"), "{answer}");
}

#[tokio::test]
async fn custom_headers_are_on_every_answer() {
    let keys = "custom_response_headers { \"default\" = { \"X-A\" = [\"all\"] } \
                \"4xx\" = { \"X-A\" = [\"client\"] } }\n\
                x_forwarded_for_authorized_addrs = \"9.9.9.9\"\n\
                x_forwarded_for_reject_not_present = false";
    let server = Running::plain(keys).await;
    let answer = server.get("/v1").await;
    assert!(answer.contains("\r\nx-a: all\r\n"), "{answer}");
    assert!(answer.contains("\r\nstrict-transport-security: max-age="), "{answer}");
    let with = "X-Forwarded-For: 1.2.3.4\r\n";
    let answer = send(server.connect().await, "GET", "/v1", with).await;
    assert!(answer.contains("\r\nx-a: client\r\n"), "{answer}");
}

async fn bind_error(config: &str) -> String {
    let outcome = Listeners::bind(&configs(config), 10).await;
    outcome.err().unwrap().public().to_owned()
}

#[tokio::test]
async fn what_cannot_be_bound_is_named_with_its_place() {
    let server = Running::plain("").await;
    let taken =
        format!("listener \"tcp\" {{ address = \"{}\" tls_disable = true }}", server.address());
    let error = bind_error(&taken).await;
    assert!(error.starts_with("a.hcl: line 2, column 10: the address 127.0.0.1:"), "{error}");
    assert!(error.ends_with("stop it or choose another port"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let error = bind_error(&tls(folder.path(), "")).await;
    assert!(error.contains("cert.pem cannot be read"), "{error}");
    let (authority, other) = (Authority::new(), Authority::new());
    authority.write(folder.path());
    let path = |name| folder.path().join(name);
    for (name, content, message) in [
        ("cert.pem", "rubbish".to_owned(), "holds nothing in PEM form"),
        ("cert.pem", other.issue().0, "does not belong to the first certificate"),
        ("key.pem", "rubbish".to_owned(), "holds nothing in PEM form"),
        (
            "key.pem",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
                .to_owned(),
            "is encrypted: decrypt it",
        ),
        (
            "key.pem",
            "-----BEGIN PRIVATE KEY-----\nhunter2!\n-----END PRIVATE KEY-----\n".to_owned(),
            "is no valid PEM",
        ),
    ] {
        authority.write(folder.path());
        std::fs::write(path(name), content).unwrap();
        let error = bind_error(&tls(folder.path(), "")).await;
        assert!(error.contains(message), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
