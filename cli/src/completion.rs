use crate::command::{COMMON, Kind};
use crate::commands;

/// What could stand in the place of the last word of a call, given the words before it.
pub(crate) fn candidates(words: &[String]) -> Vec<String> {
    let Some((last, before)) = words.split_last() else { return Vec::new() };
    let names: Vec<_> =
        before.iter().take_while(|word| !word.starts_with('-')).map(String::as_str).collect();
    let mut found = if last.starts_with('-') { flags(&names) } else { subcommands(&names) };
    found.retain(|candidate| candidate.starts_with(last.as_str()));
    found.sort_unstable();
    found
}

fn subcommands(names: &[&str]) -> Vec<String> {
    let prefix = names.join(" ");
    let children = commands::all().filter_map(|command| {
        let rest = match prefix.as_str() {
            "" => command.name,
            prefix => command.name.strip_prefix(prefix)?.strip_prefix(' ')?,
        };
        (!rest.contains(' ')).then(|| rest.to_owned())
    });
    children.collect()
}

fn flags(names: &[&str]) -> Vec<String> {
    let command =
        (1..=names.len()).rev().find_map(|count| commands::find(&names[..count].join(" ")));
    let Some(command) = command else { return Vec::new() };
    let spelling = |kind: Kind, name: &str| {
        if kind == Kind::Bool { format!("-{name}") } else { format!("-{name}=") }
    };
    command.flags.iter().chain(COMMON).map(|flag| spelling(flag.kind, flag.name)).collect()
}

/// The script that makes `shell` ask this program, or `None` for a shell that is not known.
pub(crate) fn script(shell: &str, program: &str) -> Option<String> {
    let function =
        format!("_{}_complete", program.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
    Some(match shell {
        "bash" => format!(
            "{function}() {{\n  \
             local IFS=$'\\n'\n  \
             COMPREPLY=($({program} completion words \"${{COMP_WORDS[@]:1:COMP_CWORD}}\"))\n  \
             [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} == *[=/] ]] && compopt -o nospace\n\
             }}\n\
             COMP_WORDBREAKS=${{COMP_WORDBREAKS//=}}\n\
             complete -o default -F {function} {program}"
        ),
        "zsh" => format!(
            "#compdef {program}\n\
             {function}() {{\n  \
             local -a found\n  \
             found=(${{(f)\"$({program} completion words \"${{(@)words[2,CURRENT]}}\")\"}})\n  \
             if (( $#found )); then compadd -S '' -- $found; else _files; fi\n\
             }}\n\
             compdef {function} {program}"
        ),
        "fish" => format!(
            "function {function}\n  \
             set -l words (commandline -opc) (commandline -ct)\n  \
             {program} completion words $words[2..-1]\n\
             end\n\
             complete -c {program} -a '({function})'"
        ),
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(candidates(&words), expected, "{line:?}");
    }

    #[test]
    fn words_are_completed_from_the_table() {
        check("unw", &["unwrap"]);
        check("kv metadata ", &["delete", "get", "patch", "put"]);
        check("kv un", &["undelete"]);
        check("kv get -ver", &["-version="]);
        check("token create -orp", &["-orphan"]);
        check("kv get secret/a -fie", &["-field="]);
        check("nothing -", &[]);
        assert!(candidates(&[]).is_empty());
    }

    #[test]
    fn each_shell_has_a_script_that_asks_the_program() {
        for shell in ["bash", "zsh", "fish"] {
            assert!(script(shell, "strongroom").unwrap().contains("strongroom completion words"));
        }
        assert!(script("tcsh", "strongroom").is_none());
    }
}
