use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::Error;

/// A block of IP addresses as it was written: `10.0.0.0/8`, `fe80::/10`, or one address alone.
///
/// An IPv4 address inside IPv6 (`::ffff:10.0.0.1`), which is what a listener on both families sees, counts
/// as the IPv4 address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cidr {
    address: IpAddr,
    length: u8,
}

impl Cidr {
    pub fn contains(&self, address: IpAddr) -> bool {
        self.covers(&Self::from(address))
    }

    /// Every address of `other` lies in `self`.
    pub fn covers(&self, other: &Self) -> bool {
        let same_family = self.address.is_ipv4() == other.address.is_ipv4();
        same_family
            && self.length <= other.length
            && (bits(self.address) ^ bits(other.address)).leading_zeros() >= u32::from(self.length)
    }

    fn is_single(&self) -> bool {
        self.length == width(self.address)
    }
}

/// The address left-aligned, so that a prefix of it is its leading bits.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The block of this one address.
impl From<IpAddr> for Cidr {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, length: width(address) }
    }
}

impl FromStr for Cidr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let malformed = || Error::invalid(format!("invalid CIDR address: {text}"));
        let Some((address, length)) = text.split_once('/') else {
            return text
                .parse()
                .map(|address: IpAddr| Self::from(address))
                .map_err(|_| malformed());
        };
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let length = length.parse().ok().filter(|length| *length <= width(address));
        Ok(Self { address, length: length.ok_or_else(malformed)? })
    }
}

/// One address stands without its length.
impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, length } = self;
        if self.is_single() { write!(f, "{address}") } else { write!(f, "{address}/{length}") }
    }
}

impl serde::Serialize for Cidr {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Cidr {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|error: Error| serde::de::Error::custom(error.public()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(block: &str, address: &str, inside: bool) {
        let block: Cidr = block.parse().unwrap();
        assert_eq!(block.contains(address.parse().unwrap()), inside, "{address} in {block}");
    }

    #[test]
    fn contains_what_shares_its_prefix() {
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.1.2.3/8", "10.9.9.9", true);
        check("10.0.0.0/8", "11.0.0.0", false);
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
        check("127.0.0.1", "127.0.0.1", true);
        check("127.0.0.1", "127.0.0.2", false);
        check("0.0.0.0/0", "255.255.255.255", true);
        check("0.0.0.0/0", "::1", false);
        check("::/0", "1.2.3.4", false);
        check("fe80::/10", "fe80::1", true);
        check("fe80::/10", "ff80::1", false);
        check("::1", "::1", true);
    }

    #[test]
    fn a_block_covers_its_parts_only() {
        for (outer, inner, covers) in [
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.0.0.0/8", "10.0.0.0/8", true),
            ("10.1.0.0/16", "10.0.0.0/8", false),
            ("10.0.0.0/8", "10.1.0.0/4", false),
            ("::/0", "10.0.0.0/8", false),
        ] {
            let (outer, inner): (Cidr, Cidr) = (outer.parse().unwrap(), inner.parse().unwrap());
            assert_eq!(outer.covers(&inner), covers, "{inner} in {outer}");
        }
    }

    #[test]
    fn prints_as_written_and_refuses_what_is_no_block() {
        for (text, printed) in [
            ("10.1.2.3/8", "10.1.2.3/8"),
            ("127.0.0.1/32", "127.0.0.1"),
            ("::1/128", "::1"),
            ("fe80::1/64", "fe80::1/64"),
        ] {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), printed);
        }
        for text in [
            "",
            "nonsense",
            "127.0.0.1/33",
            "::/129",
            "127.0.0.1:80",
            "/tmp/x",
            "1.2.3.4/",
            "1.2.3.4/-1",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text:?}");
        }
    }
}
