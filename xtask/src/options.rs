use std::str::FromStr;

use crate::Result;

/// The words after a chore's name. A chore takes out what it knows; [`Options::finish`] refuses
/// what is left.
pub(crate) struct Options(Vec<String>);

impl Options {
    pub(crate) fn new(words: Vec<String>) -> Self {
        Self(words)
    }

    /// Whether `--name` was given.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let place = self.0.iter().position(|word| word == name);
        place.map(|place| self.0.remove(place)).is_some()
    }

    /// The value of `--name VALUE`.
    pub(crate) fn value<T: FromStr>(&mut self, name: &str) -> Result<Option<T>> {
        let Some(place) = self.0.iter().position(|word| word == name) else { return Ok(None) };
        if place + 1 == self.0.len() {
            return Err(format!("{name} needs a value after it"));
        }
        let value = self.0.drain(place..place + 2).nth(1).unwrap_or_default();
        value.parse().map(Some).map_err(|_| format!("{name} does not take '{value}'"))
    }

    /// The value of `--name [VALUE]`, where `--name` alone means `default`.
    pub(crate) fn value_or<T: FromStr>(&mut self, name: &str, default: T) -> Result<Option<T>> {
        let place = self.0.iter().position(|word| word == name);
        let next = place.and_then(|place| self.0.get(place + 1));
        match next.is_some_and(|word| !word.starts_with('-')) {
            true => self.value(name),
            false => Ok(self.flag(name).then_some(default)),
        }
    }

    /// The plain words that are left.
    pub(crate) fn words(self) -> Result<Vec<String>> {
        match self.0.iter().find(|word| word.starts_with('-')) {
            Some(word) => Err(format!("unknown option '{word}'; `cargo xtask` lists them")),
            None => Ok(self.0),
        }
    }

    pub(crate) fn finish(self) -> Result<()> {
        match self.words()?.first() {
            Some(word) => Err(format!("unexpected '{word}'; `cargo xtask` lists what is taken")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Options;

    fn options(text: &str) -> Options {
        Options::new(text.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn takes_flags_values_and_words() {
        let mut given = options("--self --rounds 7 kv");
        assert!(given.flag("--self"));
        assert!(!given.flag("--release"));
        assert_eq!(given.value::<u32>("--rounds").unwrap(), Some(7));
        assert_eq!(given.words().unwrap(), ["kv"]);
        for (text, leases) in [("--leases", Some(9)), ("--leases 3 --x", Some(3)), ("--x", None)] {
            assert_eq!(options(text).value_or::<u32>("--leases", 9).unwrap(), leases, "{text}");
        }
        assert_eq!(options("--leases --x").value_or::<u32>("--leases", 9).unwrap(), Some(9));
    }

    #[test]
    fn refuses_what_nobody_took() {
        assert!(options("--sefl").finish().is_err());
        assert!(options("kv").finish().is_err());
        assert!(options("--rounds").value::<u32>("--rounds").is_err());
        assert!(options("--rounds many").value::<u32>("--rounds").is_err());
    }
}
