use std::process::Command;

use serde_json::Value;

use crate::bench::{Bench, Who};
use crate::{AS_CLI, Check};

pub(crate) const CHECKS: &[Check] = &[
    ("history: what commits add", history),
    ("history: packed as loose, and deltas", packed),
    ("history: moved files", moved),
    ("history: exchanged files and folders", exchanged),
    ("history: branches and merges", merges),
    ("history: a merge that adds by itself", evil_merge),
    ("history: ranges", ranges),
    ("history: staged and changed", staged),
    ("history: staged in a sparse index", sparse),
    ("history: bare repositories and worktrees", bare),
    ("history: names of people and links", people),
    ("history: objects with names of SHA-256", sha256),
    ("history: wide text that is no binary to git", wide),
    ("history: files that nobody holds in memory", large),
];

fn history(bench: &Bench) {
    bench.git(&["init", "-q"]);
    bench.write("a.txt", "x\ntkt_aaaaaaaaaaaa and password = \"one\"\nend");
    bench.write("sub/b c.txt", "tkt_bbbbbbbbbbbb\n");
    bench.commit("first\nline two\n\n\nbody <&>  \nmore\n");
    // In the middle of a hunk, at its start, and a line that only moved down.
    bench.write("a.txt", "new\ntkt_cccccccccccc\nx\ntkt_aaaaaaaaaaaa and password = \"one\"\ntkt_dddddddddddd\nend\n");
    bench.commit("second");
    bench.write("crlf.txt", "a\r\ntkt_eeeeeeeeeeee\r\nb\r\n");
    bench.write("bin.dat", b"\0\0tkt_ffffffffffff\n");
    bench.write("key.txt", "k\n-----BEGIN KEY-----\nabc\ndef\n-----END KEY-----\n");
    bench.commit("third");
    // Gone and back again is added twice.
    std::fs::remove_file(bench.path("sub/b c.txt")).unwrap();
    bench.commit("gone");
    bench.write("sub/b c.txt", "tkt_bbbbbbbbbbbb\n");
    bench.commit("back");
    bench.agree(&["git", "."], 8);
    bench.agree(&["detect"], 8);
    bench.agree(&["git", "sub"], 8);
}

fn packed(bench: &Bench) {
    bench.git(&["init", "-q"]);
    // Large enough that what is far from a change is not looked at again.
    let filler: String = (0..3000).map(|line| format!("line {line} of a text\n")).collect();
    for number in 0..30 {
        let secret = if number % 7 == 3 { format!("tkt_{number:012}\n") } else { String::new() };
        let (start, end) = filler.split_at(filler.len() / 2);
        bench.write("big.txt", format!("version {number}\n{start}{secret}{end}"));
        bench.write(&format!("small{number}.txt"), format!("version {number}\n"));
        bench.commit(&format!("commit {number}"));
    }
    bench.agree(&["git", "."], 4);
    bench.git(&["repack", "-q", "-a", "-d", "-f", "--depth=50"]);
    bench.agree(&["git", "."], 4);
    // Some in a second pack, some loose.
    bench.write("more.txt", "tkt_zzzzzzzzzzzz\n");
    bench.commit("more");
    bench.git(&["repack", "-q", "-d"]);
    bench.write("big.txt", format!("{filler}tkt_yyyyyyyyyyyy\n"));
    bench.commit("most");
    bench.agree(&["git", "."], 6);
}

fn moved(bench: &Bench) {
    bench.git(&["init", "-q"]);
    let text: String = (0..40).map(|line| format!("a line with number {line}\n")).collect();
    bench.write("old.txt", format!("{text}tkt_aaaaaaaaaaaa\n"));
    bench.write("other.txt", format!("{text}password = \"two\"\n"));
    bench.commit("first");
    bench.git(&["mv", "old.txt", "new.txt"]);
    bench.commit("moved as it is");
    bench.git(&["mv", "other.txt", "changed.txt"]);
    bench.write("changed.txt", format!("{text}password = \"two\"\ntkt_bbbbbbbbbbbb\n"));
    bench.commit("moved and changed");
    // A copy is no move.
    bench.write("copy.txt", format!("{text}tkt_aaaaaaaaaaaa\n"));
    bench.commit("copied");
    bench.agree(&["git", "."], 4);
    // More than anybody compares one by one, as a folder and out of it.
    for number in 0..130 {
        bench.write(&format!("many/{number}.txt"), format!("tkt_{number:012}\n"));
    }
    bench.commit("many");
    bench.git(&["mv", "many", "folder"]);
    bench.commit("moved as a folder");
    for number in 0..130 {
        let (from, to) = (format!("folder/{number}.txt"), format!("file{number}.txt"));
        bench.git(&["mv", &from, &to]);
    }
    bench.commit("moved one by one");
    bench.agree(&["git", "."], 134);
    bench.agree(&["git", "--log-opts=HEAD~3..HEAD", "."], 130);
}

/// The same is there before and after, and yet every file has what it had not.
fn exchanged(bench: &Bench) {
    bench.git(&["init", "-q"]);
    for (path, letter) in [("one/x", "a"), ("one/y", "b"), ("two/x", "c"), ("two/y", "d")] {
        bench.write(path, format!("{path}\ntkt_{}\n", letter.repeat(12)));
    }
    bench.commit("first");
    bench.git(&["mv", "one/x", "one/z"]);
    bench.git(&["mv", "one/y", "one/x"]);
    bench.git(&["mv", "one/z", "one/y"]);
    bench.commit("two files");
    bench.git(&["mv", "one", "z"]);
    bench.git(&["mv", "two", "one"]);
    bench.git(&["mv", "z", "two"]);
    bench.commit("two folders");
    bench.agree(&["git", "."], 4 + 2 + 4);
}

fn merges(bench: &Bench) {
    bench.git(&["init", "-q"]);
    bench.write("a.txt", "one\n\n\n\n\n\n\n\nnine\n");
    bench.commit("first");
    bench.git(&["checkout", "-q", "-b", "topic"]);
    bench.write("a.txt", "one\n\n\n\n\n\n\n\nnine\ntkt_aaaaaaaaaaaa\n");
    bench.commit("on topic");
    bench.git(&["checkout", "-q", "main"]);
    bench.write("a.txt", "tkt_bbbbbbbbbbbb\none\n\n\n\n\n\n\n\nnine\n");
    bench.commit("on main");
    bench.git(&["merge", "-q", "--no-edit", "topic"]);
    bench.git(&["stash", "list"]);
    bench.git(&["tag", "-a", "-m", "a tag", "v1"]);
    bench.agree(&["git", "."], 2);
}

/// gitleaks shows no merges, and so misses what only a merge brought in.
fn evil_merge(bench: &Bench) {
    bench.git(&["init", "-q"]);
    bench.write("a.txt", "one\n");
    bench.commit("first");
    bench.git(&["checkout", "-q", "-b", "topic"]);
    bench.write("b.txt", "two\n");
    bench.commit("on topic");
    bench.git(&["checkout", "-q", "main"]);
    bench.write("c.txt", "three\n");
    bench.commit("on main");
    bench.git(&["merge", "-q", "--no-commit", "topic"]);
    bench.write("a.txt", "one\ntkt_aaaaaaaaaaaa\n");
    bench.commit("merge");
    assert!(bench.findings(Who::Gitleaks, &["git", "."], b"").is_empty());
    let ours = bench.findings(Who::Like, &["git", "."], b"");
    assert_eq!(ours.len(), 1);
    assert_eq!((&ours[0]["Message"], &ours[0]["StartLine"]), (&"merge".into(), &2.into()));
}

fn ranges(bench: &Bench) {
    bench.git(&["init", "-q"]);
    for number in 0..5 {
        bench.write(
            "a.txt",
            (0..=number).map(|line| format!("tkt_{line:012}\n")).collect::<String>(),
        );
        bench.commit(&format!("commit {number}"));
    }
    bench.git(&["branch", "side", "HEAD~1"]);
    bench.agree(&["git", "--log-opts=HEAD~2..HEAD", "."], 2);
    bench.agree(&["git", "--log-opts=--all -n 1", "."], 1);
    bench.agree(&["detect", "--log-opts", "HEAD~3..side"], 2);
    let count = |args: &[&str]| bench.findings(Who::Ours, args, b"").len();
    assert_eq!(count(&["git", "--range", "HEAD~2..HEAD"]), 2);
    assert_eq!(count(&["git", "--range", "HEAD~2.."]), 2);
    assert_eq!(count(&["git", "--range", "side...HEAD"]), 1);
    assert_eq!(count(&["git", "--range", "HEAD~2"]), 3);
    assert_eq!(count(&["git", "--since", "HEAD~1"]), 1);
    assert_eq!(count(&["git", "--since", "HEAD"]), 0);
    assert_eq!(bench.run(Who::Ours, &["git", "--range", "nowhere..HEAD"]).code, 2);
    assert_eq!(bench.run(Who::Ours, &["git", "--log-opts=--nonsense"]).code, 2);
}

fn staged(bench: &Bench) {
    bench.git(&["init", "-q"]);
    // Before the first commit there is nothing to compare with.
    bench.write("a.txt", "one\ntkt_aaaaaaaaaaaa\n");
    bench.git(&["add", "a.txt"]);
    bench.agree(&["git", "--pre-commit", "--staged", "."], 1);
    bench.commit("first");
    bench.agree(&["git", "--staged", "."], 0);
    bench.write("a.txt", "one\ntkt_aaaaaaaaaaaa\nx\ntkt_bbbbbbbbbbbb\n");
    bench.write("sub/new.txt", "password = \"two\"\n");
    bench.git(&["add", "-A"]);
    bench.write("a.txt", "tkt_cccccccccccc\none\ntkt_aaaaaaaaaaaa\nx\ntkt_bbbbbbbbbbbb\n");
    bench.write("untracked.txt", "tkt_dddddddddddd\n");
    bench.agree(&["git", "--staged", "."], 2);
    bench.agree(&["protect", "--staged"], 2);
    bench.agree(&["git", "--staged", "sub"], 1);
    bench.agree(&["git", "--pre-commit", "."], 1);
    bench.agree(&["protect"], 1);
}

fn sparse(bench: &Bench) {
    bench.git(&["init", "-q"]);
    bench.write("in/a.txt", "tkt_aaaaaaaaaaaa\n");
    bench.write("out/b.txt", "tkt_bbbbbbbbbbbb\n");
    bench.write("out/deep/c.txt", "tkt_cccccccccccc\n");
    bench.commit("first");
    bench.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
    bench.agree(&["git", "--staged", "."], 0);
    // The folder that is not checked out is staged as a whole.
    bench.write("new.txt", "tkt_dddddddddddd\n");
    let new = bench.git(&["hash-object", "-w", "new.txt"]);
    let listed = |folder: &str| bench.git(&["ls-tree", folder]);
    let mktree = |list: String| {
        let mut mktree = Command::new("git");
        mktree.arg("mktree");
        bench.start(mktree, list.as_bytes()).stdout.trim().to_owned()
    };
    let out = mktree(format!("{}100644 blob {}\tnew.txt\n", listed("HEAD:out"), new.trim()));
    let old = bench.git(&["rev-parse", "HEAD:out"]);
    let top = mktree(listed("HEAD").replace(old.trim(), &out));
    bench.git(&["read-tree", "-m", &top]);
    assert!(bench.git(&["ls-files", "--sparse"]).contains("out/\n"));
    bench.agree(&["git", "--staged", "."], 1);
    bench.agree(&["git", "--staged", "in"], 0);
    std::fs::create_dir(bench.path("out")).unwrap();
    bench.agree(&["git", "--staged", "out"], 1);
}

fn bare(bench: &Bench) {
    bench.git(&["init", "-q"]);
    bench.write("a.txt", "tkt_aaaaaaaaaaaa\n");
    bench.commit("first");
    bench.git(&["clone", "-q", "--bare", ".", "../bare.git"]);
    bench.git(&["worktree", "add", "-q", "../tree"]);
    bench.agree(&["git", "../bare.git"], 1);
    bench.agree(&["git", "../tree"], 1);
    assert_eq!(bench.run(Who::Ours, &["git", "--pre-commit", "../bare.git"]).code, 2);
    assert_eq!(bench.run(Who::Ours, &["git", "/"]).code, 2);
}

fn people(bench: &Bench) {
    bench.git(&["init", "-q"]);
    bench.write(".mailmap", "Anna <anna@example.org> <ann@example.org>\n");
    bench.write("a b.md", "tkt_aaaaaaaaaaaa\n");
    bench.write("key.txt", "-----BEGIN KEY-----\nabc\n-----END KEY-----\n");
    bench.commit("first");
    for url in [
        "git@github.com:own/repo.git",
        "https://user:word@gitlab.com/own/repo.git",
        "https://codeberg.org/own/repo",
        "https://bitbucket.org/own/repo.git",
        "https://dev.azure.com/own/repo",
        "https://git.example.org/own/repo",
    ] {
        bench.git(&["config", "remote.origin.url", url]);
        bench.agree(&["git", "."], 2);
    }
    bench.agree(&["git", "--platform", "github", "."], 2);
}

/// Git looks for zeros in the first 8,000 bytes alone. As UTF-8, in which it is searched, this is longer than it is.
fn wide(bench: &Bench) {
    bench.git(&["init", "-q"]);
    let write = |end: &str| {
        let text = format!("\u{feff}{}\ntkt_aaaaaaaaaaaa\n{end}", "\u{4e2d}".repeat(5000));
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        bench.write("a.txt", bytes);
    };
    write("");
    bench.commit("first");
    write("end");
    bench.commit("second");
    let found = bench.findings(Who::Ours, &["git", "."], b"");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["StartLine"], 2);
}

fn sha256(bench: &Bench) {
    bench.git(&["init", "-q", "--object-format=sha256"]);
    let filler: String = (0..2000).map(|line| format!("line {line} of a text\n")).collect();
    for number in 0..10 {
        let secret = if number % 4 == 1 { format!("tkt_{number:012}\n") } else { String::new() };
        bench.write("sub/big.txt", format!("version {number}\n{filler}{secret}end\n"));
        bench.write(&format!("small{number}.txt"), format!("version {number}\n"));
        bench.commit(&format!("commit {number}"));
    }
    bench.git(&["checkout", "-q", "-b", "topic", "HEAD~5"]);
    bench.write("topic.txt", "password = \"one\"\n");
    bench.commit("on topic");
    bench.git(&["merge", "-q", "--no-edit", "main"]);
    let id = bench.git(&["rev-parse", "HEAD~1"]);
    assert_eq!(id.trim().len(), 64);
    let number = bench.findings(Who::Gitleaks, &["git", "."], b"").len();
    bench.agree(&["git", "."], number);
    assert_eq!(bench.run(Who::Ours, &["git", "."]).code, 1);
    bench.git(&["repack", "-q", "-a", "-d", "-f", "--depth=50"]);
    bench.agree(&["git", "."], number);
    bench.agree(&["git", "--log-opts=HEAD~1..HEAD", "."], 2);
    let some = bench.findings(Who::Ours, &["git", "--range", &format!("{}..", id.trim())], b"");
    assert_eq!(some.len(), 2);
    bench.write("new.txt", "tkt_bbbbbbbbbbbb\n");
    bench.git(&["add", "-A"]);
    bench.write("new.txt", "tkt_bbbbbbbbbbbb\ntkt_cccccccccccc\n");
    bench.agree(&["git", "--staged", "."], 1);
    bench.agree(&["git", "--pre-commit", "."], 1);
    let url = format!("file://{}", bench.path("").display());
    bench.git(&["clone", "-q", "--depth", "2", &url, "../shallow"]);
    let answer = bench.run(Who::Ours, &["git", "../shallow"]);
    assert!(answer.stderr.contains("git fetch --unshallow"), "{}", answer.stderr);
}

/// A text of 135 MiB, most of which is a hole, and a secret at its end. Ours may have less memory than it is long.
fn large(bench: &Bench) {
    use std::os::unix::fs::FileExt;
    bench.git(&["init", "-q"]);
    bench.git(&["config", "core.bigFileThreshold", "1m"]);
    bench.git(&["config", "core.compression", "1"]);
    let small = "\ntkt_aaaaaaaaaaaa\n";
    bench.write("a.txt", "some text\n".repeat(1000));
    bench.write("b.txt", small);
    bench.commit("small");
    let write = |name: &str, secret: &str| {
        let file = std::fs::File::options().write(true).open(bench.path(name)).unwrap();
        file.write_all_at(secret.as_bytes(), 135 << 20).unwrap();
    };
    let secrets = |args: &[&str]| {
        let program = std::env::current_exe().unwrap();
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -v 130000; exec \"$@\"", "sh"]).arg(program).args(args);
        limited.args(["-f", "json", "-r", "-", "--redact=0", "-c"]).arg(bench.rules());
        limited.env(AS_CLI, "strongroom");
        let answer = bench.start(limited, b"");
        let findings: Vec<Value> = serde_json::from_str(&answer.stdout)
            .unwrap_or_else(|e| panic!("{args:?}: {e}: {}", answer.stderr));
        assert_eq!(answer.code, 1, "{args:?}: {}", answer.stderr);
        let secrets = findings.iter().map(|finding| finding["Secret"].as_str().unwrap().to_owned());
        secrets.collect::<Vec<String>>()
    };
    write("a.txt", "\ntkt_bbbbbbbbbbbb\n");
    assert_eq!(secrets(&["git", "--pre-commit", "."]), ["tkt_bbbbbbbbbbbb"]);
    bench.git(&["add", "-A"]);
    assert_eq!(secrets(&["git", "--staged", "."]), ["tkt_bbbbbbbbbbbb"]);
    bench.commit("large");
    // Small again: what it was is compared with nothing.
    bench.write("a.txt", format!("some text\n{small}"));
    bench.commit("small again");
    let all = ["tkt_aaaaaaaaaaaa", "tkt_bbbbbbbbbbbb", "tkt_aaaaaaaaaaaa"];
    assert_eq!(secrets(&["git", "--range", "HEAD", "."]), all);
    bench.git(&["repack", "-q", "-a", "-d"]);
    assert_eq!(secrets(&["git", "."]), all);
    assert_eq!(secrets(&["git", "--range", "HEAD", "."]), all);
}
