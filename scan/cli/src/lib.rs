//! The command line of the scanner: `strongroom scan …` and, under the name `gitleaks`, the grammar and the
//! exit codes of gitleaks 8.30.

mod command;
mod dialect;
mod grammar;
mod hooks;
mod output;
mod progress;
mod session;
mod sources;
mod stop;

use std::ffi::OsString;
use std::process::ExitCode;

pub use dialect::Dialect;

use command::{COMMANDS, Command};
use output::{complain, say};
use session::Session;
use stop::Stop;

/// The version of gitleaks that programs which ask for it are told.
const GITLEAKS_VERSION: &str = "8.30.1";

/// Runs one command. `program` is the name to show in usage texts; `args` are the words after it.
pub fn run(program: &str, dialect: Dialect, args: Vec<OsString>) -> ExitCode {
    let args: Result<Vec<String>, OsString> = args.into_iter().map(OsString::into_string).collect();
    let outcome = match args {
        Ok(args) => answer(program, dialect, &args),
        Err(_) => Err(Stop::error("an argument is not UTF-8 text")),
    };
    let code = outcome.unwrap_or_else(|stop| {
        complain(&stop.text);
        stop.code(dialect)
    });
    ExitCode::from(code)
}

fn answer(program: &str, dialect: Dialect, args: &[String]) -> Result<u8, Stop> {
    // Flags may stand before the command.
    let at = args.iter().position(|arg| Command::find(arg, dialect).is_some());
    let is_help = |arg: &String| arg == "--help" || arg == "-h";
    let Some((at, command)) = at.and_then(|at| Some((at, Command::find(&args[at], dialect)?)))
    else {
        return without_command(program, dialect, args);
    };
    let rest: Vec<String> = args[..at].iter().chain(&args[at + 1..]).cloned().collect();
    if rest.iter().take_while(|arg| *arg != "--").any(is_help) {
        say(&page(program, command, dialect));
        return Ok(0);
    }
    let words = command.parse(&rest, dialect)?;
    (command.run)(&Session::new(dialect, words)?)
}

fn without_command(program: &str, dialect: Dialect, args: &[String]) -> Result<u8, Stop> {
    match args.first().map(String::as_str) {
        None | Some("help" | "--help" | "-h") => {
            say(&overview(program, dialect));
            Ok(0)
        }
        Some("version") if dialect == Dialect::Gitleaks => {
            say(&format!("{GITLEAKS_VERSION}\n"));
            Ok(0)
        }
        Some("--version") if dialect == Dialect::Gitleaks => {
            say(&format!("gitleaks version {GITLEAKS_VERSION}\n"));
            Ok(0)
        }
        Some(flag) if flag.starts_with('-') => {
            Err(Stop::unknown_flag(format!("unknown flag: {flag}")))
        }
        Some(other) => Err(Stop::error(format!("unknown command \"{other}\" for \"{program}\""))),
    }
}

fn overview(program: &str, dialect: Dialect) -> String {
    let mut text = format!(
        "Finds secrets where they should not be.\n\nUsage: {program} COMMAND [FLAGS] [WHAT]\n\n"
    );
    for command in COMMANDS.iter().filter(|command| command.is_of(dialect)) {
        text.push_str(&format!(
            "  {:<34} {}\n",
            format!("{} {}", command.names[0], command.arguments),
            command.summary
        ));
    }
    let codes = match dialect {
        Dialect::Gitleaks => {
            "Exit codes: 0 nothing found, 1 findings or an error, 126 an unknown flag."
        }
        Dialect::Strongroom => {
            "Exit codes: 0 nothing found, 1 findings, 2 an error, 3 nothing found but not all could be scanned."
        }
    };
    text.push_str(&format!(
        "\n{codes}\n'{program} COMMAND --help' lists the flags.\n\nExample:\n  {program} git .\n"
    ));
    text
}

fn page(program: &str, command: &Command, dialect: Dialect) -> String {
    let Command { names, arguments, summary, .. } = command;
    let mut text =
        format!("{summary}\n\nUsage: {program} {} [FLAGS] {arguments}\n\nFlags:\n", names[0]);
    for flag in command.flags(dialect).into_iter().flatten() {
        let short = flag.short.map_or("    ".into(), |short| format!("-{short}, "));
        text.push_str(&format!("  {short}--{:<24} {}\n", flag.name, flag.about));
    }
    text
}
