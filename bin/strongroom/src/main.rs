//! The one binary: chooses what runs by the first words of the command line.

mod audit_verify;
mod serve;
mod shims;
mod words;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use base_types::Error;
use scan_cli::Dialect;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator takes memory in large steps and uses little of each. Huge pages would make all of
    // a step resident, eleven megabytes of a server at rest, for a twentieth of its speed. Where the
    // kernel refuses, all works the same.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_default();
    let program =
        Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let args: Vec<OsString> = args.collect();
    let texts: Vec<&str> = args.iter().map_while(|arg| arg.to_str()).collect();
    let wants_help = texts.iter().any(|text| matches!(*text, "-h" | "-help" | "--help"));
    match texts.as_slice() {
        _ if program == "kubeseal" => files_seal::run(&program, args),
        _ if program == "sops" => files_cli::run(&program, args),
        _ if program == "gitleaks" => scan_cli::run(&program, Dialect::Gitleaks, args),
        ["age", ..] => files_age::run(&format!("{program} age"), args[1..].to_vec()),
        ["files", ..] => files_cli::run(&format!("{program} files"), args[1..].to_vec()),
        ["seal", ..] => files_seal::run(&format!("{program} seal"), args[1..].to_vec()),
        // `bao scan` lists.
        ["scan", ..] if !matches!(&*program, "bao" | "vault") => {
            scan_cli::run(&format!("{program} scan"), Dialect::Strongroom, args[1..].to_vec())
        }
        _ if wants_help => cli::run(&program, args),
        ["server", rest @ ..] => report(serve::server(rest)),
        ["dev", rest @ ..] => report(serve::dev(rest)),
        ["operator", "diagnose", rest @ ..] => report(serve::diagnose(rest)),
        ["audit", "verify", rest @ ..] => report(audit_verify::run(rest)),
        ["install-shims", rest @ ..] => report(shims::install(rest)),
        _ => cli::run(&program, args),
    }
}

fn report(outcome: Result<ExitCode, Error>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        words::complain(error.public());
        ExitCode::FAILURE
    })
}
