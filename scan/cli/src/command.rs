use crate::dialect::Dialect;
use crate::grammar::{self, Flag, Words};
use crate::session::Session;
use crate::stop::Stop;
use crate::{hooks, sources};

/// A command: its names, what it takes, what it does. Help and parsing come from here.
pub(crate) struct Command {
    pub(crate) names: &'static [&'static str],
    pub(crate) arguments: &'static str,
    pub(crate) summary: &'static str,
    /// Flags of gitleaks' command.
    flags: &'static [Flag],
    /// Flags that ours has besides; a command that is ours alone is in no other list.
    ours: &'static [Flag],
    dialects: &'static [Dialect],
    pub(crate) run: fn(&Session) -> Result<u8, Stop>,
}

const BOTH: &[Dialect] = &[Dialect::Gitleaks, Dialect::Strongroom];
const OLD: &[Dialect] = &[Dialect::Gitleaks];
const NEW: &[Dialect] = &[Dialect::Strongroom];

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        names: &["git"],
        arguments: "[REPOSITORY]",
        summary: "scan the history of a repository, or what is staged",
        flags: grammar::GIT,
        ours: grammar::OUR_GIT,
        dialects: BOTH,
        run: sources::git,
    },
    Command {
        names: &["dir", "file", "directory"],
        arguments: "[PATH]",
        summary: "scan a folder or a file, and the archives in it",
        flags: grammar::DIR,
        ours: grammar::OUR_DIR,
        dialects: BOTH,
        run: sources::dir,
    },
    Command {
        names: &["stdin"],
        arguments: "",
        summary: "scan the standard input",
        flags: &[],
        ours: &[],
        dialects: BOTH,
        run: sources::stdin,
    },
    Command {
        names: &["log"],
        arguments: "[FILE]",
        summary: "scan the log of a build, without what runners put before each line",
        flags: &[],
        ours: &[],
        dialects: NEW,
        run: sources::log,
    },
    Command {
        names: &["install-hook"],
        arguments: "pre-commit|pre-push",
        summary: "let git scan what is about to be committed or pushed",
        flags: &[],
        ours: &[],
        dialects: NEW,
        run: hooks::install,
    },
    Command {
        names: &["detect"],
        arguments: "",
        summary: "git, dir or stdin, as before version 8.19",
        flags: grammar::DETECT,
        ours: &[],
        dialects: OLD,
        run: sources::detect,
    },
    Command {
        names: &["protect"],
        arguments: "",
        summary: "git --pre-commit, as before version 8.19",
        flags: grammar::PROTECT,
        ours: &[],
        dialects: OLD,
        run: sources::protect,
    },
];

impl Command {
    pub(crate) fn find(name: &str, dialect: Dialect) -> Option<&'static Self> {
        COMMANDS
            .iter()
            .find(|command| command.names.contains(&name) && command.dialects.contains(&dialect))
    }

    pub(crate) fn flags(&self, dialect: Dialect) -> Vec<&'static [Flag]> {
        match dialect {
            Dialect::Gitleaks => vec![self.flags, grammar::COMMON],
            Dialect::Strongroom => vec![self.flags, self.ours, grammar::COMMON, grammar::OURS],
        }
    }

    pub(crate) fn parse(&self, words: &[String], dialect: Dialect) -> Result<Words, Stop> {
        Words::parse(words, &self.flags(dialect))
    }

    pub(crate) fn is_of(&self, dialect: Dialect) -> bool {
        self.dialects.contains(&dialect)
    }
}
