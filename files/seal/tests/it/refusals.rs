//! Calls and files that cannot work.

use crate::Check;
use crate::bench::{Bench, SECRET, holds, same};

pub(crate) const CHECKS: &[Check] = &[
    ("refusals: calls and inputs, with the texts and codes of kubeseal", calls),
    ("refusals: values that were tampered with or are for somewhere else", tampered),
    ("refusals: no value is shown", silence),
];

fn calls(bench: &Bench) -> Result<(), String> {
    let cert = ["--cert", "cert.pem"];
    let map = "kind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n";
    let secret = |text: &str| format!("kind: Secret\nmetadata: {{name: x, namespace: y}}\n{text}");
    for (args, input, code, text) in [
        (&["--nonsense"][..], SECRET.to_owned(), 2, "unknown flag: --nonsense"),
        (&["--cert"], SECRET.to_owned(), 2, "flag needs an argument: --cert"),
        (&["--cert", "no"], SECRET.to_owned(), 1, "error: open no: no such file or directory"),
        (
            &["--cert", "key.pem"],
            SECRET.to_owned(),
            1,
            "error: data does not contain any valid RSA",
        ),
        (
            &["--cert", "old-cert.pem"],
            SECRET.to_owned(),
            1,
            "error: failed to encrypt using an expired certificate on February 3, 2024",
        ),
        (
            &["--cert", "cert.pem", "-o", "xml"],
            SECRET.to_owned(),
            1,
            "error: unsupported output format: xml",
        ),
        (
            &["--cert", "cert.pem", "--scope", "bad"],
            SECRET.to_owned(),
            1,
            "error: invalid argument for --scope: must be one of: strict, namespace-wide, cluster-wide",
        ),
        (
            &["--cert", "cert.pem", "--from-file=x"],
            SECRET.to_owned(),
            1,
            "error: --from-file requires --raw",
        ),
        (
            &["--cert", "cert.pem", "-f", "no"],
            SECRET.to_owned(),
            1,
            "error: Could not read file specified with --secret-file",
        ),
        (
            &["--cert", "cert.pem", "-n", "z"],
            SECRET.to_owned(),
            1,
            "error: namespace mismatch: input secret is in namespace \"team\" but \"z\" was specified",
        ),
        (
            &["--cert", "cert.pem", "--raw", "-n", "z"],
            "v".to_owned(),
            1,
            "error: must provide the --name flag with --raw and --scope strict",
        ),
        (
            &["--cert", "cert.pem", "--raw"],
            "v".to_owned(),
            1,
            "error: must provide the --namespace flag with --raw and --scope strict",
        ),
        (
            &["--fetch-cert"],
            String::new(),
            1,
            "error: invalid configuration: no configuration has been provided",
        ),
        (
            &["--recovery-unseal"],
            SECRET.to_owned(),
            1,
            "error: --recovery-unseal needs --recovery-private-key",
        ),
        (
            &["--recovery-unseal", "--recovery-private-key", "key.pem"],
            SECRET.to_owned(),
            1,
            "error: the input is a Secret 'login', and must be a SealedSecret",
        ),
        (
            &["--recovery-unseal", "--recovery-private-key", "cert.pem"],
            SECRET.to_owned(),
            1,
            "error: cert.pem: this holds no private key in PEM",
        ),
        (
            &["--recovery-unseal", "--recovery-private-key", "secret.yaml"],
            SECRET.to_owned(),
            1,
            "error: secret.yaml: secret must contain a 'tls.key' key",
        ),
        (
            &cert,
            String::new(),
            1,
            "error: no secrets found. Ensure the input is valid and UTF-8 encoded",
        ),
        (&cert, "a: [".to_owned(), 1, "error: line "),
        (&cert, map.to_owned(), 1, "error: the input is a ConfigMap 'x', and must be a Secret"),
        (
            &cert,
            secret(""),
            1,
            "error: secret.data is empty in input Secret, assuming this is an error",
        ),
        (&cert, secret("data: {a: '???'}"), 1, "error: data.a is no base64"),
        (
            &cert,
            secret("stringData: {a: 1}"),
            1,
            "error: stringData.a must be a string: put it in quotes",
        ),
        (
            &cert,
            "kind: Secret\nstringData: {a: b}\n".to_owned(),
            1,
            "error: missing metadata.name in input Secret",
        ),
        (
            &cert,
            "kind: Secret\nmetadata: {name: x}\nstringData: {a: b}\n".to_owned(),
            1,
            "error: secret must declare a namespace",
        ),
    ] {
        let answer = bench.run(args, &input);
        let found = format!("{}: {} {}", args.join(" "), answer.code, answer.stderr);
        holds(&found, answer.code == code && answer.stderr.starts_with(text))?;
        same(&found, &answer.stdout, "")?;
    }
    Ok(())
}

fn tampered(bench: &Bench) -> Result<(), String> {
    let sealed = bench.output(&["--cert", "cert.pem", "-o", "yaml"], SECRET)?;
    let line = sealed.lines().find(|line| line.trim().starts_with("user:")).unwrap();
    let value = line.trim().strip_prefix("user: ").unwrap();
    let with = |other: &str| sealed.replace(value, other);
    let flip = |at: usize| {
        let other = if &value[at..=at] == "A" { "B" } else { "A" };
        with(&format!("{}{other}{}", &value[..at], &value[at + 1..]))
    };
    let wrong = "user: no key could decrypt secret";
    for (what, text, reason) in [
        ("a changed key", flip(20), wrong),
        ("a changed value", flip(value.len() - 8), wrong),
        ("a cut value", with(&value[..value.len() - 4]), wrong),
        ("a cut key", with(&value[..100]), "user: SealedSecret data is too short"),
        ("next to nothing", with("AQ=="), "user: SealedSecret data is too short"),
        ("no base64", with("???"), "user: this is no base64"),
        (
            "another name",
            sealed.replace("  name: login", "  name: other"),
            "password: no key could",
        ),
        (
            "another namespace",
            sealed.replace("  namespace: team", "  namespace: b"),
            "password: no key",
        ),
    ] {
        let args = ["--recovery-unseal", "--recovery-private-key", "key.pem"];
        let answer = bench.run(&args, &text);
        let found = format!("{what}: {} {}", answer.code, answer.stderr);
        holds(&found, answer.code == 1 && answer.stderr.contains(reason))?;
        same(what, &answer.stdout, "")?;
    }
    let args = ["--recovery-unseal", "--recovery-private-key", "other-key.pem"];
    let answer = bench.run(&args, &sealed);
    same(
        "the key of another cluster",
        &answer.stderr,
        "error: password: no key could decrypt secret; user: no key could decrypt secret\n",
    )
}

fn silence(bench: &Bench) -> Result<(), String> {
    for text in [
        SECRET.replace("YW5u", "c2VjcmV0LXZhbHVl!"),
        SECRET.replace("\"it's: <secret>\"", "secret-value: x"),
        SECRET.replace("type:", "type: [secret-value"),
    ] {
        let answer = bench.run(&["--cert", "cert.pem"], &text);
        let shown = ["secret-value", "c2VjcmV0"].iter().any(|word| answer.stderr.contains(word));
        holds(&answer.stderr, answer.code == 1 && !shown)?;
    }
    Ok(())
}
