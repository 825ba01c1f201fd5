use std::fs;
use std::path::Path;
use std::process::Command;

use super::rivals::{Rivals, Who, holds, same};
use crate::tally::Tally;
use crate::{Result, process, root};

/// The first line of a file of the corpus names the value that is set.
const SIGN: &str = "# set ";

/// So it begins where a value is spelled as its encrypted form cannot tell: in base 8 or 16, folded,
/// with a tag, or in quotes between brackets.
const RESPELLED: &str = "# respelled, set ";

/// Files that people write: encrypted, with one value set and decrypted again. What git shows of the
/// encrypted file is one value and two lines of metadata, and of the decrypted one the value alone.
pub(super) fn run(binary: &Path) -> Result<Tally> {
    let folder = root().join("tests/interop/files");
    let entries =
        fs::read_dir(&folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    names.retain(|name| name.ends_with(".yaml"));
    names.sort();
    let mut tally = Tally::default();
    for name in names {
        let path = folder.join(&name);
        let text = fs::read_to_string(&path)
            .map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let outcome = Rivals::new(binary).and_then(|rivals| play(&rivals, &name, &text));
        tally.count(outcome.is_ok());
        println!(
            "{:<12} {name:<28} {}",
            "corpus",
            outcome.as_ref().map_or("DIFFERENT", |()| "one value")
        );
        if let Err(reason) = outcome {
            println!("{reason}");
        }
    }
    Ok(tally)
}

fn play(rivals: &Rivals, name: &str, text: &str) -> Result<()> {
    let first = text.lines().next().unwrap_or_default();
    let respelled = first.strip_prefix(RESPELLED);
    let place = respelled.or_else(|| first.strip_prefix(SIGN));
    let place = place.ok_or_else(|| format!("the first line must be '{SIGN}PATH'"))?;
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(rivals.folder.path());
        process::capture(
            git.args(["-c", "user.name=A", "-c", "user.email=a@example.com"]).args(words),
        )
    };
    git(&["init", "--quiet"])?;
    let decrypt = || rivals.output(Who::Ours, &["decrypt", name], &[]);
    rivals.folder.write(name, text)?;
    rivals.encrypt(Who::Ours, name, &[])?;
    let plain = decrypt()?;
    rivals.folder.write("plain", &plain)?;
    if respelled.is_none() {
        same(&String::from_utf8_lossy(&plain), text)?;
    }
    git(&["add", name, "plain"])?;
    git(&["commit", "--quiet", "-m", "before"])?;
    let values = rivals.content(Who::Sops, name, &[])?;
    rivals.folder.write(&format!("sops-{name}"), text)?;
    rivals.encrypt(Who::Sops, &format!("sops-{name}"), &[])?;
    // What sops reads is what it would read had it encrypted the file itself.
    same(&values, &rivals.content(Who::Sops, &format!("sops-{name}"), &[])?)?;
    rivals.output(Who::Ours, &["set", name, place, "\"another\""], &[])?;
    rivals.folder.write("plain", decrypt()?)?;
    let changed = |file: &str| {
        let shown = git(&["diff", "--unified=0", "--", file])?;
        let lines = shown.lines().filter(|line| line.starts_with('+') && !line.starts_with("+++"));
        Ok::<_, String>(lines.map(str::to_owned).collect::<Vec<_>>())
    };
    let lines = changed(name)?;
    let documents = rivals.read(name)?.lines().filter(|line| *line == "sops:").count();
    let metadata =
        lines.iter().filter(|line| line.contains("lastmodified:") || line.contains("mac:"));
    let metadata = metadata.count();
    let values = lines.len() - metadata;
    // Within one second the time stays.
    let is_metadata = [documents, 2 * documents].contains(&metadata);
    holds(
        &format!("one value and two lines of metadata change: {lines:#?}"),
        values == 1 && is_metadata,
    )?;
    let lines = changed("plain")?;
    holds(
        &format!("one value changes in the plain file: {lines:#?}"),
        lines.len() == 1 && lines[0].contains("another"),
    )?;
    rivals.output(Who::Sops, &["decrypt", name], &[]).map(|_| ())
}
