use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Row;
use super::rivals::{Rivals, Who, holds, same};
use crate::moto::Moto;
use crate::server::{Product, Server, Setup};
use crate::sops::Key;
use crate::{Result, process, setup};

/// Rows for every source of master keys that can run here, and for groups of them.
pub(super) fn rows() -> Result<Vec<Row>> {
    let bao = Arc::new(Transit::start()?);
    let transit =
        Row::new("key source", "hc_vault (real OpenBao)", move |rivals, writer, reader| {
            let with = [("VAULT_TOKEN", bao.server.root_token.as_str())];
            opens(rivals, writer, reader, &["--hc-vault-transit", &bao.key], &with)?;
            let refused =
                rivals.run(reader, &["decrypt", "f.yaml"], &[("VAULT_TOKEN", "nobody")])?;
            holds("without the token it is refused", refused.code == Some(128))
        });
    let kms = Kms::start()?;
    let kms = Row::new("key source", "kms (moto)", move |rivals, writer, reader| {
        let (with, [one, other]) = (kms.variables(), &kms.keys);
        let with = with.each_ref().map(|(name, value)| (*name, value.as_str()));
        let opens = |who| {
            let found = rivals.output(who, &["decrypt", "f.yaml"], &with)?;
            same(&String::from_utf8_lossy(&found), TEXT)
        };
        rivals.folder.write("f.yaml", TEXT)?;
        let context = ["encrypt", "-i", "--kms", one, "--encryption-context", "app:shop", "f.yaml"];
        rivals.output(writer, &context, &with)?;
        opens(reader)?;
        rivals.folder.write("g.yaml", rivals.read("f.yaml")?.replace("app: shop", "app: mall"))?;
        let refused = rivals.run(reader, &["decrypt", "g.yaml"], &with)?;
        holds("in another context it is refused", refused.code == Some(128))?;
        rivals.output(reader, &["rotate", "-i", "f.yaml"], &with)?;
        opens(writer)?;
        rivals.folder.write(".sops.yaml", format!("creation_rules:\n- kms: {other}\n"))?;
        rivals.output(reader, &["updatekeys", "-y", "f.yaml"], &with)?;
        let text = rivals.read("f.yaml")?;
        holds("the keys are others", text.contains(other) && !text.contains(one))?;
        opens(writer)?;
        rivals.output(writer, &["rotate", "-i", "--add-kms", one, "f.yaml"], &with)?;
        opens(reader)
    });
    let ssh = ["ed25519", "rsa"].map(|kind| {
        Row::new("key source", format!("age, ssh-{kind}"), move |rivals, writer, reader| {
            let file = rivals.folder.path().join("id");
            let mut keygen = Command::new("ssh-keygen");
            process::capture(keygen.args(["-q", "-t", kind, "-N", "", "-C", "", "-f"]).arg(&file))?;
            let public = rivals.read("id.pub")?;
            let with = [("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "id"), ("SOPS_AGE_KEY_FILE", "")];
            opens(rivals, writer, reader, &["--age", public.trim()], &with)
        })
    });
    let age = Row::new("key source", "age, x25519", |rivals, writer, reader| {
        let recipient = rivals.key.recipient.clone();
        opens(rivals, writer, reader, &["--age", &recipient], &[])?;
        let nobody = Key::new(&rivals.folder)?.environment(&rivals.folder)[1].1.clone();
        let with = [("SOPS_AGE_KEY_FILE", nobody.to_str().unwrap_or_default())];
        let refused = rivals.run(reader, &["decrypt", "f.yaml"], &with)?;
        holds("another key opens nothing", refused.code == Some(128))
    });
    let pgp = Row::new("key source", "pgp", |rivals, writer, reader| {
        let keyring = Keyring::new(rivals)?;
        let with = [("GNUPGHOME", keyring.home.as_str())];
        opens(rivals, writer, reader, &["--pgp", &keyring.fingerprint], &with)
    });
    let groups = [(2, 2), (3, 2), (3, 3)].map(|(count, needed)| {
        Row::new("key groups", format!("{needed} of {count}"), move |rivals, writer, reader| {
            group(rivals, writer, reader, count, needed)
        })
    });
    Ok([age].into_iter().chain(ssh).chain([pgp, kms, transit]).chain(groups).collect())
}

const TEXT: &str = "a: 1\nb: x\n";

fn opens(
    rivals: &Rivals,
    writer: Who,
    reader: Who,
    flags: &[&str],
    variables: &[(&str, &str)],
) -> Result<()> {
    rivals.folder.write("f.yaml", TEXT)?;
    let words = [&["encrypt", "-i"], flags, &["f.yaml"]].concat();
    rivals.output(writer, &words, variables)?;
    let found = rivals.output(reader, &["decrypt", "f.yaml"], variables)?;
    same(&String::from_utf8_lossy(&found), TEXT)
}

/// A file for which so many groups, of one key each, are needed. A reader with one key too few is
/// refused.
fn group(rivals: &Rivals, writer: Who, reader: Who, count: usize, needed: usize) -> Result<()> {
    let keys = (0..count).map(|_| Key::new(&rivals.folder)).collect::<Result<Vec<_>>>()?;
    let groups: String =
        keys.iter().map(|key| format!("  - age:\n    - {}\n", key.recipient)).collect();
    let rules = format!("creation_rules:\n- shamir_threshold: {needed}\n  key_groups:\n{groups}");
    rivals.folder.write(".sops.yaml", rules)?;
    rivals.folder.write("f.yaml", TEXT)?;
    rivals.output(writer, &["encrypt", "-i", "f.yaml"], &[])?;
    let read = |keys: &[Key]| {
        let mut identities = String::new();
        for key in keys {
            let path = key.environment(&rivals.folder)[1].1.clone();
            identities.push_str(&std::fs::read_to_string(path).unwrap_or_default());
        }
        rivals.folder.write("some.txt", identities)?;
        rivals.run(reader, &["decrypt", "f.yaml"], &[("SOPS_AGE_KEY_FILE", "some.txt")])
    };
    let enough = read(&keys[count - needed..])?;
    same(&String::from_utf8_lossy(&enough.stdout), TEXT)?;
    let too_few = read(&keys[..needed - 1])?;
    holds("one key too few is refused", too_few.code == Some(128))
}

/// A transit key of a real OpenBao.
struct Transit {
    server: Server,
    key: String,
}

impl Transit {
    fn start() -> Result<Self> {
        let server = Server::start_ready(Product::OpenBao, &setup::peers()?.bao, Setup::default())?;
        let mut client = server.client();
        client.expect("POST", "/v1/sys/mounts/transit", &json!({"type": "transit"}))?;
        client.expect("POST", "/v1/transit/keys/files", &json!({}))?;
        let key = format!("http://{}/v1/transit/keys/files", server.address);
        Ok(Self { server, key })
    }
}

/// Two keys of AWS KMS.
struct Kms {
    moto: Moto,
    keys: [String; 2],
}

impl Kms {
    fn start() -> Result<Self> {
        let moto = Moto::start()?;
        let key = || {
            let answer: Value = serde_json::from_str(&moto.kms("CreateKey")?)
                .map_err(|error| format!("moto made no key: {error}"))?;
            let arn = answer.pointer("/KeyMetadata/Arn").and_then(Value::as_str);
            Ok::<_, String>(arn.ok_or("a key of moto has no name")?.to_owned())
        };
        let keys = [key()?, key()?];
        Ok(Self { moto, keys })
    }

    fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.moto.address)),
            ("AWS_ACCESS_KEY_ID", "AKIAANYBODY".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "none".to_owned()),
        ]
    }
}

/// A keyring of GnuPG with one key. Its agent ends with it.
struct Keyring {
    home: String,
    fingerprint: String,
}

impl Keyring {
    fn new(rivals: &Rivals) -> Result<Self> {
        // The path of the agent's socket may have a hundred letters.
        let home = rivals.folder.path().join("g");
        std::fs::create_dir(&home).map_err(|error| format!("no folder for keys: {error}"))?;
        process::capture(Command::new("chmod").arg("700").arg(&home))?;
        let gpg = |words: &[&str]| {
            process::capture(Command::new("gpg").env("GNUPGHOME", &home).arg("--batch").args(words))
        };
        let who = "Ann <ann@example.com>";
        gpg(&[
            "--quiet",
            "--passphrase",
            "",
            "--quick-generate-key",
            who,
            "future-default",
            "default",
        ])?;
        let list = gpg(&["--with-colons", "--list-keys"])?;
        let fingerprint = list.lines().find_map(|line| line.strip_prefix("fpr:"));
        let fingerprint = fingerprint.ok_or("gpg lists no fingerprint")?.replace(':', "");
        Ok(Self { home: home.display().to_string(), fingerprint })
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        let mut kill = Command::new("gpgconf");
        // Without an agent there is nothing to end.
        let _ =
            process::capture(kill.env("GNUPGHOME", Path::new(&self.home)).args(["--kill", "all"]));
    }
}
