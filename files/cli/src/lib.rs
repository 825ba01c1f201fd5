//! The command line for encrypted files: the grammar, the variables and the exit codes of sops.
//!
//! `strongroom files COMMAND …` and, under the name `sops`, the same with its older form, in which
//! flags such as `-d` say what to do. Flags stand before the file.

mod child;
mod code;
mod command;
mod commands;
mod flags;
mod output;
mod parallel;
mod prompt;
mod random;
mod session;
mod tree;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use command::{COMMANDS, Command, LEGACY};
use flags::Flags;
use session::{Session, Stop};

/// The version of sops that programs which ask for it are told.
const SOPS_VERSION: &str = "3.11.0";

/// Runs one command. `program` is the name to show in usage texts; `args` are the words after it.
pub fn run(program: &str, args: Vec<OsString>) -> ExitCode {
    let args: Result<Vec<String>, OsString> = args.into_iter().map(OsString::into_string).collect();
    let outcome = match args {
        Ok(args) => answer(program, &args),
        Err(_) => Err(Stop::usage("an argument is not UTF-8 text")),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(stop) => {
            complain(&stop.text);
            ExitCode::from(stop.code)
        }
    }
}

fn answer(program: &str, args: &[String]) -> Result<u8, Stop> {
    let first = args.first().map(String::as_str).unwrap_or_default();
    if ["help", "h", "--help", "-h", "-help"].contains(&first) || args.is_empty() {
        say(&overview(program));
        return Ok(0);
    }
    if ["--version", "-v", "-version"].contains(&first) {
        say(&format!("sops {SOPS_VERSION}\n"));
        return Ok(0);
    }
    let (command, rest) = find(args);
    if rest.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--help" || arg == "-h") {
        say(&page(program, command));
        return Ok(0);
    }
    let (flags, words) = Flags::parse(command, rest)?;
    let session = Session::of_process(program, flags, words)?;
    (command.run)(&session)
}

/// The command that the first words name, and what follows them. Global flags may stand before it;
/// without a command the flags say what to do.
fn find(args: &[String]) -> (&'static Command, Vec<String>) {
    let start = LEGACY.end_of_flags(args);
    let (before, words) = args.split_at(start);
    for command in &COMMANDS {
        let name: Vec<&str> = command.name.split(' ').collect();
        if words.len() >= name.len() && words.iter().zip(&name).all(|(word, part)| word == part) {
            let rest = before.iter().chain(&words[name.len()..]).cloned().collect();
            return (command, rest);
        }
    }
    (&LEGACY, args.to_vec())
}

fn overview(program: &str) -> String {
    let mut text = format!(
        "Encrypts the values of files that stay readable, as sops does.\n\nUsage: {program} COMMAND \
         [FLAGS] FILE\n\n"
    );
    for Command { name, arguments, summary, .. } in &COMMANDS {
        text.push_str(&format!("  {:<34} {summary}\n", format!("{name} {arguments}")));
    }
    text.push_str(&format!(
        "\nWith a FILE alone it is edited; -e, -d and -r encrypt, decrypt and rotate it, as sops did \
         before it had commands.\nFlags stand before the file; '{program} COMMAND --help' lists \
         them.\n\nExample:\n  {program} encrypt -i --age age1… secrets.yaml\n"
    ));
    text
}

fn page(program: &str, command: &Command) -> String {
    let Command { name, arguments, summary, .. } = command;
    let mut text = format!("{summary}\n\nUsage: {program} {name} [FLAGS] {arguments}\n\nFlags:\n");
    for (names, about) in command.help() {
        text.push_str(&format!("  {names:<40} {about}\n"));
    }
    text
}

/// Data for whoever asked. Who has closed the pipe does not want to know.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// What is wrong.
fn complain(text: &str) {
    if !text.is_empty() {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}
