//! Master keys at cloud providers. AWS is moto, which checks signatures and is asked by the real sops
//! too. For GCP and Azure there is nothing to install: a server of this test answers as their
//! documentation says, with cryptography of Python's, and the real sops meets it through a proxy.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::Check;
use crate::bench::{Bench, Who, holds, same};

pub(crate) const CHECKS: &[Check] = &[
    ("cloud: AWS KMS, keys and contexts", aws),
    ("cloud: AWS KMS, roles and profiles", aws_roles),
    ("cloud: AWS KMS, rules of the configuration", aws_rules),
    ("cloud: GCP KMS", gcp),
    ("cloud: Azure Key Vault", azure),
    ("cloud: keys that cannot be asked are named", refusals),
];

const TEXT: &[u8] = b"a: 1\n";
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers/python/bin/python3");

/// A server in Python that ends with this value.
struct Server {
    address: String,
    process: Child,
    /// It would die if nobody could read what it says.
    _output: BufReader<Box<dyn Read>>,
}

impl Server {
    /// Starts it and waits for the line that ends with its port.
    fn start(bench: &Bench, args: &[&str], ready: &str) -> Result<Self, String> {
        let mut process = Command::new(PYTHON)
            .args(args)
            .current_dir(bench.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{error}; run `cargo xtask setup`"))?;
        let output: Box<dyn Read> = Box::new(process.stderr.take().unwrap());
        let mut output = BufReader::new(output);
        let mut said = String::new();
        let port = loop {
            let mut line = String::new();
            if output.read_line(&mut line).unwrap_or_default() == 0 {
                return Err(format!("the server has ended: {said}"));
            }
            if let Some((_, port)) = line.split_once(ready) {
                break port.trim().to_owned();
            }
            said.push_str(&line);
        };
        Ok(Self { address: format!("http://127.0.0.1:{port}"), process, _output: output })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn python(bench: &Bench, script: &str, args: &[&str]) -> Result<Vec<String>, String> {
    let output = Command::new(PYTHON)
        .args(["-c", script])
        .args(args)
        .current_dir(bench.path(""))
        .output()
        .map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// Makes a key, somebody who may use it, and a role that they may take on; from then on moto
/// believes nobody without a signature.
const PREPARE: &str = r#"
import json, sys, urllib.request
import boto3
address = sys.argv[1]
def client(service):
    return boto3.client(service, endpoint_url=address, region_name="eu-west-1",
                        aws_access_key_id="AKIANOBODY", aws_secret_access_key="none")
print(client("kms").create_key()["KeyMetadata"]["Arn"])
iam = client("iam")
everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
trust = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}}
iam.create_user(UserName="ann")
iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=json.dumps(everything))
key = iam.create_access_key(UserName="ann")["AccessKey"]
role = iam.create_role(RoleName="files", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
iam.put_role_policy(RoleName="files", PolicyName="own", PolicyDocument=json.dumps(everything))
print(role, key["AccessKeyId"], key["SecretAccessKey"], sep="\n")
reset = urllib.request.Request(address + "/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"})
urllib.request.urlopen(reset)
"#;

struct Aws {
    server: Server,
    arn: String,
    role: String,
    id: String,
    secret: String,
}

impl Aws {
    fn start(bench: &Bench) -> Result<Self, String> {
        let args = ["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"];
        let server = Server::start(bench, &args, "Running on http://127.0.0.1:")?;
        let lines = python(bench, PREPARE, &[&server.address])?;
        let [arn, role, id, secret] = lines.try_into().map_err(|lines| format!("{lines:?}"))?;
        Ok(Self { server, arn, role, id, secret })
    }

    fn variables(&self) -> [(&str, &str); 3] {
        [
            ("AWS_ENDPOINT_URL", &self.server.address),
            ("AWS_ACCESS_KEY_ID", &self.id),
            ("AWS_SECRET_ACCESS_KEY", &self.secret),
        ]
    }
}

/// A file that one program encrypts the other decrypts.
fn both_ways(
    bench: &Bench,
    args: &[&str],
    variables: &[(&str, &str)],
    programs: [Who; 2],
) -> Result<(), String> {
    let [one, other] = programs;
    for (writer, reader) in [(one, other), (other, one)] {
        bench.write("f.yaml", TEXT);
        let args = [&["encrypt", "-i"], args, &["f.yaml"]].concat();
        bench.run_with(writer, &args, variables, b"").success(&args.join(" "))?;
        let found = bench.run_with(reader, &["decrypt", "f.yaml"], variables, b"");
        let what = format!("{} from {writer:?} to {reader:?}", args.join(" "));
        same(&what, &found.success(&what)?, TEXT)?;
    }
    Ok(())
}

const BOTH: [Who; 2] = [Who::Ours, Who::Sops];

fn aws(bench: &Bench) -> Result<(), String> {
    let aws = Aws::start(bench)?;
    let with = aws.variables();
    both_ways(bench, &["--kms", &aws.arn], &with, BOTH)?;
    let context = ["--kms", &aws.arn, "--encryption-context", "app:shop,stage:test"];
    both_ways(bench, &context, &with, BOTH)?;
    let text = bench.text("f.yaml");
    bench.write("f.yaml", text.replace("stage: test", "stage: prod"));
    let moved = bench.run_with(Who::Ours, &["decrypt", "f.yaml"], &with, b"");
    holds(&format!("another context is refused: {}", moved.stderr), moved.code == 128)?;
    // Through the variable, and another source in the same group.
    let kms = [&with[..], &[("SOPS_KMS_ARN", aws.arn.as_str())]].concat();
    both_ways(bench, &["--age", &bench.ann], &kms, BOTH)?;
    // Changes of the keys.
    bench.write("f.yaml", TEXT);
    bench.encrypt(Who::Sops, "f.yaml", &[])?;
    let key = [&with[..], &[("SOPS_AGE_KEY_FILE", "ann.txt")]].concat();
    let args = ["rotate", "-i", "--add-kms", &aws.arn, "--rm-age", &bench.ann, "f.yaml"];
    bench.run_with(Who::Ours, &args, &key, b"").success("rotate")?;
    let found = bench.run_with(Who::Sops, &["decrypt", "f.yaml"], &with, b"");
    same("rotated", &found.success("decrypt")?, TEXT)
}

fn aws_roles(bench: &Bench) -> Result<(), String> {
    let aws = Aws::start(bench)?;
    let with_role = format!("{}+{}", aws.arn, aws.role);
    both_ways(bench, &["--kms", &with_role], &aws.variables(), BOTH)?;
    let Aws { id, secret, role, .. } = &aws;
    std::fs::create_dir(bench.path(".aws")).unwrap();
    bench.write(
        ".aws/credentials",
        format!(
            "[default]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = none\n\n[team]\n\
             aws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
    );
    bench.write(
        ".aws/config",
        format!(
            "[profile deploy]\nrole_arn = {role}\nsource_profile = team\n\n[profile process]\n\
             credential_process = cat credentials.json\n"
        ),
    );
    bench.write(
        "credentials.json",
        format!("{{\"Version\":1,\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"{secret}\"}}"),
    );
    let endpoint = ("AWS_ENDPOINT_URL", aws.server.address.as_str());
    // For a profile with a role sops asks AWS itself, whatever the endpoint.
    for (profile, programs) in [("team", BOTH), ("deploy", [Who::Ours; 2]), ("process", BOTH)] {
        both_ways(bench, &["--kms", &aws.arn], &[endpoint, ("AWS_PROFILE", profile)], programs)?;
        // Said in the file itself.
        let args = ["--kms", &aws.arn, "--aws-profile", profile];
        both_ways(bench, &args, &[endpoint], programs)?;
    }
    bench.write("f.yaml", TEXT);
    let args = ["encrypt", "--kms", &aws.arn, "f.yaml"];
    let wrong = bench.run_with(Who::Ours, &args, &[endpoint], b"");
    holds(&format!("the default profile is refused: {}", wrong.stderr), wrong.code != 0)
}

fn aws_rules(bench: &Bench) -> Result<(), String> {
    let aws = Aws::start(bench)?;
    let Aws { arn, role, .. } = &aws;
    for rule in [
        format!("kms: {arn}\n"),
        format!("kms: '{arn}+{role}'\n"),
        format!(
            "key_groups:\n      - kms:\n          - arn: {arn}\n            role: {role}\n            context:\n              app: shop\n        age:\n          - {}\n",
            bench.ann
        ),
    ] {
        bench.write(".sops.yaml", format!("creation_rules:\n    - path_regex: .*\n      {rule}"));
        both_ways(bench, &[], &aws.variables(), BOTH)?;
        let same_order = bench.text("f.yaml").contains("    kms:\n");
        holds("the key is in the metadata", same_order)?;
    }
    // Two groups, both of which are needed.
    bench.write(
        ".sops.yaml",
        format!(
            "creation_rules:\n    - key_groups:\n      - kms:\n          - arn: {arn}\n      - age:\n          - {}\n",
            bench.ann
        ),
    );
    let with = [&aws.variables()[..], &[("SOPS_AGE_KEY_FILE", "ann.txt")]].concat();
    both_ways(bench, &[], &with, BOTH)
}

const CLOUD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/cloud.py");

/// By what sops meets the server in the place of the services.
fn proxy(server: &Server) -> [(&str, &str); 2] {
    [("HTTPS_PROXY", &server.address), ("SSL_CERT_FILE", "authority.pem")]
}

fn gcp(bench: &Bench) -> Result<(), String> {
    let server = Server::start(bench, &[CLOUD], "listening on ")?;
    let key = "projects/p-1/locations/global/keyRings/ring/cryptoKeys/files";
    let endpoint = ("SOPS_GCP_KMS_ENDPOINT", server.address.as_str());
    let token = [endpoint, ("GOOGLE_OAUTH_ACCESS_TOKEN", "cloud-token")];
    let ours = [Who::Ours; 2];
    both_ways(bench, &["--gcp-kms", key], &token, ours)?;
    let both = [&token[..], &[("SOPS_GCP_KMS_CLIENT_TYPE", "rest")], &proxy(&server)].concat();
    both_ways(bench, &["--gcp-kms", key], &both, BOTH)?;
    // The server made a service account's file, of which it knows the public key.
    let account = [endpoint, ("GOOGLE_CREDENTIALS", "account.json")];
    both_ways(bench, &["--gcp-kms", key], &account, ours)?;
    let text = bench.text("account.json");
    both_ways(bench, &["--gcp-kms", key], &[endpoint, ("GOOGLE_CREDENTIALS", &text)], ours)?;
    let user = format!(
        "{{\"type\": \"authorized_user\", \"client_id\": \"id\", \"client_secret\": \"s&=\", \
         \"refresh_token\": \"refresh\", \"token_uri\": \"{}/token\"}}",
        server.address
    );
    std::fs::create_dir_all(bench.path(".config/gcloud")).unwrap();
    bench.write(".config/gcloud/application_default_credentials.json", user);
    both_ways(bench, &["--gcp-kms", key], &[endpoint], ours)?;
    bench.write(
        ".sops.yaml",
        format!(
            "creation_rules:\n    - key_groups:\n      - gcp_kms:\n          - resource_id: {key}\n"
        ),
    );
    both_ways(bench, &[], &token, ours)?;
    let wrong = [endpoint, ("GOOGLE_OAUTH_ACCESS_TOKEN", "other")];
    let refused = bench.run_with(Who::Ours, &["decrypt", "f.yaml"], &wrong, b"");
    holds(&refused.stderr, refused.code == 128 && refused.stderr.contains("invalid token"))?;
    holds("it names the key", refused.stderr.contains(key))
}

fn azure(bench: &Bench) -> Result<(), String> {
    let server = Server::start(bench, &[CLOUD], "listening on ")?;
    let key = format!("{}/keys/files/0123456789abcdef", server.address);
    let ours = [Who::Ours; 2];
    // No token is shown to an address that is not Azure's.
    let stranger = [("AZURE_ACCESS_TOKEN", "cloud-token")];
    bench.write("f.yaml", TEXT);
    let args = ["encrypt", "--azure-kv", &key, "f.yaml"];
    let refused = bench.run_with(Who::Ours, &args, &stranger, b"");
    holds(&refused.stderr, refused.stderr.contains("is no vault of Azure"))?;
    let known = ("SOPS_AZURE_KEYVAULT_ALLOWLIST", server.address.as_str());
    let token = [stranger[0], known];
    both_ways(bench, &["--azure-kv", &key], &token, ours)?;
    let application = [
        ("AZURE_AUTHORITY_HOST", server.address.as_str()),
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_CLIENT_ID", "client"),
        known,
    ];
    let secret = [&application[..], &[("AZURE_CLIENT_SECRET", "s&=")]].concat();
    both_ways(bench, &["--azure-kv", &key], &secret, ours)?;
    bench.write("federated", "vouched-for\n");
    let federated = [&application[..], &[("AZURE_FEDERATED_TOKEN_FILE", "federated")]].concat();
    both_ways(bench, &["--azure-kv", &key], &federated, ours)?;
    // To sops the same vault has another address.
    let known_as = |address: &str, other: &str| {
        bench.write("f.yaml", bench.text("f.yaml").replace(address, other));
    };
    const VAULT: &str = "https://files.vault.azure.net";
    let sops = [&secret[1..], &proxy(&server)].concat();
    known_as(&server.address, VAULT);
    let found = bench.run_with(Who::Sops, &["decrypt", "f.yaml"], &sops, b"");
    same("from ours to sops", &found.success("decrypt")?, TEXT)?;
    for version in ["/0123456789abcdef", ""] {
        bench.write("f.yaml", TEXT);
        let theirs = format!("{VAULT}/keys/files{version}");
        let args = ["encrypt", "-i", "--azure-kv", &theirs, "f.yaml"];
        bench.run_with(Who::Sops, &args, &sops, b"").success("encrypt")?;
        known_as(VAULT, &server.address);
        let found = bench.run_with(Who::Ours, &["decrypt", "f.yaml"], &secret, b"");
        same("from sops to ours", &found.success("decrypt")?, TEXT)?;
    }
    // Without a version the current one is asked for, and written down.
    let short = format!("{}/keys/files", server.address);
    both_ways(bench, &["--azure-kv", &short], &token, ours)?;
    let text = bench.text("f.yaml");
    holds("the version is there", text.contains("version: 0123456789abcdef"))?;
    bench.write(
        ".sops.yaml",
        format!(
            "creation_rules:\n    - key_groups:\n      - azure_keyvault:\n          - vaultUrl: {}\n            key: files\n            version: 0123456789abcdef\n",
            server.address
        ),
    );
    both_ways(bench, &[], &token, ours)?;
    let refused = bench.run_with(
        Who::Ours,
        &["decrypt", "f.yaml"],
        &[("AZURE_ACCESS_TOKEN", "x"), known],
        b"",
    );
    holds(&refused.stderr, refused.code == 128 && refused.stderr.contains("invalid token"))?;
    holds("it names the key", refused.stderr.contains(&key))
}

fn refusals(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", TEXT);
    let arn = "arn:aws:kms:eu-west-1:123456789012:key/x";
    let gcp = "projects/p/locations/l/keyRings/r/cryptoKeys/k";
    let azure = "https://127.0.0.1:1/keys/k/1";
    let local =
        [("SOPS_AZURE_KEYVAULT_ALLOWLIST", "https://127.0.0.1:1"), ("AZURE_ACCESS_TOKEN", "x")];
    let nowhere = [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
    ];
    for (args, variables, text) in [
        (["--kms", "arn:aws:s3:x"], &[][..], "is no key of AWS KMS"),
        (["--kms", arn], &[], "no AWS credentials were found: set AWS_ACCESS_KEY_ID"),
        (["--kms", arn], &nowhere, "cannot connect to 127.0.0.1:1"),
        (["--gcp-kms", "projects/x"], &[], "is no key of GCP KMS"),
        (["--gcp-kms", gcp], &[], "no GCP credentials were found"),
        (["--gcp-kms", gcp], &[("GOOGLE_CREDENTIALS", "missing")], "missing cannot be read"),
        (["--gcp-kms", gcp], &[("GOOGLE_CREDENTIALS", "{}")], "the GCP credentials are neither"),
        (["--azure-kv", "https://x"], &[], "is no key of Azure Key Vault"),
        (["--azure-kv", azure], &local[..1], "no Azure credentials were found"),
        (["--azure-kv", azure], &local, "cannot connect to 127.0.0.1:1"),
    ] {
        let all = [&["encrypt"], &args[..], &["f.yaml"]].concat();
        let answer = bench.run_with(Who::Ours, &all, variables, b"");
        let found = format!("{}: {}", args.join(" "), answer.stderr);
        holds(&found, answer.code != 0 && answer.stderr.contains(text))?;
        holds(&found, answer.stderr.contains(args[1]))?;
    }
    Ok(())
}
