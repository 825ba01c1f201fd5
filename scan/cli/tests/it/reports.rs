use serde_json::Value;

use crate::Check;
use crate::bench::{Bench, Who};

pub(crate) const CHECKS: &[Check] = &[
    ("reports: the same bytes as those of gitleaks", bytes),
    ("reports: nothing found", nothing),
    ("reports: what is hidden", redacted),
    ("reports: for people", human),
];

/// One finding, whose place in a list no other can change.
fn repository(bench: &Bench) {
    bench.git(&["init", "-q"]);
    bench.write("a \"b\", c.txt", "x\ntkt_aaaaaaaaaaaa <&> é\n");
    bench.commit("title, \"quoted\"\n\nbody <&>\n");
}

fn bytes(bench: &Bench) {
    repository(bench);
    for format in ["json", "csv", "junit"] {
        for redact in ["--redact=0", "--redact", "--redact=30"] {
            let args = ["git", ".", "-f", format, "-r", "-", redact];
            let (theirs, ours) = (bench.run(Who::Gitleaks, &args), bench.run(Who::Like, &args));
            assert_eq!(ours.stdout, theirs.stdout, "{format} {redact}");
        }
    }
    // The path has what is no reference, and the rules are in the order of their file; the rest is the same.
    let args = ["git", ".", "-f", "sarif", "-r", "-"];
    let sarif = |who| serde_json::from_str::<Value>(&bench.run(who, &args).stdout).unwrap();
    let (theirs, mut ours) = (sarif(Who::Gitleaks), sarif(Who::Like));
    let uri = "/runs/0/results/0/locations/0/physicalLocation/artifactLocation/uri";
    assert_eq!(ours.pointer(uri).unwrap(), "a%20%22b%22,%20c.txt");
    *ours.pointer_mut(uri).unwrap() = theirs.pointer(uri).unwrap().clone();
    let rules = "/runs/0/tool/driver/rules";
    let sorted = |value: &Value| {
        let mut list = value.pointer(rules).unwrap().as_array().unwrap().clone();
        list.sort_by_key(ToString::to_string);
        list
    };
    assert_eq!(sorted(&ours), sorted(&theirs));
    *ours.pointer_mut(rules).unwrap() = theirs.pointer(rules).unwrap().clone();
    assert_eq!(ours, theirs);
}

fn nothing(bench: &Bench) {
    bench.write("a.txt", "nothing\n");
    for format in ["json", "csv", "junit"] {
        let args = ["dir", ".", "-f", format, "-r", "-"];
        let (theirs, ours) = (bench.run(Who::Gitleaks, &args), bench.run(Who::Like, &args));
        assert_eq!(ours.stdout, theirs.stdout, "{format}");
        assert_eq!(ours.code, 0);
    }
    // The end of the name says the format.
    assert_eq!(bench.run(Who::Ours, &["dir", ".", "-r", "../out.sarif"]).code, 0);
    assert!(
        std::fs::read_to_string(bench.path("../out.sarif"))
            .unwrap()
            .contains("\"version\": \"2.1.0\"")
    );
}

fn redacted(bench: &Bench) {
    repository(bench);
    let show = |args: &[&str]| {
        let answer = bench.run(Who::Ours, args);
        answer.stdout + &answer.stderr
    };
    for args in [
        &["git", "."][..],
        &["git", ".", "-r", "-", "-f", "json"],
        &["dir", ".", "-r", "-", "-f", "csv"],
    ] {
        let text = show(args);
        assert!(text.contains("REDACTED") && !text.contains("tkt_aaaaaaaaaaaa"), "{text}");
    }
    assert!(show(&["git", ".", "--redact=0"]).contains("tkt_aaaaaaaaaaaa"));
}

fn human(bench: &Bench) {
    repository(bench);
    bench.write("copy.txt", "tkt_aaaaaaaaaaaa\n");
    bench.write(
        "other.txt",
        format!("{} password = \"a\u{1b}[31mb\" {}\n", "x".repeat(90), "y".repeat(90)),
    );
    bench.commit("more");
    let answer = bench.run(Who::Ours, &["git", "."]);
    let id = bench.git(&["rev-parse", "HEAD"]);
    for part in [
        "pass: A password\n  …".to_owned(),
        "password = \"REDACTED\" yyy".to_owned(),
        "ticket: A ticket <of> ours\n  REDACTED <&> é\n".replace("REDACTED <&> é", "REDACTED"),
        format!("  copy.txt:1:1  {}  2023-11-14  Ann Ö: more\n", &id[..10]),
        "a \"b\", c.txt:2:1".to_owned(),
        "2 secrets in 3 places.".to_owned(),
        "1. Revoke or rotate".to_owned(),
        "git filter-repo".to_owned(),
    ] {
        assert!(answer.stdout.contains(&part), "{part}\n{}", answer.stdout);
    }
    assert!(!answer.stdout.contains('\u{1b}'));
}
