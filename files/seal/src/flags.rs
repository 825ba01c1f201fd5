use std::collections::HashMap;

use base_types::{Error, Result};

/// One flag, in the style of the Kubernetes tools.
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    letter: Option<char>,
    /// What its value is called; empty for one that needs none.
    value: &'static str,
    about: &'static str,
}

const fn switch(name: &'static str, about: &'static str) -> Flag {
    Flag { name, letter: None, value: "", about }
}

const fn option(name: &'static str, value: &'static str, about: &'static str) -> Flag {
    Flag { name, letter: None, value, about }
}

const fn short(letter: char, flag: Flag) -> Flag {
    Flag { letter: Some(letter), ..flag }
}

const FLAGS: [Flag; 32] = [
    switch("allow-empty-data", "seal a secret without values"),
    option("cert", "FILE", "the certificate to seal for: a file or an address"),
    option(
        "certificate-authority",
        "FILE",
        "the authority that signed the API server's certificate",
    ),
    option("client-certificate", "FILE", "the certificate to show to the API server"),
    option("client-key", "FILE", "its key"),
    option("cluster", "NAME", "the cluster of the kubeconfig"),
    option("context", "NAME", "the context of the kubeconfig"),
    option("controller-name", "NAME", "the controller's service (sealed-secrets-controller)"),
    option("controller-namespace", "NAME", "the controller's namespace (kube-system)"),
    option(
        "controller-url",
        "URL",
        "the controller itself, instead of the way through the API server",
    ),
    switch("fetch-cert", "write the controller's certificate"),
    short('o', option("format", "FORMAT", "json or yaml (json)")),
    option("from-file", "FILE", "with --raw: the file that holds the value"),
    switch("help", "write this"),
    switch("insecure-skip-tls-verify", "do not ask who the API server is"),
    option("kubeconfig", "FILE", "how to reach the cluster [$KUBECONFIG, ~/.kube/config]"),
    option("merge-into", "FILE", "put the values into the sealed secret in this file"),
    option("name", "NAME", "the name of the sealed secret"),
    short('n', option("namespace", "NAME", "the namespace of the sealed secret")),
    switch("raw", "seal one value instead of a manifest"),
    switch("re-encrypt", "let the controller seal anew with its current key"),
    option(
        "recovery-private-key",
        "FILES",
        "keys of the controller, in PEM or a backup of its secrets",
    ),
    switch("recovery-unseal", "open a sealed secret with --recovery-private-key"),
    switch("rotate", "the old name of --re-encrypt"),
    option("scope", "SCOPE", "strict, namespace-wide or cluster-wide (strict)"),
    short('w', option("sealed-secret-file", "FILE", "write there")),
    short('f', option("secret-file", "FILE", "read this instead of standard input")),
    short('s', option("server", "URL", "the API server")),
    option("tls-server-name", "NAME", "the name to expect of the API server"),
    option("user", "NAME", "the user of the kubeconfig"),
    switch("validate", "ask the controller whether it can open the sealed secret"),
    switch("version", "write the version"),
];

/// What stands before a flag's name in the environment.
const PREFIX: &str = "SEALED_SECRETS_";

/// The flags of one call.
#[derive(Default)]
pub(crate) struct Flags(Vec<(&'static str, String)>);

impl Flags {
    /// Flags may stand anywhere, as `--name value`, `--name=value`, `-o value` or `-ovalue`. What
    /// the call does not name is taken from the environment.
    ///
    /// # Errors
    /// `Invalid` in the words of kubeseal.
    pub(crate) fn parse(args: &[String], environment: &HashMap<String, String>) -> Result<Self> {
        let mut given = Vec::new();
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let Some((flag, value)) = split(word)? else {
                if word == "--" {
                    break;
                }
                // A word that is no flag says nothing to kubeseal.
                continue;
            };
            let value = match (value, flag.value.is_empty()) {
                (Some(value), _) => value.to_owned(),
                (None, true) => "true".to_owned(),
                (None, false) => words
                    .next()
                    .cloned()
                    .ok_or_else(|| Error::invalid(format!("flag needs an argument: {word}")))?,
            };
            given.push((flag.name, value));
        }
        for flag in &FLAGS {
            let variable = format!("{PREFIX}{}", flag.name.to_uppercase().replace('-', "_"));
            if let Some(value) = environment.get(&variable)
                && !given.iter().any(|(name, _)| *name == flag.name)
            {
                given.push((flag.name, value.clone()));
            }
        }
        Ok(Self(given))
    }

    pub(crate) fn on(&self, name: &str) -> bool {
        self.last(name).is_some_and(|value| !matches!(value, "false" | "0" | "f" | "F" | "False"))
    }

    /// The value given last, unless it is empty.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.last(name).filter(|value| !value.is_empty())
    }

    /// All values, each of which may be a list with commas.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let all = self.0.iter().filter(|(flag, _)| *flag == name);
        let parts = all.flat_map(|(_, value)| value.split(',')).filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    }

    /// The same flags with one more.
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let more = std::iter::once((name, value.to_owned()));
        Self(self.0.iter().cloned().chain(more).collect())
    }

    fn last(&self, name: &str) -> Option<&str> {
        let last = self.0.iter().rev().find(|(flag, _)| *flag == name);
        last.map(|(_, value)| value.as_str())
    }
}

/// The flag that a word spells, and the value in the same word.
fn split(word: &str) -> Result<Option<(&'static Flag, Option<&str>)>> {
    if let Some(name) = word.strip_prefix("--").filter(|name| !name.is_empty()) {
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (name, None),
        };
        let flag = FLAGS.iter().find(|flag| flag.name == name);
        let flag = flag.ok_or_else(|| Error::invalid(format!("unknown flag: --{name}")))?;
        return Ok(Some((flag, value)));
    }
    let mut letters = word.chars();
    let (Some('-'), Some(letter)) = (letters.next(), letters.next()) else { return Ok(None) };
    if letter == '-' {
        return Ok(None);
    }
    let flag = FLAGS
        .iter()
        .find(|flag| flag.letter == Some(letter))
        .ok_or_else(|| Error::invalid(format!("unknown shorthand flag: {letter:?} in {word}")))?;
    let value = Some(letters.as_str()).filter(|value| !value.is_empty());
    Ok(Some((flag, value.map(|value| value.strip_prefix('=').unwrap_or(value)))))
}

/// A line for each flag.
pub(crate) fn help() -> String {
    let mut text = String::new();
    for Flag { name, letter, value, about } in &FLAGS {
        let letter = letter.map_or("    ".to_owned(), |letter| format!("-{letter}, "));
        text.push_str(&format!("  {letter}{:<34} {about}\n", format!("--{name} {value}")));
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Flags> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let variable = ("SEALED_SECRETS_CONTROLLER_NAME".to_owned(), "x".to_owned());
        Flags::parse(&words, &HashMap::from([variable]))
    }

    #[test]
    fn flags_have_all_their_forms() {
        let flags = parsed(&["--raw", "-oyaml", "word", "--name=a=b", "-n", "c", "--", "--bad"]);
        let flags = flags.unwrap();
        assert!(flags.on("raw") && !flags.on("validate"));
        assert_eq!(flags.value("format"), Some("yaml"));
        assert_eq!(flags.value("name"), Some("a=b"));
        assert_eq!(flags.value("namespace"), Some("c"));
        assert_eq!(flags.value("controller-name"), Some("x"));
        assert!(!parsed(&["--raw=false"]).unwrap().on("raw"));
        let keys = parsed(&["--recovery-private-key", "a,b", "--recovery-private-key=c"]).unwrap();
        assert_eq!(keys.list("recovery-private-key"), ["a", "b", "c"]);
    }

    #[test]
    fn other_flags_are_refused() {
        for (words, text) in [
            (&["--nonsense"][..], "unknown flag: --nonsense"),
            (&["-x"], "unknown shorthand flag: 'x' in -x"),
            (&["--cert"], "flag needs an argument: --cert"),
        ] {
            assert_eq!(parsed(words).err().unwrap().public(), text);
        }
    }
}
