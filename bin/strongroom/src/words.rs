use std::io::Write;

use base_types::{Error, Result};

/// Flags in Go's style, `-name=value`, `-name value`, `--name=value`, and the words after them.
pub(crate) struct Words<'a> {
    flags: Vec<(&'a str, Option<&'a str>)>,
    pub(crate) rest: Vec<&'a str>,
}

impl<'a> Words<'a> {
    /// `switches` take a value only after an equal sign, `options` always have one.
    ///
    /// # Errors
    /// `Invalid` for a flag that is neither, or an option without a value.
    pub(crate) fn parse(args: &[&'a str], switches: &[&str], options: &[&str]) -> Result<Self> {
        let (mut flags, mut rest) = (Vec::new(), Vec::new());
        let mut args = args.iter().copied();
        while let Some(arg) = args.next() {
            let Some(flag) = arg.strip_prefix('-').filter(|flag| !flag.is_empty()) else {
                rest.push(arg);
                continue;
            };
            let flag = flag.strip_prefix('-').unwrap_or(flag);
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, None),
            };
            if switches.contains(&name) {
                flags.push((name, value));
            } else if options.contains(&name) {
                let value = value.or_else(|| args.next());
                let value = value
                    .ok_or_else(|| Error::invalid(format!("flag needs an argument: -{name}")))?;
                flags.push((name, Some(value)));
            } else {
                return Err(Error::invalid(format!(
                    "flag provided but not defined: -{name}; see -help"
                )));
            }
        }
        Ok(Self { flags, rest })
    }

    pub(crate) fn on(&self, name: &str) -> bool {
        let last = self.flags.iter().rev().find(|(flag, _)| *flag == name);
        last.is_some_and(|(_, value)| !matches!(value, Some("false" | "0")))
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let values = self.flags.iter().filter(move |(flag, _)| *flag == name);
        values.filter_map(|(_, value)| *value).collect::<Vec<_>>().into_iter()
    }

    pub(crate) fn last(&self, name: &str) -> Option<&'a str> {
        self.all(name).last()
    }
}

/// Data for whoever asked.
pub(crate) fn say(text: impl std::fmt::Display) {
    // Whoever has closed the pipe does not want to know.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// What is wrong.
pub(crate) fn complain(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "Error: {text}");
}
