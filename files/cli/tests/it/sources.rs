//! Master keys of every source that can run on this machine, in both directions.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};

use base_crypto::SystemRandom;
use base_types::Secret;
use files_age::{Form, Recipient, ScryptRecipient};

use crate::Check;
use crate::bench::{Bench, Who, holds, same};

pub(crate) const CHECKS: &[Check] = &[
    ("sources: where an age identity may be", identities),
    ("sources: an age identity under a passphrase needs somebody to ask", passphrase),
    ("sources: SSH keys", ssh),
    ("sources: PGP", pgp),
    ("sources: transit", transit),
];

const TEXT: &[u8] = b"a: 1\n";

fn tool(bench: &Bench, program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(args)
        .current_dir(bench.path(""))
        .env("HOME", bench.path(""))
        .env("GNUPGHOME", bench.path("gnupg"))
        .output()
        .map_err(|error| format!("{program} is missing: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

fn identities(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", TEXT);
    bench.encrypt(Who::Sops, "f.yaml", &[])?;
    let text = bench.text("ann.txt");
    let key = text.lines().last().unwrap();
    std::fs::create_dir_all(bench.path(".config/sops/age")).unwrap();
    for variables in [
        &[("SOPS_AGE_KEY_FILE", "ann.txt")][..],
        &[("SOPS_AGE_KEY", key)],
        &[("SOPS_AGE_KEY_CMD", "cat 'ann.txt'")],
        &[("SOPS_AGE_KEY_FILE", "bob.txt"), ("SOPS_AGE_KEY", key)],
    ] {
        for who in [Who::Ours, Who::Sops] {
            let found = bench.run_with(who, &["decrypt", "f.yaml"], variables, b"");
            same(&format!("{who:?}: {}", variables[0].0), &found.success("decrypt")?, TEXT)?;
        }
    }
    let none = bench.run_with(Who::Ours, &["decrypt", "f.yaml"], &[], b"");
    holds(
        "without an identity it says where to put one",
        none.stderr.contains("SOPS_AGE_KEY_FILE"),
    )?;
    bench.write(".config/sops/age/keys.txt", &text);
    let usual = bench.run_with(Who::Ours, &["decrypt", "f.yaml"], &[], b"");
    same("the usual place", &usual.success("decrypt")?, TEXT)
}

fn passphrase(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", TEXT);
    bench.encrypt(Who::Sops, "f.yaml", &[])?;
    let passphrase = Secret::new("secret words".to_owned());
    let recipient: Box<dyn Recipient> = Box::new(ScryptRecipient::danger_weak(passphrase));
    let plain = bench.read("ann.txt");
    let encrypted = files_age::encrypt_bytes(&[recipient], Form::Armored, &plain, &SystemRandom)
        .map_err(|error| error.to_string())?;
    bench.write("locked.txt", encrypted);
    // `script` gives the program a terminal on which the passphrase is typed.
    let program = std::env::current_exe().unwrap();
    let call = format!("{} decrypt --output out.yaml f.yaml", program.display());
    let mut child = Command::new("script")
        .args(["-qec", &call, "/dev/null"])
        .current_dir(bench.path(""))
        .env(crate::AS_CLI, "1")
        .env("SOPS_AGE_KEY_FILE", "locked.txt")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("script is missing: {error}"))?;
    let mut shown = String::new();
    let mut byte = [0];
    let mut terminal = child.stdout.take().unwrap();
    // What is typed before the question is thrown away.
    while !shown.contains("Passphrase") && terminal.read(&mut byte).is_ok_and(|length| length > 0) {
        shown.push(byte[0].into());
    }
    child.stdin.take().unwrap().write_all(b"secret words\n").unwrap();
    let _ = terminal.read_to_string(&mut shown);
    holds(&format!("it works: {shown}"), child.wait().unwrap().success())?;
    holds("what is typed is not shown", !shown.contains("secret words"))?;
    same("decrypted", &bench.read("out.yaml"), TEXT)
}

fn ssh(bench: &Bench) -> Result<(), String> {
    for kind in ["ed25519", "rsa"] {
        let file = format!("id_{kind}");
        tool(bench, "ssh-keygen", &["-q", "-t", kind, "-N", "", "-C", "", "-f", &file])?;
        let public = bench.text(&format!("{file}.pub")).trim().to_owned();
        for (writer, reader) in [(Who::Ours, Who::Sops), (Who::Sops, Who::Ours)] {
            bench.write("f.yaml", TEXT);
            bench.output(writer, &["encrypt", "-i", "--age", &public, "f.yaml"])?;
            let with = [("SOPS_AGE_SSH_PRIVATE_KEY_FILE", file.as_str())];
            let found = bench.run_with(reader, &["decrypt", "f.yaml"], &with, b"");
            same(
                &format!("{kind} from {writer:?} to {reader:?}"),
                &found.success("decrypt")?,
                TEXT,
            )?;
        }
    }
    Ok(())
}

fn pgp(bench: &Bench) -> Result<(), String> {
    std::fs::create_dir(bench.path("gnupg")).unwrap();
    tool(bench, "chmod", &["700", "gnupg"])?;
    let who = "Ann <ann@example.com>";
    tool(
        bench,
        "gpg",
        &[
            "--batch",
            "--quiet",
            "--passphrase",
            "",
            "--quick-generate-key",
            who,
            "future-default",
            "default",
        ],
    )?;
    let listing = tool(bench, "gpg", &["--batch", "--with-colons", "--list-keys"])?;
    let fingerprint =
        listing.lines().find_map(|line| line.strip_prefix("fpr:")).unwrap().replace(':', "");
    let home = bench.path("gnupg").display().to_string();
    let with = [("GNUPGHOME", home.as_str())];
    for (writer, reader) in [(Who::Ours, Who::Sops), (Who::Sops, Who::Ours)] {
        bench.write("f.yaml", TEXT);
        let args = ["encrypt", "-i", "--pgp", &fingerprint, "f.yaml"];
        bench.run_with(writer, &args, &with, b"").success("encrypt")?;
        let found = bench.run_with(reader, &["decrypt", "f.yaml"], &with, b"");
        same(&format!("PGP from {writer:?} to {reader:?}"), &found.success("decrypt")?, TEXT)?;
    }
    tool(bench, "gpgconf", &["--kill", "all"])?;
    let empty = [("GNUPGHOME", "nowhere")];
    let refused = bench.run_with(Who::Ours, &["decrypt", "f.yaml"], &empty, b"");
    holds("without the key it is refused", refused.code == 128)
}

/// A real OpenBao in memory, which ends with this value.
pub(crate) struct Bao {
    pub(crate) address: String,
    process: Child,
    /// It would die if nobody could read what it says.
    _stdout: BufReader<ChildStdout>,
}

const BAO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers/python/bin/bao");

impl Bao {
    pub(crate) fn start(bench: &Bench) -> Result<Self, String> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let listen = free.map_err(|error| error.to_string())?.to_string();
        let mut process = Command::new(BAO)
            .args(["server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root"])
            .arg(format!("-dev-listen-address={listen}"))
            .current_dir(bench.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!("{BAO} cannot be started: {error}; run `cargo xtask setup`")
            })?;
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut lines = stdout.by_ref().lines().map_while(Result::ok);
        let ready = lines.any(|line| line.contains("Root Token"));
        let bao = Self { address: format!("http://{listen}"), process, _stdout: stdout };
        holds("the server starts", ready)?;
        bao.run(&["secrets", "enable", "transit"])?;
        bao.run(&["write", "-f", "transit/keys/files"])?;
        Ok(bao)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Result<String, String> {
        let output = Command::new(BAO)
            .args(args)
            .env("BAO_ADDR", &self.address)
            .env("BAO_TOKEN", "root")
            .output()
            .map_err(|error| error.to_string())?;
        holds(&String::from_utf8_lossy(&output.stderr), output.status.success())?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn transit(bench: &Bench) -> Result<(), String> {
    let bao = Bao::start(bench)?;
    let key = format!("{}/v1/transit/keys/files", bao.address);
    let with = [("VAULT_TOKEN", "root")];
    for (writer, reader) in [(Who::Ours, Who::Sops), (Who::Sops, Who::Ours)] {
        bench.write("f.yaml", TEXT);
        let args = ["encrypt", "-i", "--hc-vault-transit", &key, "f.yaml"];
        bench.run_with(writer, &args, &with, b"").success("encrypt")?;
        let found = bench.run_with(reader, &["decrypt", "f.yaml"], &with, b"");
        same(&format!("transit from {writer:?} to {reader:?}"), &found.success("decrypt")?, TEXT)?;
    }
    for with in [
        &[("VAULT_TOKEN", "nobody")][..],
        &[("VAULT_TOKEN", "root"), ("SOPS_HC_VAULT_ALLOWLIST", "none")],
        &[("VAULT_TOKEN", "root"), ("SOPS_HC_VAULT_ALLOWLIST", "https://elsewhere/")],
    ] {
        let refused = bench.run_with(Who::Ours, &["decrypt", "f.yaml"], with, b"");
        holds(&format!("it is refused: {}", refused.stderr), refused.code == 128)?;
    }
    Ok(())
}
