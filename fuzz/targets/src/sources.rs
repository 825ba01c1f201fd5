use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use base_types::ErrorKind;
use scan_engine::{Options, Scanner};
use scan_rules::Config;
use scan_sources::{Files, Git, GitPart, Limits, Outcome, Platform, Progress, Revisions, Task};

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

/// The pack of a repository and its index, the pack behind its length in four bytes: a broken one is an error or a gap, and
/// what is found names the file that there is.
pub fn scan_git(data: &[u8]) {
    let Some((length, rest)) = data.split_at_checked(4) else { return };
    let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
    let (pack, index) = rest.split_at(length.min(rest.len()));
    let folder = tempfile::tempdir().unwrap();
    repository(folder.path(), pack, index);
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

fn repository(folder: &Path, pack: &[u8], index: &[u8]) {
    let packs = folder.join("objects/pack");
    fs::create_dir_all(&packs).unwrap();
    fs::create_dir_all(folder.join("refs/heads")).unwrap();
    fs::write(folder.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(folder.join("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
        .unwrap();
    fs::write(folder.join("refs/heads/main"), HEAD).unwrap();
    fs::write(packs.join("pack-1.pack"), pack).unwrap();
    fs::write(packs.join("pack-1.idx"), index).unwrap();
}
