//! The other commands, and the older form of all.

use crate::Check;
use crate::bench::{Bench, Who, holds, same};

pub(crate) const CHECKS: &[Check] = &[
    ("verbs: rotate", rotate),
    ("verbs: filestatus", status),
    ("verbs: exec-env", exec_env),
    ("verbs: exec-file", exec_file),
    ("verbs: an interrupted command leaves nothing behind", interrupted),
    ("verbs: extract", extract),
    ("verbs: standard input and output", pipes),
    ("verbs: flags instead of commands", legacy),
    ("verbs: rules by path", rules),
    ("verbs: version and help", version),
];

fn rotate(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", "a: 1\n# c\nb: [x, x]\n");
    bench.encrypt(Who::Sops, "f.yaml", &[])?;
    let before = bench.text("f.yaml");
    bench.output(Who::Ours, &["rotate", "-i", "--add-age", &bench.bob, "f.yaml"])?;
    let after = bench.text("f.yaml");
    let values = |text: &str| text.matches("iv:").count();
    holds("it has as many values", values(&before) == values(&after))?;
    holds(
        "no value is as before",
        !before.lines().filter(|l| l.contains("iv:")).any(|l| after.contains(l)),
    )?;
    for identity in ["ann.txt", "bob.txt"] {
        let with = [("SOPS_AGE_KEY_FILE", identity)];
        bench.run_with(Who::Sops, &["decrypt", "f.yaml"], &with, b"").success(identity)?;
    }
    bench.output(Who::Ours, &["rotate", "-i", "--rm-age", &bench.bob, "f.yaml"])?;
    let with = [("SOPS_AGE_KEY_FILE", "bob.txt")];
    holds(
        "a removed key opens nothing",
        bench.run_with(Who::Sops, &["decrypt", "f.yaml"], &with, b"").code == 128,
    )?;
    let none = bench.run(Who::Ours, &["rotate", "-i", "--rm-age", &bench.ann, "f.yaml"]);
    holds("a file without keys is not made", none.code == 111)
}

fn status(bench: &Bench) -> Result<(), String> {
    bench.write("p.yaml", "a: 1\n");
    bench.write("e.yaml", "a: 1\n");
    bench.encrypt(Who::Ours, "e.yaml", &[])?;
    for name in ["p.yaml", "e.yaml"] {
        let args = ["filestatus", name];
        same(name, &bench.output(Who::Ours, &args)?, &bench.output(Who::Sops, &args)?)?;
    }
    Ok(())
}

fn exec_env(bench: &Bench) -> Result<(), String> {
    bench.write("e.yaml", "# c\nA: 1\nB: x y\nC: true\nD: 1.5\nE: \"\"\n");
    bench.encrypt(Who::Sops, "e.yaml", &[])?;
    for command in ["echo $A,$B,$C,$D,$E", "exit 7", "env | grep -c ^HOME"] {
        for more in [&[][..], &["--pristine"], &["--same-process"]] {
            let args = [&["exec-env"], more, &["e.yaml", command]].concat();
            let (ours, theirs) = (bench.run(Who::Ours, &args), bench.run(Who::Sops, &args));
            same(&args.join(" "), &ours.stdout, &theirs.stdout)?;
            holds(&format!("{} gives {}", args.join(" "), theirs.code), ours.code == theirs.code)?;
        }
    }
    bench.write("n.yaml", "A:\n    B: 1\n");
    bench.encrypt(Who::Sops, "n.yaml", &[])?;
    let nested = bench.run(Who::Ours, &["exec-env", "n.yaml", "true"]);
    holds("a mapping is no variable", nested.code != 0 && nested.stderr.contains('A'))
}

fn exec_file(bench: &Bench) -> Result<(), String> {
    bench.write("e.json", "{\n\t\"a\": \"b\"\n}\n");
    bench.encrypt(Who::Sops, "e.json", &[])?;
    for more in [&[][..], &["--no-fifo"]] {
        for command in ["cat {}", "exit 9", "wc -c < {}"] {
            let args = [&["exec-file"], more, &["e.json", command]].concat();
            let (ours, theirs) = (bench.run(Who::Ours, &args), bench.run(Who::Sops, &args));
            same(&args.join(" "), &ours.stdout, &theirs.stdout)?;
            holds(&format!("{} gives {}", args.join(" "), theirs.code), ours.code == theirs.code)?;
        }
    }
    let place = bench.output(
        Who::Ours,
        &["exec-file", "--no-fifo", "e.json", "stat -c %a {}; printf {} >&2; echo {}"],
    )?;
    let place = String::from_utf8(place).unwrap();
    let (mode, path) = place.trim().split_once('\n').unwrap();
    holds("only the owner may read the file", mode == "600")?;
    holds("it is gone afterwards", !std::path::Path::new(path).exists())
}

fn interrupted(bench: &Bench) -> Result<(), String> {
    bench.write("e.json", "{\n\t\"a\": \"b\"\n}\n");
    bench.encrypt(Who::Sops, "e.json", &[])?;
    for signal in ["INT", "TERM"] {
        // The command interrupts both as a terminal does, its parent first, and then ends.
        let command = format!("echo {{}}; kill -{signal} $PPID; kill -INT $$");
        let answer = bench.run(Who::Ours, &["exec-file", "--no-fifo", "e.json", &command]);
        let path = String::from_utf8(answer.stdout).unwrap();
        let what = format!("{path} is gone after {signal}: {}", answer.stderr);
        holds(&what, !path.is_empty() && !std::path::Path::new(path.trim()).exists())?;
        holds("it ends as the command did", answer.code > 128)?;
    }
    Ok(())
}

fn extract(bench: &Bench) -> Result<(), String> {
    let text = "a: 1\nb:\n    l:\n        - x\n        - 1.5\n        - k: v\n    s: text\nm: {}\nt: true\nn: null\n";
    bench.write("f.yaml", text);
    bench.encrypt(Who::Sops, "f.yaml", &[])?;
    for path in [
        "[\"a\"]",
        "[\"b\"]",
        "[\"b\"][\"l\"]",
        "[\"b\"][\"l\"][0]",
        "[\"b\"][\"l\"][2]",
        "[\"b\"]['s']",
        "[\"m\"]",
        "[\"t\"]",
        "[\"n\"]",
    ] {
        for more in [&[][..], &["--output-type", "json"]] {
            let args = [&["decrypt", "--extract", path], more, &["f.yaml"]].concat();
            same(
                &args.join(" "),
                &bench.output(Who::Ours, &args)?,
                &bench.output(Who::Sops, &args)?,
            )?;
        }
    }
    Ok(())
}

fn pipes(bench: &Bench) -> Result<(), String> {
    let with = [("SOPS_AGE_KEY_FILE", "ann.txt"), ("SOPS_AGE_RECIPIENTS", bench.ann.as_str())];
    let args = ["encrypt", "--filename-override", "x.yaml"];
    let encrypted = bench.run_with(Who::Ours, &args, &with, b"a: 1\n").success("encrypt")?;
    let args = ["decrypt", "--input-type", "yaml", "--output-type", "yaml"];
    for who in [Who::Ours, Who::Sops] {
        let plain = bench.run_with(who, &args, &with, &encrypted).success("decrypt")?;
        same(&format!("{who:?} from standard input"), &plain, b"a: 1\n")?;
        let args = [&args[..], &["/dev/stdin"]].concat();
        let plain = bench.run_with(who, &args, &with, &encrypted).success("decrypt /dev/stdin")?;
        same(&format!("{who:?} from /dev/stdin"), &plain, b"a: 1\n")?;
    }
    bench.write("e.yaml", encrypted);
    bench.output(Who::Ours, &["decrypt", "--output", "p.yaml", "e.yaml"])?;
    same("--output", &bench.read("p.yaml"), b"a: 1\n")?;
    bench.output(Who::Ours, &["decrypt", "-i", "e.yaml"])?;
    same("-i", &bench.read("e.yaml"), b"a: 1\n")
}

fn legacy(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", "a: 1\n");
    bench.output(Who::Ours, &["-e", "-i", "-a", &bench.ann, "f.yaml"])?;
    bench.output(Who::Ours, &["--set", "[\"b\"] {\"c\": \"d e\"}", "f.yaml"])?;
    bench.output(Who::Ours, &["-r", "-i", "f.yaml"])?;
    for who in [Who::Ours, Who::Sops] {
        let args = ["--input-type", "yaml", "--output-type", "yaml", "-d", "f.yaml"];
        same(&format!("{who:?}"), &bench.output(who, &args)?, b"a: 1\nb:\n    c: d e\n")?;
        let args = ["--verbose", "decrypt", "f.yaml"];
        same(&format!("{who:?}"), &bench.output(who, &args)?, b"a: 1\nb:\n    c: d e\n")?;
    }
    Ok(())
}

fn rules(bench: &Bench) -> Result<(), String> {
    let Bench { ann, bob, .. } = bench;
    bench.write(
        ".sops.yaml",
        format!(
            "creation_rules:\n  - path_regex: ^sub/.*\\.yaml$\n    age: {bob}\n    encrypted_regex: ^b$\n  - path_regex: \\.yaml$\n    age:\n      - {ann}\n      - {bob}\n"
        ),
    );
    std::fs::create_dir(bench.path("sub")).unwrap();
    for (name, recipients) in [("sub/f.yaml", 1), ("f.yaml", 2)] {
        let mut shapes = Vec::new();
        for who in [Who::Ours, Who::Sops] {
            bench.write(name, "a: 1\nb: 2\n");
            bench.output(who, &["encrypt", "-i", name])?;
            let text = bench.text(name);
            let count = text.matches("recipient: ").count();
            holds(&format!("{who:?} {name} is for {recipients}"), count == recipients)?;
            shapes.push((text.contains("a: 1"), text.contains("encrypted_regex: ^b$")));
        }
        holds(&format!("{name}: both select the same"), shapes[0] == shapes[1])?;
    }
    bench.write("f.json", "{\"a\": 1}\n");
    let (ours, theirs) = (
        bench.run(Who::Ours, &["encrypt", "f.json"]),
        bench.run(Who::Sops, &["encrypt", "f.json"]),
    );
    let what =
        format!("no rule fits: {} {}, {} {}", ours.code, ours.stderr, theirs.code, theirs.stderr);
    holds(&what, ours.code == theirs.code && ours.code != 0)?;
    bench.write(
        ".sops.yaml",
        format!("creation_rules:\n  - age: {ann}\n    kms: arn:aws:kms:us-east-1:1:key/a\n"),
    );
    let foreign = bench.run(Who::Ours, &["encrypt", "f.json"]);
    holds(
        "a key that cannot be used is not left out",
        foreign.code != 0 && foreign.stderr.contains("kms"),
    )
}

fn version(bench: &Bench) -> Result<(), String> {
    let (ours, theirs) =
        (bench.output(Who::Ours, &["--version"])?, bench.output(Who::Sops, &["--version"])?);
    same("--version", &ours, &theirs)?;
    let help = bench.output(Who::Ours, &["decrypt", "--help"])?;
    holds("help lists flags", String::from_utf8_lossy(&help).contains("--extract"))
}
