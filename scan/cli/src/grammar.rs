use crate::stop::Stop;

/// A flag of a command, in the grammar that gitleaks has from pflag.
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) takes: Takes,
    pub(crate) about: &'static str,
}

/// What follows a flag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Takes {
    Nothing,
    Value,
    /// `--flag` alone means this value; another one needs the `=`.
    Optional(&'static str),
}

const fn flag(name: &'static str, short: Option<char>, takes: Takes, about: &'static str) -> Flag {
    Flag { name, short, takes, about }
}

/// What every command takes, as in gitleaks 8.30.
pub(crate) const COMMON: &[Flag] = &[
    flag("config", Some('c'), Takes::Value, "rules to use, in the TOML of gitleaks or betterleaks"),
    flag("exit-code", None, Takes::Value, "exit code for findings (1)"),
    flag(
        "report-path",
        Some('r'),
        Takes::Value,
        "where the report goes, - for the standard output",
    ),
    flag("report-format", Some('f'), Takes::Value, "json, csv, junit or sarif"),
    flag("report-template", None, Takes::Value, "not supported"),
    flag(
        "baseline-path",
        Some('b'),
        Takes::Value,
        "an earlier report in JSON whose findings are known",
    ),
    flag("log-level", Some('l'), Takes::Value, "trace, debug, info, warn, error or fatal (info)"),
    flag("verbose", Some('v'), Takes::Nothing, "print each finding"),
    flag("no-color", None, Takes::Nothing, "nothing is coloured anyway"),
    flag("max-target-megabytes", None, Takes::Value, "pass over larger files"),
    flag("ignore-gitleaks-allow", None, Takes::Nothing, "do not heed comments that allow a line"),
    flag("redact", None, Takes::Optional("100"), "hide so many percent of secrets"),
    flag("no-banner", None, Takes::Nothing, "there is no banner anyway"),
    flag("enable-rule", None, Takes::Value, "use this rule alone; may be repeated"),
    flag(
        "gitleaks-ignore-path",
        Some('i'),
        Takes::Value,
        ".gitleaksignore or a folder that has one (.)",
    ),
    flag("max-decode-depth", None, Takes::Value, "decode so many times what was decoded (5)"),
    flag("max-archive-depth", None, Takes::Value, "open archives within archives so deep"),
    flag("timeout", None, Takes::Value, "stop after so many seconds"),
    flag("diagnostics", None, Takes::Value, "not supported"),
    flag("diagnostics-dir", None, Takes::Value, "not supported"),
];

/// What every command of ours takes besides.
pub(crate) const OURS: &[Flag] = &[
    flag("accept", None, Takes::Nothing, "accept all findings from now on; needs a --reason"),
    flag("reason", None, Takes::Value, "why findings are accepted"),
    flag("expires", None, Takes::Value, "the day on which they are findings again, as 2027-01-31"),
    flag(
        "accept-path",
        None,
        Takes::Value,
        "where accepted findings are kept (.strongroom-accepted.toml)",
    ),
];

const LOG_OPTS: Flag = flag("log-opts", None, Takes::Value, "which commits, as options of git log");
const PLATFORM: Flag =
    flag("platform", None, Takes::Value, "whose pages links lead to, such as github");
const STAGED: Flag = flag("staged", None, Takes::Nothing, "scan what is staged");
const SOURCE: Flag = flag("source", Some('s'), Takes::Value, "what to scan (.)");
const FOLLOW: Flag = flag("follow-symlinks", None, Takes::Nothing, "scan files that links lead to");

pub(crate) const GIT: &[Flag] = &[
    PLATFORM,
    STAGED,
    flag("pre-commit", None, Takes::Nothing, "scan what is changed and not committed"),
    LOG_OPTS,
];
pub(crate) const OUR_GIT: &[Flag] = &[
    flag("range", None, Takes::Value, "scan the commits of a range, such as main..topic"),
    flag("since", None, Takes::Value, "scan the commits that are not in the history of this one"),
];
pub(crate) const DIR: &[Flag] = &[FOLLOW];
pub(crate) const OUR_DIR: &[Flag] =
    &[flag("gitignore", None, Takes::Nothing, "pass over what git ignores")];
pub(crate) const DETECT: &[Flag] = &[
    flag("no-git", None, Takes::Nothing, "scan files, not the history"),
    flag("pipe", None, Takes::Nothing, "scan the standard input"),
    FOLLOW,
    SOURCE,
    LOG_OPTS,
    PLATFORM,
];
pub(crate) const PROTECT: &[Flag] = &[STAGED, LOG_OPTS, SOURCE];

/// The flags of one call and its other words, which may stand in any order.
#[derive(Debug, Default)]
pub(crate) struct Words {
    flags: Vec<(&'static str, String)>,
    pub(crate) others: Vec<String>,
}

impl Words {
    /// Reads words by the flags that are `known`.
    ///
    /// # Errors
    ///
    /// For a flag that is not known, and one without its value.
    pub(crate) fn parse(words: &[String], known: &[&'static [Flag]]) -> Result<Self, Stop> {
        let mut parsed = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                parsed.others.extend(words.cloned());
                break;
            } else if let Some(long) = word.strip_prefix("--") {
                parsed.long(long, &mut words, known)?;
            } else if let Some(short) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
                parsed.short(short, &mut words, known)?;
            } else {
                parsed.others.push(word.clone());
            }
        }
        Ok(parsed)
    }

    fn long<'w>(
        &mut self,
        word: &str,
        rest: &mut impl Iterator<Item = &'w String>,
        known: &[&'static [Flag]],
    ) -> Result<(), Stop> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word, None),
        };
        let flag = find(known, |flag| flag.name == name)
            .ok_or_else(|| Stop::unknown_flag(format!("unknown flag: --{name}")))?;
        let value = match (value, flag.takes) {
            (Some(value), _) => value,
            (None, Takes::Nothing) => "true".into(),
            (None, Takes::Optional(value)) => value.into(),
            (None, Takes::Value) => next(rest, &format!("--{name}"))?,
        };
        self.flags.push((flag.name, value));
        Ok(())
    }

    /// Several in one word, of which the last may have its value there too: `-vc FILE`, `-vcFILE`.
    fn short<'w>(
        &mut self,
        word: &str,
        rest: &mut impl Iterator<Item = &'w String>,
        known: &[&'static [Flag]],
    ) -> Result<(), Stop> {
        let mut letters = word.chars();
        while let Some(letter) = letters.next() {
            let flag = find(known, |flag| flag.short == Some(letter)).ok_or_else(|| {
                Stop::unknown_flag(format!("unknown shorthand flag: '{letter}' in -{word}"))
            })?;
            let tail = letters.as_str();
            if flag.takes == Takes::Nothing && !tail.starts_with('=') {
                self.flags.push((flag.name, "true".into()));
                continue;
            }
            let value = match tail {
                "" => next(rest, &format!("'{letter}' in -{word}"))?,
                tail => tail.strip_prefix('=').unwrap_or(tail).to_owned(),
            };
            self.flags.push((flag.name, value));
            break;
        }
        Ok(())
    }

    /// The value given last, unless it is empty.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let last = self.flags.iter().rev().find(|(flag, _)| *flag == name);
        last.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values, also those that one word has with commas between.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let all = self.flags.iter().filter(|(flag, _)| *flag == name);
        all.flat_map(|(_, value)| value.split(',')).map(str::to_owned).collect()
    }

    /// Whether a flag without a value is there, and not `=false`.
    ///
    /// # Errors
    ///
    /// If what follows the `=` is neither true nor false.
    pub(crate) fn on(&self, name: &str) -> Result<bool, Stop> {
        match self.value(name) {
            None => Ok(false),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
            Some(other) => Err(Stop::error(format!("--{name} is true or false, not '{other}'"))),
        }
    }

    /// A value that is a number.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Stop> {
        let number = |text: &str| {
            text.parse().map_err(|_| Stop::error(format!("--{name} is a number, not '{text}'")))
        };
        self.value(name).map(number).transpose()
    }
}

fn find(known: &[&'static [Flag]], is: impl Fn(&Flag) -> bool) -> Option<&'static Flag> {
    known.iter().flat_map(|flags| flags.iter()).find(|flag| is(flag))
}

fn next<'w>(rest: &mut impl Iterator<Item = &'w String>, flag: &str) -> Result<String, Stop> {
    rest.next().cloned().ok_or_else(|| Stop::error(format!("flag needs an argument: {flag}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Words, Stop> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Words::parse(&words, &[COMMON, GIT])
    }

    #[test]
    fn flags_and_words_stand_in_any_order() {
        let words = parse("repo -vc rules.toml --redact --report-format=csv -rout --enable-rule a,b --enable-rule c").unwrap();
        assert_eq!(words.others, ["repo"]);
        assert!(words.on("verbose").unwrap() && !words.on("staged").unwrap());
        assert_eq!(words.value("config"), Some("rules.toml"));
        assert_eq!(words.number("redact").unwrap(), Some(100));
        assert_eq!(
            (words.value("report-format"), words.value("report-path")),
            (Some("csv"), Some("out"))
        );
        assert_eq!(words.list("enable-rule"), ["a", "b", "c"]);
        assert_eq!(parse("--redact=20 --verbose=false -- -v").unwrap().others, ["-v"]);
        // Without the `=` what follows is another word.
        assert_eq!(parse("--redact 20").unwrap().others, ["20"]);
    }

    #[test]
    fn other_flags_are_refused_with_a_code_of_their_own() {
        assert_eq!(parse("--nonsense").unwrap_err().code, 126);
        assert_eq!(parse("-x").unwrap_err().code, 126);
        assert!(parse("--config").is_err());
        assert!(parse("--verbose=maybe").unwrap().on("verbose").is_err());
        assert!(parse("--redact=much").unwrap().number("redact").is_err());
    }
}
