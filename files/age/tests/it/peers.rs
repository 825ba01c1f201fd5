//! What one implementation encrypts the others decrypt.

use crate::Check;
use crate::bench::{Bench, holds, same};

pub(crate) const CHECKS: &[Check] = &[
    ("peers: age of Debian, X25519 and SSH keys", debian),
    ("peers: SSH keys under a passphrase, and in the old form", old_ssh),
    ("peers: pyrage, which is rage", rage),
    ("peers: age-encryption, X25519, the hybrid and passphrases", javascript),
    ("peers: lists of recipients and identities", lists),
    ("peers: a long file takes the memory of a short one", long),
];

const PLAIN: &[u8] = b"some text\n";

/// A file that age and ours encrypt, armored and not, is decrypted by the other.
fn both_ways(bench: &Bench, recipient: &str, identity: &str) -> Result<(), String> {
    for armor in [&[][..], &["-a"]] {
        let to = ["-r", recipient];
        let ours = bench.ours(&[&["encrypt"], armor, &to].concat(), PLAIN)?;
        holds("armor is text", armor.is_empty() || ours.starts_with(b"-----BEGIN AGE"))?;
        let plain = bench.theirs("age", &["-d", "-i", identity], &ours)?;
        same(&format!("{identity} from ours to age"), &plain, PLAIN)?;
        let theirs = bench.theirs("age", &[armor, &to].concat(), PLAIN)?;
        let plain = bench.ours(&["decrypt", "-i", identity], &theirs)?;
        same(&format!("{identity} from age to ours"), &plain, PLAIN)?;
    }
    Ok(())
}

fn debian(bench: &Bench) -> Result<(), String> {
    let recipient = bench.keygen("ours.txt", &[])?;
    both_ways(bench, &recipient, "ours.txt")?;
    bench.theirs("age-keygen", &["-o", "theirs.txt"], b"")?;
    let recipient = bench.ours(&["keygen", "-y", "theirs.txt"], b"")?;
    same("the recipient", &recipient, &bench.theirs("age-keygen", &["-y", "theirs.txt"], b"")?)?;
    both_ways(bench, std::str::from_utf8(&recipient).unwrap().trim(), "theirs.txt")?;
    for kind in ["ed25519", "rsa"] {
        let file = format!("id_{kind}");
        let args = ["-q", "-t", kind, "-N", "", "-C", "ann@home", "-f", &file];
        bench.theirs("ssh-keygen", &args, b"")?;
        both_ways(bench, bench.text(&format!("{file}.pub")).trim(), &file)?;
        let own = bench.ours(&["encrypt", "-i", &file], PLAIN)?;
        same("for its owner", &bench.theirs("age", &["-d", "-i", &file], &own)?, PLAIN)?;
    }
    Ok(())
}

fn old_ssh(bench: &Bench) -> Result<(), String> {
    let args = ["-q", "-t", "rsa", "-m", "PEM", "-N", "", "-C", "", "-f", "id_old"];
    bench.theirs("ssh-keygen", &args, b"")?;
    holds("it is in the old form", bench.text("id_old").contains("BEGIN RSA PRIVATE KEY"))?;
    both_ways(bench, bench.text("id_old.pub").trim(), "id_old")?;
    for kind in ["ed25519", "rsa"] {
        let file = format!("locked_{kind}");
        let args = ["-q", "-t", kind, "-N", "secret words", "-C", "", "-f", &file];
        bench.theirs("ssh-keygen", &args, b"")?;
        let to = bench.text(&format!("{file}.pub"));
        let encrypted = bench.theirs("age", &["-r", to.trim()], PLAIN)?;
        bench.write("locked.age", encrypted);
        let plain = crate::terminal::typed(
            bench,
            &["decrypt", "-i", &file, "-o", "plain", "locked.age"],
            &["secret words"],
        )?;
        holds(&format!("it works: {}", plain.shown), plain.works)?;
        same("decrypted", &bench.read("plain"), PLAIN)?;
        let args = ["decrypt", "-i", &file, "-o", "plain", "locked.age"];
        let wrong = crate::terminal::typed(bench, &args, &["other words"])?;
        holds(&wrong.shown, !wrong.works && wrong.shown.contains("is another one"))?;
    }
    Ok(())
}

const RAGE: &str = r#"
import sys
from pyrage import encrypt, decrypt, x25519
identity = x25519.Identity.from_str(open("key.txt").read().splitlines()[-1])
open("rage.age", "wb").write(encrypt(b"some text\n", [identity.to_public()]))
sys.stdout.buffer.write(decrypt(open("ours.age", "rb").read(), [identity]))
"#;

fn rage(bench: &Bench) -> Result<(), String> {
    let recipient = bench.keygen("key.txt", &[])?;
    bench.ours(&["encrypt", "-r", &recipient, "-o", "ours.age"], PLAIN)?;
    same("from ours to rage", &bench.python(RAGE, &[])?, PLAIN)?;
    same("from rage to ours", &bench.ours(&["decrypt", "-i", "key.txt", "rage.age"], b"")?, PLAIN)
}

const JAVASCRIPT: &str = r#"
import * as age from "age-encryption";
import fs from "fs";
const identity = fs.readFileSync("key.txt", "utf8").trim().split("\n").pop();
const encrypter = new age.Encrypter();
encrypter.addRecipient(await age.identityToRecipient(identity));
fs.writeFileSync("theirs.age", await encrypter.encrypt("some text\n"));
const decrypter = new age.Decrypter();
decrypter.addIdentity(identity);
process.stdout.write(await decrypter.decrypt(fs.readFileSync("ours.age"), "text"));
"#;

const PASSPHRASE: &str = r#"
import * as age from "age-encryption";
import fs from "fs";
const encrypter = new age.Encrypter();
encrypter.setPassphrase("secret words");
encrypter.setScryptWorkFactor(10);
fs.writeFileSync("theirs.age", await encrypter.encrypt("some text\n"));
const decrypter = new age.Decrypter();
decrypter.addPassphrase("secret words");
process.stdout.write(await decrypter.decrypt(fs.readFileSync("ours.age"), "text"));
"#;

fn javascript(bench: &Bench) -> Result<(), String> {
    for (kind, flags) in [("X25519", &[][..]), ("hybrid", &["-pq"])] {
        let file = format!("{kind}.txt");
        let recipient = bench.keygen(&file, flags)?;
        bench.write("key.txt", bench.read(&file));
        bench.ours(&["encrypt", "-r", &recipient, "-o", "ours.age"], PLAIN)?;
        same(&format!("{kind} from ours"), &bench.node(JAVASCRIPT, &[])?, PLAIN)?;
        let plain = bench.ours(&["decrypt", "-i", &file, "theirs.age"], b"")?;
        same(&format!("{kind} to ours"), &plain, PLAIN)?;
    }
    bench.write("plain", PLAIN);
    let args = ["encrypt", "-p", "-o", "ours.age", "plain"];
    let typed = crate::terminal::typed(bench, &args, &["secret words", "secret words"])?;
    holds(&typed.shown, typed.works)?;
    same("a passphrase from ours", &bench.node(PASSPHRASE, &[])?, PLAIN)?;
    let args = ["decrypt", "-o", "again", "theirs.age"];
    let typed = crate::terminal::typed(bench, &args, &["secret words"])?;
    holds(&typed.shown, typed.works)?;
    same("a passphrase to ours", &bench.read("again"), PLAIN)
}

fn lists(bench: &Bench) -> Result<(), String> {
    let [ann, bob] = ["ann.txt", "bob.txt"].map(|file| bench.keygen(file, &[]));
    let (ann, bob) = (ann?, bob?);
    bench.write("all.txt", format!("# Everybody.\n{ann}\n\n  {bob}  \n"));
    let ours = bench.ours(&["encrypt", "-R", "all.txt"], PLAIN)?;
    for identity in ["ann.txt", "bob.txt"] {
        let plain = bench.theirs("age", &["-d", "-i", identity], &ours)?;
        same(identity, &plain, PLAIN)?;
    }
    // The other identity in between is no reason to stop.
    let only_bob = bench.theirs("age", &["-r", &bob], PLAIN)?;
    let plain = bench.ours(&["decrypt", "-i", "ann.txt", "-i", "bob.txt"], &only_bob)?;
    same("several identities", &plain, PLAIN)?;
    // Identities that are encrypted themselves.
    let locked = bench.ours(&["encrypt", "-i", "bob.txt", "-a"], PLAIN)?;
    same("for its owner", &bench.ours(&["decrypt", "-i", "bob.txt"], &locked)?, PLAIN)?;
    let args = ["encrypt", "-p", "-a", "-o", "locked.txt", "bob.txt"];
    let typed = crate::terminal::typed(bench, &args, &["secret words", "secret words"])?;
    holds(&typed.shown, typed.works)?;
    bench.write("bob.age", &only_bob);
    let args = ["decrypt", "-i", "locked.txt", "-o", "plain", "bob.age"];
    let typed = crate::terminal::typed(bench, &args, &["secret words"])?;
    holds(&typed.shown, typed.works)?;
    same("an encrypted identity", &bench.read("plain"), PLAIN)
}

/// Two hundred mebibytes go through processes that may have a hundred and fifty of address space,
/// which would not do if the file were read at once.
fn long(bench: &Bench) -> Result<(), String> {
    const LENGTH: usize = 200 << 20;
    const LIMIT_KIB: usize = 150 << 10;
    let recipient = bench.keygen("key.txt", &[])?;
    let program = std::env::current_exe().unwrap();
    let ours = format!("ulimit -v {LIMIT_KIB}; exec {}", program.display());
    bench.write(
        "both",
        format!(
            "#!/bin/sh\nset -e\nexport {}=1\nhead -c {LENGTH} /dev/zero | ({ours} encrypt -r {recipient} \
             -o long.age)\n({ours} decrypt -i key.txt long.age) | wc -c\n",
            crate::AS_CLI
        ),
    );
    let count = bench.theirs("sh", &["both"], b"")?;
    let count = String::from_utf8_lossy(&count).trim().to_owned();
    same("the length", count.as_bytes(), LENGTH.to_string().as_bytes())
}
