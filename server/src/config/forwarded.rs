use base_types::{Cidr, Result};

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
            .map(|text| {
                text.parse().map_err(|_| {
                    let reason = "which is no address such as 10.0.0.0/8 or ::1";
                    reader.invalid(ADDRESSES, format_args!("holds {text:?}, {reason}"))
                })
            })
            .collect::<Result<_>>()?;
        let hop_skips = hop_skips as usize;
        let rules = Self { trusted, hop_skips, reject_not_authorized, reject_not_present };
        Ok((!rules.trusted.is_empty()).then_some(rules))
    }
}
