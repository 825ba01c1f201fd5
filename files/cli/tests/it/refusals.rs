//! What sops refuses is refused, with its exit code.

use crate::Check;
use crate::bench::{Bench, Who, holds, same};

pub(crate) const CHECKS: &[Check] = &[
    ("refusals: files that were tampered with", tampered),
    ("refusals: calls that cannot work", calls),
    ("refusals: no value is shown", silence),
    ("refusals: a failed write leaves the old file", full_disk),
];

fn tampered(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", "a: one\nb: two\nc:\n    d: three\n    p_unencrypted: 5\n");
    bench.encrypt(Who::Sops, "f.yaml", &[])?;
    let text = bench.text("f.yaml");
    let line = |start: &str| {
        text.lines().find(|line| line.trim_start().starts_with(start)).unwrap().to_owned()
    };
    let value = |start: &str| line(start).split_once(": ").unwrap().1.to_owned();
    let flipped = |digit: char| if digit == 'A' { 'B' } else { 'A' };
    let first = value("a:").chars().nth(20).unwrap();
    let changed =
        value("a:").replacen(&format!("data:{first}"), &format!("data:{}", flipped(first)), 1);
    for (what, tampered) in [
        ("a changed value", text.replace(&value("a:"), &changed)),
        (
            "swapped values",
            text.replace(&value("a:"), "X")
                .replace(&value("b:"), &value("a:"))
                .replace(": X", &format!(": {}", value("b:"))),
        ),
        ("a removed key", text.replace(&format!("{}\n", line("b:")), "")),
        ("a value that is not encrypted", text.replace(&value("a:"), "plain")),
        ("a readable value that was changed", text.replace("p_unencrypted: 5", "p_unencrypted: 6")),
        ("a value at another place", text.replace("\nb: ", "\nbb: ")),
        (
            "a type that does not fit",
            text.replace(&value("a:"), &value("a:").replace("type:str", "type:int")),
        ),
        (
            "a type that nobody knows",
            text.replace(&value("a:"), &value("a:").replace("type:str", "type:odd")),
        ),
        ("a truncated value", text.replace(&value("a:"), &value("a:")[..40])),
        (
            "another time",
            text.replace(&line("lastmodified"), "    lastmodified: \"2001-01-01T00:00:00Z\""),
        ),
        ("no MAC", text.replace(&format!("{}\n", line("mac")), "")),
        ("two selectors", text.replace("    version:", "    encrypted_suffix: x\n    version:")),
        ("no metadata", text.split("sops:").next().unwrap().to_owned()),
    ] {
        bench.write("t.yaml", tampered);
        for args in [&["decrypt", "t.yaml"][..], &["decrypt", "--ignore-mac", "t.yaml"]] {
            let (ours, theirs) = (bench.run(Who::Ours, args), bench.run(Who::Sops, args));
            let found = format!(
                "{what}, {}: ours {} ({}), sops {} ({})",
                args.join(" "),
                ours.code,
                ours.stderr,
                theirs.code,
                theirs.stderr
            );
            holds(&found, ours.code == theirs.code)?;
            same(what, &ours.stdout, &theirs.stdout)?;
        }
    }
    Ok(())
}

fn calls(bench: &Bench) -> Result<(), String> {
    bench.write("plain.yaml", "a: 1\n");
    bench.write("list.yaml", "- 1\n");
    bench.write("bad.yaml", "a: [\n");
    bench.write("nothing.yaml", "");
    bench.write("f.yaml", "a: 1\n");
    bench.encrypt(Who::Sops, "f.yaml", &[])?;
    let age = bench.ann.as_str();
    for args in [
        &["decrypt", "missing.yaml"][..],
        &["decrypt", "plain.yaml"],
        &["decrypt", "bad.yaml"],
        &["decrypt", "--extract", "[\"x\"]", "f.yaml"],
        &["encrypt", "plain.yaml"],
        &["encrypt", "--age", age, "missing.yaml"],
        &["encrypt", "--age", age, "f.yaml"],
        &["encrypt", "--age", age, "list.yaml"],
        &["encrypt", "--age", age, "bad.yaml"],
        &["encrypt", "--age", age, "nothing.yaml"],
        &["encrypt", "--age", "age1nobody", "plain.yaml"],
        &[
            "encrypt",
            "--age",
            age,
            "--encrypted-suffix",
            "a",
            "--encrypted-regex",
            "b",
            "plain.yaml",
        ],
        &["encrypt", "--age", age],
        &["set", "f.yaml", "[\"a\"", "1"],
        &["set", "f.yaml", "[\"a\"]", "no json"],
        &["unset", "f.yaml", "[\"x\"]"],
        &["updatekeys", "-y", "f.yaml"],
        &["rotate", "plain.yaml"],
        &["decrypt", "--decryption-order", "age,age", "f.yaml"],
        &["decrypt", "--nonsense", "f.yaml"],
    ] {
        let (ours, theirs) = (bench.run(Who::Ours, args), bench.run(Who::Sops, args));
        let found = format!(
            "{}: ours {} ({}), sops {} ({})",
            args.join(" "),
            ours.code,
            ours.stderr,
            theirs.code,
            theirs.stderr
        );
        holds(&found, ours.code == theirs.code && ours.code != 0)?;
        holds(&format!("{} says why", args.join(" ")), !ours.stderr.is_empty())?;
    }
    for who in [Who::Ours, Who::Sops] {
        let answer =
            bench.run_with(who, &["decrypt", "f.yaml"], &[("SOPS_AGE_KEY_FILE", "bob.txt")], b"");
        holds(&format!("{who:?} has no key: {}", answer.stderr), answer.code == 128)?;
    }
    Ok(())
}

fn silence(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", "a: 1\n");
    bench.encrypt(Who::Ours, "f.yaml", &[])?;
    let text = bench.text("f.yaml");
    let start = text.find("ENC[").unwrap();
    let end = text.find('\n').unwrap();
    bench.write("t.yaml", format!("{}hunter2{}", &text[..start], &text[end..]));
    for args in [&["decrypt", "t.yaml"][..], &["set", "f.yaml", "[\"a\"]", "hunter2"]] {
        let answer = bench.run(Who::Ours, args);
        holds("the call fails", answer.code != 0)?;
        holds("the value is not in the message", !answer.stderr.contains("hunter2"))?;
    }
    let place = bench.run(Who::Ours, &["decrypt", "t.yaml"]).stderr;
    holds(&format!("the message names the place: {place}"), place.contains("[\"a\"]"))
}

fn full_disk(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", "a: 1\n");
    bench.encrypt(Who::Ours, "f.yaml", &[])?;
    let before = bench.read("f.yaml");
    // No file may grow beyond no bytes at all: the kernel refuses as a full disk does.
    let program = std::env::current_exe().unwrap();
    let script =
        format!("trap '' XFSZ; ulimit -f 0; exec {} set f.yaml '[\"a\"]' '2'", program.display());
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", &script])
        .current_dir(bench.path(""))
        .env(crate::AS_CLI, "1")
        .env("SOPS_AGE_KEY_FILE", "ann.txt")
        .output()
        .unwrap();
    let what = format!("the write fails: {}", String::from_utf8_lossy(&output.stderr));
    holds(&what, output.status.code() == Some(3))?;
    same("the old file", &bench.read("f.yaml"), &before)?;
    let left = std::fs::read_dir(bench.path("")).unwrap().count();
    holds("nothing else is left", left == 3)
}
