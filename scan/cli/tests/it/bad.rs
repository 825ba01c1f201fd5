use std::fs;
use std::process::Command;

use crate::Check;
use crate::bench::{Bench, Who};

pub(crate) const CHECKS: &[Check] = &[
    ("bad: a blob is missing", missing),
    ("bad: a pack is corrupt", corrupt),
    ("bad: the index of a pack is corrupt", corrupt_index),
    ("bad: a commit is missing", missing_commit),
    ("bad: what no commit leads to", unreachable),
    ("bad: a tree that lies in itself", endless),
    ("bad: a shallow clone", shallow),
    ("bad: a submodule", submodule),
    ("bad: an empty repository", empty),
    ("bad: a repository whose settings are broken", settings),
    ("bad: broken configurations", configurations),
];

/// Ours says what it could not scan, and never that all is well; as gitleaks it is an error.
fn incomplete(bench: &Bench, args: &[&str], told: &str) {
    let answer = bench.run(Who::Ours, args);
    assert_eq!(answer.code, 3, "{}{}", answer.stdout, answer.stderr);
    assert!(answer.stderr.contains(told), "{}", answer.stderr);
    assert!(answer.stderr.contains("in what could be scanned"), "{}", answer.stderr);
    assert_eq!(bench.run(Who::Like, args).code, 1);
}

fn repository(bench: &Bench) {
    bench.git(&["init", "-q"]);
    for number in 0..4 {
        bench.write("a.txt", format!("text {number}\n"));
        bench.commit(&format!("commit {number}"));
    }
}

fn object(bench: &Bench, name: &str) -> std::path::PathBuf {
    object_path(bench, bench.git(&["rev-parse", name]).trim())
}

fn object_path(bench: &Bench, id: &str) -> std::path::PathBuf {
    bench.path(&format!(".git/objects/{}/{}", &id[..2], &id[2..]))
}

fn missing(bench: &Bench) {
    repository(bench);
    assert_eq!(bench.run(Who::Ours, &["git", "."]).code, 0);
    fs::remove_file(object(bench, "HEAD~2:a.txt")).unwrap();
    incomplete(bench, &["git", "."], "it is not in the repository");
}

fn corrupt(bench: &Bench) {
    repository(bench);
    let (pack, good) = packed(bench, "pack");
    // Whatever byte is wrong, nothing panics, and nothing is called clean that was not read.
    for at in (12..good.len() - 20).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        fs::write(&pack, bad).unwrap();
        let code = bench.run(Who::Ours, &["git", "."]).code;
        assert!([2, 3].contains(&code), "byte {at}: {code}");
    }
    fs::write(&pack, &good[..good.len() / 2]).unwrap();
    assert!([2, 3].contains(&bench.run(Who::Ours, &["git", "."]).code));
}

/// Its bytes name places and lengths in the pack.
fn corrupt_index(bench: &Bench) {
    repository(bench);
    bench.write("b.txt", "tkt_abcdefghij01\n");
    bench.commit("with a ticket");
    let (index, good) = packed(bench, "idx");
    assert_eq!(bench.run(Who::Ours, &["git", "."]).code, 1);
    for at in (0..good.len()).step_by(good.len() / 150) {
        for flip in [0x01, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            fs::write(&index, bad).unwrap();
            let answer = bench.run(Who::Ours, &["git", "."]);
            assert!([1, 2, 3].contains(&answer.code), "byte {at}: {}", answer.stderr);
            assert!(!answer.stderr.contains("panicked"), "byte {at}: {}", answer.stderr);
        }
    }
}

/// All objects in one pack, and what is in the file of it with this ending, which can be written.
fn packed(bench: &Bench, ending: &str) -> (std::path::PathBuf, Vec<u8>) {
    bench.git(&["repack", "-q", "-a", "-d"]);
    let files = fs::read_dir(bench.path(".git/objects/pack")).unwrap();
    let mut files = files.map(|entry| entry.unwrap().path());
    let file = files.find(|path| path.extension().is_some_and(|end| end == ending)).unwrap();
    let mut permissions = fs::metadata(&file).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(&file, permissions).unwrap();
    let content = fs::read(&file).unwrap();
    (file, content)
}

fn missing_commit(bench: &Bench) {
    repository(bench);
    fs::remove_file(object(bench, "HEAD~1")).unwrap();
    incomplete(bench, &["git", "."], "not scanned: commit ");
}

/// git leaves what was amended away until it is collected, and half of it may be gone. It counts only where it is broken.
fn unreachable(bench: &Bench) {
    repository(bench);
    bench.write("folder/b.txt", "amended away\n");
    bench.commit("amended away");
    let commit = bench.git(&["rev-parse", "HEAD"]);
    let tree = bench.git(&["rev-parse", "HEAD^{tree}"]);
    let (folder, file) = (object(bench, "HEAD:folder"), object(bench, "HEAD:folder/b.txt"));
    bench.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let code = || bench.run(Who::Ours, &["git", "."]).code;
    fs::remove_file(file).unwrap();
    assert_eq!(code(), 0);
    fs::remove_file(folder).unwrap();
    assert_eq!(code(), 0);
    let mut pack = Command::new("git");
    pack.args(["pack-objects", "-q", ".git/objects/pack/pack"]);
    let answer = bench.start(pack, tree.as_bytes());
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    bench.git(&["prune-packed", "-q"]);
    assert_eq!(code(), 0);
    let pack = bench.path(&format!(".git/objects/pack/pack-{}.pack", answer.stdout.trim()));
    let good = fs::read(&pack).unwrap();
    fs::remove_file(&pack).unwrap();
    let mut bad = good.clone();
    // The last byte of the only object, before the checksum of the pack.
    bad[good.len() - 21] ^= 1;
    fs::write(&pack, bad).unwrap();
    incomplete(bench, &["git", "."], &format!("not scanned: tree {}", tree.trim()));
    fs::write(&pack, good).unwrap();
    assert_eq!(code(), 0);
    bench.git(&["update-ref", "refs/heads/back", commit.trim()]);
    incomplete(bench, &["git", "."], "it is not in the repository");
}

/// Nobody can name a tree before it is made, but a repository may have a tree under another one's name.
fn endless(bench: &Bench) {
    bench.git(&["init", "-q"]);
    let name = "aa".repeat(20);
    bench.write("text", "tkt_aaaaaaaaaaaa\n");
    let blob = bench.git(&["hash-object", "-w", "text"]);
    let bytes = (0..40).step_by(2).map(|at| u8::from_str_radix(&blob[at..at + 2], 16).unwrap());
    let entries =
        [&b"100644 text\0"[..], &bytes.collect::<Vec<u8>>(), b"40000 within\0", &[0xAA; 20]];
    let store = |kind: &str, content: Vec<u8>| {
        bench.write("object", content);
        bench.git(&["hash-object", "-t", kind, "--literally", "-w", "object"]).trim().to_owned()
    };
    let tree = store("tree", entries.concat());
    fs::create_dir_all(bench.path(".git/objects/aa")).unwrap();
    fs::rename(object_path(bench, &tree), object_path(bench, &name)).unwrap();
    // It is the tree of one commit, and the only one in that of the next.
    let above = store("tree", [&b"40000 above\0"[..], &[0xAA; 20]].concat());
    let who = "a <a@b> 1700000000 +0000";
    let commit = |tree: &str| format!("tree {tree}\nauthor {who}\ncommitter {who}\n\nm\n");
    for tree in [name, above] {
        let commit = store("commit", commit(&tree).into_bytes());
        bench.git(&["update-ref", "refs/heads/main", &commit]);
        incomplete(bench, &["git", "."], "its trees lie in each other");
        incomplete(bench, &["git", "--log-opts=HEAD", "."], "its trees lie in each other");
    }
}

fn shallow(bench: &Bench) {
    repository(bench);
    let url = format!("file://{}", bench.path("").display());
    bench.git(&["clone", "-q", "--depth", "2", &url, "../shallow"]);
    let answer = bench.run(Who::Ours, &["git", "../shallow"]);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(answer.stderr.contains("git fetch --unshallow"), "{}", answer.stderr);
    // As gitleaks it is a note: every checkout of a build is shallow.
    let answer = bench.run(Who::Like, &["git", "../shallow"]);
    assert_eq!(answer.code, 0);
    assert!(answer.stderr.contains("git fetch --unshallow"));
}

fn submodule(bench: &Bench) {
    repository(bench);
    bench.git(&["clone", "-q", ".", "../other"]);
    bench.git(&["submodule", "--quiet", "add", "../other", "lib"]);
    bench.commit("with a submodule");
    let answer = bench.run(Who::Ours, &["git", "."]);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(answer.stderr.contains("not scanned: lib: a submodule"), "{}", answer.stderr);
}

fn empty(bench: &Bench) {
    bench.git(&["init", "-q"]);
    assert_eq!(bench.run(Who::Ours, &["git", "."]).code, 0);
    assert_eq!(bench.run(Who::Ours, &["git", "--staged", "."]).code, 0);
}

fn settings(bench: &Bench) {
    repository(bench);
    fs::write(bench.path(".git/config"), "[core\n").unwrap();
    let answer = bench.run(Who::Ours, &["git", "."]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(answer.stderr.contains("cannot open a repository of git at .: "), "{}", answer.stderr);
    assert!(answer.stderr.contains("[core"), "{}", answer.stderr);
}

fn configurations(bench: &Bench) {
    for text in
        ["[[rules]]\nid = 'a'\nregex = '('", "not toml", "[[rules]]\nid = 'a'\nregex = '(?=a)'"]
    {
        fs::write(bench.rules(), text).unwrap();
        let answer = bench.run(Who::Ours, &["stdin"]);
        assert_eq!(answer.code, 2, "{}", answer.stderr);
        assert!(answer.stderr.contains("rules.toml"), "{}", answer.stderr);
        assert_eq!(bench.run(Who::Like, &["stdin"]).code, 1);
    }
    // gitleaks calls it clean.
    for text in ["", "[extend]\npath = '../rules.toml'\n"] {
        fs::write(bench.rules(), text).unwrap();
        let answer = bench.run(Who::Ours, &["stdin"]);
        assert_eq!(answer.code, 2, "{}", answer.stderr);
        assert!(answer.stderr.contains("the configuration has no rules"), "{}", answer.stderr);
        let answer = bench.run(Who::Like, &["stdin"]);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        assert!(answer.stderr.contains("warning: the configuration has no rules"));
    }
}
