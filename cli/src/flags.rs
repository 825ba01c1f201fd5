use std::collections::{BTreeMap, BTreeSet};

use base_types::Ttl;

use crate::command::{COMMON, Command, Flag, Kind};
use crate::env::Environment;

/// The flags of one call, all of them: given, from the environment, or by default.
#[derive(Debug)]
pub(crate) struct Flags {
    values: BTreeMap<&'static str, Value>,
    given: BTreeSet<&'static str>,
}

#[derive(Clone, Debug)]
enum Value {
    Bool(bool),
    Int(i64),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
    Seconds(i64),
    Text(String),
}

impl Flags {
    /// Reads the arguments of `command`: flags up to the first word that is none, or `--`; the
    /// rest is positional. `-flag`, `--flag`, `-flag=value` and `-flag value` all work; a boolean
    /// takes a value only after an equal sign.
    ///
    /// # Errors
    /// A text that names the flag.
    pub(crate) fn parse(
        command: &Command,
        env: &Environment,
        args: &[String],
    ) -> Result<(Self, Vec<String>), String> {
        let mut flags = Self::defaults(command, env)?;
        let mut rest = args.iter();
        let positional = loop {
            let before = rest.as_slice();
            let Some(arg) = rest.next() else { break before };
            let Some(name) = arg.strip_prefix('-').filter(|name| !name.is_empty()) else {
                break before;
            };
            let name = match name.strip_prefix('-') {
                Some("") => break rest.as_slice(),
                Some(name) => name,
                None => name,
            };
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (name, None),
            };
            if name.is_empty() || name.starts_with('-') {
                return Err(format!("bad flag syntax: {arg}"));
            }
            let flag = command.flag(name).ok_or_else(|| unknown(command, name))?;
            let value = match value {
                Some(value) => value,
                None if flag.kind == Kind::Bool => "true",
                None => rest.next().ok_or_else(|| format!("flag needs an argument: -{name}"))?,
            };
            flags.set(flag, value).map_err(|why| match flag.kind {
                Kind::Bool => format!("invalid boolean value {value:?} for -{name}: {why}"),
                _ => format!("invalid value {value:?} for flag -{name}: {why}"),
            })?;
            flags.given.insert(flag.name);
        };
        Ok((flags, positional.to_vec()))
    }

    fn defaults(command: &Command, env: &Environment) -> Result<Self, String> {
        let mut flags = Self { values: BTreeMap::new(), given: BTreeSet::new() };
        for flag in COMMON.iter().chain(command.flags) {
            flags.values.insert(flag.name, zero(flag.kind));
            if !flag.default.is_empty() {
                flags.set(flag, flag.default)?;
            }
            if let Some(value) = env.setting(flag.env).filter(|_| !flag.env.is_empty()) {
                let spelling = env.spelling(flag.env).unwrap_or_default();
                flags
                    .set(flag, value)
                    .map_err(|why| format!("invalid value {value:?} in {spelling}: {why}"))?;
            }
        }
        Ok(flags)
    }

    fn set(&mut self, flag: &Flag, text: &str) -> Result<(), String> {
        let old = self.values.remove(flag.name);
        let value = match (flag.kind, old) {
            (Kind::Bool | Kind::Choice, _) => Value::Bool(boolean(text)?),
            (Kind::Duration, _) => Value::Seconds(seconds(text)?),
            (Kind::Int, _) => {
                Value::Int(text.parse().map_err(|_| "not a whole number".to_owned())?)
            }
            (Kind::List, Some(Value::List(mut list))) => {
                list.push(text.trim().to_owned());
                Value::List(list)
            }
            (Kind::List, _) => Value::List(vec![text.trim().to_owned()]),
            (Kind::Map, old) => {
                let (key, value) =
                    text.split_once('=').ok_or(format!("missing = in KV pair: {text:?}"))?;
                let mut map = if let Some(Value::Map(map)) = old { map } else { BTreeMap::new() };
                map.insert(key.to_owned(), value.to_owned());
                Value::Map(map)
            }
            (Kind::Text, _) => Value::Text(text.to_owned()),
        };
        self.values.insert(flag.name, value);
        Ok(())
    }

    /// Whether the flag was on the command line.
    pub(crate) fn given(&self, name: &str) -> bool {
        self.given.contains(name)
    }

    pub(crate) fn on(&self, name: &str) -> bool {
        matches!(self.values.get(name), Some(Value::Bool(true)))
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        match self.values.get(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    pub(crate) fn int(&self, name: &str) -> i64 {
        match self.values.get(name) {
            Some(Value::Int(number)) => *number,
            _ => 0,
        }
    }

    /// In seconds; -1 stands for "the system's".
    pub(crate) fn seconds(&self, name: &str) -> i64 {
        match self.values.get(name) {
            Some(Value::Seconds(seconds)) => *seconds,
            _ => 0,
        }
    }

    pub(crate) fn list(&self, name: &str) -> &[String] {
        match self.values.get(name) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    pub(crate) fn map(&self, name: &str) -> BTreeMap<String, String> {
        match self.values.get(name) {
            Some(Value::Map(map)) => map.clone(),
            _ => BTreeMap::new(),
        }
    }
}

fn zero(kind: Kind) -> Value {
    match kind {
        Kind::Bool | Kind::Choice => Value::Bool(false),
        Kind::Duration => Value::Seconds(0),
        Kind::Int => Value::Int(0),
        Kind::List => Value::List(Vec::new()),
        Kind::Map => Value::Map(BTreeMap::new()),
        Kind::Text => Value::Text(String::new()),
    }
}

/// Go's spellings of a boolean.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

/// Whole seconds, with a sign; `system` is -1.
fn seconds(text: &str) -> Result<i64, String> {
    if text == "system" {
        return Ok(-1);
    }
    let (sign, amount) = match text.strip_prefix('-') {
        Some(amount) => (-1, amount),
        None => (1, text),
    };
    let ttl: Ttl = amount.parse().map_err(|error: base_types::Error| error.public().to_owned())?;
    if ttl.is_zero() && amount.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
        return Err("less than a second".to_owned());
    }
    Ok(sign * i64::try_from(ttl.seconds()).unwrap_or(i64::MAX))
}

fn unknown(command: &Command, name: &str) -> String {
    let known = COMMON.iter().chain(command.flags);
    let near = known.map(|flag| flag.name).find(|flag| resembles(flag, name));
    let hint = near.map(|near| format!("; did you mean -{near}?")).unwrap_or_default();
    format!("flag provided but not defined: -{name}{hint}")
}

/// Whether two names differ by one letter, a transposition, or `-` against `_`.
fn resembles(a: &str, b: &str) -> bool {
    let sorted = |text: &str| {
        let mut bytes: Vec<_> = text.bytes().filter(|byte| !matches!(byte, b'-' | b'_')).collect();
        bytes.sort_unstable();
        bytes
    };
    let (a, b) = (sorted(a), sorted(b));
    let (long, short) = if a.len() >= b.len() { (&a, &b) } else { (&b, &a) };
    let same_start = long.iter().zip(short.iter()).take_while(|(a, b)| a == b).count();
    long == short
        || (long.len() == short.len() + 1 && long[same_start + 1..] == short[same_start..])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::command::FORMAT;

    const COMMAND: Command = Command {
        flags: &[
            FORMAT,
            Flag::switch("force", "").alias("f"),
            Flag::int("cas", "").default("-1"),
            Flag::duration("ttl", ""),
            Flag::list("policy", ""),
            Flag::map("metadata", ""),
        ],
        ..Command::BASE
    };

    fn parse(args: &[&str]) -> Result<(Flags, Vec<String>), String> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Flags::parse(&COMMAND, &Environment::default(), &args)
    }

    #[test]
    fn flags_end_at_the_first_word() {
        let (flags, rest) = parse(&[
            "-cas=3",
            "--ttl",
            "1h",
            "-f",
            "-policy=a",
            "-policy",
            " b ",
            "path",
            "-cas=9",
            "-",
        ])
        .unwrap();
        assert_eq!(flags.int("cas"), 3);
        assert_eq!(flags.seconds("ttl"), 3600);
        assert!(flags.on("force") && flags.given("force") && !flags.given("format"));
        assert_eq!(flags.list("policy"), ["a", "b"]);
        assert_eq!(rest, ["path", "-cas=9", "-"]);
        assert_eq!(parse(&["--", "-cas=3"]).unwrap().1, ["-cas=3"]);
        assert_eq!(parse(&["-", "-f"]).unwrap().1, ["-", "-f"]);
    }

    #[test]
    fn a_boolean_takes_its_value_only_after_an_equal_sign() {
        assert!(!parse(&["-force=false"]).unwrap().0.on("force"));
        let (flags, rest) = parse(&["-force", "false"]).unwrap();
        assert!(flags.on("force"));
        assert_eq!(rest, ["false"]);
    }

    #[test]
    fn values_are_checked() {
        for (args, text) in [
            (["-force=maybe"], "invalid boolean value \"maybe\" for -force"),
            (["-cas=x"], "invalid value \"x\" for flag -cas"),
            (["-ttl=soon"], "invalid value \"soon\" for flag -ttl"),
            (["-ttl=20ms"], "less than a second"),
            (["-metadata=x"], "missing = in KV pair"),
            (["-cas"], "flag needs an argument: -cas"),
            (["---cas"], "bad flag syntax: ---cas"),
            (["-=1"], "bad flag syntax: -=1"),
            (["-adress=x"], "flag provided but not defined: -adress; did you mean -address?"),
            (["-zzz"], "flag provided but not defined: -zzz"),
        ] {
            let error = parse(&args).unwrap_err();
            assert!(error.contains(text), "{args:?}: {error}");
        }
        assert_eq!(parse(&["-ttl=system"]).unwrap().0.seconds("ttl"), -1);
        assert_eq!(parse(&["-metadata=a=b=c"]).unwrap().0.map("metadata")["a"], "b=c");
    }

    #[test]
    fn the_environment_stands_between_flag_and_default() {
        let env = Environment::from([("VAULT_FORMAT", "json"), ("VAULT_SKIP_VERIFY", "1")]);
        let (flags, _) = Flags::parse(&COMMAND, &env, &[]).unwrap();
        assert_eq!(flags.text("format"), "json");
        assert!(flags.on("tls-skip-verify"));
        assert_eq!(flags.text("address"), "https://127.0.0.1:8200");
        let (flags, _) = Flags::parse(&COMMAND, &env, &["-format=yaml".to_owned()]).unwrap();
        assert_eq!(flags.text("format"), "yaml");
        let env = Environment::from([("BAO_SKIP_VERIFY", "perhaps")]);
        assert!(Flags::parse(&COMMAND, &env, &[]).unwrap_err().contains("BAO_SKIP_VERIFY"));
    }
}
