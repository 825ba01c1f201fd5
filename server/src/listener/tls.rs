use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base_types::{Error, Result, Secret};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};

use super::client_certificates::AnyCertificate;
use crate::config::{ClientCertificates, Tls};

/// The TLS of one listener. The certificate can be changed while connections come in.
pub(super) struct ServerTls {
    settings: Tls,
    current: ArcSwap<Loaded>,
}

/// What the files held when they were last read.
struct Loaded {
    config: Arc<ServerConfig>,
    digest: [u8; 32],
}

impl ServerTls {
    /// # Errors
    /// `Invalid`, naming the file that cannot be read or used.
    pub(super) fn load(settings: &Tls) -> Result<Self> {
        let loaded = Loaded::read(settings)?;
        Ok(Self { settings: settings.clone(), current: ArcSwap::from_pointee(loaded) })
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.current.load().config.clone()
    }

    /// Reads the files again. If they have changed and work, new connections get the new
    /// certificate; if they do not work, the old one stays and the log says why.
    pub(super) async fn reload(self: Arc<Self>) {
        let work = tokio::task::spawn_blocking(move || {
            let cert_file = self.settings.cert_file.display();
            match Loaded::read(&self.settings) {
                Err(error) => tracing::error!(
                    error = %error.log(),
                    "the TLS certificate was not reloaded; the one loaded before stays in use"
                ),
                Ok(loaded) if loaded.digest == self.current.load().digest => {
                    tracing::debug!(%cert_file, "the TLS certificate has not changed");
                }
                Ok(loaded) => {
                    self.current.store(Arc::new(loaded));
                    tracing::info!(%cert_file, "the TLS certificate was reloaded");
                }
            }
        });
        if let Err(error) = work.await {
            tracing::error!(%error, "reloading the TLS certificate failed");
        }
    }
}

impl Loaded {
    fn read(settings: &Tls) -> Result<Self> {
        let Tls { cert_file, key_file, clients, .. } = settings;
        let chain = certificates(cert_file)?;
        let key = private_key(key_file)?;
        let mut read: Vec<u8> = chain.iter().flat_map(|der| der.to_vec()).collect();
        read.extend_from_slice(key.secret_der());
        let provider = Arc::new(CryptoProvider {
            cipher_suites: settings.cipher_suites.clone(),
            kx_groups: settings.key_exchanges.clone(),
            ..aws_lc_rs::default_provider()
        });
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&settings.versions)
            .map_err(|error| Error::invalid(format!("TLS cannot be set up: {error}")))?;
        let builder = match clients {
            ClientCertificates::Disabled => builder.with_no_client_auth(),
            ClientCertificates::Optional => {
                builder.with_client_cert_verifier(Arc::new(AnyCertificate { provider }))
            }
            ClientCertificates::Required { ca_file } => {
                let authorities = certificates(ca_file)?;
                read.extend(authorities.iter().flat_map(|der| der.to_vec()));
                builder.with_client_cert_verifier(required(ca_file, authorities, provider)?)
            }
        };
        // It holds the private key until here.
        let read = Secret::new(read);
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| unusable(cert_file, key_file, &error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), digest: base_crypto::sha256(read.expose()) })
    }
}

fn required(
    ca_file: &Path,
    authorities: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(|error| {
            Error::invalid(format!("{} holds an unusable CA: {error}", ca_file.display()))
        })?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| Error::invalid(format!("{}: {error}", ca_file.display())))
}

fn unusable(cert_file: &Path, key_file: &Path, error: &rustls::Error) -> Error {
    let (cert, key) = (cert_file.display(), key_file.display());
    Error::invalid(match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            format!("the key {key} does not belong to the first certificate of {cert}")
        }
        error => format!("the certificate {cert} with the key {key} cannot be used: {error}"),
    })
}

/// The certificates of a PEM file, at least one.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable("certificate file", file, error))?;
    if found.is_empty() {
        return Err(unreadable("certificate file", file, pem::Error::NoItemsFound));
    }
    Ok(found)
}

/// The first private key of a PEM file.
pub(crate) fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>> {
    let text = std::fs::read(file)
        .map(Secret::new)
        .map_err(|error| unreadable("key file", file, pem::Error::Io(error)))?;
    let encrypted = [&b"BEGIN ENCRYPTED"[..], b"Proc-Type: 4,ENCRYPTED"];
    let holds = |part: &[u8]| text.expose().windows(part.len()).any(|window| window == part);
    if encrypted.into_iter().any(holds) {
        return Err(Error::invalid(format!(
            "the key file {} is encrypted: decrypt it, and protect it by its mode",
            file.display()
        )));
    }
    PrivateKeyDer::from_pem_slice(text.expose())
        .map_err(|error| unreadable("key file", file, error))
}

fn unreadable(what: &str, file: &Path, error: pem::Error) -> Error {
    let file = file.display();
    Error::invalid(match error {
        pem::Error::Io(error) => format!("the {what} {file} cannot be read: {error}"),
        pem::Error::NoItemsFound => {
            format!("the {what} {file} holds nothing in PEM form (-----BEGIN …) that is wanted")
        }
        // The other errors may quote the file.
        _ => format!("the {what} {file} is no valid PEM"),
    })
}
