use std::net::IpAddr;

use base_types::{Cidr, Error, Result};

/// Checks blocks of addresses that are kept as they were written.
///
/// # Errors
/// `Invalid`, beginning with `what`, for the first that is none.
pub(crate) fn check(texts: &[String], what: &str) -> Result<()> {
    let fault = |text: &&String| !text.contains('/') || text.parse::<Cidr>().is_err();
    match texts.iter().find(fault) {
        None => Ok(()),
        Some(text) => Err(Error::invalid(format!("{what}: invalid CIDR address: {text}"))),
    }
}

/// # Errors
/// `Invalid` if one of `inner` does not lie in a block of `outer`, which is empty for no limit.
pub(crate) fn check_within(outer: &[String], inner: &[String]) -> Result<()> {
    let blocks = parse(outer);
    let within = |block: &Cidr| blocks.iter().any(|outer| outer.covers(block));
    if outer.is_empty() || parse(inner).iter().all(within) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "failed to verify subset relationship between CIDR blocks on the role {outer:?} and CIDR \
         blocks on the secret ID {inner:?}"
    )))
}

/// Whether a caller may come from `remote`. No blocks are no limit; an unknown address is in none.
pub(crate) fn admit(texts: &[String], remote: Option<IpAddr>) -> bool {
    texts.is_empty() || remote.is_some_and(|ip| parse(texts).iter().any(|block| block.contains(ip)))
}

/// What was stored has been checked, so that nothing is left out here.
pub(crate) fn parse(texts: &[String]) -> Vec<Cidr> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}
