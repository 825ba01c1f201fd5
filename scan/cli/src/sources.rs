use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use scan_sources::{Files, Git, GitPart, Platform, Revisions, scan_log, scan_stream};

use crate::session::Session;
use crate::stop::Stop;

pub(crate) fn git(session: &Session) -> Result<u8, Stop> {
    let part = if session.words.on("staged")? {
        GitPart::Staged
    } else if session.words.on("pre-commit")? {
        GitPart::Unstaged
    } else {
        GitPart::Commits(revisions(session, &session.source()?)?)
    };
    repository(session, &session.source()?, part)
}

pub(crate) fn dir(session: &Session) -> Result<u8, Stop> {
    files(session, &session.source()?)
}

pub(crate) fn stdin(session: &Session) -> Result<u8, Stop> {
    session.scan(Path::new("."), |task| scan_stream(task, &mut io::stdin().lock(), ""))
}

pub(crate) fn log(session: &Session) -> Result<u8, Stop> {
    let source = session.source()?;
    if session.words.others.is_empty() || source == Path::new("-") {
        return session.scan(Path::new("."), |task| scan_log(task, &mut io::stdin().lock(), ""));
    }
    let mut file = File::open(&source)
        .map_err(|e| Stop::error(format!("cannot read {}: {e}", source.display())))?;
    session.scan(&source, |task| scan_log(task, &mut file, &source.to_string_lossy()))
}

/// `detect` is `git`, `dir` or `stdin` by its flags.
pub(crate) fn detect(session: &Session) -> Result<u8, Stop> {
    let source = named_source(session);
    if session.words.on("no-git")? {
        files(session, &source)
    } else if session.words.on("pipe")? {
        stdin(session)
    } else {
        let revisions = revisions(session, &source)?;
        repository(session, &source, GitPart::Commits(revisions))
    }
}

/// `protect` is `git --pre-commit`.
pub(crate) fn protect(session: &Session) -> Result<u8, Stop> {
    let part = if session.words.on("staged")? { GitPart::Staged } else { GitPart::Unstaged };
    repository(session, &named_source(session), part)
}

fn named_source(session: &Session) -> PathBuf {
    PathBuf::from(session.words.value("source").unwrap_or("."))
}

fn repository(session: &Session, path: &Path, part: GitPart) -> Result<u8, Stop> {
    let platform: Platform =
        session.words.value("platform").unwrap_or_default().parse().map_err(Stop::error)?;
    let git = Git { path: path.to_owned(), part, platform };
    session.scan(path, |task| git.scan(task))
}

fn files(session: &Session, path: &Path) -> Result<u8, Stop> {
    let files = Files {
        path: path.to_owned(),
        follow_links: session.words.on("follow-symlinks")?,
        respect_ignore: session.words.on("gitignore")?,
        except: session.own_files(path),
    };
    session.scan(path, |task| files.scan(task))
}

fn revisions(session: &Session, path: &Path) -> Result<Revisions, Stop> {
    let words = &session.words;
    match (words.value("log-opts"), words.value("range"), words.value("since")) {
        (None, None, None) => Ok(Revisions::All),
        (Some(options), None, None) => logged(path, options).map(Revisions::Exactly),
        (None, Some(range), None) => Ok(Revisions::Range(range.to_owned())),
        (None, None, Some(base)) => Ok(Revisions::Since(base.to_owned())),
        _ => {
            Err(Stop::error("--log-opts, --range and --since say the same thing; give one of them"))
        }
    }
}

/// The commits that `git log` lists, by options that git alone knows all of. As in gitleaks they are cut at
/// blanks, quoted or not.
fn logged(path: &Path, options: &str) -> Result<Vec<String>, Stop> {
    let mut git = Command::new("git");
    git.arg("-C")
        .arg(path)
        .args(["log", "--format=%H", "--no-patch"])
        .args(options.split_whitespace());
    let output = git.stdin(Stdio::null()).output();
    let output = output
        .map_err(|e| Stop::error(format!("cannot start git, which --log-opts needs: {e}")))?;
    if !output.status.success() {
        let fault = String::from_utf8_lossy(&output.stderr);
        return Err(Stop::error(format!("git log {options}: {}", fault.trim())));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // Options may make it print more than the names.
    let is_name =
        |line: &&str| line.len() >= 40 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(text.lines().filter(is_name).map(str::to_owned).collect())
}
