use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::{Error, Result, Tls};

/// The rustls configuration for `tls`.
///
/// # Errors
/// `Config`, naming the file that cannot be read or used.
pub(crate) fn client_config(tls: &Tls) -> Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Config(format!("TLS cannot be set up: {error}")))?;
    let builder = if tls.danger_skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAnything(provider)))
    } else {
        builder.with_root_certificates(roots(tls)?)
    };
    let mut config = match (&tls.client_cert, &tls.client_key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let chain = certificates(cert)?;
            let key_der = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| Error::Config(format!("client key {}: {error}", key.display())))?;
            builder.with_client_auth_cert(chain, key_der).map_err(|error| {
                Error::Config(format!("client certificate {}: {error}", cert.display()))
            })?
        }
        _ => {
            return Err(Error::Config(
                "both client cert and client key must be provided".to_owned(),
            ));
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(tls: &Tls) -> Result<RootCertStore> {
    let found = match (&tls.ca_cert, &tls.ca_path) {
        (Some(file), _) => certificates(file)?,
        (None, Some(folder)) => certificates_in(folder)?,
        (None, None) => rustls_native_certs::load_native_certs().certs,
    };
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(found);
    let given = tls.ca_cert.as_ref().or(tls.ca_path.as_ref());
    match given {
        Some(path) if added == 0 => {
            Err(Error::Config(format!("{} holds no CA certificate in PEM form", path.display())))
        }
        _ => Ok(store),
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| Error::Config(format!("certificate {}: {error}", file.display())))
}

/// All certificates in the files of `folder`; files that hold none are passed over.
fn certificates_in(folder: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| Error::Config(format!("CA folder {}: {error}", folder.display())))?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file());
    Ok(files.filter_map(|path| certificates(&path).ok()).flatten().collect())
}

/// The verifier behind `danger_skip_verify`. It still checks that the peer owns the key of the
/// certificate it shows; it does not ask who that is.
#[derive(Debug)]
struct AcceptAnything(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
