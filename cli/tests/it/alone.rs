//! What can be said without another program.

use std::path::Path;

use crate::session::{call, parse};
use crate::{AS_CLI, Tally};

pub(crate) fn run(tally: &mut Tally) {
    tally.record("usage and exit codes", usage());
    tally.record("a server that is not there", unreachable());
    tally.record("a token never shows", token_stays_hidden());
}

pub(crate) fn ours(line: &str, home: &Path) -> (i32, String, String) {
    let this = std::env::current_exe().unwrap();
    let output = call(&this, &parse(line, &Default::default()), home, &[(AS_CLI, "1")]);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn check(line: &str, code: i32, stdout: &str, stderr: &str) -> Result<(), String> {
    let home = tempfile::tempdir().unwrap();
    let (our_code, out, err) = ours(line, home.path());
    match our_code == code && out.contains(stdout) && err.contains(stderr) {
        true => Ok(()),
        false => Err(format!("{line}: exit code {our_code}\nstdout: {out}\nstderr: {err}")),
    }
}

fn usage() -> Result<(), String> {
    check("", 127, "", "Usage: bao <command> [args]")?;
    check("-h", 0, "Usage: bao <command> [args]", "")?;
    check("nonsense", 127, "", "bao has no command \"nonsense\"")?;
    check("kv", 1, "", "Subcommands:")?;
    check("kv nonsense", 1, "", "Subcommands:")?;
    check("kv get -h", 0, "Usage: bao kv get [options] KEY", "")?;
    check("help kv get", 0, "Usage: bao kv get [options] KEY", "")?;
    check("-version", 0, "Strongroom v", "")?;
    check("-address=x status", 1, "", "Invalid flags before the subcommand")?;
    check("read -adress=x a", 1, "", "did you mean -address?")?;
    check("read -format=xml a", 1, "", "Invalid output format: xml")?;
    check("kv put secret/a", 1, "", "Must supply data")?;
    check("completion bash", 0, "bao completion words", "")?;
    check("completion words kv ge", 0, "get\n", "")?;
    check("server", 1, "", "-config=FILE")
}

fn unreachable() -> Result<(), String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let refused = format!("Error reading a: GET {address}/v1/a: cannot connect");
    check(&format!("read -address={address} a"), 2, "", &refused)?;
    check(&format!("status -address={address}"), 1, "", "Error checking seal status: GET")?;
    check("read -address=nonsense a", 2, "", "write https://host:port")?;
    check("VAULT_ADDR=x BAO_ADDR=y STRONGROOM_ADDR=z read a", 2, "", "the address \"z\"")
}

fn token_stays_hidden() -> Result<(), String> {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".vault-token"), "s.hunter2\n").unwrap();
    for line in ["read a", "read -output-curl-string a", "login -no-store s.hunter2"] {
        let (_, out, err) = ours(&format!("{line} BAO_ADDR=http://127.0.0.1:1"), home.path());
        if format!("{out}{err}").contains("hunter2") {
            return Err(format!("{line}\nstdout: {out}\nstderr: {err}"));
        }
    }
    let (_, out, _) = ours("print token", home.path());
    if out == "s.hunter2\n" { Ok(()) } else { Err(format!("print token: {out}")) }
}
