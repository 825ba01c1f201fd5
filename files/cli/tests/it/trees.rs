//! Whole trees of files in one call.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use crate::bench::{Bench, Who, holds, same};
use crate::{AS_CLI, Check};

pub(crate) const CHECKS: &[Check] = &[
    ("trees: updatekeys", update),
    ("trees: rotate", rotate),
    ("trees: identities are read once", identities),
    ("trees: lint", lint),
    ("trees: who", who),
    ("trees: a bar on a terminal alone", bar),
    ("trees: layouts of the configuration", layouts),
    ("trees: completion", completion),
];

/// Encrypted files of several formats in folders, a plain one, and one that git keeps for itself.
fn forest(bench: &Bench) -> Result<Vec<&'static str>, String> {
    fs::create_dir_all(bench.path("env/.git")).unwrap();
    fs::create_dir_all(bench.path("env/deep/er")).unwrap();
    let names =
        ["env/a.yaml", "env/deep/b.json", "env/deep/c.env", "env/deep/er/d.bin", "env/e.ini"];
    for (name, text) in names.iter().zip(["a: 1\n", "{\"a\": 1}\n", "A=1\n", "raw", "[s]\na = 1\n"])
    {
        bench.write(name, text);
        bench.encrypt(Who::Sops, name, &[])?;
    }
    bench.write("env/plain.yaml", "a: 1\n");
    fs::copy(bench.path("env/a.yaml"), bench.path("env/.git/kept.yaml")).unwrap();
    Ok(names.to_vec())
}

fn update(bench: &Bench) -> Result<(), String> {
    let names = forest(bench)?;
    let Bench { ann, bob, .. } = bench;
    bench.write(".sops.yaml", format!("creation_rules:\n- age: {ann},{bob}\n"));
    let kept = bench.read("env/.git/kept.yaml");
    let asked = bench.run_with(
        Who::Ours,
        &["updatekeys", "-r", "env"],
        &[("SOPS_AGE_KEY_FILE", "ann.txt")],
        b"n\n",
    );
    holds("it names the files and asks once", asked.stderr.matches("(y/n)").count() == 1)?;
    holds("it says what would come", asked.stderr.matches(bob.as_str()).count() == names.len())?;
    holds("nothing has changed", !bench.text("env/a.yaml").contains(bob.as_str()))?;
    let done = bench.run(Who::Ours, &["updatekeys", "-r", "-y", "env"]);
    holds(
        &format!("one line of counts: {}", done.stderr),
        done.stderr == "5 synced with new keys, 0 failed\n",
    )?;
    for name in &names {
        let with = [("SOPS_AGE_KEY_FILE", "bob.txt")];
        bench.run_with(Who::Sops, &["decrypt", name], &with, b"").success(name)?;
    }
    same("what git keeps", &bench.read("env/.git/kept.yaml"), &kept)?;
    same("the plain file", &bench.read("env/plain.yaml"), b"a: 1\n")?;
    let again = bench.run(Who::Ours, &["updatekeys", "-r", "-y", "env"]);
    same("again", again.stderr.as_bytes(), b"0 synced with new keys, 5 up to date, 0 failed\n")?;
    // One file that cannot be read holds up no other.
    let broken = bench.text("env/a.yaml").replace("age:", "age: x #");
    bench.write("env/a.yaml", broken);
    bench.write(".sops.yaml", format!("creation_rules:\n- age: {ann}\n"));
    let partly = bench.run(Who::Ours, &["updatekeys", "-r", "-y", "env"]);
    holds("it fails", partly.code == 1)?;
    holds(
        &format!("it names the file: {}", partly.stderr),
        partly.stderr.starts_with("env/a.yaml: ")
            && partly.stderr.ends_with("\n4 synced with new keys, 1 failed\n"),
    )
}

fn rotate(bench: &Bench) -> Result<(), String> {
    let names = forest(bench)?;
    let before: Vec<_> = names.iter().map(|name| bench.read(name)).collect();
    let done = bench.run(Who::Ours, &["rotate", "-r", "--add-age", &bench.bob, "env"]);
    same("one line of counts", done.stderr.as_bytes(), b"5 rotated, 0 failed\n")?;
    for (name, before) in names.iter().zip(before) {
        let with = [("SOPS_AGE_KEY_FILE", "bob.txt")];
        bench.run_with(Who::Sops, &["decrypt", name], &with, b"").success(name)?;
        let after = bench.read(name);
        let old = String::from_utf8(before).unwrap();
        let value = old.split("data:").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
        holds(
            &format!("{name} has new values"),
            !String::from_utf8(after).unwrap().contains(value),
        )?;
    }
    let missing = bench.run(Who::Ours, &["rotate", "-r", "nowhere"]);
    holds("a folder that is not there is an error", missing.code == 100)
}

/// A command may ask somebody, and a passphrase takes a second to try: not once for each file.
fn identities(bench: &Bench) -> Result<(), String> {
    forest(bench)?;
    let with = [("SOPS_AGE_KEY_CMD", "sh -c 'echo asked >> asked.txt; cat ann.txt'")];
    let done = bench.run_with(Who::Ours, &["rotate", "-r", "env"], &with, b"");
    holds(&done.stderr, done.stderr == "5 rotated, 0 failed\n")?;
    same("how often the command ran", &bench.read("asked.txt"), b"asked\n")
}

fn lint(bench: &Bench) -> Result<(), String> {
    let Bench { ann, bob, .. } = bench;
    fs::create_dir_all(bench.path("t")).unwrap();
    bench.write(
        ".sops.yaml",
        format!("creation_rules:\n- path_regex: ^t/.*\\.yaml$\n  age: {ann}\n- age: {ann}\n"),
    );
    bench.write("t/good.yaml", "password: x\nsecretName: y\n");
    bench.output(Who::Sops, &["encrypt", "-i", "t/good.yaml"])?;
    bench.write("t/note.txt", "no rule names this\n");
    let clean = bench.run(Who::Ours, &["lint", "t"]);
    holds(
        &format!("nothing is wrong: {}", String::from_utf8_lossy(&clean.stdout)),
        clean.code == 0 && clean.stdout.is_empty(),
    )?;

    bench.write("t/plain.yaml", "a: 1\n");
    bench.write(
        "t/clear.yaml",
        "password: hunter2-hunter2\nport_password: 5432\ntls:\n    apiKey: zzz\nx: 1\n",
    );
    bench.output(Who::Ours, &["encrypt", "-i", "--encrypted-regex", "^x$", "t/clear.yaml"])?;
    bench.write("t/loose.yaml", "a: 1\nname: n\n");
    bench.output(Who::Ours, &["encrypt", "-i", "--unencrypted-regex", "name", "t/loose.yaml"])?;
    bench.write("t/none.yaml", "a: 1\n");
    bench.output(Who::Ours, &["encrypt", "-i", "--encrypted-regex", "^zzz$", "t/none.yaml"])?;
    bench.write("t/other.yaml", "a: 1\n");
    bench.output(Who::Ours, &["encrypt", "-i", "--age", bob, "t/other.yaml"])?;
    bench.write("t/forgot.yaml", "a: 1\nb: 2\n");
    bench.output(Who::Ours, &["encrypt", "-i", "t/forgot.yaml"])?;
    let forgot = bench.text("t/forgot.yaml");
    let forgot: String = forgot
        .lines()
        .map(|line| if line.starts_with("b:") { "b: 2\n".to_owned() } else { format!("{line}\n") })
        .collect();
    bench.write("t/forgot.yaml", forgot);
    // As sops writes a file for both kinds of recipients.
    let mixed = bench
        .text("t/good.yaml")
        .replace("    age:\n", "    age:\n        - recipient: age1pq1qqqq\n          enc: x\n");
    bench.write("t/mixed.yaml", mixed);
    let found = bench.run(Who::Ours, &["lint", "t"]);
    let text = String::from_utf8(found.stdout).unwrap();
    for line in [
        "t/plain.yaml: it is not encrypted, and a rule",
        "t/clear.yaml: [\"password\"] is in clear, and its name",
        "t/clear.yaml: [\"tls\"][\"apiKey\"] is in clear, and its name",
        "t/loose.yaml: unencrypted_regex 'name' is weak",
        "t/none.yaml: none of its values is encrypted",
        &format!("t/other.yaml: {bob} can open it, and .sops.yaml does not"),
        &format!("t/other.yaml: {ann} cannot open it, and .sops.yaml names it"),
        "t/forgot.yaml: [\"b\"] is in clear where values are encrypted",
        "t/mixed.yaml: it has post-quantum and classic keys side by side",
        "t/mixed.yaml: age1pq1qqqq can open it, and .sops.yaml does not",
    ] {
        holds(
            &format!("{line}\nis in\n{text}"),
            text.lines().any(|found| found.starts_with(line)),
        )?;
    }
    holds(&format!("there is nothing else:\n{text}"), text.lines().count() == 10)?;
    holds("it shows no value", !text.contains("hunter2"))?;
    holds("it fails", found.code == 1 && found.stderr.ends_with("10 findings\n"))
}

fn who(bench: &Bench) -> Result<(), String> {
    forest(bench)?;
    let Bench { ann, bob, .. } = bench;
    bench.output(Who::Ours, &["rotate", "-i", "--add-age", bob, "env/a.yaml"])?;
    bench
        .output(Who::Sops, &["groups", "add", "-i", "--file", "env/e.ini", "--age", bob])
        .or_else(|_| {
            bench.output(Who::Ours, &["groups", "add", "-i", "--file", "env/e.ini", "--age", bob])
        })?;
    let found = bench.run_with(Who::Ours, &["who", "env"], &[], b"").success("who")?;
    let text = String::from_utf8(found).unwrap();
    let section = |name: &str| {
        let mut lines = text.lines().skip_while(|line| !line.starts_with(&format!("age {name}")));
        lines
            .next()
            .map(str::to_owned)
            .into_iter()
            .chain(lines.take_while(|l| l.starts_with(' ')).map(str::to_owned))
            .collect::<Vec<_>>()
    };
    holds(&format!("Ann opens all five: {text}"), section(ann).len() == 6)?;
    same(
        "what Bob opens",
        section(bob)[1..].join("\n").as_bytes(),
        b"  env/a.yaml\n  env/e.ini (group 1; 2 of 2 are needed)",
    )
}

fn bar(bench: &Bench) -> Result<(), String> {
    forest(bench)?;
    let program = std::env::current_exe().unwrap();
    let call = format!("{} rotate -r env", program.display());
    let mut child = Command::new("script")
        .args(["-qec", &call, "/dev/null"])
        .current_dir(bench.path(""))
        .env(AS_CLI, "1")
        .env("SOPS_AGE_KEY_FILE", "ann.txt")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("script is missing: {error}"))?;
    let mut shown = String::new();
    child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    child.wait().unwrap();
    holds(&format!("it is shown: {shown}"), shown.contains("[##") && shown.contains("5 rotated"))
}

fn layouts(bench: &Bench) -> Result<(), String> {
    bench.write(
        ".sops.yaml",
        format!("creation_rules:\n- age: {}\nstores:\n  yaml:\n    indent: 2\n  json:\n    indent: 3\n  json_binary:\n    indent: 5\n", bench.ann),
    );
    bench.write("f.yaml", "a:\n    b: 1\n    c: {d: x}\n");
    bench.write("g.bin", "raw");
    for (input, output, lines) in
        [("f.yaml", "json", 4), ("f.yaml", "yaml", 3), ("g.bin", "binary", 1)]
    {
        let args = ["encrypt", "--output-type", output, input];
        let indents = |who| {
            let text = bench.output(who, &args)?;
            let text = String::from_utf8(text).unwrap();
            let widths = text.lines().take(lines).map(|line| line.len() - line.trim_start().len());
            Ok::<_, String>(widths.collect::<Vec<_>>())
        };
        if output != "yaml" {
            let (ours, theirs) = (indents(Who::Ours)?, indents(Who::Sops)?);
            holds(&format!("{output}: {ours:?} is {theirs:?}"), ours == theirs)?;
        }
    }
    bench.output(Who::Ours, &["encrypt", "-i", "f.yaml"])?;
    let kept = bench.output(Who::Ours, &["decrypt", "f.yaml"])?;
    same("a layout that is there stays", &kept, b"a:\n    b: 1\n    c: {d: x}\n")?;
    let anew = bench.output(Who::Ours, &["decrypt", "--indent", "3", "f.yaml"])?;
    same("a flag makes a new one", &anew, b"a:\n   b: 1\n   c:\n      d: x\n")
}

fn completion(bench: &Bench) -> Result<(), String> {
    let complete = |words: &str, at: usize| {
        let last = words.split(' ').nth(at).unwrap_or_default().to_owned();
        let script = format!(
            "source <({} completion bash); COMP_WORDS=({words} ''); COMP_CWORD={at}; _strongroom_files; echo \"${{COMPREPLY[@]}}\" # {last}",
            std::env::current_exe().unwrap().display()
        );
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(bench.path(""))
            .env(AS_CLI, "1")
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    same("commands", complete("sops de", 1).as_bytes(), b"decrypt")?;
    same("flags", complete("sops decrypt --ign", 2).as_bytes(), b"--ignore-mac")?;
    let zsh = bench.output(Who::Ours, &["completion", "zsh"])?;
    holds("zsh has it too", zsh.starts_with(b"autoload "))?;
    holds("no other shell", bench.run(Who::Ours, &["completion", "fish"]).code != 0)
}
