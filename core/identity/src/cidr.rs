use std::net::IpAddr;

use base_types::{Error, Result};

/// A network: the addresses whose first bits are those of `base`.
struct Network {
    base: IpAddr,
    bits: u32,
}

impl Network {
    /// `10.0.0.0/8`, `::1/128`, or a single address.
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().ok()?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= width)?,
            None => width,
        };
        Some(Self { base, bits })
    }

    fn contains(&self, address: IpAddr) -> bool {
        let prefix = |value: u128, width: u32| {
            if self.bits == 0 { 0 } else { value >> (width - self.bits) }
        };
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                prefix(base.to_bits().into(), 32) == prefix(address.to_bits().into(), 32)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                prefix(base.to_bits(), 128) == prefix(address.to_bits(), 128)
            }
            _ => false,
        }
    }
}

/// # Errors
/// `Invalid` naming the first text that is neither an address nor a network.
pub fn check_cidrs(cidrs: &[String]) -> Result<()> {
    match cidrs.iter().find(|cidr| Network::parse(cidr).is_none()) {
        Some(bad) => Err(Error::invalid(format!("invalid CIDR block: {bad:?}"))),
        None => Ok(()),
    }
}

/// Whether `address` lies in one of the networks. An empty list allows everyone; a caller whose
/// address is unknown lies in none.
pub fn within_cidrs(cidrs: &[String], address: Option<IpAddr>) -> bool {
    cidrs.is_empty()
        || address.is_some_and(|address| {
            cidrs.iter().filter_map(|cidr| Network::parse(cidr)).any(|net| net.contains(address))
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(cidr: &str, address: &str, inside: bool) {
        let found = within_cidrs(&[cidr.to_owned()], Some(address.parse().unwrap()));
        assert_eq!(found, inside, "{address} in {cidr}");
    }

    #[test]
    fn addresses_are_judged_by_their_first_bits() {
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("127.0.0.1", "127.0.0.1", true);
        check("127.0.0.1", "127.0.0.2", false);
        check("0.0.0.0/0", "8.8.8.8", true);
        check("0.0.0.0/0", "::1", false);
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
        check("fd00::/8", "fd12::1", true);
        check("fd00::/8", "fe80::1", false);
        assert!(!within_cidrs(&["0.0.0.0/0".into()], None));
        assert!(within_cidrs(&[], None));
    }

    #[test]
    fn refuses_what_is_no_network() {
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "localhost", "10.0.0.0/-1"] {
            assert!(check_cidrs(&[bad.to_owned()]).is_err(), "{bad:?}");
        }
    }
}
