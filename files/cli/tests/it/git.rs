//! Git shows and merges encrypted files with our programs, which the real git runs.

use std::process::Command;

use crate::bench::{Answer, Bench, Who, holds, same};
use crate::{AS_CLI, Check};

pub(crate) const CHECKS: &[Check] = &[
    ("git: set up, again, and undone", set_up),
    ("git: a difference names keys and shows values only if asked", difference),
    ("git: what both sides changed at different places merges", merged),
    ("git: a conflict names the keys and leaves our file", conflict),
    ("git: recipients merge, and a new data key stays", keys),
    ("git: files that are not encrypted merge as ever", plain),
];

/// Runs git in the folder, with Ann's identity.
pub(crate) fn git_with(bench: &Bench, args: &[&str], variables: &[(&str, &str)]) -> Answer {
    let output = Command::new("git")
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
        .args(args)
        .current_dir(bench.path(""))
        .env("HOME", bench.path(""))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("SOPS_AGE_KEY_FILE", bench.path("ann.txt"))
        .env(AS_CLI, "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn git(bench: &Bench, args: &[&str]) -> Result<String, String> {
    let answer = git_with(bench, args, &[]);
    let said = String::from_utf8_lossy(&answer.stdout).into_owned();
    let what = format!("git {}: {said}", args.join(" "));
    answer.success(&what).map(|_| said)
}

/// A repository that knows our programs.
pub(crate) fn repository(bench: &Bench) -> Result<(), String> {
    git(bench, &["init", "--quiet", "--initial-branch=main"])?;
    bench.output(Who::Ours, &["git-setup"])?;
    git(bench, &["add", ".gitattributes"])?;
    git(bench, &["commit", "--quiet", "-m", "attributes"]).map(|_| ())
}

pub(crate) fn commit(bench: &Bench, message: &str) -> Result<(), String> {
    git(bench, &["add", "--", "*.yaml", "*.json", "*.env", "*.ini"])
        .or_else(|_| git(bench, &["add", "--", "*.yaml"]))?;
    git(bench, &["commit", "--quiet", "-m", message]).map(|_| ())
}

fn set_up(bench: &Bench) -> Result<(), String> {
    bench.write(".gitattributes", "*.png binary\n");
    git(bench, &["init", "--quiet"])?;
    let config = bench.text(".git/config");
    bench.output(Who::Ours, &["git-setup"])?;
    let (attributes, configured) = (bench.text(".gitattributes"), bench.text(".git/config"));
    holds("other attributes stay", attributes.starts_with("*.png binary\n"))?;
    holds("ours come", attributes.contains("\n*.yaml diff=strongroom merge=strongroom\n"))?;
    holds("nothing decrypted is kept", configured.contains("cachetextconv = false"))?;
    bench.output(Who::Ours, &["git-setup"])?;
    same(
        "attributes after the second time",
        bench.text(".gitattributes").as_bytes(),
        attributes.as_bytes(),
    )?;
    same(
        "configuration after the second time",
        bench.text(".git/config").as_bytes(),
        configured.as_bytes(),
    )?;
    bench.output(Who::Ours, &["git-setup", "--undo"])?;
    same("attributes as before", bench.text(".gitattributes").as_bytes(), b"*.png binary\n")?;
    same("configuration as before", bench.text(".git/config").as_bytes(), config.as_bytes())?;
    bench.output(Who::Ours, &["git-setup", "secrets/*.yaml"])?;
    holds("patterns can be named", bench.text(".gitattributes").contains("secrets/*.yaml diff="))?;
    bench.write(".gitattributes", "");
    std::fs::remove_dir_all(bench.path(".git")).unwrap();
    let outside = bench.run(Who::Ours, &["git-setup"]);
    holds("outside of a repository it says so", outside.code != 0 && outside.stderr.contains("git"))
}

fn difference(bench: &Bench) -> Result<(), String> {
    repository(bench)?;
    bench.write("s.yaml", "db:\n    password: old-value\n    host: h\nl:\n    - a\n    - b\n");
    bench.write("p.yaml", "plain: one\n");
    bench.encrypt(Who::Ours, "s.yaml", &["--unencrypted-regex", "^host$"])?;
    commit(bench, "one")?;
    bench.output(Who::Ours, &["set", "s.yaml", r#"["db"]["password"]"#, "\"new-value\""])?;
    bench.output(Who::Ours, &["set", "s.yaml", r#"["l"][2]"#, "\"c\""])?;
    bench.write("p.yaml", "plain: two\n");
    let changes = |text: &str| {
        let lines = text.lines().filter(|line| line.starts_with(['+', '-']));
        let lines = lines.filter(|line| !line.starts_with("+++") && !line.starts_with("---"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let shown = git(bench, &["diff", "s.yaml"])?;
    let lines = changes(&shown);
    holds(
        &format!("it names what changed: {shown}"),
        lines.len() == 3
            && lines[0].starts_with(r#"-["db"]["password"]: str "#)
            && lines[1].starts_with(r#"+["db"]["password"]: str "#)
            && lines[2].starts_with(r#"+["l"][]: str "#),
    )?;
    holds("it shows no value", !shown.contains("-value") && !shown.contains("ENC["))?;
    same(
        "a plain file as ever",
        changes(&git(bench, &["diff", "p.yaml"])?).join("\n").as_bytes(),
        b"-plain: one\n+plain: two",
    )?;
    let show = [("STRONGROOM_SHOW_VALUES", "1")];
    let asked = git_with(bench, &["diff", "s.yaml"], &show).success("git diff")?;
    let asked = changes(&String::from_utf8(asked).unwrap());
    same(
        "with values",
        asked.join("\n").as_bytes(),
        b"-    password: old-value\n+    password: new-value\n+    - c",
    )?;
    let keyless = [("STRONGROOM_SHOW_VALUES", "1"), ("SOPS_AGE_KEY_FILE", "/dev/null")];
    let keyless = git_with(bench, &["diff", "s.yaml"], &keyless).success("git diff")?;
    same("without the key", &keyless, shown.as_bytes())?;
    commit(bench, "two")?;
    let log = git(bench, &["log", "-p", "-1", "--", "s.yaml"])?;
    holds("the log shows the same", changes(&log) == lines)?;
    // A key that comes is a line.
    bench.output(Who::Ours, &["rotate", "-i", "--add-age", &bench.bob, "s.yaml"])?;
    let shown = git(bench, &["diff", "s.yaml"])?;
    holds("who can read it is shown", shown.contains(&format!("+sops: age {}", bench.bob)))
}

/// Commits `ours` and `theirs` on branches of their own and merges the second into the first.
fn merge(
    bench: &Bench,
    ours: impl Fn() -> Result<(), String>,
    theirs: impl Fn() -> Result<(), String>,
) -> Result<Answer, String> {
    git(bench, &["checkout", "--quiet", "-b", "theirs"])?;
    theirs()?;
    commit(bench, "theirs")?;
    git(bench, &["checkout", "--quiet", "main"])?;
    ours()?;
    commit(bench, "ours")?;
    Ok(git_with(bench, &["merge", "--no-edit", "theirs"], &[]))
}

const FILE: &str =
    "# top\n\na: 1\nb:\n    c: 'x'   # why\n    d: [1, 2]\nz: |\n    two\n    lines\n";

fn set(bench: &Bench, path: &str, value: &str) -> Result<(), String> {
    bench.output(Who::Ours, &["set", "f.yaml", path, value]).map(|_| ())
}

fn merged(bench: &Bench) -> Result<(), String> {
    repository(bench)?;
    bench.write("f.yaml", FILE);
    bench.encrypt(Who::Ours, "f.yaml", &[])?;
    commit(bench, "base")?;
    let before = bench.text("f.yaml");
    let answer = merge(
        bench,
        || set(bench, r#"["a"]"#, "2").and_then(|()| set(bench, r#"["new"]"#, "\"ours\"")),
        || {
            set(bench, r#"["b"]["c"]"#, "\"y\"")?;
            set(bench, r#"["other"]"#, "\"theirs\"")
        },
    )?;
    answer.success("git merge")?;
    let after = bench.text("f.yaml");
    let ours = git(bench, &["show", "main^:f.yaml"])?;
    let theirs = git(bench, &["show", "theirs:f.yaml"])?;
    // Each encrypted value is one that a side has written, but for the code over all.
    for line in after.lines().filter(|line| line.contains("ENC[") && !line.contains("mac:")) {
        holds(&format!("{line} is as it was"), ours.contains(line) || theirs.contains(line))?;
    }
    holds("what nobody changed is as it was", after.contains(before.lines().last().unwrap()))?;
    let expected = FILE.replace("a: 1", "a: 2").replace("'x'", "'y'");
    let expected = format!("{expected}new: ours\nother: theirs\n");
    same("merged", &bench.output(Who::Ours, &["decrypt", "f.yaml"])?, expected.as_bytes())?;
    bench.output(Who::Sops, &["decrypt", "f.yaml"]).map(|_| ())
}

fn conflict(bench: &Bench) -> Result<(), String> {
    repository(bench)?;
    bench.write("f.yaml", FILE);
    bench.encrypt(Who::Ours, "f.yaml", &[])?;
    commit(bench, "base")?;
    let answer = merge(
        bench,
        || set(bench, r#"["b"]["c"]"#, "\"our secret\""),
        || {
            set(bench, r#"["b"]["c"]"#, "\"their secret\"")?;
            set(bench, r#"["a"]"#, "9")
        },
    )?;
    let said = format!("{}{}", answer.stderr, String::from_utf8_lossy(&answer.stdout));
    holds(&format!("it is a conflict: {said}"), answer.code == 1)?;
    holds("it names the key", said.contains(r#"f.yaml"#) && said.contains(r#"["b"]["c"]"#))?;
    holds("it shows no secret", !said.contains("secret"))?;
    let plain = bench.output(Who::Sops, &["decrypt", "--output-type", "json", "f.yaml"])?;
    let plain = String::from_utf8(plain).unwrap();
    holds("the file is whole, with our value", plain.contains("our secret"))?;
    holds("and with what is settled", plain.contains("\"a\": 9"))?;
    let stages = git(bench, &["ls-files", "--unmerged"])?;
    holds("git has all three versions", stages.lines().count() == 3)?;
    git(bench, &["merge", "--abort"])?;
    // Without the key nothing can be merged, and nothing is lost.
    let ours = bench.read("f.yaml");
    let keyless = [("SOPS_AGE_KEY_FILE", "/dev/null")];
    let answer = git_with(bench, &["merge", "--no-edit", "theirs"], &keyless);
    holds("without the key it is a conflict", answer.code == 1)?;
    same("our file", &bench.read("f.yaml"), &ours)
}

fn keys(bench: &Bench) -> Result<(), String> {
    repository(bench)?;
    bench.write("f.yaml", "a: 1\nb: 2\n");
    bench.encrypt(Who::Sops, "f.yaml", &[])?;
    commit(bench, "base")?;
    let rotate = || {
        bench.output(Who::Sops, &["rotate", "-i", "--add-age", &bench.bob, "f.yaml"]).map(|_| ())
    };
    merge(bench, || set(bench, r#"["a"]"#, "7"), rotate)?.success("git merge")?;
    for identity in ["ann.txt", "bob.txt"] {
        let with = [("SOPS_AGE_KEY_FILE", identity)];
        let found = bench.run_with(Who::Sops, &["decrypt", "f.yaml"], &with, b"");
        same(identity, &found.success("decrypt")?, b"a: 7\nb: 2\n")?;
    }
    let theirs = git(bench, &["show", "theirs:f.yaml"])?;
    let unchanged = theirs.lines().find(|line| line.starts_with("b:")).unwrap();
    holds("the new data key stays", bench.text("f.yaml").contains(unchanged))
}

fn plain(bench: &Bench) -> Result<(), String> {
    repository(bench)?;
    let file = |first: &str, last: &str| format!("a: {first}\nb: 0\nc: 0\nd: 0\ne: {last}\n");
    bench.write("f.yaml", file("1", "1"));
    commit(bench, "base")?;
    let write = |first: &'static str, last: &'static str| {
        move || {
            bench.write("f.yaml", file(first, last));
            Ok(())
        }
    };
    merge(bench, write("2", "1"), write("1", "2"))?.success("git merge")?;
    same("merged", &bench.read("f.yaml"), file("2", "2").as_bytes())?;
    git(bench, &["branch", "-D", "theirs"])?;
    let answer = merge(bench, write("3", "2"), write("4", "2"))?;
    holds("a conflict is one", answer.code == 1)?;
    holds(
        "with marks",
        bench.text("f.yaml").contains("<<<<<<< ours\na: 3\n=======\na: 4\n>>>>>>> theirs\n"),
    )
}
