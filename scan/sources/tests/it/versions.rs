//! A history is scanned by what changes. Searching every blob as a whole has to find the same.

use std::path::Path;
use std::process::{Command, Stdio};

use scan_corpus::Draw;
use scan_engine::{Options, Scanner};
use scan_rules::Config;
use scan_sources::{Git, GitPart, Limits, Platform, Progress, Revisions, Task};

const RULES: &str = r#"
[[rules]]
id = "ticket"
regex = '''tkt_[a-z0-9]{12}'''
keywords = ["tkt_"]

[[rules]]
id = "name"
regex = '''name\s*=\s*"([^"\n]+)"'''

[[rules]]
id = "key"
regex = '''-----BEGIN KEY-----[a-z \n]{1,20000}?-----END KEY-----'''

[[rules]]
id = "gated"
regex = '''\b[0-9a-f]{32}\b'''
keywords = ["acme"]
"#;

const LINES: &[&str] = &[
    "tkt_aaaaaaaaaaaa",
    "tkt_",
    "aaaaaaaaaaaa gitleaks:allow",
    "x dGt0X2FhYWFhYWFhYWFhYQ== y",
    "name",
    "= \"value\"",
    "-----BEGIN KEY-----",
    "-----END KEY-----",
    "acme",
    "0123456789abcdef0123456789abcdef",
];

#[test]
fn changes_and_whole_blobs_have_the_same_findings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    git(path, &["init", "-q", "-b", "main"]);
    commit_versions(path);
    let scanner = Scanner::new(Config::parse(RULES, "rules.toml").unwrap(), Options::default());
    let scanner = scanner.unwrap();
    let expected = findings(path, &scanner, true);
    assert!(expected.len() > 20, "{}", expected.len());
    let check = |how: &str| {
        assert_eq!(findings(path, &scanner, true), expected, "{how}");
        assert_eq!(findings(path, &scanner, false), expected, "{how}");
    };
    check("as fast-import packs");
    git(path, &["repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=50"]);
    check("deltas that name their base by its place");
    git(path, &["-c", "repack.useDeltaBaseOffset=false", "repack", "-q", "-a", "-d", "-f"]);
    check("deltas that name their base by its id");
    // A thin pack is completed by the objects that it is a delta of, which are then in two packs.
    let clone = path.join("clone.git");
    git(path, &["clone", "-q", "--bare", "--no-local", ".", "clone.git"]);
    git(&clone, &["update-ref", "refs/heads/main", "main~100"]);
    git(&clone, &["reflog", "expire", "--expire=now", "--all"]);
    git(&clone, &["repack", "-q", "-a", "-d", "-f"]);
    git(&clone, &["prune", "--expire=now"]);
    git(&clone, &["-c", "fetch.unpackLimit=1", "fetch", "-q", "..", "main:main"]);
    assert_eq!(findings(&clone, &scanner, false), expected, "a thin pack");
    // All objects are loose too, and some packed only.
    let pack = std::fs::read_dir(clone.join("objects/pack")).unwrap().flatten();
    let pack = pack.map(|entry| entry.path()).find(|path| path.extension().unwrap() == "pack");
    let objects = Command::new("git")
        .args(["init", "-q", "--bare", "loose.git"])
        .current_dir(path)
        .status()
        .unwrap();
    assert!(objects.success());
    let unpack = Command::new("git")
        .args(["unpack-objects", "-q", "-r"])
        .env("GIT_DIR", path.join("loose.git"))
        .stdin(std::fs::File::open(pack.unwrap()).unwrap())
        .status()
        .unwrap();
    assert!(unpack.success());
    for entry in std::fs::read_dir(path.join("loose.git/objects")).unwrap().flatten() {
        if entry.file_name().len() == 2 {
            let into = path.join(".git/objects").join(entry.file_name());
            std::fs::create_dir_all(&into).unwrap();
            for object in std::fs::read_dir(entry.path()).unwrap().flatten() {
                std::fs::rename(object.path(), into.join(object.file_name())).unwrap();
            }
        }
    }
    check("loose and packed");
}

/// Two hundred versions of three files, in the language of `git fast-import`.
fn commit_versions(path: &Path) {
    let mut draw = Draw::new(1);
    let mut below = |end: usize| draw.below(end);
    let filler = |number: usize| format!("line {number} of many in a text");
    let mut files: Vec<Vec<String>> = vec![(0..400).map(filler).collect(); 3];
    let mut stream = String::new();
    for version in 0..200 {
        stream.push_str(&format!(
            "commit refs/heads/main\ncommitter a <a@example.com> {version} +0000\ndata 1\nx\n"
        ));
        let number = below(files.len());
        let lines = &mut files[number];
        for _ in 0..=below(2) {
            let at = below(lines.len());
            match below(4) {
                0 => lines.insert(at, LINES[below(LINES.len())].to_owned()),
                1 => lines[at].push_str(LINES[below(LINES.len())]),
                2 => _ = lines.remove(at),
                _ => lines[at] = filler(version),
            }
        }
        let text = lines.join("\n");
        stream.push_str(&format!("M 644 inline file{number}.txt\ndata {}\n{text}\n", text.len()));
    }
    let mut import = Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut import.stdin.take().unwrap(), stream.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
}

fn findings(path: &Path, scanner: &Scanner, searches_all: bool) -> Vec<String> {
    let git = Git {
        path: path.to_owned(),
        part: GitPart::Commits(Revisions::All),
        platform: Platform::None,
    };
    let limits = Limits { searches_all, ..Limits::default() };
    let outcome = git.scan(Task { scanner, limits, progress: &Progress::default() }).unwrap();
    assert!(outcome.gaps.is_empty(), "{:?}", outcome.gaps);
    let name =
        |leak: &scan_sources::Leak| format!("{} {:?}", leak.fingerprint(), leak.finding.span);
    outcome.leaks.iter().map(name).collect()
}

fn git(path: &Path, words: &[&str]) {
    let status = Command::new("git").args(words).current_dir(path).status().unwrap();
    assert!(status.success(), "git {words:?}");
}
