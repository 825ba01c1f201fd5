use base_crypto::{Random, random_array};
use base_hcl::Block;
use base_types::{Error, Result, Secret};
use core_barrier::Record;
use serde::{Deserialize, Serialize};

/// The text of a password policy as it was written.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PasswordPolicyRecord {
    pub text: String,
}

impl Record for PasswordPolicyRecord {
    const KIND: &'static str = "password policy";
}

/// What generated passwords look like: a length, and for each rule how many characters of its set
/// there must be. <https://openbao.org/docs/concepts/password-policies/>
#[derive(Debug)]
pub struct PasswordPolicy {
    length: usize,
    rules: Vec<Charset>,
    /// All characters of all rules, sorted, each once.
    alphabet: Vec<char>,
}

#[derive(Debug)]
struct Charset {
    chars: Vec<char>,
    min: usize,
}

const LENGTHS: std::ops::RangeInclusive<usize> = 4..=100;
/// How many random candidates are tried before the policy is called unreasonable.
const CANDIDATES_MAX: usize = 10_000;

impl PasswordPolicy {
    /// # Errors
    /// `Invalid` with line and column, or if no password can satisfy the rules.
    pub fn parse(text: &str) -> Result<Self> {
        let policy = Self::read(text).map_err(|error| error.at("invalid password policy"))?;
        if !LENGTHS.contains(&policy.length) {
            return Err(Error::invalid("passwords must be between 4 and 100 characters"));
        }
        Ok(policy)
    }

    fn read(text: &str) -> Result<Self> {
        let document = base_hcl::parse(text)?;
        let mut fields = document.fields();
        let length = fields.integer("length", 0, i64::from(u32::MAX))?.unwrap_or_default() as usize;
        let mut rules = Vec::new();
        for block in fields.blocks("rule", 1)? {
            rules.push(Charset::read(&block)?);
        }
        fields.finish()?;
        let mut alphabet: Vec<char> = rules.iter().flat_map(|rule| rule.chars.clone()).collect();
        alphabet.sort_unstable();
        alphabet.dedup();
        if alphabet.is_empty() {
            return Err(Error::invalid("no charset specified"));
        }
        let needed = rules.iter().map(|rule| rule.min).sum::<usize>();
        if length == 0 {
            return Err(Error::invalid("length must be > 0"));
        }
        if needed > length {
            return Err(Error::invalid(format!(
                "specified rules require at least {needed} characters but {length} is specified"
            )));
        }
        Ok(Self { length, rules, alphabet })
    }

    /// 20 letters, digits and hyphens, at least one of each kind: what engines use by default.
    pub fn standard() -> Self {
        let set = |chars: &str| Charset { chars: chars.chars().collect(), min: 1 };
        let rules = vec![
            set("abcdefghijklmnopqrstuvwxyz"),
            set("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            set("0123456789"),
            set("-"),
        ];
        let mut alphabet: Vec<char> = rules.iter().flat_map(|rule| rule.chars.clone()).collect();
        alphabet.sort_unstable();
        Self { length: 20, rules, alphabet }
    }

    /// Draws uniformly from all passwords that satisfy the rules, by drawing until one does.
    ///
    /// # Errors
    /// `Invalid` if the rules are so tight that nearly no draw satisfies them.
    pub fn generate(&self, random: &dyn Random) -> Result<Secret<String>> {
        for _ in 0..CANDIDATES_MAX {
            let candidate: String = (0..self.length).map(|_| self.draw(random)).collect();
            let candidate = Secret::new(candidate);
            let count = |rule: &Charset| {
                candidate.expose().chars().filter(|c| rule.chars.contains(c)).count()
            };
            if self.rules.iter().all(|rule| count(rule) >= rule.min) {
                return Ok(candidate);
            }
        }
        Err(Error::invalid("the rules of the password policy are too tight to be met by chance"))
    }

    fn draw(&self, random: &dyn Random) -> char {
        let size = self.alphabet.len() as u32;
        // The largest multiple of the size; draws above it would favour the first characters.
        let fair = u32::MAX - u32::MAX % size;
        loop {
            let number = u32::from_le_bytes(random_array(random));
            if number < fair {
                return self.alphabet[(number % size) as usize];
            }
        }
    }
}

impl Charset {
    fn read(block: &Block<'_>) -> Result<Self> {
        if block.label(0) != "charset" {
            let kind = block.label(0);
            return Err(Error::invalid(format!(
                "unable to parse rules: unable to parse rule {kind}: unrecognized rule type {kind}"
            )));
        }
        let mut fields = block.body.fields();
        let charset = fields.string("charset")?.unwrap_or_default();
        let min = fields.integer("min-chars", 0, *LENGTHS.end() as i64)?.unwrap_or(0) as usize;
        fields.finish()?;
        if charset.chars().any(|c| c.is_control()) {
            return Err(Error::invalid("a charset holds a character that cannot be printed"));
        }
        Ok(Self { chars: charset.chars().collect(), min })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_crypto::SeededRandom;

    use super::*;

    #[test]
    fn passwords_meet_every_rule() {
        let text = r#"length = 12
            rule "charset" { charset = "abc" min-chars = 2 }
            rule "charset" { charset = "XYZ" min-chars = 3 }"#;
        let (policy, random) = (PasswordPolicy::parse(text).unwrap(), SeededRandom::new(1));
        for _ in 0..100 {
            let password = policy.generate(&random).unwrap();
            let count = |set: &str| password.expose().chars().filter(|c| set.contains(*c)).count();
            assert!(count("abc") >= 2 && count("XYZ") >= 3 && count("abcXYZ") == 12);
        }
        assert_eq!(PasswordPolicy::standard().generate(&random).unwrap().expose().len(), 20);
    }

    #[test]
    fn refuses_what_cannot_be_met() {
        for bad in [
            "",
            "length = 3 rule \"charset\" { charset = \"a\" }",
            "length = 20",
            "length = 101 rule \"charset\" { charset = \"a\" }",
            "length = 10 rule \"charset\" { charset = \"a\" min-chars = 11 }",
            "length = 10 rule \"charset\" { charset = \"a\" min-chars = -1 }",
            "length = 10 rule \"charset\" { chraset = \"a\" }",
            "length = ",
        ] {
            assert!(PasswordPolicy::parse(bad).is_err(), "{bad}");
        }
    }
}
