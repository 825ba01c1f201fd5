use std::sync::Arc;

use base_types::{Error, Result, Secret};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, InconsistentKeys, RootCertStore};

use crate::lenient::Lenient;

/// How to speak TLS to one system. The default trusts the machine's own certificate store and
/// shows no certificate.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClientTls {
    /// The authorities to trust, as PEM; empty for those of the machine.
    pub ca: String,
    /// The certificate to show and what it is signed by, as PEM; empty for none.
    pub certificate: String,
    /// The key of `certificate`, as PEM: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub private_key: Secret<String>,
    /// The name to expect in the certificate of the other side; empty for the host that is
    /// connected to.
    pub server_name: String,
    pub check: ServerCheck,
}

/// What is asked of the certificate that the other side shows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ServerCheck {
    /// That a trusted authority signed it, for whatever name.
    Chain,
    /// That a trusted authority signed it for the name that was called.
    #[default]
    Full,
    /// Nothing: it hides from who listens, not from who stands in between.
    DangerNothing,
}

impl ClientTls {
    /// The settings in the form that opens connections, for TLS 1.2 and 1.3.
    ///
    /// # Errors
    /// `Invalid`, saying which of the settings cannot be used and why; `Unavailable` if the
    /// machine's own authorities are wanted and there are none.
    pub fn config(&self) -> Result<ClientConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?;
        let verifier = self.verifier(provider)?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        if !self.server_name.is_empty() {
            self.server_name_for("")?;
        }
        match (self.certificate.is_empty(), self.private_key.expose().is_empty()) {
            (true, true) => Ok(builder.with_no_client_auth()),
            (false, false) => {
                let chain = certificates("client certificate", &self.certificate)?;
                let key = private_key(&self.private_key)?;
                builder.with_client_auth_cert(chain, key).map_err(|error| unusable(&error))
            }
            (true, false) => Err(Error::invalid("a private key is given without a certificate")),
            (false, true) => Err(Error::invalid("a certificate is given without a private key")),
        }
    }

    /// The name to expect of `host`, which may be an IP address, with or without brackets.
    ///
    /// # Errors
    /// `Invalid` if it is neither a DNS name nor an IP address.
    pub fn server_name_for(&self, host: &str) -> Result<ServerName<'static>> {
        let name = if self.server_name.is_empty() { host } else { &self.server_name };
        let name = name.trim_matches(['[', ']']).to_owned();
        ServerName::try_from(name.clone()).map_err(|_| {
            Error::invalid(format!("the TLS server name {name:?} is no DNS name or IP address"))
        })
    }

    /// A digest that only equal settings share, to keep connections apart by.
    pub fn fingerprint(&self) -> [u8; 32] {
        let Self { ca, certificate, private_key, server_name, check } = self;
        let parts = [ca, certificate, private_key.expose(), server_name];
        // The whole length at once: where it grew, a part of the key would stay behind.
        let length = 1 + parts.iter().map(|part| size_of::<u64>() + part.len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(length);
        bytes.push(*check as u8);
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        debug_assert_eq!(bytes.len(), length);
        base_crypto::sha256(Secret::new(bytes).expose())
    }

    fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
        if self.check == ServerCheck::DangerNothing {
            return Ok(Arc::new(Lenient { provider, chain: None }));
        }
        let roots = Arc::new(self.roots()?);
        let full = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
        let full = full.map_err(|error| {
            Error::invalid(format!("the CA certificate cannot be used: {error}"))
        })?;
        Ok(match self.check {
            ServerCheck::Chain => Arc::new(Lenient { provider, chain: Some(full) }),
            ServerCheck::DangerNothing | ServerCheck::Full => full,
        })
    }

    fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        if self.ca.is_empty() {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(Error::unavailable(
                    "this machine trusts no certificate authority: give the one of the other side",
                ));
            }
            return Ok(roots);
        }
        for authority in certificates("CA certificate", &self.ca)? {
            roots.add(authority).map_err(|error| {
                Error::invalid(format!("the CA certificate cannot be used: {error}"))
            })?;
        }
        Ok(roots)
    }
}

fn certificates(what: &str, text: &str) -> Result<Vec<CertificateDer<'static>>> {
    // The errors of the reader may quote the text.
    let found: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| Error::invalid(format!("the {what} is no valid PEM")))?;
    if found.is_empty() {
        let text = format!("the {what} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)");
        return Err(Error::invalid(text));
    }
    Ok(found)
}

fn private_key(text: &Secret<String>) -> Result<PrivateKeyDer<'static>> {
    let text = text.expose();
    if text.contains("BEGIN ENCRYPTED") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(Error::invalid("the private key is encrypted: give it decrypted"));
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| {
        Error::invalid("the private key holds no key in PEM (PKCS #8, PKCS #1, SEC 1)")
    })
}

fn unusable(error: &rustls::Error) -> Error {
    Error::invalid(match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "the private key does not belong to the first certificate".to_owned()
        }
        error => format!("the client certificate cannot be used: {error}"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A certificate that signs itself, and its key.
    fn pair() -> (String, Secret<String>) {
        let made = rcgen::generate_simple_self_signed(vec!["rabbit.test".to_owned()]).unwrap();
        (made.cert.pem(), Secret::new(made.signing_key.serialize_pem()))
    }

    fn check(tls: ClientTls, fault: &str) {
        match tls.config() {
            Ok(_) => assert_eq!(fault, ""),
            Err(error) => assert_eq!(error.public(), fault),
        }
    }

    #[test]
    fn settings_that_fit_together_are_taken_and_others_named() {
        let ((certificate, key), (other, other_key)) = (pair(), pair());
        let client = |certificate: &str, key: &Secret<String>| ClientTls {
            ca: other.clone(),
            certificate: certificate.to_owned(),
            private_key: key.clone(),
            ..ClientTls::default()
        };
        let none = Secret::default();
        check(client(&certificate, &key), "");
        check(client("", &none), "");
        check(ClientTls { check: ServerCheck::DangerNothing, ..ClientTls::default() }, "");
        check(ClientTls { check: ServerCheck::Chain, ..client("", &none) }, "");
        check(client(&certificate, &none), "a certificate is given without a private key");
        check(client("", &key), "a private key is given without a certificate");
        let mismatch = "the private key does not belong to the first certificate";
        check(client(&certificate, &other_key), mismatch);
        let encrypted = Secret::new("-----BEGIN ENCRYPTED PRIVATE KEY-----".to_owned());
        check(client(&certificate, &encrypted), "the private key is encrypted: give it decrypted");
        let fault = "the private key holds no key in PEM (PKCS #8, PKCS #1, SEC 1)";
        check(client(&certificate, &Secret::new("hunter2".to_owned())), fault);
        let ca = ClientTls { ca: "hunter2".to_owned(), ..ClientTls::default() };
        check(ca, "the CA certificate holds no certificate in PEM (-----BEGIN CERTIFICATE-----)");
        let cut = certificate[..certificate.len() / 2].to_owned();
        let cut = ClientTls { ca: cut, ..ClientTls::default() };
        assert!(cut.config().unwrap_err().public().starts_with("the CA certificate "));
        let named = ClientTls { server_name: "a b".to_owned(), ..client("", &none) };
        check(named, "the TLS server name \"a b\" is no DNS name or IP address");
    }

    #[test]
    fn the_name_to_expect_is_the_host_unless_given() {
        let (mut tls, name) = (ClientTls::default(), |tls: &ClientTls, host: &str| {
            tls.server_name_for(host).map(|name| name.to_str().into_owned())
        });
        assert_eq!(name(&tls, "rabbit.test").unwrap(), "rabbit.test");
        assert_eq!(name(&tls, "[::1]").unwrap(), "::1");
        assert!(name(&tls, "").is_err());
        tls.server_name = "other.test".to_owned();
        assert_eq!(name(&tls, "10.0.0.1").unwrap(), "other.test");
    }

    #[test]
    fn every_setting_counts_in_the_fingerprint() {
        let text = |text: &str| text.to_owned();
        let plain = ClientTls::default();
        let all = [
            plain.clone(),
            ClientTls { ca: text("a"), ..plain.clone() },
            ClientTls { certificate: text("a"), ..plain.clone() },
            ClientTls { private_key: Secret::new(text("a")), ..plain.clone() },
            ClientTls { server_name: text("a"), ..plain.clone() },
            ClientTls { check: ServerCheck::Chain, ..plain.clone() },
            ClientTls { check: ServerCheck::DangerNothing, ..plain.clone() },
            ClientTls { ca: text("a"), certificate: text("b"), ..plain.clone() },
            ClientTls { ca: text("ab"), ..plain.clone() },
        ];
        let distinct: std::collections::BTreeSet<_> =
            all.iter().map(ClientTls::fingerprint).collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(plain.fingerprint(), ClientTls::default().fingerprint());
    }
}
