//! Calls and files that cannot work.

use crate::Check;
use crate::bench::{Bench, holds};

pub(crate) const CHECKS: &[Check] = &[
    ("refusals: calls", calls),
    ("refusals: files", files),
    ("refusals: a file that does not decrypt leaves the old one", old_file),
];

const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

fn calls(bench: &Bench) -> Result<(), String> {
    let pq = bench.keygen("pq.txt", &["-pq"])?;
    bench.write("bad.txt", "# comment\nAGE-SECRET-KEY-1QQQQ\n");
    bench.write("empty.txt", "# nothing\n");
    bench.theirs("ssh-keygen", &["-q", "-t", "ecdsa", "-N", "", "-f", "id_ecdsa"], b"")?;
    let ecdsa = bench.text("id_ecdsa.pub");
    for (args, code, text) in [
        (&["encrypt"][..], 1, "nobody is named who could read the file"),
        (&["encrypt", "-r", "age1nobody"], 1, "'age1nobody' is no age recipient"),
        (&["encrypt", "-r", "AGE-SECRET-KEY-1QQQQ"], 1, "this is an identity, which decrypts"),
        (
            &["encrypt", "-r", "ssh-ed25519 AAAA"],
            1,
            "this is no public SSH key of type ssh-ed25519",
        ),
        (&["encrypt", "-r", ecdsa.trim()], 1, "cannot decrypt files: use ssh-ed25519 or ssh-rsa"),
        (&["encrypt", "-R", "missing"], 1, "missing: "),
        (&["encrypt", "-R", "bad.txt"], 1, "bad.txt: line 2: this is an identity"),
        (&["encrypt", "-i", "bad.txt"], 1, "bad.txt: line 2: this is no identity"),
        (&["encrypt", "-r", RECIPIENT, "-p"], 1, "a passphrase (-p) must be the only recipient"),
        (&["encrypt", "-r", RECIPIENT, "-r", &pq], 1, "the recipients do not go together"),
        (&["encrypt", "-r", RECIPIENT, "a", "b"], 2, "more than one file is named"),
        (&["encrypt", "-x"], 2, "-x is no flag here"),
        (&["encrypt", "-r"], 2, "-r needs a RECIPIENT"),
        (&["encrypt", "-r", RECIPIENT, "missing"], 1, "missing: "),
        (&["decrypt", "-i", "empty.txt"], 1, "empty.txt: there is no identity"),
        (&["decrypt", "-i", "id_ecdsa"], 1, "id_ecdsa: SSH keys of type ecdsa"),
        (&["decrypt", "-j", "a/b"], 1, "no plugin can be called 'a/b'"),
        (&["keygen", "-o", "pq.txt"], 1, "pq.txt: File exists"),
        (&["keygen", "file"], 1, "a file is read only with -y"),
        (&["keygen", "-y", "id_ecdsa"], 1, "SSH keys of type ecdsa"),
        (&["nonsense"], 2, "'nonsense' is no command"),
    ] {
        let answer = bench.run(args, b"text");
        let found = format!("{}: {} {}", args.join(" "), answer.code, answer.stderr);
        holds(&found, answer.code == code && answer.stderr.contains(text))?;
        holds(&found, answer.stdout.is_empty())?;
    }
    let answer = bench.run(&["encrypt", "-r", "AGE-SECRET-KEY-1QQQQ"], b"");
    holds("an identity is not repeated", !answer.stderr.contains("QQQQ"))?;
    let mode = std::fs::metadata(bench.path("pq.txt")).unwrap().permissions();
    let mode = std::os::unix::fs::PermissionsExt::mode(&mode);
    holds("a new identity is its owner's alone", mode & 0o777 == 0o600)
}

fn files(bench: &Bench) -> Result<(), String> {
    let recipient = bench.keygen("key.txt", &[])?;
    bench.keygen("other.txt", &[])?;
    let file = bench.ours(&["encrypt", "-r", &recipient], b"text")?;
    let armored = bench.ours(&["encrypt", "-a", "-r", &recipient], b"text")?;
    let flipped = |at: usize| {
        let mut file = file.clone();
        file[at] ^= 1;
        file
    };
    let end = file.len() - 1;
    for (what, file, text) in [
        ("nothing", Vec::new(), "the header is damaged: it ends in the middle"),
        ("a text", b"hello\n".to_vec(), "this is no file of age"),
        ("another version", b"age-encryption.org/v9\n".to_vec(), "a version that is not known"),
        ("a changed end", flipped(end), "the payload is damaged"),
        ("a cut end", file[..end].to_vec(), "the payload is damaged"),
        ("a cut header", file[..30].to_vec(), "the header is damaged"),
        ("cut armor", armored[..80].to_vec(), "the armor is damaged"),
        ("armor and more", [&armored[..], b"x"].concat(), "something follows its last line"),
    ] {
        let answer = bench.run(&["decrypt", "-i", "key.txt"], &file);
        let found = format!("{what}: {} {}", answer.code, answer.stderr);
        holds(&found, answer.code == 1 && answer.stderr.contains(text))?;
    }
    let answer = bench.run(&["decrypt", "-i", "other.txt"], &file);
    holds(&answer.stderr, answer.stderr.contains("no identity matched any of the recipients"))?;
    let answer = bench.run(&["decrypt"], &file);
    holds(&answer.stderr, answer.stderr.contains("name identities with -i FILE"))
}

fn old_file(bench: &Bench) -> Result<(), String> {
    let recipient = bench.keygen("key.txt", &[])?;
    let plain = vec![b'x'; 200_000];
    let mut file = bench.ours(&["encrypt", "-r", &recipient], &plain)?;
    let end = file.len() - 1;
    file[end] ^= 1;
    bench.write("out", "old");
    let answer = bench.run(&["decrypt", "-i", "key.txt", "-o", "out"], &file);
    holds(&answer.stderr, answer.code == 1 && bench.text("out") == "old")
}
