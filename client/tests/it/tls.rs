use std::path::{Path, PathBuf};
use std::sync::Arc;

use client::{Client, Config, Request, Tls};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_rustls::TlsAcceptor;

use crate::script::{Received, converse};

/// An authority, a server that it certified for the name `strongroom.test`, a client certificate.
struct World {
    folder: tempfile::TempDir,
    address: String,
}

impl World {
    async fn start(client_certificate_required: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = parameters.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(parameters, authority_key);
        let issue = |name: &str| {
            let key = rcgen::KeyPair::generate().unwrap();
            let parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
            (parameters.signed_by(&key, &issuer).unwrap(), key)
        };
        let write =
            |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        write("ca.pem", authority.pem());
        let (certificate, key) = issue("client.test");
        write("client.pem", certificate.pem());
        write("client.key", key.serialize_pem());
        let (certificate, key) = issue("strongroom.test");

        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if client_certificate_required {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let answer = "HTTP/1.1 200 x\r\nContent-Length: 2\r\n\r\n{}".to_owned();
                converse(stream, &mut [answer].into_iter(), &Mutex::<Vec<Received>>::default())
                    .await;
            }
        });
        Self { folder, address }
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.path().join(name))
    }

    fn trusting(&self) -> Tls {
        let server_name = Some("strongroom.test".to_owned());
        Tls { ca_cert: self.file("ca.pem"), server_name, ..Tls::default() }
    }

    async fn ask(&self, tls: Tls) -> client::Result<()> {
        let config =
            Config { address: self.address.clone(), tls, retries_max: 0, ..Config::default() };
        Client::new(config)?.send(&Request::read("a")).await.map(drop)
    }
}

#[tokio::test]
async fn a_server_is_believed_only_with_its_authority_and_name() {
    let world = World::start(false).await;
    world.ask(world.trusting()).await.unwrap();
    let folder = Some(world.folder.path().to_owned());
    world.ask(Tls { ca_cert: None, ca_path: folder, ..world.trusting() }).await.unwrap();
    world.ask(Tls { danger_skip_verify: true, ..Tls::default() }).await.unwrap();

    let refused = world.ask(Tls { server_name: None, ..world.trusting() }).await.unwrap_err();
    assert!(refused.to_string().contains("TLS with 127.0.0.1"), "{refused}");
    let refused = world.ask(Tls { ca_cert: None, ..world.trusting() }).await.unwrap_err();
    assert!(refused.to_string().contains("-ca-cert"), "{refused}");
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let world = World::start(true).await;
    let (cert, key) = (world.file("client.pem"), world.file("client.key"));
    let with = Tls { client_cert: cert.clone(), client_key: key, ..world.trusting() };
    world.ask(with).await.unwrap();
    world.ask(world.trusting()).await.unwrap_err();
    let half = world.ask(Tls { client_cert: cert, ..world.trusting() }).await.unwrap_err();
    assert!(half.to_string().contains("both"), "{half}");
}

#[tokio::test]
async fn a_file_that_is_no_certificate_is_named() {
    let world = World::start(false).await;
    for wrong in [world.file("client.key"), Some(Path::new("/nowhere/ca.pem").to_owned())] {
        let error = world.ask(Tls { ca_cert: wrong.clone(), ..Tls::default() }).await.unwrap_err();
        assert!(error.to_string().contains(wrong.unwrap().to_str().unwrap()), "{error}");
    }
}
