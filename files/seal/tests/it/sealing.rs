//! What the sealed form holds, and what becomes of it.

use crate::Check;
use crate::bench::{Bench, SECRET, holds, same};

pub(crate) const CHECKS: &[Check] = &[
    ("sealing: the manifest is that of kubeseal", manifest),
    ("sealing: several secrets at once", several),
    ("sealing: one value", raw),
    ("sealing: values are merged into a file that keeps its layout", merge),
    ("sealing: private keys in all their forms", keys),
    ("sealing: templates of the data", templates),
];

const UNSEAL: [&str; 5] = ["--recovery-unseal", "--recovery-private-key", "key.pem", "-o", "yaml"];

/// The text with what is sealed left out.
fn without_values(text: &str) -> String {
    let line = |line: &str| match line.find("AQ") {
        Some(at) if line.len() > 300 => format!("{}…", &line[..at]),
        _ => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

fn manifest(bench: &Bench) -> Result<(), String> {
    let sealed = bench.output(&["--cert", "cert.pem", "-o", "yaml"], SECRET)?;
    let expected = "---\napiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: login\n  \
         namespace: team\nspec:\n  encryptedData:\n    password: …\n    user: …\n  template:\n    \
         immutable: true\n    metadata:\n      annotations:\n        note: \"yes\"\n      labels:\n        \
         app: shop\n      name: login\n      namespace: team\n    type: kubernetes.io/basic-auth\n";
    same("YAML", &without_values(&sealed), expected)?;
    let json = bench.output(&["--cert", "cert.pem"], SECRET)?;
    holds(&json, json.starts_with("{\n  \"kind\": \"SealedSecret\",\n  \"apiVersion\": \"bitnami.com/v1alpha1\",\n  \"metadata\": {\n    \"name\": \"login\",\n    \"namespace\": \"team\"\n  },\n  \"spec\": {\n    \"template\": {\n      \"metadata\": {\n        \"name\": \"login\",\n"))?;
    holds("it ends with one line feed", json.ends_with("\n}\n"))?;
    let secret = bench.output(&UNSEAL, &json)?;
    let expected = "---\napiVersion: v1\ndata:\n  password: aXQnczogPHNlY3JldD4=\n  user: YW5u\nimmutable: \
         true\nkind: Secret\nmetadata:\n  annotations:\n    note: \"yes\"\n  labels:\n    app: shop\n  \
         name: login\n  namespace: team\n  ownerReferences:\n    - apiVersion: bitnami.com/v1alpha1\n      \
         controller: true\n      kind: SealedSecret\n      name: login\n      uid: \"\"\ntype: \
         kubernetes.io/basic-auth\n";
    same("unsealed", &secret, expected)?;
    // The scope of the annotations, and one of a flag.
    let wide = SECRET.replace("note: \"yes\"", "sealedsecrets.bitnami.com/cluster-wide: \"true\"");
    let sealed = bench.output(&["--cert", "cert.pem", "-o", "yaml"], &wide)?;
    let annotation = "sealedsecrets.bitnami.com/cluster-wide: \"true\"";
    holds("the scope is named twice", sealed.matches(annotation).count() == 2)?;
    let strict = bench.output(&["--cert", "cert.pem", "-o", "yaml", "--scope", "strict"], &wide)?;
    holds("the flag counts", !strict.contains("cluster-wide"))
}

fn several(bench: &Bench) -> Result<(), String> {
    let two = format!("# First.\n---\n{SECRET}---\n\n---\n{}", SECRET.replace("login", "second"));
    let sealed = bench.output(&["--cert", "cert.pem", "-o", "yaml"], &two)?;
    holds("there are two", sealed.matches("kind: SealedSecret").count() == 2)?;
    let secrets = bench.output(&UNSEAL, &sealed)?;
    holds("both open", secrets.contains("name: login") && secrets.contains("name: second"))?;
    bench.output(&["--cert", "cert.pem", "-f", "secret.yaml", "-w", "sealed.yml"], "")?;
    holds("the name says how", bench.text("sealed.yml").starts_with("---\n"))?;
    let empty = "kind: Secret\nmetadata: {name: a, namespace: b}\n";
    let sealed = bench.output(&["--cert", "cert.pem", "--allow-empty-data"], empty)?;
    holds(&sealed, sealed.contains("\"encryptedData\": {}"))
}

fn raw(bench: &Bench) -> Result<(), String> {
    for (scope, annotation) in [
        ("strict", ""),
        ("namespace-wide", "sealedsecrets.bitnami.com/namespace-wide: \"true\""),
        ("cluster-wide", "sealedsecrets.bitnami.com/cluster-wide: \"true\""),
    ] {
        let args =
            ["--cert", "cert.pem", "--raw", "--scope", scope, "-n", "team", "--name", "login"];
        bench.write("value", "line\n");
        let from_stdin = bench.output(&args, "line\n")?;
        let from_file = bench.output(&[&args[..], &["--from-file=x=value"]].concat(), "")?;
        for value in [from_stdin, from_file] {
            let sealed = format!(
                "kind: SealedSecret\nmetadata: {{name: login, namespace: team, annotations: \
                 {{{annotation}}}}}\nspec: {{encryptedData: {{v: {value}}}}}\n"
            );
            let secret = bench.output(&UNSEAL, &sealed)?;
            holds(&format!("{scope}: {secret}"), secret.contains("v: bGluZQo="))?;
        }
    }
    Ok(())
}

fn merge(bench: &Bench) -> Result<(), String> {
    let sealed = bench.output(&["--cert", "cert.pem", "-o", "yaml"], SECRET)?;
    let commented = sealed.replace("  encryptedData:\n", "  encryptedData: # Do not touch.\n");
    bench.write("sealed.yaml", &commented);
    let more = "kind: Secret\nmetadata: {name: whatever, labels: {tier: web}}\nstringData: {user: bob, extra: x}\n";
    bench.output(&["--cert", "cert.pem", "--merge-into", "sealed.yaml"], more)?;
    let merged = bench.text("sealed.yaml");
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (old, new) = (lines(&commented), lines(&merged));
    let gone: Vec<&String> = old.iter().filter(|line| !new.contains(line)).collect();
    let come: Vec<&String> = new.iter().filter(|line| !old.contains(line)).collect();
    holds("one line is gone", gone.len() == 1 && gone[0].starts_with("    user: "))?;
    holds(&format!("three have come: {come:?}"), come.len() == 3)?;
    let secret = bench.output(&UNSEAL, &merged)?;
    holds(
        &secret,
        secret.contains("extra: eA==\n")
            && secret.contains("user: Ym9i\n")
            && secret.contains("tier: web"),
    )?;
    // What is added to a file is sealed as widely as the file is.
    let wide = bench.output(&["--cert", "cert.pem", "--scope", "cluster-wide"], SECRET)?;
    bench.write("wide.json", &wide);
    bench.output(&["--cert", "cert.pem", "--merge-into", "wide.json"], more)?;
    let merged = bench.text("wide.json");
    holds("it stays JSON", merged.starts_with("{\n  \"kind\""))?;
    holds("it opens", bench.output(&UNSEAL, &merged)?.contains("extra: eA=="))?;
    let args = ["--cert", "cert.pem", "--merge-into", "wide.json", "--scope", "strict"];
    let answer = bench.run(&args, more);
    holds(&answer.stderr, answer.code == 1 && answer.stderr.contains("sealed cluster-wide"))?;
    same("the file is as it was", &bench.text("wide.json"), &merged)
}

fn keys(bench: &Bench) -> Result<(), String> {
    let sealed = bench.output(&["--cert", "cert.pem"], SECRET)?;
    bench.python(
        "import base64, json\nfrom cryptography.hazmat.primitives import serialization as s\n\
         pem = open('key.pem', 'rb').read()\n\
         key = s.load_pem_private_key(pem, None)\n\
         old = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, s.NoEncryption())\n\
         open('pkcs1.pem', 'wb').write(old)\n\
         secret = {'kind': 'Secret', 'data': {'tls.key': base64.b64encode(pem).decode()}}\n\
         json.dump(secret, open('backup.json', 'w'))\n\
         json.dump({'kind': 'List', 'items': [secret]}, open('list.json', 'w'))\n\
         open('backup.yaml', 'w').write('kind: Secret\\ndata:\\n  tls.key: ' + secret['data']['tls.key'] + '\\n')",
        &[],
    )?;
    for file in ["key.pem", "pkcs1.pem", "backup.json", "backup.yaml", "list.json"] {
        let secret =
            bench.output(&["--recovery-unseal", "--recovery-private-key", file], &sealed)?;
        holds(file, secret.contains("\"user\": \"YW5u\""))?;
    }
    Ok(())
}

fn templates(bench: &Bench) -> Result<(), String> {
    let sealed = bench.output(&["--cert", "cert.pem", "-o", "yaml"], SECRET)?;
    let with = |text: &str| {
        sealed.replace("  template:\n", &format!("  template:\n    data:\n      conf: '{text}'\n"))
    };
    let secret = bench.output(&UNSEAL, &with("u={{ .user }}"))?;
    holds(&secret, secret.contains("conf: dT1hbm4=\n"))?;
    let answer = bench.run(&UNSEAL, &with("{{ .user | upper }}"));
    holds(&answer.stderr, answer.code == 1 && answer.stderr.contains("conf: the template uses"))
}
