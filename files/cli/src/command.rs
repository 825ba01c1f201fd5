use files_sops::SOURCES;

use crate::commands::{
    completion, decrypt, edit, encrypt, exec, git_merge, git_setup, git_textconv, groups,
    keyservice, legacy, lint, publish, rotate, set, status, update, who,
};
use crate::session::{Session, Stop};

/// One command: all that parsing and help need to know.
pub(crate) struct Command {
    /// Its words.
    pub(crate) name: &'static str,
    pub(crate) arguments: &'static str,
    pub(crate) summary: &'static str,
    /// Its flags by name, besides those that all commands have.
    flags: &'static [&'static str],
    /// With what before their names it takes the flags of key sources.
    keys: &'static [&'static str],
    pub(crate) run: fn(&Session) -> Result<u8, Stop>,
}

/// One flag.
struct Flag {
    name: &'static str,
    letter: Option<char>,
    /// What its value is called; empty for one that has none.
    value: &'static str,
    about: &'static str,
}

const fn switch(name: &'static str, letter: Option<char>, about: &'static str) -> Flag {
    Flag { name, letter, value: "", about }
}

const fn option(name: &'static str, value: &'static str, about: &'static str) -> Flag {
    Flag { name, letter: None, value, about }
}

/// The flags of all commands but for those of key sources.
const FLAGS: [Flag; 45] = [
    switch("decrypt", Some('d'), "decrypt the file"),
    switch("encrypt", Some('e'), "encrypt the file"),
    switch("rotate", Some('r'), "encrypt the file under a new data key"),
    option("set", "PATH VALUE", "set a value in the file"),
    switch("disable-version-check", None, "accepted; nothing is ever asked of the network"),
    switch("verbose", None, "accepted; there is nothing more to say"),
    option(
        "config",
        "FILE",
        "the configuration instead of .sops.yaml here or above [$SOPS_CONFIG]",
    ),
    option("keyservice", "ADDRESS", "a key service to ask as well [$SOPS_KEYSERVICE]"),
    switch(
        "enable-local-keyservice",
        None,
        "=false uses no keys of this process [$SOPS_ENABLE_LOCAL_KEYSERVICE]",
    ),
    option("network", "NAME", "tcp or unix"),
    option("net", "NAME", "the same"),
    option("address", "ADDRESS", "where to listen, by default 127.0.0.1:5000"),
    option("addr", "ADDRESS", "the same"),
    switch("prompt", None, "ask before each answer"),
    option("indent", "N", "blanks for a level where a file gets a new layout"),
    switch("in-place", Some('i'), "write to the file itself"),
    option("output", "FILE", "write there"),
    option("extract", "PATH", "write only what is there, for example '[\"key\"][0]'"),
    option(
        "input-type",
        "FORMAT",
        "binary, dotenv, ini, json, toml or yaml, whatever the name says",
    ),
    option("output-type", "FORMAT", "the format to write"),
    option("filename-override", "FILE", "the name that decides formats and rules"),
    switch("ignore-mac", None, "read the file even if values were added or removed"),
    switch("mac-only-encrypted", None, "let the MAC cover the encrypted values alone"),
    option("unencrypted-suffix", "TEXT", "encrypt all but what is below keys that end so"),
    option("encrypted-suffix", "TEXT", "encrypt what is below keys that end so"),
    option("unencrypted-regex", "PATTERN", "encrypt all but what is below keys that match"),
    option("encrypted-regex", "PATTERN", "encrypt what is below keys that match"),
    option(
        "unencrypted-comment-regex",
        "PATTERN",
        "encrypt all but what a matching comment precedes",
    ),
    option("encrypted-comment-regex", "PATTERN", "encrypt what a matching comment precedes"),
    option("shamir-secret-sharing-threshold", "N", "how many key groups are needed"),
    option("decryption-order", "KINDS", "which keys are tried first [$SOPS_DECRYPTION_ORDER]"),
    switch("show-master-keys", Some('s'), "accepted; keys are changed with updatekeys and rotate"),
    switch("value-file", None, "the value is the name of a file that holds it"),
    switch("value-stdin", None, "read the value from standard input"),
    switch("idempotent", None, "it is no error if there is nothing to do"),
    switch("yes", Some('y'), "do not ask"),
    switch("pristine", None, "give the command no other variables"),
    switch("same-process", None, "become the command instead of starting it"),
    switch("no-fifo", None, "a file instead of a pipe"),
    option("filename", "NAME", "the name of that file"),
    switch("recursive", Some('r'), "take all encrypted files in folders, in their places"),
    switch("omit-extensions", None, "publish under names without extensions"),
    switch("undo", None, "take it out again"),
    switch("values", None, "show the decrypted files [$STRONGROOM_SHOW_VALUES]"),
    Flag { name: "file", letter: Some('f'), value: "FILE", about: "the file to change" },
];

/// What every command takes.
const GLOBAL: [&str; 6] = [
    "disable-version-check",
    "verbose",
    "config",
    "indent",
    "keyservice",
    "enable-local-keyservice",
];

pub(crate) const COMMANDS: [Command; 20] = [
    Command {
        name: "completion",
        arguments: "bash|zsh",
        summary: "Prints what lets a shell complete commands and flags.",
        flags: &[],
        keys: &[],
        run: completion::run,
    },
    Command {
        name: "decrypt",
        arguments: "[FILE]",
        summary: "Decrypts a file, or standard input.",
        flags: &[
            "in-place",
            "output",
            "extract",
            "input-type",
            "output-type",
            "filename-override",
            "ignore-mac",
            "decryption-order",
        ],
        keys: &[],
        run: decrypt::run,
    },
    Command {
        name: "edit",
        arguments: "FILE",
        summary: "Opens the decrypted file in an editor.",
        flags: &["input-type", "output-type", "ignore-mac", "decryption-order", "show-master-keys"],
        keys: &[],
        run: edit::run,
    },
    Command {
        name: "encrypt",
        arguments: "[FILE]",
        summary: "Encrypts a file, or standard input.",
        flags: &[
            "in-place",
            "output",
            "input-type",
            "output-type",
            "filename-override",
            "mac-only-encrypted",
            "shamir-secret-sharing-threshold",
            "unencrypted-suffix",
            "encrypted-suffix",
            "unencrypted-regex",
            "encrypted-regex",
            "unencrypted-comment-regex",
            "encrypted-comment-regex",
        ],
        keys: &[""],
        run: encrypt::run,
    },
    Command {
        name: "exec-env",
        arguments: "FILE COMMAND",
        summary: "Runs a command with the values as environment variables.",
        flags: &["pristine", "same-process", "input-type", "ignore-mac", "decryption-order"],
        keys: &[],
        run: exec::env,
    },
    Command {
        name: "exec-file",
        arguments: "FILE COMMAND",
        summary: "Runs a command with the decrypted file in the place of {}.",
        flags: &[
            "no-fifo",
            "filename",
            "input-type",
            "output-type",
            "ignore-mac",
            "decryption-order",
        ],
        keys: &[],
        run: exec::file,
    },
    Command {
        name: "filestatus",
        arguments: "FILE",
        summary: "Says whether a file is encrypted.",
        flags: &["input-type"],
        keys: &[],
        run: status::run,
    },
    Command {
        name: "git-merge",
        arguments: "ANCESTOR OURS THEIRS SIZE NAME",
        summary: "Merges encrypted files for git, as its merge driver.",
        flags: &["decryption-order"],
        keys: &[],
        run: git_merge::run,
    },
    Command {
        name: "git-setup",
        arguments: "[PATTERN...]",
        summary: "Lets git show and merge encrypted files value by value.",
        flags: &["undo", "values"],
        keys: &[],
        run: git_setup::run,
    },
    Command {
        name: "git-textconv",
        arguments: "FILE",
        summary: "Shows an encrypted file as lines that git can compare.",
        flags: &["values", "decryption-order"],
        keys: &[],
        run: git_textconv::run,
    },
    Command {
        name: "groups add",
        arguments: "",
        summary: "Adds a key group to a file.",
        flags: &["file", "in-place", "shamir-secret-sharing-threshold", "decryption-order"],
        keys: &[""],
        run: groups::add,
    },
    Command {
        name: "groups delete",
        arguments: "INDEX",
        summary: "Removes a key group from a file.",
        flags: &["file", "in-place", "shamir-secret-sharing-threshold", "decryption-order"],
        keys: &[],
        run: groups::delete,
    },
    Command {
        name: "keyservice",
        arguments: "",
        summary: "Lets other programs use the keys of this process, without asking who they are.",
        flags: &["network", "net", "address", "addr", "prompt"],
        keys: &[],
        run: keyservice::run,
    },
    Command {
        name: "lint",
        arguments: "[PATH...]",
        summary: "Names what is wrong with the encrypted files of a tree.",
        flags: &[],
        keys: &[],
        run: lint::run,
    },
    Command {
        name: "publish",
        arguments: "FILE | -r FOLDER",
        summary: "Writes the values of files to the server that .sops.yaml names.",
        flags: &[
            "recursive",
            "yes",
            "omit-extensions",
            "input-type",
            "ignore-mac",
            "decryption-order",
        ],
        keys: &[],
        run: publish::run,
    },
    Command {
        name: "rotate",
        arguments: "FILE | -r PATH...",
        summary: "Encrypts a file under a new data key, or all files of a tree.",
        flags: &[
            "recursive",
            "in-place",
            "output",
            "input-type",
            "output-type",
            "filename-override",
            "ignore-mac",
            "decryption-order",
        ],
        keys: &["add-", "rm-"],
        run: rotate::run,
    },
    Command {
        name: "set",
        arguments: "FILE PATH [VALUE]",
        summary: "Sets a value, written as JSON.",
        flags: &[
            "input-type",
            "output-type",
            "value-file",
            "value-stdin",
            "ignore-mac",
            "decryption-order",
            "idempotent",
        ],
        keys: &[],
        run: set::set,
    },
    Command {
        name: "unset",
        arguments: "FILE PATH",
        summary: "Takes a value away.",
        flags: &["input-type", "output-type", "ignore-mac", "decryption-order", "idempotent"],
        keys: &[],
        run: set::unset,
    },
    Command {
        name: "updatekeys",
        arguments: "FILE... | -r PATH...",
        summary: "Gives files the master keys that .sops.yaml names.",
        flags: &["recursive", "yes", "input-type", "decryption-order"],
        keys: &[],
        run: update::run,
    },
    Command {
        name: "who",
        arguments: "[PATH...]",
        summary: "Lists who can open which encrypted file of a tree.",
        flags: &[],
        keys: &[],
        run: who::run,
    },
];

/// The form without a command.
pub(crate) const LEGACY: Command = Command {
    name: "",
    arguments: "FILE",
    summary: "Edits a file, or does what -d, -e, -r or --set say.",
    flags: &[
        "decrypt",
        "encrypt",
        "rotate",
        "set",
        "in-place",
        "output",
        "extract",
        "input-type",
        "output-type",
        "filename-override",
        "ignore-mac",
        "mac-only-encrypted",
        "shamir-secret-sharing-threshold",
        "decryption-order",
        "show-master-keys",
        "unencrypted-suffix",
        "encrypted-suffix",
        "unencrypted-regex",
        "encrypted-regex",
        "unencrypted-comment-regex",
        "encrypted-comment-regex",
    ],
    keys: &["", "add-", "rm-"],
    run: legacy::run,
};

/// A flag that a command takes.
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) letter: Option<char>,
    /// What its value is called; empty for one that has none.
    pub(crate) value: &'static str,
    about: String,
}

impl Command {
    /// All flags that it takes.
    pub(crate) fn flags(&self) -> Vec<Known> {
        let own = FLAGS
            .iter()
            .filter(|flag| self.flags.contains(&flag.name) || GLOBAL.contains(&flag.name));
        let own = own.map(|Flag { name, letter, value, about }| Known {
            name: (*name).to_owned(),
            letter: *letter,
            value,
            about: (*about).to_owned(),
        });
        let keys = self.keys.iter().flat_map(|before| {
            SOURCES.iter().map(move |source| {
                let row = source.row();
                let (letter, about) = match *before {
                    "" => (
                        row.letter,
                        format!("master keys, with commas between [${}]", row.variable),
                    ),
                    "add-" => (None, "master keys to add".to_owned()),
                    _ => (None, "master keys to remove".to_owned()),
                };
                Known { name: format!("{before}{}", row.flag), letter, value: "KEYS", about }
            })
        });
        let options = SOURCES.iter().flat_map(|source| source.row().options);
        let options = options.filter(|_| !self.keys.is_empty()).map(|option| Known {
            name: option.flag.to_owned(),
            letter: None,
            value: "TEXT",
            about: option.about.to_owned(),
        });
        own.chain(keys).chain(options).collect()
    }

    /// The flag that `word` names, which may hold its value after an equal sign.
    pub(crate) fn flag(&self, word: &str) -> Option<Known> {
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
        let name = name.split('=').next().unwrap_or_default();
        let is_letter =
            |letter: Option<char>| letter.is_some_and(|letter| name == letter.to_string());
        self.flags().into_iter().find(|flag| flag.name == name || is_letter(flag.letter))
    }

    /// How many of the first words are flags and their values.
    pub(crate) fn end_of_flags(&self, words: &[String]) -> usize {
        let mut at = 0;
        while let Some(flag) = words.get(at).and_then(|word| self.flag(word)) {
            let apart = !flag.value.is_empty() && !words[at].contains('=');
            at += 1 + usize::from(apart);
        }
        at.min(words.len())
    }

    /// For each flag how it is written and what it does.
    pub(crate) fn help(&self) -> Vec<(String, String)> {
        let line = |flag: Known| {
            let letter = flag.letter.map(|letter| format!(", -{letter}")).unwrap_or_default();
            (format!("--{}{letter} {}", flag.name, flag.value), flag.about)
        };
        self.flags().into_iter().map(line).collect()
    }
}
