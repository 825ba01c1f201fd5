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
    ("bad: a tag that names itself", tag),
    ("bad: trees that spell more paths than there is time for", bomb),
    ("bad: many files of few trees", many),
    ("bad: a merge of many files in one folder", merge),
    ("bad: folders that lie too deep", deep),
    ("bad: more findings than anybody reads", full),
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
    bench.git(&["add", "text"]);
    let within = [&b"40000 within\0"[..], &[0xAA; 20]].concat();
    let tree = tree(bench, &[&entry("100644 text", &blob(bench, "text")), &within]);
    fs::create_dir_all(bench.path(".git/objects/aa")).unwrap();
    fs::rename(object_path(bench, &tree), object_path(bench, &name)).unwrap();
    // It is the tree of one commit, and the only one in that of the next.
    let above = self::tree(bench, &[&entry("40000 above", &name)]);
    let told = "lies in itself";
    let place = format!("not scanned: tree {name}: it lies in itself: run git fsck");
    for tree in [name, above] {
        head(bench, &tree);
        incomplete(bench, &["git", "."], told);
        incomplete(bench, &["git", "--log-opts=HEAD", "."], told);
        incomplete(bench, &["git", "--staged", "."], &place);
    }
}

/// What is found elsewhere is told.
fn tag(bench: &Bench) {
    repository(bench);
    bench.write("b.txt", "tkt_aaaaaaaaaaaa\n");
    bench.commit("with a ticket");
    let name = "aa".repeat(20);
    let text = format!("object {name}\ntype tag\ntag t\ntagger a <a@b> 1 +0000\n\nm\n");
    let tag = store(bench, "tag", text.into_bytes());
    fs::create_dir_all(bench.path(".git/objects/aa")).unwrap();
    fs::rename(object_path(bench, &tag), object_path(bench, &name)).unwrap();
    fs::write(bench.path(".git/refs/tags/endless"), format!("{name}\n")).unwrap();
    let told = format!("tag {name} names itself");
    let answer = bench.run(Who::Ours, &["git", "."]);
    assert_eq!(answer.code, 1);
    assert!(answer.stderr.contains(&told), "{}", answer.stderr);
    // One without a name for what it tags.
    let broken = store(bench, "tag", b"none\n".to_vec());
    fs::write(bench.path(".git/refs/tags/broken"), format!("{broken}\n")).unwrap();
    for (revision, told) in [("endless", &told), ("broken", &format!("tag {broken}: "))] {
        let answer = bench.run(Who::Ours, &["git", "--range", revision, "."]);
        assert_eq!(answer.code, 2);
        assert!(answer.stderr.contains(told), "{}", answer.stderr);
        // As what is checked out.
        fs::copy(bench.path(&format!(".git/refs/tags/{revision}")), bench.path(".git/HEAD"))
            .unwrap();
        let answer = bench.run(Who::Ours, &["git", "--staged", "."]);
        assert_eq!(answer.code, 2);
        assert!(answer.stderr.contains(told), "{}", answer.stderr);
        let answer = bench.run(Who::Ours, &["git", "."]);
        assert_eq!(answer.code, 1);
        assert!(answer.stderr.contains("not scanned: HEAD: tag "), "{}", answer.stderr);
    }
}

/// Ten trees with ten names each are ten thousand millions of files. The real git and the real gitleaks do not come to an end.
fn bomb(bench: &Bench) {
    bench.git(&["init", "-q"]);
    bench.write("text", "tkt_aaaaaaaaaaaa\n");
    let id = paths(bench, &blob(bench, "text"), 10);
    head(bench, &id);
    let told = format!("look at git ls-tree {id}");
    incomplete(bench, &["git", "."], &told);
    let answer = bench.run(Who::Ours, &["git", "--range", "HEAD", "."]);
    assert_eq!(answer.code, 3);
    assert!(answer.stderr.contains(&told), "{}", answer.stderr);
    // What is staged is compared with no more of it than is staged.
    assert_eq!(bench.run(Who::Ours, &["git", "--staged", "."]).code, 0);
    bench.write("0/1/text", "tkt_bbbbbbbbbbbb\n");
    bench.git(&["add", "0"]);
    assert_eq!(bench.findings(Who::Ours, &["git", "--staged", "."], b"").len(), 1);
}

/// Two hundred thousand files are more than are held at once, and there is time enough for them.
fn many(bench: &Bench) {
    bench.git(&["init", "-q"]);
    bench.write("text", "a text\n");
    bench.write("ticket", "tkt_aaaaaaaaaaaa\n");
    let half = paths(bench, &blob(bench, "text"), 5);
    let ticket = entry("100644 ticket", &blob(bench, "ticket"));
    head(bench, &tree(bench, &[&entry("40000 a", &half), &entry("40000 b", &half), &ticket]));
    assert_eq!(bench.findings(Who::Ours, &["git", "."], b"").len(), 1);
    assert_eq!(bench.findings(Who::Ours, &["git", "--range", "HEAD", "."], b"").len(), 1);
}

/// A tree in which so many folders lie, each of which has ten names for the next one, and the last of them for a file.
fn paths(bench: &Bench, file: &str, depth: usize) -> String {
    (0..depth).fold(file.to_owned(), |id, level| {
        let mode = if level == 0 { "100644" } else { "40000" };
        let entries: Vec<Vec<u8>> =
            (0..10).map(|number| entry(&format!("{mode} {number}"), &id)).collect();
        tree(bench, &entries.iter().map(Vec::as_slice).collect::<Vec<_>>())
    })
}

/// Each file is otherwise in the merge than in both of what it merges. To read the folder anew for each would take an hour.
fn merge(bench: &Bench) {
    bench.git(&["init", "-q"]);
    let texts = ["one\n", "two\n", "six\n", "tkt_aaaaaaaaaaaa\n"];
    let blobs = texts
        .iter()
        .zip(1..)
        .map(|(text, mark)| format!("blob\nmark :{mark}\ndata {}\n{text}\n", text.len()));
    let commit = |mark: u8, blob: u8, parents: &str| {
        let files = (0..40_000).map(|file| format!("M 100644 :{blob} folder/{file}\n"));
        let files: String = files.collect();
        let head = format!("commit refs/heads/main\nmark :1{mark}\ncommitter a <a@b> {mark} +0000");
        format!("{head}\ndata 1\nm\n{parents}{files}")
    };
    let mut stream: String = blobs.collect();
    stream.push_str(&commit(1, 1, ""));
    stream.push_str(&commit(2, 2, "from :11\n"));
    stream.push_str(&commit(3, 3, "from :11\nmerge :12\n"));
    stream.push_str("M 100644 :4 folder/1\n");
    let mut import = Command::new("git");
    import.args(["fast-import", "--quiet", "--force"]);
    assert_eq!(bench.start(import, stream.as_bytes()).code, 0);
    assert_eq!(bench.findings(Who::Ours, &["git", "--range", "main"], b"").len(), 1);
    assert_eq!(bench.findings(Who::Ours, &["git"], b"").len(), 1);
}

fn deep(bench: &Bench) {
    bench.git(&["init", "-q"]);
    bench.write("text", "tkt_aaaaaaaaaaaa\n");
    let mut id = tree(bench, &[&entry("100644 text", &blob(bench, "text"))]);
    for _ in 0..513 {
        id = tree(bench, &[&entry("40000 a", &id)]);
    }
    head(bench, &id);
    for part in ["--log-opts=HEAD", "--staged"] {
        incomplete(bench, &["git", part, "."], "in more than 512 others");
    }
}

/// Half a megabyte may unpack to as many findings as memory has room for.
fn full(bench: &Bench) {
    let text = "tkt_aaaaaaaaaaaa\n".repeat(100_001);
    let told = "there are 100000 findings up to here";
    let check = |args: &[&str], input: &[u8]| {
        let mut args = args.to_vec();
        args.extend(["-f", "csv", "-r", "../report.csv"]);
        let answer = bench.run_with(Who::Like, &args, input);
        assert_eq!(answer.code, 1, "{}", answer.stderr);
        assert!(answer.stderr.contains(told), "{}", answer.stderr);
        let report = fs::read_to_string(bench.path("../report.csv")).unwrap();
        assert_eq!(report.lines().count(), 100_001);
    };
    check(&["stdin"], text.as_bytes());
    bench.git(&["init", "-q"]);
    bench.write("text", text);
    bench.commit("full");
    check(&["git", "."], b"");
}

fn blob(bench: &Bench, file: &str) -> String {
    bench.git(&["hash-object", "-w", file]).trim().to_owned()
}

/// What a tree says of one name: its mode before it, and the id of what it names behind it.
fn entry(name: &str, id: &str) -> Vec<u8> {
    let bytes = (0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap());
    name.bytes().chain([0]).chain(bytes).collect()
}

fn tree(bench: &Bench, entries: &[&[u8]]) -> String {
    store(bench, "tree", entries.concat())
}

fn store(bench: &Bench, kind: &str, content: Vec<u8>) -> String {
    bench.write("object", content);
    bench.git(&["hash-object", "-t", kind, "--literally", "-w", "object"]).trim().to_owned()
}

/// Makes a commit with this tree the one that is checked out.
fn head(bench: &Bench, tree: &str) {
    let who = "a <a@b> 1700000000 +0000";
    let commit = format!("tree {tree}\nauthor {who}\ncommitter {who}\n\nm\n");
    let commit = store(bench, "commit", commit.into_bytes());
    bench.git(&["update-ref", "refs/heads/main", &commit]);
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
