use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use base_types::ErrorKind;
use scan_engine::{Finding, Options, Scanner};
use scan_rules::Config;
use scan_sources::{
    Files, Git, GitPart, Leak, Limits, Outcome, Platform, Progress, Revisions, Task,
};

/// A rule for what the seeds hold.
const RULES: &str = "[[rules]]\nid = 'ticket'\nregex = 'ticket-[0-9]{6}'\nkeywords = ['ticket']\n";

fn scan(work: impl FnOnce(Task<'_>) -> base_types::Result<Outcome>) -> base_types::Result<Outcome> {
    static SCANNER: OnceLock<Scanner> = OnceLock::new();
    let make = || Scanner::new(Config::parse(RULES, "rules").unwrap(), Options::default()).unwrap();
    let scanner = SCANNER.get_or_init(make);
    let limits = Limits { archive_depth: 3, threads: 1, ..Limits::default() };
    work(Task { scanner, limits, progress: &Progress::default() })
}

/// A file that may be an archive, or a compressed one: what cannot be read is told, and a file and a stream of the same bytes
/// hold the same secrets where both can be read to the end.
pub fn scan_archive(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input");
    fs::write(&path, data).unwrap();
    let files = Files { path, follow_links: false, respect_ignore: false, except: Vec::new() };
    let file = scan(|task| files.scan(task)).unwrap();
    // A stream that is broken ends the scan: there is nothing else to be looked at.
    let stream = match scan(|task| scan_sources::scan_stream(task, &mut &data[..], "input")) {
        Ok(outcome) => outcome,
        Err(error) => return assert!(error.is(ErrorKind::Unavailable), "{}", error.public()),
    };
    for leak in file.leaks.iter().chain(&stream.leaks) {
        assert!(leak.finding.secret.expose().starts_with(b"ticket-"), "{}", leak.file);
    }
    if file.gaps.is_empty() && stream.gaps.is_empty() {
        assert_eq!(file.leaks.len(), stream.leaks.len());
    }
}

/// A text, written in units of two and four bytes with their mark, and of two without it if that can be known: it has what it has as
/// UTF-8.
pub fn scan_wide(data: &[u8]) {
    // What begins so is no archive, and what has a zero may not be text.
    let text = format!("# {}", String::from_utf8_lossy(data).replace('\0', " "));
    let marked = format!("\u{feff}{text}");
    let is_tar =
        |text: &str| text.as_bytes().get(257..).is_some_and(|rest| rest.starts_with(b"ustar"));
    if is_tar(&text) || is_tar(&marked) {
        return;
    }
    if text.is_ascii() {
        let plain = found(text.as_bytes());
        assert_eq!(found(&two(&text, u16::to_le_bytes)), plain);
        assert_eq!(found(&two(&text, u16::to_be_bytes)), plain);
    }
    let plain = found(marked.as_bytes());
    assert_eq!(found(&two(&marked, u16::to_le_bytes)), plain);
    assert_eq!(found(&two(&marked, u16::to_be_bytes)), plain);
    assert_eq!(found(&four(&marked, u32::to_le_bytes)), plain);
    assert_eq!(found(&four(&marked, u32::to_be_bytes)), plain);
}

/// The places of what is found in a stream, and the secrets.
fn found(bytes: &[u8]) -> Vec<([usize; 3], Vec<u8>)> {
    let outcome = scan(|task| scan_sources::scan_stream(task, &mut &bytes[..], "input")).unwrap();
    let place = |leak: &Leak| {
        let Finding { start_line, start_column, end_column, secret, .. } = &leak.finding;
        ([*start_line, *start_column, *end_column], secret.expose().clone())
    };
    outcome.leaks.iter().map(place).collect()
}

fn two(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

fn four(text: &str, bytes: fn(u32) -> [u8; 4]) -> Vec<u8> {
    text.chars().map(u32::from).flat_map(bytes).collect()
}

/// The pack of a repository and its index, the pack behind its length in four bytes: a broken one is an error or a gap, and
/// what is found names the file that there is.
pub fn scan_git(data: &[u8]) {
    scan_packed(data, CONFIG, HEAD);
}

/// As [`scan_git`], with names of SHA-256.
pub fn scan_git_sha256(data: &[u8]) {
    scan_packed(data, CONFIG_SHA256, HEAD_SHA256);
}

fn scan_packed(data: &[u8], config: &str, head: &str) {
    let Some((length, rest)) = data.split_at_checked(4) else { return };
    let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
    let (pack, index) = rest.split_at(length.min(rest.len()));
    let folder = tempfile::tempdir().unwrap();
    repository(folder.path(), config, head);
    let packs = folder.path().join("objects/pack");
    fs::write(packs.join("pack-1.pack"), pack).unwrap();
    fs::write(packs.join("pack-1.idx"), index).unwrap();
    let git = Git {
        path: folder.path().to_owned(),
        part: GitPart::Commits(Revisions::All),
        platform: Platform::None,
    };
    if let Ok(outcome) = scan(|task| git.scan(task)) {
        for leak in &outcome.leaks {
            assert!(leak.commit.is_some() && !leak.file.is_empty());
        }
    }
}

/// The commit that the packs of all seeds begin with.
const HEAD: &str = "43e0c50ab47cac585fe3019c2057f54ec8c9d265\n";
const HEAD_SHA256: &str = "e5405d90897898f30a5b9ebf47020d228fcff5e97cb874d686ae84833a0139c3\n";

const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n";
const CONFIG_SHA256: &str =
    "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n";

fn repository(folder: &Path, config: &str, head: &str) {
    fs::create_dir_all(folder.join("objects/pack")).unwrap();
    fs::create_dir_all(folder.join("refs/heads")).unwrap();
    fs::write(folder.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(folder.join("config"), config).unwrap();
    fs::write(folder.join("refs/heads/main"), head).unwrap();
}
