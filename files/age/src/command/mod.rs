//! `strongroom age encrypt|decrypt|keygen`: the grammar of `age` and `age-keygen`.

mod decrypt;
mod encrypt;
mod flags;
mod input;
mod keygen;
mod output;
mod terminal;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use crate::{Error, Result};
use flags::{Flag, Flags};

/// One command.
struct Command {
    name: &'static str,
    about: &'static str,
    flags: &'static [Flag],
    run: fn(&Flags) -> Result<()>,
}

const COMMANDS: [Command; 3] = [
    Command {
        name: "encrypt",
        about: "Encrypts a file, or standard input.",
        flags: &[
            flags::switch("armor", 'a', "write text instead of bytes"),
            flags::switch("passphrase", 'p', "encrypt with a passphrase, which is asked for"),
            flags::option("recipient", 'r', "RECIPIENT", "encrypt for age1…, or a public SSH key"),
            flags::option("recipients-file", 'R', "FILE", "encrypt for all that the file lists"),
            flags::option("identity", 'i', "FILE", "encrypt for the owner of these identities"),
            flags::option("output", 'o', "FILE", "write there"),
        ],
        run: encrypt::run,
    },
    Command {
        name: "decrypt",
        about: "Decrypts a file, or standard input.",
        flags: &[
            flags::option("identity", 'i', "FILE", "decrypt with the identities in the file"),
            flags::option("plugin", 'j', "NAME", "decrypt with a plugin that needs no identity"),
            flags::option("output", 'o', "FILE", "write there"),
        ],
        run: decrypt::run,
    },
    Command {
        name: "keygen",
        about: "Makes an identity; with -y, shows the recipients of those in a file.",
        flags: &[
            flags::switch("pq", 'q', "one that also a quantum computer could not open"),
            flags::switch("recipients", 'y', "read identities, write their recipients"),
            flags::option("output", 'o', "FILE", "write to a new file"),
        ],
        run: keygen::run,
    },
];

/// Runs one command. `program` is the name to show in usage texts; `args` are the words after it.
/// The exit code is 0 if it is done, 2 for a call that is none, else 1.
pub fn run(program: &str, args: Vec<OsString>) -> ExitCode {
    let args: std::result::Result<Vec<String>, OsString> =
        args.into_iter().map(OsString::into_string).collect();
    let Ok(args) = args else { return complain(2, "an argument is not UTF-8 text") };
    let is_help = |word: &String| ["-h", "-help", "--help", "help"].contains(&word.as_str());
    let command = args.first().and_then(|name| COMMANDS.iter().find(|it| it.name == name));
    let Some(command) = command else {
        if args.first().is_none_or(is_help) {
            return show(&overview(program));
        }
        return complain(2, &format!("'{}' is no command; see {program} --help", args[0]));
    };
    if args.iter().take_while(|word| *word != "--").any(is_help) {
        return show(&page(program, command));
    }
    let flags = match Flags::parse(command.flags, &args[1..]) {
        Ok(flags) => flags,
        Err(error) => {
            return complain(2, &format!("{error}; see {program} {} --help", command.name));
        }
    };
    match (command.run)(&flags) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads what is written has seen enough.
        Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::FAILURE
        }
        Err(error) => complain(1, &format!("{program}: error: {error}")),
    }
}

fn complain(code: u8, text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::from(code)
}

fn show(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn overview(program: &str) -> String {
    let mut text = format!(
        "Files encrypted for people and machines, as age has them.\n\nUsage: {program} COMMAND [FLAGS] \
         [FILE]\n\n"
    );
    for Command { name, about, .. } in &COMMANDS {
        text.push_str(&format!("  {name:<10} {about}\n"));
    }
    text.push_str(&format!(
        "\nExample:\n  {program} keygen -o key.txt\n  {program} encrypt -r age1… -o notes.age notes.txt\n  \
         {program} decrypt -i key.txt notes.age\n"
    ));
    text
}

fn page(program: &str, command: &Command) -> String {
    let Command { name, about, flags, .. } = command;
    let mut text = format!(
        "{about}\n\nUsage: {program} {name} [FLAGS] [FILE]\n\nWhere a file is named, - is standard \
         input.\n\nFlags:\n"
    );
    flags.iter().for_each(|flag| text.push_str(&flag.help()));
    text
}
