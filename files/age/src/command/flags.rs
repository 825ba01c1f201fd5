use crate::{Error, Result};

/// One flag: `-l`, `--name`, with or without a value.
pub(super) struct Flag {
    name: &'static str,
    letter: char,
    /// What its value is called; empty for one that has none.
    value: &'static str,
    about: &'static str,
}

pub(super) const fn switch(name: &'static str, letter: char, about: &'static str) -> Flag {
    Flag { name, letter, value: "", about }
}

pub(super) const fn option(
    name: &'static str,
    letter: char,
    value: &'static str,
    about: &'static str,
) -> Flag {
    Flag { name, letter, value, about }
}

impl Flag {
    pub(super) fn help(&self) -> String {
        let Self { name, letter, value, about } = self;
        format!("  -{letter}, {:<28} {about}\n", format!("--{name} {value}"))
    }
}

/// The flags of one call, and the file it names.
pub(super) struct Flags {
    given: Vec<(&'static str, String)>,
    /// The file to read; standard input if none is named.
    pub(super) file: Option<String>,
}

impl Flags {
    /// Flags may stand before and after the file.
    pub(super) fn parse(known: &'static [Flag], words: &[String]) -> Result<Self> {
        let mut flags = Self { given: Vec::new(), file: None };
        let mut words = words.iter();
        let mut only_files = false;
        while let Some(word) = words.next() {
            if only_files || word == "-" || !word.starts_with('-') {
                if flags.file.replace(word.clone()).is_some() {
                    return Err(Error::invalid("more than one file is named"));
                }
                continue;
            }
            if word == "--" {
                only_files = true;
                continue;
            }
            let (spelled, value) = match word.split_once('=') {
                Some((spelled, value)) => (spelled, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let name = spelled.trim_start_matches('-');
            let is_meant =
                |flag: &&Flag| flag.name == name || name.chars().eq(std::iter::once(flag.letter));
            let flag = known.iter().find(is_meant);
            let flag = flag.ok_or_else(|| Error::invalid(format!("{spelled} is no flag here")))?;
            let value = match (flag.value.is_empty(), value) {
                (true, None) => "true".to_owned(),
                (true, Some(_)) => {
                    return Err(Error::invalid(format!("{spelled} takes no value")));
                }
                (false, Some(value)) => value,
                (false, None) => words
                    .next()
                    .cloned()
                    .ok_or_else(|| Error::invalid(format!("{spelled} needs a {}", flag.value)))?,
            };
            flags.given.push((flag.name, value));
        }
        flags.file = flags.file.filter(|file| file != "-");
        Ok(flags)
    }

    pub(super) fn on(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let given = self.given.iter().filter(move |(flag, _)| *flag == name);
        given.map(|(_, value)| value.as_str())
    }

    pub(super) fn last(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KNOWN: &[Flag] =
        &[switch("armor", 'a', ""), option("recipient", 'r', "R", ""), switch("pq", 'q', "")];

    fn parsed(words: &[&str]) -> Result<Flags> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Flags::parse(KNOWN, &words)
    }

    #[test]
    fn flags_stand_anywhere() {
        let flags = parsed(&["-r", "x", "file", "--recipient=y", "-pq"]).unwrap();
        assert_eq!(flags.all("recipient").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(
            (flags.file.as_deref(), flags.on("pq"), flags.on("armor")),
            (Some("file"), true, false)
        );
        assert_eq!(parsed(&["--", "-a"]).unwrap().file.as_deref(), Some("-a"));
        assert_eq!(parsed(&["-"]).unwrap().file, None);
    }

    #[test]
    fn other_words_are_refused() {
        for words in [&["-x"][..], &["-r"], &["a", "b"], &["--armor=1"], &["--"; 0], &["-ar"]] {
            assert_eq!(parsed(words).is_err(), !words.is_empty(), "{words:?}");
        }
    }
}
