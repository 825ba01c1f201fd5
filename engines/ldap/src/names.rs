use base_types::{Result, Secret};
use core_rotation::check_name;
use schemars::JsonSchema;
use serde::Deserialize;

/// A request that names one thing.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Named {
    /// Its name.
    pub(crate) name: String,
}

impl Named {
    /// The name as it is stored: as in Vault, there are no capital letters in it.
    pub(crate) fn canonical(&self) -> String {
        canonical(&self.name)
    }
}

pub(crate) fn canonical(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// A name under which something new may be stored.
///
/// # Errors
/// `Invalid`, saying what a name may hold.
pub(crate) fn new(name: &str) -> Result<String> {
    check_name(name)?;
    Ok(canonical(name))
}

/// The name of a caller, who may have chosen it, in letters that mean nothing in an LDIF, a DN or a
/// filter.
pub(crate) fn plain(display_name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    display_name.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

/// Whether a text holds a secret, so that it is not for everybody.
pub(crate) fn tells(text: &str, secret: &Secret<String>) -> bool {
    !secret.expose().is_empty() && text.contains(secret.expose().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_lose_what_could_be_taken_for_structure() {
        assert_eq!(plain("userpass-bob@example.com"), "userpass-bob@example.com");
        assert_eq!(plain("x,ou=admins\n\ndn: y+(*)\\ä\0"), "x_ou_admins__dn__y_______");
    }
}
