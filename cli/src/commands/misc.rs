//! Commands about the program itself, and those that the binary runs without this crate.

use crate::command::{Arity, Command};
use crate::context::Context;
use crate::env::Environment;
use crate::failure::{Failure, Outcome};
use crate::out::Out;
use crate::{Call, completion, help, served};

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "server",
        args: "-config=FILE",
        synopsis: "Run a server",
        about: "Runs a server with this configuration, or with -dev one in memory for trying things \
                out.\n\n    $ {program} server -config=/etc/strongroom.hcl",
        ..Command::BASE
    },
    Command {
        name: "dev",
        synopsis: "Run a server on this machine that keeps its data",
        about: "Creates ./strongroom-data if need be, and opens it.\n\n    $ {program} dev",
        ..Command::BASE
    },
    Command {
        name: "files",
        args: "COMMAND FILE",
        synopsis: "Encrypt the values of files, as sops does",
        about: "Needs no server; 'files help' lists the commands.\n\n    \
                $ {program} files encrypt -i --age age1… secrets.yaml",
        ..Command::BASE
    },
    Command {
        name: "age",
        args: "COMMAND FILE",
        synopsis: "Encrypt files for people and machines, as age does",
        about: "Needs no server; 'age --help' lists the commands.\n\n    \
                $ {program} age encrypt -r age1… -o notes.age notes.txt",
        ..Command::BASE
    },
    Command {
        name: "seal",
        args: "FLAGS",
        synopsis: "Seal secrets of Kubernetes, as kubeseal does",
        about: "Needs no server; 'seal --help' lists the flags.\n\n    \
                $ {program} seal --cert controller.pem -o yaml < secret.yaml",
        ..Command::BASE
    },
    Command {
        name: "install-shims",
        args: "DIR",
        synopsis: "Make links so that this program also answers to those of others",
        about: "Scripts that call vault, bao, sops, kubeseal or gitleaks run unchanged.\n\n    \
                $ {program} install-shims ~/.local/bin",
        ..Command::BASE
    },
    Command { name: "print", synopsis: "Print what the program works with", ..Command::BASE },
    Command {
        name: "print token",
        synopsis: "Print the token in use",
        about: "Prints the token of the environment or of the token helper.\n\n    $ {program} print token",
        run: Some(|cx| Box::pin(print_token(cx))),
        ..Command::BASE
    },
    Command {
        name: "version",
        arity: Arity::at_least(0),
        synopsis: "Print the version",
        about: "Prints the version of this program; see status for that of the server.\n\n    \
                $ {program} version",
        run: Some(|cx| Box::pin(print_version(cx))),
        ..Command::BASE
    },
    Command {
        name: "help",
        args: "[COMMAND]",
        arity: Arity::at_least(0),
        synopsis: "Show the help of a command",
        about: "The same as -h after the command.\n\n    $ {program} help kv get",
        run: Some(|cx| Box::pin(print_help(cx))),
        ..Command::BASE
    },
    Command {
        name: "completion",
        args: "bash|zsh|fish",
        arity: Arity::at_least(1),
        synopsis: "Print a script that completes commands in your shell",
        about: "The script asks this program for what fits, so it stays right after an update.\n\n    \
                $ {program} completion bash >> ~/.bashrc",
        run: Some(|cx| Box::pin(print_completion(cx))),
        ..Command::BASE
    },
];

/// What `version` prints.
pub(crate) fn version() -> String {
    format!("Strongroom v{}", env!("CARGO_PKG_VERSION"))
}

async fn print_version(cx: &mut Context) -> Outcome {
    cx.out.line(version());
    Ok(())
}

async fn print_token(cx: &mut Context) -> Outcome {
    let client = cx.client()?;
    cx.out.line(client.config().token.as_ref().map_or("", |token| token.expose()));
    Ok(())
}

async fn print_help(cx: &mut Context) -> Outcome {
    let name = cx.args.join(" ");
    let text = match super::find(&name) {
        Some(command) => help::page(&cx.program, command),
        None if name.is_empty() => help::overview(&cx.program),
        None => return Err(Failure::local(format!("{} has no command {name:?}", cx.program))),
    };
    cx.out.line(text);
    Ok(())
}

/// `completion SHELL` prints the script; the script calls `completion words WORD...`.
async fn print_completion(cx: &mut Context) -> Outcome {
    if cx.arg(0) == "words" {
        let words = cx.args[1..].to_vec();
        let mut found = completion::candidates(&words);
        if found.is_empty() {
            let (program, env) = (cx.program.clone(), cx.env.clone());
            found = served_candidates(&program, env, &words).await;
        }
        found.into_iter().for_each(|word| cx.out.line(word));
        return Ok(());
    }
    let script = completion::script(cx.arg(0), &cx.program);
    let script =
        script.ok_or_else(|| Failure::local("there are scripts for bash, zsh and fish"))?;
    cx.out.line(script);
    Ok(())
}

/// What the server could add to the last of `words`, asked as the command before it would ask.
async fn served_candidates(program: &str, env: Environment, words: &[String]) -> Vec<String> {
    let Some((last, before)) = words.split_last() else { return Vec::new() };
    let Call { command: Some(command), rest, .. } = Call::of(before) else { return Vec::new() };
    let begun = Context::new(program, command, env, rest, Out::of_process());
    match begun {
        Ok(mut begun) => served::candidates(&mut begun, last).await,
        Err(_) => Vec::new(),
    }
}
