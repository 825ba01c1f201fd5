//! A plugin, which the age of Debian uses too.

use std::os::unix::fs::PermissionsExt;

use crate::Check;
use crate::bench::{Bench, holds, same};

pub(crate) const CHECKS: &[Check] = &[
    ("plugin: files go between age and ours through it", both_ways),
    ("plugin: what it says is passed on", faults),
];

/// A plugin that hides the file key from nobody: it adds one to each of its bytes. What it is told
/// to do wrong is in the variable `WRONG`.
const PLUGIN: &str = r#"#!/usr/bin/env python3
import base64, os, sys

wrong = os.environ.get("WRONG", "")

def decode(text):
    return base64.b64decode(text + "=" * (-len(text) % 4))

def encode(body):
    return base64.b64encode(body).decode().rstrip("=")

def read():
    words = sys.stdin.readline().split()[1:]
    body = ""
    while True:
        line = sys.stdin.readline().rstrip("\n")
        body += line
        if len(line) < 64:
            return words, decode(body)

def send(words, body=b""):
    text = encode(body)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)] or [""]
    if len(lines[-1]) == 64:
        lines.append("")
    print("-> " + " ".join(words), *lines, sep="\n", flush=True)

def ask(words, body=b""):
    send(words, body)
    return read()

def commands():
    while True:
        words, body = read()
        if words == ["done"]:
            return
        yield words, body

if wrong == "dies":
    sys.exit(1)
if sys.argv[1] == "--age-plugin=recipient-v1":
    for words, body in list(commands()):
        if words == ["wrap-file-key"]:
            key = body
    if wrong == "refuses":
        ask(["error", "internal"], b"out of order")
        send(["done"])
        sys.exit(0)
    assert ask(["grease-x", "y"], b"z" * 48)[0] == ["unsupported"]
    body = bytes((byte + 1) % 256 for byte in key)
    assert ask(["recipient-stanza", "0", "plusone", "arg"], body)[0] == ["ok"]
    if wrong == "labels":
        ask(["labels", "postquantum"])
    send(["done"])
elif sys.argv[1] == "--age-plugin=identity-v1":
    stanzas = [it for it in commands() if it[0][0] == "recipient-stanza"]
    for words, body in stanzas:
        if words[2] == "plusone":
            assert words == ["recipient-stanza", "0", "plusone", "arg"], words
            ask(["msg"], b"touch the key")
            ask(["file-key", "0"], bytes((byte - 1) % 256 for byte in body))
    send(["done"])
"#;

/// Bech32 of the plugin's name, with four bytes and with none.
const RECIPIENT: &str = "age1plusone1v3jk6mc2wyywf";
const IDENTITY: &str = "AGE-PLUGIN-PLUSONE-1P04XDT";

fn install(bench: &Bench) {
    bench.write("age-plugin-plusone", PLUGIN);
    let mode = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(bench.path("age-plugin-plusone"), mode).unwrap();
    bench.write("identity.txt", IDENTITY);
}

fn both_ways(bench: &Bench) -> Result<(), String> {
    install(bench);
    let ours = bench.ours(&["encrypt", "-r", RECIPIENT], b"text")?;
    same("from ours to age", &bench.theirs("age", &["-d", "-i", "identity.txt"], &ours)?, b"text")?;
    let theirs = bench.theirs("age", &["-r", RECIPIENT], b"text")?;
    let answer = bench.run(&["decrypt", "-i", "identity.txt"], &theirs);
    same(&answer.stderr, &answer.stdout, b"text")?;
    holds("its message is shown", answer.stderr.contains("touch the key"))?;
    same("-j", &bench.ours(&["decrypt", "-j", "plusone"], &theirs)?, b"text")?;
    let own = bench.ours(&["encrypt", "-i", "identity.txt"], b"text")?;
    same("for its owner", &bench.ours(&["decrypt", "-i", "identity.txt"], &own)?, b"text")?;
    // It stands aside for what is not its own.
    let other = bench.keygen("other.txt", &[])?;
    let file = bench.ours(&["encrypt", "-r", &other, "-r", RECIPIENT], b"text")?;
    let args = ["decrypt", "-i", "identity.txt", "-i", "other.txt"];
    same("two", &bench.ours(&args, &file)?, b"text")?;
    let file = bench.ours(&["encrypt", "-r", &other], b"text")?;
    same("the other", &bench.ours(&args, &file)?, b"text")?;
    let answer = bench.run(&["decrypt", "-i", "identity.txt"], &file);
    holds(&answer.stderr, answer.stderr.contains("no identity matched"))
}

fn faults(bench: &Bench) -> Result<(), String> {
    install(bench);
    let pq = bench.keygen("pq.txt", &["-pq"])?;
    let run = |wrong: &str, args: &[&str]| {
        let program = std::env::current_exe().unwrap().display().to_string();
        let shell = format!("export {}=1 WRONG={wrong}; exec {program} \"$@\"", crate::AS_CLI);
        let all = [&["-c", &shell, "age"], args].concat();
        bench.theirs("sh", &all, b"text")
    };
    let to = ["encrypt", "-r", RECIPIENT];
    let refused = run("refuses", &to).unwrap_err();
    holds(&refused, refused.contains("age-plugin-plusone: out of order"))?;
    let dies = run("dies", &to).unwrap_err();
    holds(&dies, dies.contains("age-plugin-plusone: "))?;
    std::fs::rename(bench.path("age-plugin-plusone"), bench.path("elsewhere")).unwrap();
    let answer = bench.run(&to, b"text");
    holds(&answer.stderr, answer.stderr.contains("age-plugin-plusone is not installed"))?;
    install(bench);
    // What a quantum computer cannot open goes with what says the same of itself alone.
    let both = [&to[..], &["-r", &pq]].concat();
    holds("labels that differ", run("none", &both).is_err())?;
    run("labels", &both).map(|_| ())
}
