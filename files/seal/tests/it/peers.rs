//! What one tool seals the other opens.

use crate::Check;
use crate::bench::{Bench, holds, same};

pub(crate) const CHECKS: &[Check] = &[
    ("peers: kubesealpy opens what is sealed here", python_opens),
    ("peers: what kubesealpy seals is opened here", python_seals),
    ("peers: what kubeseal-encrypt seals is opened here", node_seals),
];

const SCOPES: [&str; 3] = ["strict", "namespace-wide", "cluster-wide"];

const OPEN: &str = r#"
import json, sys, base64, yaml
from kubesealpy import Unsealer, SealedSecret
text = open(sys.argv[1]).read()
manifest = SealedSecret.model_validate(yaml.safe_load(text))
secret = Unsealer.from_private_key_file("key.pem").unseal(manifest)
data = {key: base64.b64decode(value).decode() for key, value in secret.data.items()}
print(json.dumps([secret.type, secret.metadata.labels, data], sort_keys=True))
"#;

fn python_opens(bench: &Bench) -> Result<(), String> {
    for scope in SCOPES {
        for format in ["json", "yaml"] {
            let args = ["--cert", "cert.pem", "--scope", scope, "-o", format, "-w", "sealed"];
            bench.output(&[&args[..], &["-f", "secret.yaml"]].concat(), "")?;
            let found = bench.python(OPEN, &["sealed"])?;
            let expected = "[\"kubernetes.io/basic-auth\", {\"app\": \"shop\"}, {\"password\": \
                            \"it's: <secret>\", \"user\": \"ann\"}]\n";
            same(&format!("{scope} as {format}"), &found, expected)?;
        }
    }
    Ok(())
}

const SEAL: &str = r#"
import sys
from kubesealpy import Sealer, SealingScope
sealer = Sealer.from_certificate_file("cert.pem")
sealed = sealer.seal("login", "team", {"user": b"ann", "empty": b""}, SealingScope(sys.argv[1]))
print(sealed.model_dump_json(by_alias=True, exclude_none=True))
"#;

fn python_seals(bench: &Bench) -> Result<(), String> {
    for scope in SCOPES {
        let sealed = bench.python(SEAL, &[scope])?;
        let unseal = ["--recovery-unseal", "--recovery-private-key", "other-key.pem,key.pem"];
        let secret = bench.output(&unseal, &sealed)?;
        holds(&format!("{scope}: {secret}"), secret.contains("\"user\": \"YW5u\""))?;
        holds(&format!("{scope}: {secret}"), secret.contains("\"empty\": \"\""))?;
        let moved = sealed.replace("\"login\"", "\"other\"");
        let answer = bench.run(&unseal, &moved);
        let opens = scope != "strict";
        holds(
            &format!("{scope} under another name: {}", answer.stderr),
            (answer.code == 0) == opens,
        )?;
        let moved = sealed.replace("\"team\"", "\"other\"");
        let answer = bench.run(&unseal, &moved);
        let opens = scope == "cluster-wide";
        holds(&format!("{scope} elsewhere: {}", answer.stderr), (answer.code == 0) == opens)?;
    }
    Ok(())
}

const ENCRYPT: &str = r#"
const { encryptSecretItem } = require("@linode/kubeseal-encrypt");
const { X509Certificate } = require("crypto");
const pem = require("fs").readFileSync("cert.pem", "utf8");
const key = new X509Certificate(pem).publicKey.export({ type: "spki", format: "pem" });
encryptSecretItem(key, "team", "ann").then((sealed) => console.log(sealed));
"#;

fn node_seals(bench: &Bench) -> Result<(), String> {
    let value = bench.node(ENCRYPT, &[])?;
    let sealed = format!(
        "kind: SealedSecret\nmetadata:\n  name: any\n  namespace: team\n  annotations:\n    \
         sealedsecrets.bitnami.com/namespace-wide: \"true\"\nspec:\n  encryptedData:\n    user: {value}"
    );
    let unseal = ["--recovery-unseal", "--recovery-private-key", "key.pem", "-o", "yaml"];
    let secret = bench.output(&unseal, &sealed)?;
    holds(&secret, secret.contains("user: YW5u\n"))
}
