use std::net::IpAddr;
use std::str::FromStr;

use base_types::Result;

use super::reader::Reader;

/// Whose `X-Forwarded-For` is believed, and what happens to the others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Forwarded {
    pub trusted: Vec<Cidr>,
    /// How many addresses to pass over from the end of the header.
    pub hop_skips: usize,
    pub reject_not_authorized: bool,
    pub reject_not_present: bool,
}

/// An address with the number of leading bits that count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cidr {
    network: IpAddr,
    bits: u32,
}

impl Forwarded {
    /// `None` unless addresses are trusted: naming them turns the rules on.
    pub(super) fn read(reader: &mut Reader<'_, '_>) -> Result<Option<Self>> {
        const ADDRESSES: &str = "x_forwarded_for_authorized_addrs";
        let mut addresses: Vec<String> = Vec::new();
        let mut hop_skips: u32 = 0;
        let (mut reject_not_authorized, mut reject_not_present) = (true, true);
        reader.set(ADDRESSES, &mut addresses)?;
        reader.set("x_forwarded_for_hop_skips", &mut hop_skips)?;
        reader.set("x_forwarded_for_reject_not_authorized", &mut reject_not_authorized)?;
        reader.set("x_forwarded_for_reject_not_present", &mut reject_not_present)?;
        let trusted: Vec<Cidr> = addresses
            .iter()
            .map(|text| text.parse().map_err(|reason: String| reader.invalid(ADDRESSES, reason)))
            .collect::<Result<_>>()?;
        let hop_skips = hop_skips as usize;
        let rules = Self { trusted, hop_skips, reject_not_authorized, reject_not_present };
        Ok((!rules.trusted.is_empty()).then_some(rules))
    }
}

impl Cidr {
    /// An IPv4 address inside IPv6 (`::ffff:1.2.3.4`) counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same_prefix(network.to_bits().into(), address.to_bits().into(), 32 - self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                same_prefix(network.to_bits(), address.to_bits(), 128 - self.bits)
            }
            _ => false,
        }
    }
}

fn same_prefix(left: u128, right: u128, free_bits: u32) -> bool {
    // Shifting out all 128 bits leaves nothing to compare.
    (left ^ right).checked_shr(free_bits).is_none_or(|rest| rest == 0)
}

/// Reads `10.0.0.0/8`, `::1/128` or a single address.
impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("holds {text:?}, which is no address such as 10.0.0.0/8 or ::1");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().map_err(|_| refuse())?)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| refuse())?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most { Err(refuse()) } else { Ok(Self { network, bits }) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (cidr, address, inside) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("0.0.0.0/0", "::1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("::/0", "ff::1", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe12::1", false),
        ] {
            let cidr: Cidr = cidr.parse().unwrap();
            assert_eq!(cidr.contains(address.parse().unwrap()), inside, "{cidr:?} {address}");
        }
        for bad in ["", "10.0.0.0/33", "::/129", "localhost", "10.0.0.0/-1", "10.0.0.0/8/8"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }
}
