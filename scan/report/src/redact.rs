/// How much of a secret is hidden, in percent of its length: 0 shows all of it, 100 nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Redaction(u8);

/// What stands for a secret that is hidden altogether, as in reports of gitleaks.
pub(crate) const HIDDEN: &str = "REDACTED";

impl Redaction {
    pub const NONE: Self = Self(0);
    pub const FULL: Self = Self(100);

    /// More than 100 is 100.
    pub fn percent(percent: u64) -> Self {
        Self(percent.min(100) as u8)
    }

    /// What is shown of a secret.
    pub fn secret(self, secret: &[u8]) -> Vec<u8> {
        match self.0 {
            0 => secret.to_vec(),
            100 => HIDDEN.into(),
            percent => {
                let shown = secret.len() as f64 * f64::from(100 - percent) / 100.0;
                let mut start = secret[..shown.round_ties_even() as usize].to_vec();
                if !secret.is_empty() {
                    start.extend_from_slice(b"...");
                }
                start
            }
        }
    }

    /// A text in which the secret is as [`Redaction::secret`] shows it, everywhere.
    pub fn within(self, text: &[u8], secret: &[u8]) -> Vec<u8> {
        if self == Self::NONE || secret.is_empty() {
            return text.to_vec();
        }
        let shown = self.secret(secret);
        let mut result = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = find(rest, secret) {
            result.extend_from_slice(&rest[..at]);
            result.extend_from_slice(&shown);
            rest = &rest[at + secret.len()..];
        }
        result.extend_from_slice(rest);
        result
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_is_shown_as_gitleaks_shows() {
        let check = |percent, secret: &str, shown: &str| {
            assert_eq!(Redaction::percent(percent).secret(secret.as_bytes()), shown.as_bytes());
        };
        check(0, "secret", "secret");
        check(100, "secret", "REDACTED");
        check(1000, "secret", "REDACTED");
        check(50, "secret", "sec...");
        check(20, "abcde", "abcd...");
        // Half of an odd length goes to the even side.
        check(50, "abcde", "ab...");
        check(50, "", "");
    }

    #[test]
    fn a_secret_is_hidden_wherever_it_stands() {
        let hidden = Redaction::FULL.within(b"a=key b=key", b"key");
        assert_eq!(hidden, b"a=REDACTED b=REDACTED");
        assert_eq!(Redaction::NONE.within(b"a=key", b"key"), b"a=key");
        assert_eq!(Redaction::FULL.within(b"text", b""), b"text");
    }
}
