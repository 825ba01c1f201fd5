use std::collections::{BTreeMap, BTreeSet};

use crate::command::{COMMANDS, Command, LEGACY};
use crate::say;
use crate::session::{Session, Stop};

/// Prints a script for a shell, made of the list of commands.
pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    let [shell] = session.arguments("bash|zsh")?;
    let script = script(&session.program);
    match shell {
        "bash" => say(&script),
        // It runs the functions of bash.
        "zsh" => say(&format!(
            "autoload -U +X compinit bashcompinit && compinit && bashcompinit\n{script}"
        )),
        _ => {
            return Err(Stop::usage(format!(
                "there is no completion for '{shell}', but for bash and zsh"
            )));
        }
    }
    Ok(0)
}

/// The words after a program `strongroom files` begin one later than those after `sops`.
fn script(program: &str) -> String {
    let (name, first) = match program.strip_suffix(" files") {
        Some(name) => (name, 2),
        None => (program, 1),
    };
    // By its first word what may follow it: flags, and the second word of its name.
    let mut following: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for command in &COMMANDS {
        let (name, second) = command.name.split_once(' ').unwrap_or((command.name, ""));
        let own = following.entry(name).or_default();
        own.extend(flags(command));
        own.extend((!second.is_empty()).then(|| second.to_owned()));
    }
    let words = |words: &BTreeSet<String>| words.iter().cloned().collect::<Vec<_>>().join(" ");
    let cases: String = following
        .iter()
        .map(|(name, own)| format!("    {name}) words=\"{}\" ;;\n", words(own)))
        .collect();
    let names: Vec<&str> = following.keys().copied().collect();
    format!(
        "_strongroom_files() {{\n  \
           local word=${{COMP_WORDS[COMP_CWORD]}} words\n  \
           case ${{COMP_WORDS[{first}]}} in\n{cases}    \
             *) words=\"{legacy} {names}\" ;;\n  \
           esac\n  \
           [[ -n $word ]] && COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n\
         }}\n\
         complete -o bashdefault -o default -F _strongroom_files {name}\n",
        legacy = words(&flags(&LEGACY).into_iter().collect()),
        names = names.join(" "),
    )
}

fn flags(command: &Command) -> Vec<String> {
    command.flags().into_iter().map(|flag| format!("--{}", flag.name)).collect()
}
