//! The grammar: one list of all commands, a file for each area.

mod audit;
mod generic;
mod init;
mod kv;
mod lease;
mod login;
mod misc;
mod mounts;
mod namespace;
mod operator;
pub(crate) mod paths;
mod policy;
mod quorum;
mod remount;
mod seal_status;
mod token;

pub(crate) use misc::version;

use crate::command::Command;

const AREAS: &[&[Command]] = &[
    generic::COMMANDS,
    login::COMMANDS,
    kv::COMMANDS,
    token::COMMANDS,
    policy::COMMANDS,
    mounts::COMMANDS,
    audit::COMMANDS,
    lease::COMMANDS,
    namespace::COMMANDS,
    operator::COMMANDS,
    misc::COMMANDS,
];

/// The commands that the overview shows first.
pub(crate) const COMMON: [&str; 9] =
    ["read", "write", "delete", "list", "login", "dev", "server", "status", "unwrap"];

pub(crate) fn all() -> impl Iterator<Item = &'static Command> {
    AREAS.iter().copied().flatten()
}

pub(crate) fn find(name: &str) -> Option<&'static Command> {
    all().find(|command| command.name == name)
}

/// The commands directly below the group `name`.
pub(crate) fn children(name: &str) -> impl Iterator<Item = &'static Command> {
    all().filter(move |command| {
        command.name.rsplit_once(' ').is_some_and(|(group, _)| group == name)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::command::COMMON as COMMON_FLAGS;

    #[test]
    fn the_grammar_is_consistent() {
        let mut names = BTreeSet::new();
        for command in all() {
            let name = command.name;
            assert!(names.insert(name), "{name} is there twice");
            assert!(!command.synopsis.is_empty() && !command.synopsis.ends_with('.'), "{name}");
            if let Some((group, _)) = name.rsplit_once(' ') {
                assert!(
                    find(group).is_some_and(|group| group.run.is_none()),
                    "{name} has no group"
                );
            }
            let mut flags = BTreeSet::new();
            for flag in COMMON_FLAGS.iter().chain(command.flags) {
                assert!(flags.insert(flag.name), "{name} -{} is there twice", flag.name);
                assert!(
                    flag.alias.is_empty() || flags.insert(flag.alias),
                    "{name} -{}",
                    flag.alias
                );
                assert!(flag.help.ends_with('.'), "{name} -{}", flag.name);
            }
        }
        assert!(COMMON.iter().all(|name| names.contains(name)));
    }
}
