//! A change to one value shows as one value, wherever the file came from.

use crate::Check;
use crate::bench::{Bench, Who, holds, same};

pub(crate) const CHECKS: &[Check] = &[
    ("edits: one value, the time and the MAC", one_value),
    ("edits: nothing is written when nothing changes", unchanged),
    ("edits: equal values in a list keep their form", equal_values),
    ("edits: set and unset as sops does them", as_sops),
    ("edits: values from files and standard input", other_values),
    ("edits: an editor", editor),
];

const FILES: [(&str, &str, &str); 5] = [
    (
        "e.yaml",
        "# top\n\na:\n  b: 'x'   # inline\n  l:\n  # in a list\n  - 1\n  - {c: \"d\"}\nz: |\n  two\n  lines\n",
        r#"["a"]["b"]"#,
    ),
    ("many.yaml", "a: 1\n---\nb: 2\n", r#"["a"]"#),
    ("e.json", "{\n  \"a\": {\"b\": 1},\n  \"c\": [1,2]\n}\n", r#"["a"]["b"]"#),
    ("e.env", "# c\nA=1\nB=2\n", r#"["A"]"#),
    ("e.ini", "[s]\n; c\na = 1\nlonger = 2\n", r#"["s"]["a"]"#),
];

/// The lines that are only in one of two texts.
fn difference<'a>(before: &'a str, after: &'a str) -> Vec<&'a str> {
    assert_eq!(before.lines().count(), after.lines().count());
    before.lines().zip(after.lines()).filter(|(a, b)| a != b).map(|(_, b)| b).collect()
}

fn one_value(bench: &Bench) -> Result<(), String> {
    for writer in [Who::Ours, Who::Sops] {
        for (name, text, path) in FILES {
            bench.write(name, text);
            bench.encrypt(writer, name, &[])?;
            let before = bench.text(name);
            bench.output(Who::Ours, &["set", name, path, "\"new\""])?;
            let after = bench.text(name);
            // Within one second the time does not change.
            let time = |line: &&str| !line.contains("lastmodified");
            let changed: Vec<&str> = difference(&before, &after).into_iter().filter(time).collect();
            let is_mac = |line: &&&str| line.contains("mac");
            // A stream has the metadata once for each document.
            let copies = text.matches("---\n").count() + 1;
            let what = format!("{name} by {writer:?}: one value and the MAC change: {changed:#?}");
            holds(
                &what,
                changed.len() == 1 + copies && changed.iter().filter(is_mac).count() == copies,
            )?;
            bench.output(Who::Sops, &["decrypt", name])?;
            let value = bench
                .output(Who::Sops, &["decrypt", "--extract", path, "--output-type", "json", name]);
            holds(
                &format!("{name}: the value is the new one"),
                value.is_ok_and(|value| value == b"new"),
            )?;
        }
    }
    Ok(())
}

fn unchanged(bench: &Bench) -> Result<(), String> {
    for (name, text, path) in FILES {
        bench.write(name, text);
        bench.encrypt(Who::Sops, name, &[])?;
        let before = bench.read(name);
        let value = bench
            .output(Who::Ours, &["decrypt", "--output-type", "json", "--extract", path, name])?;
        let value = String::from_utf8(value).unwrap();
        let value =
            if value.parse::<f64>().is_ok() && !name.ends_with("env") && !name.ends_with("ini") {
                value
            } else {
                format!("\"{value}\"")
            };
        bench.output(Who::Ours, &["set", name, path, &value])?;
        same(&format!("{name} after setting what is there"), &bench.read(name), &before)?;
        bench.output(Who::Ours, &["unset", "--idempotent", name, "[\"nothing\"]"])?;
        same(&format!("{name} after unsetting what is not there"), &bench.read(name), &before)?;
    }
    Ok(())
}

fn equal_values(bench: &Bench) -> Result<(), String> {
    bench.write("l.yaml", "l:\n    - x\n    - x\n    - x\nm: 1\n");
    bench.encrypt(Who::Sops, "l.yaml", &[])?;
    let before = bench.text("l.yaml");
    bench.output(Who::Ours, &["set", "l.yaml", "[\"m\"]", "2"])?;
    let after = bench.text("l.yaml");
    let list = |text: &str| {
        text.lines().filter(|line| line.contains("- ENC")).map(str::to_owned).collect::<Vec<_>>()
    };
    holds("the list is as it was", list(&before) == list(&after))?;
    bench.output(Who::Ours, &["set", "l.yaml", "[\"l\"][3]", "\"x\""])?;
    let longer = bench.text("l.yaml");
    holds(
        "an equal value that is new comes last",
        list(&longer)[..3] == list(&before)[..] && list(&longer).len() == 4,
    )?;
    bench.output(Who::Sops, &["decrypt", "l.yaml"]).map(|_| ())
}

fn as_sops(bench: &Bench) -> Result<(), String> {
    let text = "a: 1\nb:\n    c: x\n    l:\n        - 1\n        - k: v\n";
    for args in [
        &["set", "F", r#"["new"]"#, r#"{"k": [1, "x", null, true]}"#][..],
        &["set", "F", r#"["b"]["c"]"#, r#""y""#],
        &["set", "F", r#"["b"]["l"][0]"#, r#""z""#],
        &["set", "F", r#"["b"]["l"][9]"#, r#""z""#],
        &["set", "F", r#"["b"]["l"][1]["k"]"#, "false"],
        &["set", "F", r#"["b"]["c"]["d"]"#, r#""deeper""#],
        &["set", "F", r#"["n"]["r"][0]"#, r#""made""#],
        &["unset", "F", r#"["b"]["l"][1]"#],
        &["unset", "F", r#"["a"]"#],
        &["unset", "F", r#"["b"]"#],
    ] {
        let mut trees = Vec::new();
        for who in [Who::Ours, Who::Sops] {
            bench.write("f.yaml", text);
            bench.encrypt(Who::Sops, "f.yaml", &[])?;
            let args: Vec<&str> =
                args.iter().map(|arg| if *arg == "F" { "f.yaml" } else { arg }).collect();
            bench.output(who, &args)?;
            trees.push(bench.output(Who::Sops, &["decrypt", "--output-type", "json", "f.yaml"])?);
        }
        same(&args.join(" "), &trees[0], &trees[1])?;
    }
    Ok(())
}

fn other_values(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", "a: 1\n");
    bench.encrypt(Who::Ours, "f.yaml", &[])?;
    bench.write("value.json", "{\"b\": \"from a file\"}\n");
    bench.output(Who::Ours, &["set", "--value-file", "f.yaml", "[\"a\"]", "value.json"])?;
    same(
        "a value from a file",
        &bench.output(Who::Sops, &["decrypt", "f.yaml"])?,
        b"a:\n    b: from a file\n",
    )?;
    let variables = [("SOPS_AGE_KEY_FILE", "ann.txt")];
    let args = ["set", "--value-stdin", "f.yaml", "[\"a\"]"];
    bench.run_with(Who::Ours, &args, &variables, b"\"piped\"\n").success("set --value-stdin")?;
    same(
        "a value from standard input",
        &bench.output(Who::Sops, &["decrypt", "f.yaml"])?,
        b"a: piped\n",
    )
}

fn editor(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", "a: 1\n\nb: 'two'\n");
    bench.encrypt(Who::Ours, "f.yaml", &[])?;
    let before = bench.text("f.yaml");
    let with = |editor| [("SOPS_AGE_KEY_FILE", "ann.txt"), ("SOPS_EDITOR", editor)];
    let untouched = bench.run_with(Who::Ours, &["f.yaml"], &with("true"), b"");
    holds("an editor that changes nothing gives 200", untouched.code == 200)?;
    same("the file", bench.text("f.yaml").as_bytes(), before.as_bytes())?;
    bench
        .run_with(Who::Ours, &["edit", "f.yaml"], &with("sed -i s/two/three/"), b"")
        .success("edit")?;
    same("edited", &bench.output(Who::Sops, &["decrypt", "f.yaml"])?, b"a: 1\nb: three\n")?;
    let after = bench.text("f.yaml");
    holds("the first value is as it was", before.lines().next() == after.lines().next())
}
