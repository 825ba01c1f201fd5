use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Mutex;

use base_types::ErrorKind;
use core_engine_api::ServerCheck;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use super::*;

/// An HTTP server that says what it was asked, and counts its connections.
struct Peer {
    address: SocketAddr,
    connections: Arc<Mutex<usize>>,
    /// Told of each connection in plain HTTP that has ended.
    ended: Arc<Notify>,
}

impl Peer {
    async fn start(tls: Option<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Mutex::new(0));
        let (acceptor, counter) =
            (tls.map(|tls| TlsAcceptor::from(Arc::new(tls))), connections.clone());
        let ended = Arc::new(Notify::new());
        let end = ended.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *counter.lock().unwrap() += 1;
                let (acceptor, end) = (acceptor.clone(), end.clone());
                tokio::spawn(async move {
                    let service = service_fn(answer);
                    let http = hyper::server::conn::http1::Builder::new();
                    match acceptor {
                        None => {
                            drop(http.serve_connection(TokioIo::new(stream), service).await);
                            end.notify_one();
                        }
                        Some(acceptor) => {
                            let Ok(stream) = acceptor.accept(stream).await else { return };
                            drop(http.serve_connection(TokioIo::new(stream), service).await);
                        }
                    }
                });
            }
        });
        Self { address, connections, ended }
    }

    fn url(&self, scheme: &str, path: &str) -> Uri {
        format!("{scheme}://{}{path}", self.address).parse().unwrap()
    }
}

async fn answer(
    request: Request<Incoming>,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let response = match head.uri.path() {
        "/huge" => Response::new(Full::new(vec![b'x'; ANSWER_SIZE_MAX + 1].into())),
        "/never" => std::future::pending().await,
        "/elsewhere" => Response::builder()
            .status(307)
            .header("location", "http://127.0.0.1:1/stolen")
            .body(Full::default())
            .unwrap(),
        _ => {
            let text = format!("{} {} ", head.method, head.uri);
            Response::builder()
                .status(418)
                .body(Full::new([text.as_bytes(), &body].concat().into()))
                .unwrap()
        }
    };
    Ok(response)
}

/// An authority, a server for `rabbit.test` that wants certificates of its clients, and a client.
fn authority(name: &str) -> (ServerConfig, ClientTls) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &issuer).unwrap(), key)
    };
    let mut roots = RootCertStore::empty();
    roots.add(issuer.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let (certificate, key) = issue("rabbit.test");
    let chain = vec![CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.unwrap())
        .with_single_cert(chain, key)
        .unwrap();
    let (certificate, key) = issue("client");
    let client = ClientTls {
        ca: issuer.pem(),
        certificate: certificate.pem(),
        private_key: Secret::new(key.serialize_pem()),
        server_name: "rabbit.test".to_owned(),
        check: ServerCheck::Full,
    };
    (server, client)
}

fn outbound() -> HttpOutbound {
    HttpOutbound::new(&Environment::from_fn(|_| None))
}

fn get(uri: Uri) -> Request<Bytes> {
    Request::builder().uri(uri).body(Bytes::from_static(b"body")).unwrap()
}

#[tokio::test]
async fn a_connection_that_nobody_needs_is_closed() {
    let (peer, outbound) = (Peer::start(None).await, outbound());
    outbound.send(get(peer.url("http", "/")), &ClientTls::default()).await.unwrap();
    // From here on time passes whenever there is nothing else to do.
    tokio::time::pause();
    tokio::time::timeout(100 * IDLE_TIME_MAX, peer.ended.notified()).await.unwrap();
}

#[tokio::test]
async fn an_answer_comes_whole_whatever_its_status() {
    let (peer, outbound, tls) = (Peer::start(None).await, outbound(), ClientTls::default());
    for _ in 0..3 {
        let answer = outbound.send(get(peer.url("http", "/a%2Fb?c")), &tls).await.unwrap();
        assert_eq!(answer.status(), 418);
        assert_eq!(&answer.body()[..], b"GET /a%2Fb?c body");
    }
    assert_eq!(*peer.connections.lock().unwrap(), 1, "the connection is used again");
    let moved = outbound.send(get(peer.url("http", "/elsewhere")), &tls).await.unwrap();
    assert_eq!(moved.status(), 307, "a redirect is not followed");
    // The audit log goes the same way.
    assert_eq!(outbound.post(get(peer.url("http", "/"))).await.unwrap(), 418);
}

#[tokio::test]
async fn an_answer_that_is_too_large_or_never_comes_is_an_error() {
    let (peer, outbound, tls) = (Peer::start(None).await, outbound(), ClientTls::default());
    let error = outbound.send(get(peer.url("http", "/huge")), &tls).await.unwrap_err();
    assert!(error.is(ErrorKind::Upstream), "{error:?}");
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let dead = format!("http://{dead}/secret-path").parse().unwrap();
    let error = outbound.send(get(dead), &tls).await.unwrap_err();
    assert!(error.is(ErrorKind::Unavailable), "{error:?}");
    assert!(error.public().contains("Connection refused"), "{error:?}");
    assert!(!error.public().contains("secret-path"), "{error:?}");
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let (peer, outbound, tls) = (Peer::start(None).await, outbound(), ClientTls::default());
    // From here on there is a connection, and the only thing to wait for is the answer.
    outbound.send(get(peer.url("http", "/")), &tls).await.unwrap();
    tokio::time::pause();
    let error = outbound.send(get(peer.url("http", "/never")), &tls).await.unwrap_err();
    assert!(error.public().ends_with("has not answered in 30 seconds"), "{error:?}");
}

#[tokio::test]
async fn tls_needs_the_right_authority_name_and_certificate() {
    let (server, client) = authority("ours");
    let (peer, outbound) = (Peer::start(Some(server)).await, outbound());
    let url = || peer.url("https", "/x");
    for _ in 0..2 {
        let answer = outbound.send(get(url()), &client).await.unwrap();
        assert_eq!(&answer.body()[..], b"GET /x body");
    }
    assert_eq!(*peer.connections.lock().unwrap(), 1);

    let refused = |tls: ClientTls, why: &'static str| {
        let (outbound, url) = (outbound.clone(), url());
        async move {
            let error = outbound.send(get(url), &tls).await.unwrap_err();
            assert!(error.is(ErrorKind::Unavailable), "{error:?}");
            assert!(error.public().contains(why), "{error:?}");
        }
    };
    let other = authority("another").1.ca;
    refused(ClientTls { ca: other, ..client.clone() }, "UnknownIssuer").await;
    let name = String::new();
    refused(ClientTls { server_name: name, ..client.clone() }, "not valid for name").await;
    let none =
        ClientTls { certificate: String::new(), private_key: Secret::default(), ..client.clone() };
    refused(none.clone(), "CertificateRequired").await;
    let unnamed = ClientTls { check: ServerCheck::Chain, server_name: String::new(), ..client };
    assert!(outbound.send(get(url()), &unnamed).await.is_ok());
    let foreign = ClientTls { ca: authority("another").1.ca, ..unnamed.clone() };
    refused(foreign.clone(), "UnknownIssuer").await;
    let any = ClientTls { check: ServerCheck::DangerNothing, ..foreign };
    assert!(outbound.send(get(url()), &any).await.is_ok());
    let half = ClientTls { private_key: any.private_key.clone(), ..none };
    assert!(outbound.send(get(url()), &half).await.unwrap_err().is(ErrorKind::Invalid));
}

#[tokio::test]
async fn a_pod_is_read_anew_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::from_fn(|name| {
        (name == "KUBERNETES_SERVICE_HOST").then(|| "10.0.0.1".to_owned())
    });
    let mut outbound = HttpOutbound::new(&environment);
    let Cluster { host, port, .. } = &*outbound.cluster;
    let (host, port) = (host.clone(), port.clone());
    outbound.cluster = Arc::new(Cluster { host, port, folder: folder.path().into() });
    let pod = outbound.pod().await;
    assert_eq!((pod.host.as_deref(), pod.port, pod.ca), (Some("10.0.0.1"), None, None));
    assert!(pod.token.is_none());
    for token in ["first", "second"] {
        std::fs::write(folder.path().join("token"), format!("{token}\n")).unwrap();
        assert_eq!(outbound.pod().await.token.unwrap().expose(), token);
    }
}
