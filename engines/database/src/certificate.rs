//! Certificates by which users of a database log in, signed by an authority that the database trusts.

use std::collections::BTreeMap;
use std::time::Duration;

use base_crypto::{Random, SeededRandom, random_array};
use base_template::{Source, Template};
use base_types::{Error, Result, Secret, Timestamp, Ttl};
use core_barrier::Sealed;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, PKCS_RSA_SHA384, PKCS_RSA_SHA512, PublicKeyData,
    SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::key::{KeyType, private_pem};

/// How certificates are made, as it is stored.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Issuing {
    pub(crate) common_name_template: String,
    pub(crate) ca_cert: String,
    pub(crate) ca_private_key: Sealed,
    pub(crate) key_type: KeyType,
    /// Zero where there is no choice.
    pub(crate) key_bits: u16,
    /// Of the digest that an authority with an RSA key signs; others sign what goes with their curve.
    pub(crate) signature_bits: u16,
}

/// A certificate with its key.
pub(crate) struct Certificate {
    pub(crate) pem: String,
    pub(crate) private_key: Secret<String>,
    pub(crate) key_type: KeyType,
    /// As RFC 4514 writes it.
    pub(crate) subject: String,
    pub(crate) ends: Timestamp,
}

const SERIAL_LENGTH: usize = 16;
const SIGNATURE_BITS: [u16; 3] = [256, 384, 512];
/// `ub-common-name` of RFC 5280.
const COMMON_NAME_MAX: usize = 64;
/// So that a clock that is behind takes it all the same.
const BACKDATED: Ttl = Ttl::from_seconds(30);
const FIELDS: [&str; 3] = ["DisplayName", "RoleName", "Username"];

impl Issuing {
    /// Reads it as it is given, and tries it.
    ///
    /// # Errors
    /// `Invalid`, naming the field, without a word of the key.
    pub(crate) fn read(config: &BTreeMap<String, String>) -> Result<Self> {
        let text = |name: &str| config.get(name).map(String::as_str).unwrap_or_default();
        let number = |name: &str, known: &[u16]| match text(name) {
            "" | "0" => Ok(known.first().copied().unwrap_or(0)),
            _ if known.is_empty() => Ok(0),
            given => {
                let number = given.parse().ok().filter(|number| known.contains(number));
                number.ok_or_else(|| Error::invalid(format!("invalid {name}")))
            }
        };
        let key_type =
            KeyType::named(text("key_type")).ok_or_else(|| Error::invalid("invalid key_type"))?;
        let (key_bits, signature_bits) =
            (number("key_bits", key_type.bits())?, number("signature_bits", &SIGNATURE_BITS)?);
        let required = |name: &str| match text(name) {
            "" => Err(Error::invalid(format!("missing required {name}"))),
            given => Ok(given.to_owned()),
        };
        let issuing = Self {
            common_name_template: required("common_name_template")?,
            ca_cert: required("ca_cert")?,
            ca_private_key: Sealed::from(Secret::new(required("ca_private_key")?)),
            key_type,
            key_bits,
            signature_bits,
        };
        issuing.check()?;
        Ok(issuing)
    }

    /// Two users get two names, and what the authority signs is known for its own.
    fn check(&self) -> Result<()> {
        let (random, now) = (SeededRandom::new(1), Timestamp::EPOCH);
        let name = |username| self.common_name(username, "display", "role", &random, now);
        if name("one")? == name("other")? {
            return Err(Error::invalid(
                "common_name_template gives different users the same name: keep {{.Username}} or \
                 something random in it",
            ));
        }
        let key = KeyType::Ec.generate(0, &random)?;
        let authority = Authority::read(self)?;
        let trial = authority.sign(&key, &name("one")?, &random, now, now)?;
        let (_, trial) = X509Certificate::from_der(trial.der()).map_err(Error::internal)?;
        let (_, own) =
            X509Certificate::from_der(&authority.certificate).map_err(Error::internal)?;
        if trial.issuer().as_raw() != own.subject().as_raw() {
            return Err(Error::invalid("the name of ca_cert cannot be repeated in certificates"));
        }
        Ok(())
    }

    /// # Errors
    /// `Invalid` if the template gives no name that a certificate can have.
    pub(crate) fn common_name(
        &self,
        username: &str,
        display_name: &str,
        role_name: &str,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<String> {
        let template = Template::parse(&self.common_name_template, &FIELDS)
            .map_err(|error| error.at("failed to create template"))?;
        let fields =
            &[("DisplayName", display_name), ("RoleName", role_name), ("Username", username)];
        let name = template.render(&Source { fields, random, now })?;
        // In these letters it is the same in all forms of a name, so that nothing is to be escaped.
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.@:".contains(c);
        if name.is_empty() || name.len() > COMMON_NAME_MAX || !name.chars().all(fits) {
            return Err(Error::invalid(format!(
                "common_name_template gives {name:?}: a name holds letters, digits and -_.@:, at \
                 most {COMMON_NAME_MAX}"
            )));
        }
        Ok(name)
    }

    /// A certificate that ends then, or with its authority. It may take seconds.
    ///
    /// # Errors
    /// `Invalid` if the authority has ended.
    pub(crate) fn issue(
        &self,
        common_name: &str,
        random: &dyn Random,
        now: Timestamp,
        ends: Timestamp,
    ) -> Result<Certificate> {
        let authority = Authority::read(self)?;
        let ends = ends.min(authority.ends()?);
        if ends <= now {
            return Err(Error::invalid("ca_cert has expired: give the role another one"));
        }
        let key = self.key_type.generate(self.key_bits, random)?;
        let signed = authority.sign(&key, common_name, random, now, ends)?;
        Ok(Certificate {
            pem: signed.pem(),
            private_key: private_pem(&key),
            key_type: self.key_type,
            subject: format!("CN={common_name}"),
            ends,
        })
    }
}

/// Who signs.
struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// # Errors
    /// `Invalid` if the certificate and the key are none, or do not belong together.
    fn read(issuing: &Issuing) -> Result<Self> {
        let certificate = CertificateDer::from_pem_slice(issuing.ca_cert.as_bytes())
            .map_err(|_| Error::invalid("certificate not found in the PEM bundle"))?;
        let unusable = || Error::invalid("ca_cert is no certificate of an authority");
        let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| unusable())?;
        if !parsed.is_ca() {
            return Err(unusable());
        }
        let key = signing_key(issuing)?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(Error::invalid("ca_private_key does not belong to ca_cert"));
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|_| unusable())?;
        Ok(Self { certificate, issuer })
    }

    fn ends(&self) -> Result<Timestamp> {
        let (_, parsed) = X509Certificate::from_der(&self.certificate).map_err(Error::internal)?;
        Ok(Timestamp::from_seconds(parsed.validity().not_after.timestamp()))
    }

    fn sign(
        &self,
        key: &KeyPair,
        common_name: &str,
        random: &dyn Random,
        now: Timestamp,
        ends: Timestamp,
    ) -> Result<rcgen::Certificate> {
        let mut distinguished_name = DistinguishedName::new();
        distinguished_name.push(DnType::CommonName, common_name);
        let mut serial = random_array::<SERIAL_LENGTH>(random);
        // A positive number, of the same length each time.
        serial[0] = serial[0] & 0x7f | 0x40;
        let at = |seconds: i64| {
            date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds.try_into().unwrap_or(0))
        };
        let mut params = CertificateParams::default();
        params.not_before = at(now.seconds().saturating_sub_unsigned(BACKDATED.seconds()));
        params.not_after = at(ends.seconds());
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.distinguished_name = distinguished_name;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.signed_by(key, &self.issuer).map_err(Error::internal)
    }
}

fn signing_key(issuing: &Issuing) -> Result<KeyPair> {
    let text = issuing.ca_private_key.open().expose();
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| Error::invalid("no data found in PEM block"))?;
    let rsa = match issuing.signature_bits {
        512 => &PKCS_RSA_SHA512,
        384 => &PKCS_RSA_SHA384,
        _ => &PKCS_RSA_SHA256,
    };
    KeyPair::from_der_and_sign_algo(&key, rsa).or_else(|_| KeyPair::try_from(&key)).map_err(|_| {
        Error::invalid(
            "ca_private_key is of a kind that cannot sign here: there are RSA, Ed25519 and the \
                 curves P-256, P-384 and P-521",
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rcgen::{BasicConstraints, IsCa};

    use super::*;

    /// The certificate and the key of an authority.
    fn authority(key: &KeyPair, is_ca: bool, year: i32) -> (String, String) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params.distinguished_name.push(DnType::OrganizationName, "Größe & Söhne, Inc.");
        params.not_after = date_time_ymd(year, 1, 1);
        (params.self_signed(key).unwrap().pem(), key.serialize_pem())
    }

    fn config((certificate, key): &(String, String)) -> BTreeMap<String, String> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        BTreeMap::from([
            pair("common_name_template", "{{.Username}}"),
            pair("ca_cert", certificate),
            pair("ca_private_key", key),
            pair("key_type", "ec"),
        ])
    }

    fn generate(kind: KeyType, bits: u16) -> KeyPair {
        kind.generate(bits, &SeededRandom::new(1)).unwrap()
    }

    fn issue(issuing: &Issuing, now: Timestamp, ends: Timestamp) -> Result<Certificate> {
        issuing.issue("v-app", &SeededRandom::new(1), now, ends)
    }

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = r#"{"common_name_template":"t","ca_cert":"c","ca_private_key":"k","key_type":"ed25519","key_bits":0,"signature_bits":256}"#;
        let issuing: Issuing = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&issuing).unwrap(), golden);
        assert!(!format!("{issuing:?}").contains("\"k\""));
    }

    #[test]
    fn what_cannot_sign_is_refused() {
        let key = generate(KeyType::Ec, 384);
        let good = authority(&key, true, 2030);
        let stranger = generate(KeyType::Rsa, 2048);
        let leaf = authority(&key, false, 2030).0;
        for (field, value, fault) in [
            ("key_type", "dsa", "invalid key_type"),
            ("key_bits", "2048", "invalid key_bits"),
            ("key_bits", "224", "invalid key_bits"),
            ("signature_bits", "1", "invalid signature_bits"),
            ("common_name_template", "", "missing required common_name_template"),
            ("common_name_template", "{{.Foo}}", "failed to create template: template: 1:3:"),
            ("common_name_template", "{{.RoleName}}", "common_name_template gives different users"),
            ("common_name_template", "a/{{.Username}}", "common_name_template gives \"a/one\""),
            ("common_name_template", "{{random 65}}", "common_name_template gives \""),
            ("ca_cert", "", "missing required ca_cert"),
            ("ca_cert", "hunter2", "certificate not found in the PEM bundle"),
            ("ca_cert", &leaf, "ca_cert is no certificate of an authority"),
            ("ca_private_key", "", "missing required ca_private_key"),
            ("ca_private_key", "hunter2", "no data found in PEM block"),
            (
                "ca_private_key",
                &stranger.serialize_pem(),
                "ca_private_key does not belong to ca_cert",
            ),
        ] {
            let mut config = config(&good);
            config.insert(field.to_owned(), value.to_owned());
            let error = Issuing::read(&config).unwrap_err();
            assert!(error.public().starts_with(fault), "{field}: {error:?}");
            assert!(!error.log().to_string().contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn a_certificate_says_who_and_until_when() {
        let now = Timestamp::from_seconds(1_767_225_600);
        let hour = now.plus(Ttl::from_seconds(3600));
        for signer in [
            generate(KeyType::Ec, 256),
            generate(KeyType::Ec, 384),
            generate(KeyType::Ec, 521),
            generate(KeyType::Ed25519, 0),
            generate(KeyType::Rsa, 2048),
        ] {
            for (key_type, bits) in [("ec", "384"), ("ed25519", ""), ("rsa", "2048")] {
                let mut config = config(&authority(&signer, true, 2030));
                config.insert("key_type".to_owned(), key_type.to_owned());
                config.insert("key_bits".to_owned(), bits.to_owned());
                config.insert("signature_bits".to_owned(), "384".to_owned());
                let issuing = Issuing::read(&config).unwrap();
                let made = issue(&issuing, now, hour).unwrap();
                assert_eq!((made.subject.as_str(), made.ends), ("CN=v-app", hour));
                let der = CertificateDer::from_pem_slice(made.pem.as_bytes()).unwrap();
                let (_, parsed) = X509Certificate::from_der(&der).unwrap();
                let authority = CertificateDer::from_pem_slice(issuing.ca_cert.as_bytes()).unwrap();
                let (_, authority) = X509Certificate::from_der(&authority).unwrap();
                assert_eq!(parsed.issuer().as_raw(), authority.subject().as_raw());
                assert_eq!(parsed.subject().to_string(), "CN=v-app");
                assert_eq!(parsed.raw_serial().len(), SERIAL_LENGTH);
                assert!(!parsed.is_ca());
                let validity = parsed.validity();
                assert_eq!(validity.not_before.timestamp(), now.seconds() - 30);
                assert_eq!(validity.not_after.timestamp(), hour.seconds());
                let key = PrivateKeyDer::from_pem_slice(made.private_key.expose().as_bytes());
                let key = KeyPair::try_from(&key.unwrap()).unwrap();
                assert_eq!(key.subject_public_key_info(), parsed.public_key().raw);
            }
        }
    }

    #[test]
    fn none_outlives_its_authority() {
        let now = Timestamp::from_seconds(1_767_225_600);
        let key = generate(KeyType::Ec, 256);
        let issuing = Issuing::read(&config(&authority(&key, true, 2026))).unwrap();
        // It ends when that year begins.
        let before = Timestamp::from_seconds(1_767_225_600 - 60);
        let made = issue(&issuing, before, now.plus(Ttl::from_seconds(60))).unwrap();
        assert_eq!(made.ends, now);
        let error = issue(&issuing, now, now.plus(Ttl::from_seconds(60))).err().unwrap();
        assert_eq!(error.public(), "ca_cert has expired: give the role another one");
    }
}
