use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::HeaderName;

use crate::config::Forwarded;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address: what the header says if `remote` may say so, with the port of the
/// connection. A header that is not believed is taken out, so that nobody behind believes it.
///
/// # Errors
/// What to tell the client; the texts are OpenBao's.
pub(super) fn client(
    rules: &Forwarded,
    remote: SocketAddr,
    headers: &mut HeaderMap,
) -> Result<SocketAddr, String> {
    if !headers.contains_key(X_FORWARDED_FOR) {
        return if rules.reject_not_present {
            Err("missing x-forwarded-for header and configured to reject when not present"
                .to_owned())
        } else {
            Ok(remote)
        };
    }
    if !rules.trusted.iter().any(|network| network.contains(remote.ip())) {
        return if rules.reject_not_authorized {
            Err("client address not authorized for x-forwarded-for and configured to reject \
                 connection"
                .to_owned())
        } else {
            headers.remove(X_FORWARDED_FOR);
            Ok(remote)
        };
    }
    let values = headers.get_all(X_FORWARDED_FOR).iter();
    let hops: Vec<&str> =
        values.flat_map(|value| value.to_str().unwrap_or("").split(',')).map(str::trim).collect();
    let index = hops.len().checked_sub(1 + rules.hop_skips).ok_or_else(|| {
        format!(
            "malformed x-forwarded-for configuration or request, hops to skip ({}) would skip before \
             earliest chain link (chain length {})",
            rules.hop_skips,
            hops.len()
        )
    })?;
    let address = address(hops[index])
        .ok_or_else(|| "malformed x-forwarded-for header: it holds no address".to_owned())?;
    Ok(SocketAddr::new(address, remote.port()))
}

/// Reads an address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.trim_start_matches('[').trim_end_matches(']').parse().ok();
    text.parse::<SocketAddr>().map(|socket| socket.ip()).ok().or_else(bare)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn rules() -> Forwarded {
        Forwarded {
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
            hop_skips: 0,
            reject_not_authorized: true,
            reject_not_present: true,
        }
    }

    fn check(rules: &Forwarded, remote: &str, values: &[&'static str]) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static(value));
        }
        client(rules, remote.parse().unwrap(), &mut headers).map(|address| address.to_string())
    }

    #[test]
    fn a_trusted_balancer_names_the_client() {
        let proxy = "10.0.0.1:777";
        for (values, client) in [
            (&["1.2.3.4"][..], "1.2.3.4:777"),
            (&["1.2.3.4, 2.3.4.5"], "2.3.4.5:777"),
            (&["1.2.3.4", "2.3.4.5"], "2.3.4.5:777"),
            (&["1.2.3.4:99"], "1.2.3.4:777"),
            (&["fd00::1"], "[fd00::1]:777"),
            (&["[fd00::1]:99"], "[fd00::1]:777"),
        ] {
            assert_eq!(check(&rules(), proxy, values).unwrap(), client);
        }
        let skip = Forwarded { hop_skips: 1, ..rules() };
        let chain = &["1.2.3.4, 2.3.4.5, 3.4.5.6", "4.5.6.7"];
        assert_eq!(check(&skip, proxy, chain).unwrap(), "3.4.5.6:777");
        assert!(check(&skip, proxy, &["1.2.3.4"]).unwrap_err().contains("hops to skip (1)"));
        for junk in [&["unknown"][..], &[""], &["1.2.3.4, "]] {
            assert!(check(&rules(), proxy, junk).unwrap_err().contains("holds no address"));
        }
    }

    #[test]
    fn others_are_refused_or_their_header_is_taken_out() {
        let missing = check(&rules(), "10.0.0.1:7", &[]).unwrap_err();
        assert!(missing.starts_with("missing x-forwarded-for header"));
        let foreign = check(&rules(), "9.9.9.9:7", &["1.2.3.4"]).unwrap_err();
        assert!(foreign.starts_with("client address not authorized"));
        let lenient =
            Forwarded { reject_not_authorized: false, reject_not_present: false, ..rules() };
        assert_eq!(check(&lenient, "10.0.0.1:7", &[]).unwrap(), "10.0.0.1:7");
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("1.2.3.4"));
        let remote: SocketAddr = "9.9.9.9:7".parse().unwrap();
        assert_eq!(client(&lenient, remote, &mut headers).unwrap(), remote);
        assert!(headers.is_empty());
    }
}
