//! Key groups: the data key in shares.

use crate::Check;
use crate::bench::{Bench, Who, holds, same};

pub(crate) const CHECKS: &[Check] = &[
    ("groups: shares in both directions", shares),
    ("groups: add and delete", add_and_delete),
    ("groups: updatekeys", update),
];

/// Three groups of which two are needed: Ann's, Bob's and Ann's with Bob's.
fn config(bench: &Bench) -> String {
    let Bench { ann, bob, .. } = bench;
    format!(
        "creation_rules:\n- shamir_threshold: 2\n  key_groups:\n  - age: [{ann}]\n  - age: [{bob}]\n  - merge:\n    - age: [{ann}]\n    age: [{bob}]\n"
    )
}

fn shares(bench: &Bench) -> Result<(), String> {
    bench.write(".sops.yaml", config(bench));
    for (writer, reader) in [(Who::Ours, Who::Sops), (Who::Sops, Who::Ours)] {
        for name in ["g.yaml", "g.json", "g.env", "g.ini"] {
            let text = match name {
                "g.json" => "{\n\t\"a\": \"1\"\n}\n",
                "g.env" => "a=1\n",
                "g.ini" => "[s]\na = 1\n",
                _ => "a: \"1\"\n",
            };
            bench.write(name, text);
            bench.output(writer, &["encrypt", "-i", name])?;
            let what = format!("{name}: {reader:?} with two of three groups that {writer:?} made");
            same(&what, &bench.output(reader, &["decrypt", name])?, text.as_bytes())?;
            bench.output(Who::Ours, &["rotate", "-i", name])?;
            same(
                &format!("{name} rotated"),
                &bench.output(Who::Sops, &["decrypt", name])?,
                text.as_bytes(),
            )?;
        }
        // Without the third group Ann has one share alone.
        let few = config(bench).split("  - merge").next().unwrap().to_owned();
        bench.write(".sops.yaml", few);
        bench.write("few.yaml", "a: 1\n");
        bench.output(writer, &["encrypt", "-i", "few.yaml"])?;
        for who in [Who::Ours, Who::Sops] {
            let answer = bench.run(who, &["decrypt", "few.yaml"]);
            holds("one share is not enough", answer.code == 128)?;
        }
        bench.write(".sops.yaml", config(bench));
    }
    Ok(())
}

fn add_and_delete(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", "a: 1\n");
    bench.encrypt(Who::Sops, "f.yaml", &[])?;
    let threshold = "--shamir-secret-sharing-threshold=2";
    bench.output(
        Who::Ours,
        &["groups", "add", "--file", "f.yaml", "-i", "--age", &bench.ann, threshold],
    )?;
    same("two groups", &bench.output(Who::Sops, &["decrypt", "f.yaml"])?, b"a: 1\n")?;
    holds("there are groups", bench.text("f.yaml").contains("key_groups:"))?;
    bench.output(Who::Ours, &["groups", "delete", "--file", "f.yaml", "-i", "0"])?;
    same("one group", &bench.output(Who::Sops, &["decrypt", "f.yaml"])?, b"a: 1\n")?;
    holds("there are no groups", !bench.text("f.yaml").contains("key_groups:"))
}

fn update(bench: &Bench) -> Result<(), String> {
    let one = format!("creation_rules:\n- age: {}\n", bench.ann);
    let both = format!("creation_rules:\n- age: {},{}\n", bench.ann, bench.bob);
    bench.write(".sops.yaml", &one);
    bench.write("f.yaml", "a: 1\n");
    bench.output(Who::Sops, &["encrypt", "-i", "f.yaml"])?;
    let before = bench.text("f.yaml");
    bench.output(Who::Ours, &["updatekeys", "-y", "f.yaml"])?;
    same("nothing to do", bench.text("f.yaml").as_bytes(), before.as_bytes())?;
    bench.write(".sops.yaml", both);
    bench
        .run_with(Who::Ours, &["updatekeys", "f.yaml"], &[("SOPS_AGE_KEY_FILE", "ann.txt")], b"n\n")
        .success("no")?;
    same("refused", bench.text("f.yaml").as_bytes(), before.as_bytes())?;
    bench.output(Who::Ours, &["updatekeys", "-y", "f.yaml"])?;
    let after = bench.text("f.yaml");
    holds(
        "all old lines are there",
        before.lines().all(|line| after.lines().any(|other| other == line)),
    )?;
    let bob = [("SOPS_AGE_KEY_FILE", "bob.txt")];
    let read = bench.run_with(Who::Sops, &["decrypt", "f.yaml"], &bob, b"").success("Bob")?;
    same("Bob reads it", &read, b"a: 1\n")?;
    bench.write(".sops.yaml", config(bench));
    bench.output(Who::Ours, &["updatekeys", "-y", "f.yaml"])?;
    same("in shares", &bench.output(Who::Sops, &["decrypt", "f.yaml"])?, b"a: 1\n")?;
    bench.write(".sops.yaml", one);
    bench.output(Who::Ours, &["updatekeys", "-y", "f.yaml"])?;
    same("whole again", &bench.output(Who::Sops, &["decrypt", "f.yaml"])?, b"a: 1\n")?;
    let read = bench.run_with(Who::Ours, &["decrypt", "f.yaml"], &bob, b"");
    holds("Bob reads it no more", read.code == 128)
}
