//! The command line: Vault's grammar over [`client`], so that scripts written for `vault` or
//! `bao` run unchanged.
//!
//! The grammar is one table (see [`commands`]); parsing, help and completion are derived from it.
//! Exit codes: 0 done, 1 the call is wrong or this machine is, 2 the server says no.
//! `status` answers 0 unsealed, 1 error, 2 sealed.

mod command;
mod commands;
mod completion;
mod context;
mod env;
mod failure;
mod flags;
mod format;
mod help;
mod json;
mod kv_args;
mod out;
mod policy_text;
mod preview;
mod prompt;
mod secret;
mod served;
mod token_helper;

use std::ffi::OsString;
use std::process::ExitCode;

use command::Command;
use context::Context;
use env::Environment;
use failure::{Failure, Outcome};
use format::Format;
use out::Out;

/// Runs one command. `program` is the name to show in usage texts; `args` are the words after it.
pub fn run(program: &str, args: Vec<OsString>) -> ExitCode {
    let mut out = Out::of_process();
    let args: Result<Vec<String>, OsString> = args.into_iter().map(OsString::into_string).collect();
    match args {
        Ok(args) => ExitCode::from(answer(program, &args, Environment::of_process(), out)),
        Err(_) => {
            out.error("an argument is not UTF-8 text; give such a value in a file, as key=@file");
            ExitCode::from(1)
        }
    }
}

fn answer(program: &str, args: &[String], env: Environment, mut out: Out) -> u8 {
    let globals = Globals::of(args, &env);
    let Some(format) = Format::parse(&globals.format) else {
        out.error(format!("Invalid output format: {}", globals.format));
        return 1;
    };
    (out.format, out.detailed) = (format, globals.detailed);
    let call = Call::of(args);
    let Some(command) = call.command else {
        let text = help::overview(program);
        return match (call.help, call.version) {
            (true, _) => {
                out.line(text);
                0
            }
            (false, true) => {
                out.line(commands::version());
                0
            }
            (false, false) => {
                if let Some(word) = call.rest.first() {
                    out.error(format!("{program} has no command {word:?}.\n"));
                }
                out.error(text);
                127
            }
        };
    };
    if call.help {
        out.line(help::page(program, command));
        return 0;
    }
    if call.flags_before {
        out.error("Invalid flags before the subcommand. If these flags are for\nthe subcommand, please put them after the subcommand.\n");
    }
    let Some(run) = command.run.filter(|_| !call.flags_before) else {
        out.error(help::page(program, command));
        return 1;
    };
    let mut context = match Context::new(program, command, env, call.rest, out) {
        Ok(context) => context,
        Err(failure) => return report(&mut Out::of_process(), failure),
    };
    let outcome = perform(&mut context, run);
    match outcome {
        Ok(()) if context.preview.is_some() => {
            context.out.error("this command sends no request that could be shown");
            1
        }
        Ok(()) => 0,
        Err(failure) => report(&mut context.out, failure),
    }
}

fn perform(context: &mut Context, run: command::Run) -> Outcome {
    if let Some(complaint) = context.command.arity.complaint(context.args.len()) {
        return Err(Failure::local(complaint));
    }
    warn_of_late_flags(context);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local(format!("cannot start: {error}")))?;
    runtime.block_on(run(context))
}

fn report(out: &mut Out, failure: Failure) -> u8 {
    if let Some(preview) = failure.preview {
        out.line(preview);
        return 0;
    }
    if !failure.text.is_empty() {
        out.error(failure.text);
    }
    failure.code
}

/// Flags after the first argument are data to Go's parser; people often do not mean that.
fn warn_of_late_flags(context: &mut Context) {
    if context.command.name == "completion" {
        // Its arguments are the words of another call.
        return;
    }
    let global = |arg: &str| {
        let name = arg.trim_start_matches('-').split('=').next().unwrap_or_default();
        ["format", "detailed", "output-curl-string", "output-policy"].contains(&name)
    };
    let late: Vec<_> = context
        .args
        .iter()
        .filter(|arg| arg.starts_with('-') && *arg != "-" && !global(arg))
        .cloned()
        .collect();
    if !late.is_empty() && context.out.is_table() {
        let names: Vec<_> =
            late.iter().map(|arg| arg.split('=').next().unwrap_or_default()).collect();
        context.out.warn(format!(
            "Flags must stand before the first argument. These will not be parsed as flags: [{}]",
            names.join(",")
        ));
    }
}

/// The flags that are looked for among all arguments, wherever they stand.
struct Globals {
    format: String,
    detailed: bool,
}

impl Globals {
    fn of(args: &[String], env: &Environment) -> Self {
        let mut format = None;
        let mut detailed = None;
        let mut args = args.iter().take_while(|arg| *arg != "--");
        while let Some(arg) = args.next() {
            let Some(flag) = arg.strip_prefix("--").or(arg.strip_prefix('-')) else { continue };
            match flag.split_once('=') {
                Some(("format", value)) => format = Some(value.to_owned()),
                Some(("detailed", value)) => detailed = flags::boolean(value).ok(),
                None if flag == "format" => format = args.next().cloned(),
                None if flag == "detailed" => detailed = Some(true),
                _ => {}
            }
        }
        let set = |name| env.setting(name).map(str::to_owned);
        let detailed = detailed.or_else(|| flags::boolean(&set("DETAILED")?).ok());
        Self {
            format: format
                .filter(|format| !format.is_empty())
                .or_else(|| set("FORMAT"))
                .unwrap_or_default(),
            detailed: detailed.unwrap_or(false),
        }
    }
}

/// The words of a call, sorted.
pub(crate) struct Call<'a> {
    /// The longest command that the first words name.
    pub(crate) command: Option<&'static Command>,
    /// What follows the command.
    pub(crate) rest: &'a [String],
    help: bool,
    version: bool,
    /// Whether a flag stands before the command.
    flags_before: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn of(args: &'a [String]) -> Self {
        let own = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
        let is = |arg: &String, names: [&str; 3]| names.contains(&arg.as_str());
        let help = args[..own].iter().any(|arg| is(arg, ["-h", "-help", "--help"]));
        let start = args.iter().position(|arg| !arg.starts_with('-')).unwrap_or(args.len());
        let flags = &args[..start];
        let version = flags.iter().any(|arg| is(arg, ["-v", "-version", "--version"]));
        let words = args[start..].iter().take_while(|arg| !arg.starts_with('-')).count();
        let named = |count: &usize| commands::find(&args[start..start + count].join(" "));
        let (command, count) = (1..=words.min(3))
            .rev()
            .find_map(|count| Some((Some(named(&count)?), count)))
            .unwrap_or((None, 0));
        let flags_before = flags.iter().any(|arg| !is(arg, ["-h", "-help", "--help"]));
        Self { command, rest: &args[start + count..], help, version, flags_before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_longest_command_wins() {
        for (line, name, rest) in [
            ("kv get secret/a", "kv get", "secret/a"),
            ("kv metadata get -field=x a", "kv metadata get", "-field=x a"),
            ("kv", "kv", ""),
            ("kv unknown", "kv", "unknown"),
            ("read a kv get", "read", "a kv get"),
        ] {
            let args = words(line);
            let call = Call::of(&args);
            assert_eq!(call.command.map(|command| command.name), Some(name), "{line}");
            assert_eq!(call.rest, words(rest), "{line}");
        }
        let args = words("-address=x status");
        assert!(Call::of(&args).flags_before);
        let args = words("kv get -h");
        assert!(Call::of(&args).help);
        let args = words("write a -- -h");
        assert!(!Call::of(&args).help);
    }

    #[test]
    fn the_format_may_stand_anywhere() {
        let env = Environment::from([("VAULT_FORMAT", "yaml")]);
        assert_eq!(Globals::of(&words("read a -format=json"), &env).format, "json");
        assert_eq!(Globals::of(&words("read -format json a"), &env).format, "json");
        assert_eq!(Globals::of(&words("read a"), &env).format, "yaml");
        assert_eq!(Globals::of(&words("read a -- -format=json"), &env).format, "yaml");
        assert!(Globals::of(&words("list -detailed a"), &env).detailed);
    }
}
