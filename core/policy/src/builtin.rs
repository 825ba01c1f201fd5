use base_types::{Error, Name, Result};

/// The policy `default` as a new namespace gets it. Its text may be changed later.
pub const DEFAULT_TEXT: &str = include_str!("default.hcl");

/// The policy of tokens that wrap a response. It can neither be changed nor be assigned.
pub const RESPONSE_WRAPPING_TEXT: &str = include_str!("response_wrapping.hcl");

pub(crate) const ROOT: &str = "root";
const DEFAULT: &str = "default";
const RESPONSE_WRAPPING: &str = "response-wrapping";

/// # Errors
/// `Invalid` if the text of this policy cannot be changed.
pub fn check_write(name: &Name) -> Result<()> {
    match name.as_str() {
        ROOT | RESPONSE_WRAPPING => {
            Err(Error::invalid(format!("cannot update {:?} policy", name.as_str())))
        }
        _ => Ok(()),
    }
}

/// # Errors
/// `Invalid` if this policy must always exist.
pub fn check_delete(name: &Name) -> Result<()> {
    match name.as_str() {
        ROOT | RESPONSE_WRAPPING => {
            Err(Error::invalid(format!("cannot delete {:?} policy", name.as_str())))
        }
        DEFAULT => Err(Error::invalid("cannot delete default policy")),
        _ => Ok(()),
    }
}
