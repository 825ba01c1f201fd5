use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base_hcl::Position;
use base_types::Result;
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs::{cipher_suite, kx_group};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use super::reader::{Reader, pick};

/// How a TCP listener speaks TLS.
#[derive(Clone)]
pub struct Tls {
    /// The chain in PEM form, the server's own certificate first.
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
    pub clients: ClientCertificates,
    /// TLS 1.2, TLS 1.3 or both.
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// The suites offered; those of TLS 1.3 are always among them.
    pub cipher_suites: Vec<SupportedCipherSuite>,
    /// The key exchanges, most wanted first.
    pub key_exchanges: Vec<&'static dyn SupportedKxGroup>,
    /// How often to look for a changed certificate; `None` for on SIGHUP alone.
    pub reload_every: Option<Duration>,
}

/// Which client certificates are asked for and taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClientCertificates {
    /// None are asked for.
    Disabled,
    /// Any is taken if the client owns its key; auth methods judge it later.
    Optional,
    /// Every client must show one of this CA.
    Required { ca_file: PathBuf },
}

const VERSIONS: [(&str, Version); 2] = [("tls12", Version::Tls12), ("tls13", Version::Tls13)];

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Version {
    Tls12,
    Tls13,
}

const SUITES_TLS13: [SupportedCipherSuite; 3] = [
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
];

const SUITES_TLS12: [(&str, SupportedCipherSuite); 6] = [
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

fn key_exchanges() -> [(&'static str, &'static dyn SupportedKxGroup); 5] {
    [
        ("X25519MLKEM768", kx_group::X25519MLKEM768),
        ("SecP256r1MLKEM768", kx_group::SECP256R1MLKEM768),
        ("X25519", kx_group::X25519),
        ("CurveP256", kx_group::SECP256R1),
        ("CurveP384", kx_group::SECP384R1),
    ]
}

impl Tls {
    /// `None` if `tls_disable` is set. `at` is the place of the listener.
    pub(super) fn read(reader: &mut Reader<'_, '_>, at: Position) -> Result<Option<Self>> {
        let mut disabled = false;
        let (mut cert_file, mut key_file) = (None::<PathBuf>, None::<PathBuf>);
        reader.set("tls_disable", &mut disabled)?;
        reader.set("tls_cert_file", &mut cert_file)?;
        reader.set("tls_key_file", &mut key_file)?;
        let clients = ClientCertificates::read(reader)?;
        let versions = versions(reader)?;
        let cipher_suites = cipher_suites(reader)?;
        let key_exchanges = read_key_exchanges(reader)?;
        let reload_every = reload_every(reader)?;
        if disabled {
            return Ok(None);
        }
        let (Some(cert_file), Some(key_file)) = (cert_file, key_file) else {
            return Err(at.error(
                "TLS needs \"tls_cert_file\" and \"tls_key_file\"; without TLS tokens and secrets can \
                 be read on the way: tls_disable = true",
            ));
        };
        Ok(Some(Self {
            cert_file,
            key_file,
            clients,
            versions,
            cipher_suites,
            key_exchanges,
            reload_every,
        }))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("cert_file", &self.cert_file)
            .field("clients", &self.clients)
            .finish_non_exhaustive()
    }
}

impl ClientCertificates {
    fn read(reader: &mut Reader<'_, '_>) -> Result<Self> {
        const REQUIRE: &str = "tls_require_and_verify_client_cert";
        let (mut required, mut disabled, mut ca_file) = (false, false, None::<PathBuf>);
        reader.set(REQUIRE, &mut required)?;
        reader.set("tls_disable_client_certs", &mut disabled)?;
        reader.set("tls_client_ca_file", &mut ca_file)?;
        match (required, disabled, ca_file) {
            (true, true, _) => {
                Err(reader
                    .invalid(REQUIRE, "contradicts tls_disable_client_certs: keep one of them"))
            }
            (true, false, None) => Err(reader.invalid(
                REQUIRE,
                "needs tls_client_ca_file: name the CA whose certificates count",
            )),
            (true, false, Some(ca_file)) => Ok(Self::Required { ca_file }),
            (false, disabled, ca_file) => {
                if ca_file.is_some() {
                    let at = reader.at("tls_client_ca_file");
                    let text = format!("\"tls_client_ca_file\" has no effect without {REQUIRE}");
                    reader.source.warn(at, text);
                }
                Ok(if disabled { Self::Disabled } else { Self::Optional })
            }
        }
    }
}

fn versions(reader: &mut Reader<'_, '_>) -> Result<Vec<&'static SupportedProtocolVersion>> {
    let (mut least, mut most) = (Version::Tls12, Version::Tls13);
    reader.choose("tls_min_version", &VERSIONS, &mut least)?;
    reader.choose("tls_max_version", &VERSIONS, &mut most)?;
    if least > most {
        return Err(reader.invalid("tls_min_version", "is above tls_max_version"));
    }
    let all =
        [(Version::Tls13, &rustls::version::TLS13), (Version::Tls12, &rustls::version::TLS12)];
    let wanted = all.into_iter().filter(|(version, _)| (least..=most).contains(version));
    Ok(wanted.map(|(_, version)| version).collect())
}

fn cipher_suites(reader: &mut Reader<'_, '_>) -> Result<Vec<SupportedCipherSuite>> {
    const KEY: &str = "tls_cipher_suites";
    let mut names: Vec<String> = Vec::new();
    reader.set(KEY, &mut names)?;
    let tls12: Vec<SupportedCipherSuite> = if names.is_empty() {
        SUITES_TLS12.iter().map(|(_, suite)| *suite).collect()
    } else {
        // The suites of TLS 1.3 may be named, as Go does, but cannot be left out.
        let named = names.iter().filter(|name| !name.starts_with("TLS_AES_"));
        let named = named.filter(|name| !name.starts_with("TLS_CHACHA20_"));
        named
            .map(|name| pick(name, &SUITES_TLS12).map_err(|text| reader.invalid(KEY, text)))
            .collect::<Result<_>>()?
    };
    Ok(SUITES_TLS13.into_iter().chain(tls12).collect())
}

fn read_key_exchanges(reader: &mut Reader<'_, '_>) -> Result<Vec<&'static dyn SupportedKxGroup>> {
    const KEY: &str = "tls_key_exchange_preferences";
    let mut names: Vec<String> = Vec::new();
    reader.set(KEY, &mut names)?;
    let known = key_exchanges();
    if names.is_empty() {
        return Ok(known.iter().map(|(_, group)| *group).collect());
    }
    names.iter().map(|name| pick(name, &known).map_err(|text| reader.invalid(KEY, text))).collect()
}

fn reload_every(reader: &mut Reader<'_, '_>) -> Result<Option<Duration>> {
    const INTERVAL: &str = "tls_auto_reload_interval";
    let (mut reload, mut interval) = (false, Duration::from_secs(30));
    reader.set("tls_auto_reload", &mut reload)?;
    reader.set(INTERVAL, &mut interval)?;
    if interval < Duration::from_secs(5) {
        return Err(reader.invalid(INTERVAL, "must be at least 5s"));
    }
    Ok(reload.then_some(interval))
}
