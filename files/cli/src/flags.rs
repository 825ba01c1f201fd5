use crate::command::Command;
use crate::session::Stop;

/// The flags of one call, in Go's style: `--name value`, `--name=value` and the same with one
/// hyphen.
#[derive(Default)]
pub(crate) struct Flags(Vec<(String, String)>);

impl Flags {
    /// The flags before the first other word, and the words from there on.
    ///
    /// # Errors
    /// For a flag that the command does not take, and one without its value.
    pub(crate) fn parse(
        command: &Command,
        words: Vec<String>,
    ) -> Result<(Self, Vec<String>), Stop> {
        let mut flags = Vec::new();
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next_if(|word| word.starts_with('-') && word.len() > 1) {
            if word == "--" {
                break;
            }
            let flag = command.flag(&word).ok_or_else(|| {
                let name = word.split('=').next().unwrap_or_default();
                Stop::usage(format!("flag provided but not defined: {name}; see --help"))
            })?;
            let value = match word.split_once('=') {
                Some((_, value)) => value.to_owned(),
                None if flag.value.is_empty() => "true".to_owned(),
                None => words.next().ok_or_else(|| {
                    Stop::usage(format!("flag needs an argument: --{}", flag.name))
                })?,
            };
            flags.push((flag.name, value));
        }
        Ok((Self(flags), words.collect()))
    }

    pub(crate) fn on(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| !is_off(value))
    }

    /// The value given last, unless it is empty.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let last = self.0.iter().rev().find(|(flag, _)| flag == name);
        last.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values, with commas between.
    pub(crate) fn list(&self, name: &str) -> String {
        let all = self.0.iter().filter(|(flag, _)| flag == name);
        all.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(",")
    }

    /// A value that is a count.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn count(&self, name: &str) -> Result<Option<usize>, Stop> {
        let number = |text: &str| {
            text.parse()
                .map_err(|_| Stop::usage(format!("--{name} must be a number, not '{text}'")))
        };
        self.value(name).map(number).transpose()
    }
}

/// Whether a switch is given to say no.
pub(crate) fn is_off(value: &str) -> bool {
    matches!(value, "false" | "FALSE" | "False" | "0" | "f" | "F")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::LEGACY;

    fn parsed(words: &[&str]) -> (Flags, Vec<String>) {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        match Flags::parse(&LEGACY, words) {
            Ok(parsed) => parsed,
            Err(stop) => panic!("{}", stop.text),
        }
    }

    #[test]
    fn flags_stand_before_the_file() {
        let (flags, words) = parsed(&["-d", "--output=x", "-a", "k1", "--age", "k2", "f", "-i"]);
        assert!(flags.on("decrypt") && !flags.on("in-place"));
        assert_eq!(flags.value("output"), Some("x"));
        assert_eq!(flags.list("age"), "k1,k2");
        assert_eq!(words, ["f", "-i"]);
        assert!(!parsed(&["--in-place=false", "f"]).0.on("in-place"));
    }

    #[test]
    fn other_flags_are_refused() {
        for words in [&["--nonsense", "f"][..], &["--output"], &["-x"]] {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            assert!(Flags::parse(&LEGACY, words).is_err());
        }
    }
}
