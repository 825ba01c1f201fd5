use base_crypto::OaepPublicKey;
use base_http::ClientTls;
use base_types::{Clock, Error, Result, Timestamp};
use bytes::Bytes;
use http::{Request, StatusCode};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The text of the certificate at a path, or at an address with `http://`, `https://` or
/// `file://`.
///
/// # Errors
/// `Invalid` or `Unavailable` in the words of kubeseal.
pub(crate) fn read(place: &str) -> Result<Vec<u8>> {
    if let Some(path) = place.strip_prefix("file://") {
        return read_file(path);
    }
    if !place.contains("://") {
        return read_file(place);
    }
    let request = Request::get(place)
        .body(Bytes::new())
        .map_err(|_| Error::invalid(format!("'{place}' is no address")))?;
    let answer = base_http::send(request, &ClientTls::default())?;
    match answer.status() {
        StatusCode::OK => Ok(answer.into_body().to_vec()),
        status => Err(Error::unavailable(format!("cannot fetch {place:?}: {status}"))),
    }
}

pub(crate) fn read_file(path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::invalid(format!("open {path}: no such file or directory"))
        }
        _ => Error::invalid(format!("open {path}: {error}")),
    })
}

/// The key of the first certificate in `pem`.
///
/// # Errors
/// `Invalid` if there is none, if its key is of another kind, or if it has expired.
pub(crate) fn sealing_key(pem: &[u8], clock: &dyn Clock) -> Result<OaepPublicKey> {
    let none = || Error::invalid("data does not contain any valid RSA or ECDSA certificates");
    let der = CertificateDer::pem_slice_iter(pem)
        .next()
        .and_then(std::result::Result::ok)
        .ok_or_else(none)?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| none())?;
    let key = OaepPublicKey::from_spki(certificate.public_key().raw)
        .map_err(|error| Error::invalid(format!("expected RSA public key: {}", error.public())))?;
    let end = Timestamp::from_seconds(certificate.validity().not_after.timestamp());
    if clock.now() > end {
        return Err(Error::invalid(format!(
            "failed to encrypt using an expired certificate on {}: fetch the current one with \
             --fetch-cert",
            day(end)
        )));
    }
    Ok(key)
}

/// `January 2, 2006`, as kubeseal writes it.
fn day(time: Timestamp) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let text = time.to_string();
    let date = text.split('T').next().unwrap_or_default();
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<usize>().unwrap_or_default());
    let [year, month, day] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let month = month.checked_sub(1).and_then(|at| MONTHS.get(at)).unwrap_or(&"?");
    format!("{month} {day}, {year}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_as_people_do() {
        let time: Timestamp = "2024-02-03T04:05:06Z".parse().unwrap();
        assert_eq!(day(time), "February 3, 2024");
    }
}
