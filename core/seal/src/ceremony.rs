use base_crypto::{Random, constant_time_eq, random_uuid};
use base_types::{Error, Result};

use crate::Share;

/// Collects the shares of one operation until there are enough. It knows nothing of their meaning.
pub(crate) struct Ceremony {
    nonce: String,
    required: u8,
    parts: Vec<Share>,
}

/// What became of a share.
pub(crate) enum Added {
    Continue,
    /// There are enough: here they are, and the ceremony starts over.
    Complete(Vec<Share>),
    Duplicate,
}

impl Ceremony {
    pub(crate) fn new(random: &dyn Random, required: u8) -> Self {
        Self { nonce: random_uuid(random), required, parts: Vec::new() }
    }

    /// What tells this ceremony from others, so that nobody adds a share to one that he does not
    /// mean.
    pub(crate) fn nonce(&self) -> &str {
        &self.nonce
    }

    pub(crate) fn required(&self) -> u8 {
        self.required
    }

    pub(crate) fn progress(&self) -> u8 {
        u8::try_from(self.parts.len()).expect("there are fewer parts than required")
    }

    /// # Errors
    /// `Invalid` if `nonce` is that of another ceremony; `operation` says which this one is.
    pub(crate) fn check_nonce(&self, nonce: &str, operation: &str) -> Result<()> {
        if nonce == self.nonce {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "incorrect nonce supplied; nonce for {operation} is {:?}",
            self.nonce
        )))
    }

    pub(crate) fn add(&mut self, share: Share) -> Added {
        if self.parts.iter().any(|part| constant_time_eq(part.expose(), share.expose())) {
            return Added::Duplicate;
        }
        self.parts.push(share);
        if self.parts.len() < self.required.into() {
            return Added::Continue;
        }
        Added::Complete(std::mem::take(&mut self.parts))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_crypto::SeededRandom;
    use base_types::Secret;

    use super::*;

    fn share(byte: u8) -> Share {
        Secret::new(vec![byte; 33])
    }

    #[test]
    fn collects_until_there_are_enough_and_starts_over() {
        let mut ceremony = Ceremony::new(&SeededRandom::new(1), 3);
        for round in 0..2 {
            assert!(matches!(ceremony.add(share(1)), Added::Continue), "round {round}");
            assert!(matches!(ceremony.add(share(1)), Added::Duplicate));
            assert_eq!(ceremony.progress(), 1);
            assert!(matches!(ceremony.add(share(2)), Added::Continue));
            assert_eq!(ceremony.progress(), 2);
            let Added::Complete(parts) = ceremony.add(share(3)) else { panic!() };
            assert_eq!(parts, [share(1), share(2), share(3)]);
            assert_eq!((ceremony.progress(), ceremony.required()), (0, 3));
        }
    }

    #[test]
    fn a_foreign_nonce_is_refused_with_the_right_one_named() {
        let ceremony = Ceremony::new(&SeededRandom::new(1), 1);
        ceremony.check_nonce(ceremony.nonce(), "rotation").unwrap();
        for nonce in ["", "other"] {
            let error = ceremony.check_nonce(nonce, "rotation").unwrap_err();
            let text = "incorrect nonce supplied; nonce for rotation is \"";
            assert_eq!(error.public(), format!("{text}{}\"", ceremony.nonce()));
        }
        let other = Ceremony::new(&SeededRandom::new(2), 1);
        assert!(other.check_nonce(ceremony.nonce(), "rotation").is_err());
    }
}
