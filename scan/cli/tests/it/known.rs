use std::fs;

use crate::Check;
use crate::bench::{Bench, Who};

pub(crate) const CHECKS: &[Check] = &[
    ("known: ignore files", ignore),
    ("known: baselines", baselines),
    ("known: accepted by content", accepted),
    ("known: accepted until a day", expired),
];

fn ignore(bench: &Bench) {
    bench.git(&["init", "-q"]);
    bench.write("a.txt", "tkt_aaaaaaaaaaaa\n");
    bench.commit("first");
    bench.write("a.txt", "tkt_bbbbbbbbbbbb\n");
    bench.commit("another one on the same line");
    bench.agree(&["git", "."], 2);
    let id = bench.git(&["rev-parse", "HEAD"]);
    fs::write(bench.path(".gitleaksignore"), format!("# known\n{}:a.txt:ticket:1\n", id.trim()))
        .unwrap();
    bench.agree(&["git", "."], 1);
    assert!(!bench.run(Who::Like, &["git", "."]).stderr.contains("hides"));
    // A line for all commits hides both, and so any to come.
    fs::write(bench.path(".gitleaksignore"), "a.txt:ticket:1\nnonsense\n").unwrap();
    bench.agree(&["git", "."], 0);
    let answer = bench.run(Who::Like, &["git", "."]);
    assert!(
        answer.stderr.contains(".gitleaksignore:1 hides 2 different secrets"),
        "{}",
        answer.stderr
    );
    assert!(answer.stderr.contains(".gitleaksignore:2: this is not"), "{}", answer.stderr);
}

fn baselines(bench: &Bench) {
    bench.write("a.txt", "tkt_aaaaaaaaaaaa\ntkt_bbbbbbbbbbbb\n");
    bench.run(Who::Gitleaks, &["dir", ".", "-r", "../base.json"]);
    bench.run(Who::Gitleaks, &["dir", ".", "-r", "../redacted.json", "--redact"]);
    bench.agree(&["dir", ".", "-b", "../base.json"], 0);
    bench.write("a.txt", "tkt_aaaaaaaaaaaa\ntkt_cccccccccccc\n");
    bench.agree(&["dir", ".", "-b", "../base.json"], 1);
    // Who hides secrets cannot tell one from another. gitleaks says nothing of it.
    bench.agree(&["dir", ".", "--redact", "-b", "../redacted.json"], 0);
    let answer = bench.run(Who::Like, &["dir", ".", "-b", "../redacted.json"]);
    assert!(
        answer.stderr.contains("the baseline hides its secrets: 2 findings"),
        "{}",
        answer.stderr
    );
}

fn accepted(bench: &Bench) {
    bench.write("a.txt", "tkt_aaaaaaaaaaaa\n");
    let answer = bench.run(Who::Ours, &["dir", "a.txt", "--accept", "--reason", "made \"up\""]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let file = fs::read_to_string(bench.path(".strongroom-accepted.toml")).unwrap();
    assert!(file.contains("made \\\"up\\\"") && !file.contains("tkt_"), "{file}");
    assert_eq!(bench.run(Who::Ours, &["dir", "."]).code, 0);
    // The same elsewhere is accepted, another on the same line is not.
    bench.write("b.txt", "\n\n  tkt_aaaaaaaaaaaa\n");
    assert_eq!(bench.run(Who::Ours, &["dir", "."]).code, 0);
    bench.write("a.txt", "tkt_bbbbbbbbbbbb\n");
    assert_eq!(bench.run(Who::Ours, &["dir", "."]).code, 1);
    // More is added to the same file, under the same key.
    assert_eq!(bench.run(Who::Ours, &["dir", ".", "--accept", "--reason", "too"]).code, 0);
    assert_eq!(bench.run(Who::Ours, &["dir", "."]).code, 0);
    let more = fs::read_to_string(bench.path(".strongroom-accepted.toml")).unwrap();
    assert!(more.starts_with(&file) && more.matches("[[accept]]").count() == 2, "{more}");
    // Another key makes all of it mean nothing.
    let key = more.find("key = \"").unwrap() + 7;
    let other = format!("{}{}{}", &more[..key], "0".repeat(64), &more[key + 64..]);
    fs::write(bench.path(".strongroom-accepted.toml"), other).unwrap();
    assert_eq!(bench.run(Who::Ours, &["dir", "."]).code, 1);
    fs::write(bench.path(".strongroom-accepted.toml"), "key = \"short\"").unwrap();
    assert_eq!(bench.run(Who::Ours, &["dir", "."]).code, 2);
}

fn expired(bench: &Bench) {
    bench.write("a.txt", "tkt_aaaaaaaaaaaa\n");
    let accept = |day: &str| {
        bench.run(Who::Ours, &["dir", ".", "--accept", "--reason", "x", "--expires", day])
    };
    assert_eq!(accept("someday").code, 2);
    assert_eq!(accept("2001-01-31").code, 0);
    let answer = bench.run(Who::Ours, &["dir", "."]);
    assert_eq!(answer.code, 1);
    assert!(
        answer.stderr.contains("a.txt:ticket:1 was accepted until 2001-01-31"),
        "{}",
        answer.stderr
    );
    assert_eq!(accept("9999-01-31").code, 0);
    assert_eq!(bench.run(Who::Ours, &["dir", "."]).code, 0);
}
