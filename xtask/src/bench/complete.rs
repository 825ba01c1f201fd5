//! A repository of which nothing is missing, so that no scanner ends where another goes on.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Result, process};

/// Nothing less than the repository itself if it has all that its references lead to; else a copy of its history at `copy`
/// without the files that are missing, from the commits on that have them.
pub(super) fn complete(repository: &Path, copy: &Path) -> Result<PathBuf> {
    let mut list = Command::new("git");
    list.arg("-C").arg(repository);
    list.args(["rev-list", "--objects", "--all", "--missing=print"]);
    let listed = process::capture(&mut list)?;
    let missing: HashSet<&str> = listed.lines().filter_map(|line| line.strip_prefix('?')).collect();
    if missing.is_empty() {
        return Ok(repository.to_owned());
    }
    println!("{} objects are missing: all scan a copy of the history without them", missing.len());
    let borrower = copy.with_extension("borrower");
    process::run(Command::new("git").args(["init", "-q", "--bare"]).arg(&borrower))?;
    let objects = repository.join("objects");
    let objects = if objects.is_dir() { objects } else { repository.join(".git/objects") };
    fs::write(borrower.join("objects/info/alternates"), format!("{}\n", objects.display()))
        .map_err(|e| e.to_string())?;
    import(repository, &borrower, &missing)?;
    let mut head = Command::new("git");
    head.arg("-C").arg(repository).args(["symbolic-ref", "HEAD"]);
    let head = process::capture(&mut head)?;
    let mut set = Command::new("git");
    process::run(set.arg("-C").arg(&borrower).args(["symbolic-ref", "HEAD", head.trim()]))?;
    // What no reference leads to stays behind.
    let mut clone = Command::new("git");
    process::run(clone.args(["clone", "-q", "--mirror", "--no-local"]).arg(&borrower).arg(copy))?;
    Ok(copy.to_owned())
}

/// Writes all commits anew; files stay the objects that they are.
fn import(repository: &Path, copy: &Path, missing: &HashSet<&str>) -> Result<()> {
    let fault = |e: &dyn std::fmt::Display| format!("cannot copy the history: {e}");
    let mut export = Command::new("git");
    export.arg("-C").arg(repository).args(["fast-export", "--all", "--no-data"]);
    export.args(["--signed-tags=strip", "--tag-of-filtered-object=drop", "--reencode=no"]);
    let mut export = export.stdout(Stdio::piped()).spawn().map_err(|e| fault(&e))?;
    let mut import = Command::new("git");
    import.arg("-C").arg(copy).args(["fast-import", "--quiet", "--force"]);
    let mut import =
        import.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().map_err(|e| fault(&e))?;
    if let (Some(from), Some(to)) = (export.stdout.take(), import.stdin.take()) {
        pass(BufReader::new(from), BufWriter::new(to), missing).map_err(|e| fault(&e))?;
    }
    for child in [&mut export, &mut import] {
        let status = child.wait().map_err(|e| fault(&e))?;
        if !status.success() {
            return Err(fault(&status));
        }
    }
    Ok(())
}

/// Passes the language of `git fast-import` on, where each missing file is deleted instead:
/// <https://git-scm.com/docs/git-fast-import#_input_format>.
fn pass(
    mut from: impl BufRead,
    mut to: impl Write,
    missing: &HashSet<&str>,
) -> std::io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            return to.flush();
        }
        let text = String::from_utf8_lossy(&line);
        // `M` mode id path
        let mut words = text.splitn(4, ' ');
        let is_missing =
            words.next() == Some("M") && words.nth(1).is_some_and(|id| missing.contains(id));
        match words.next() {
            Some(path) if is_missing => to.write_all(format!("D {path}").as_bytes())?,
            _ => to.write_all(&line)?,
        }
        if let Some(size) = text.strip_prefix("data ").and_then(|size| size.trim().parse().ok()) {
            std::io::copy(&mut from.by_ref().take(size), &mut to)?;
        }
    }
}
