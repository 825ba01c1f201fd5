use std::io::Write;
use std::path::Path;

use files_sops::{EncryptedFile, KeyGroup, KeyGroups};

use crate::session::{Session, Stop};
use crate::tree::{self, Found, Outcome, files, look};
use crate::{code, complain, parallel, prompt};

pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    if session.words.is_empty() {
        return Err(Stop::new(code::NO_FILE, "Error: no file specified"));
    }
    if session.flags.on("recursive") {
        return tree(session);
    }
    for path in &session.words {
        update(session, path)?;
    }
    Ok(0)
}

/// Updates all encrypted files of trees for which there is a rule.
fn tree(session: &Session) -> Result<u8, Stop> {
    let paths = files(&session.words)?;
    if session.config()?.is_none() {
        return Err(Stop::usage("config file not found"));
    }
    if !session.flags.on("yes") {
        let planned =
            parallel::each(&paths, |path| Ok::<_, Stop>(plan(session, path)?.map(|p| p.changes)));
        let mut count = 0;
        for (path, changes) in paths.iter().zip(planned) {
            if let Ok(Some(changes)) = changes
                && !changes.is_empty()
            {
                count += 1;
                complain(&format!("{}\n{}", path.display(), changes.join("\n")));
            }
        }
        if count > 0 && !prompt::confirmed(&format!("Change the master keys of {count} files?")) {
            complain("All files left unchanged");
            return Ok(0);
        }
    }
    Ok(tree::change(&paths, "synced with new keys", |path| {
        let Some(Plan { file, groups, changes }) = plan(session, path)? else {
            return Ok(Outcome::NotEncrypted);
        };
        if changes.is_empty() {
            return Ok(Outcome::UpToDate);
        }
        let key = session.data_key(&file)?;
        Ok(Outcome::Change(file.with_groups(groups, &key, &session.surroundings)?))
    }))
}

/// What is to change in a file.
struct Plan {
    file: EncryptedFile,
    groups: KeyGroups,
    /// A line for each difference.
    changes: Vec<String>,
}

/// Nothing for a file that is not encrypted.
fn plan(session: &Session, path: &Path) -> Result<Option<Plan>, Stop> {
    let file = match look(path) {
        Found::Encrypted(file) => *file,
        Found::Plain => return Ok(None),
        Found::Broken(stop) => return Err(stop),
    };
    let wanted = wanted(session, path)?;
    let (groups, changes) = merged(&file.metadata().groups, wanted);
    Ok(Some(Plan { file, groups, changes }))
}

/// The keys that the configuration names for a file.
fn wanted(session: &Session, path: &Path) -> Result<KeyGroups, Stop> {
    let rule = session.rule(path)?.filter(|rule| !rule.groups.groups.is_empty());
    rule.map(|rule| rule.groups).ok_or_else(|| Stop::usage("config file not found"))
}

fn update(session: &Session, path: &str) -> Result<(), Stop> {
    let input = session.read(path)?;
    let (format, _) = session.formats(&input)?;
    let wanted = wanted(session, &input.name)?;
    let file = EncryptedFile::parse(format, &input.text)?;
    let old = file.metadata().groups.clone();
    let (groups, changes) = merged(&old, wanted);
    let mut stderr = std::io::stderr();
    if changes.is_empty() {
        let _ = writeln!(stderr, "File {path} already up to date");
        return Ok(());
    }
    let _ = writeln!(stderr, "The master keys of {path} change:\n{}", changes.join("\n"));
    if !session.flags.on("yes") && !prompt::confirmed("Is this okay?") {
        let _ = writeln!(stderr, "File {path} left unchanged");
        return Ok(());
    }
    let key = session.data_key(&file)?;
    let bytes = file.with_groups(groups, &key, &session.surroundings)?;
    session.write_to(input.path.as_deref().unwrap_or(path.as_ref()), &bytes)?;
    let _ = writeln!(stderr, "File {path} synced with new keys");
    Ok(())
}

/// The wanted groups, in which keys that the file has already keep what they wrapped, and a line
/// for each difference.
fn merged(old: &KeyGroups, wanted: KeyGroups) -> (KeyGroups, Vec<String>) {
    let mut changes = Vec::new();
    let none = KeyGroup::default();
    let needed = |groups: &KeyGroups| match (groups.groups.len(), groups.threshold) {
        (0 | 1, _) => 1,
        (all, 0) => all,
        (_, threshold) => threshold,
    };
    if needed(old) != needed(&wanted) {
        changes.push(format!("  threshold: {} -> {}", needed(old), needed(&wanted)));
    }
    let mut groups = Vec::new();
    for at in 0..old.groups.len().max(wanted.groups.len()) {
        let before = old.groups.get(at).unwrap_or(&none);
        let after = wanted.groups.get(at).unwrap_or(&none);
        for key in before.keys.iter().filter(|key| !after.keys.iter().any(|new| new.is(key))) {
            changes.push(format!("  group {at}: --- {}", key.name()));
        }
        changes.extend(before.foreign().map(|source| format!("  group {at}: --- all of {source}")));
        for key in after.keys.iter().filter(|key| !before.keys.iter().any(|old| old.is(key))) {
            changes.push(format!("  group {at}: +++ {}", key.name()));
        }
        if at < wanted.groups.len() {
            let kept = after.keys.iter().map(|key| {
                // With another number of groups, what a key wrapped was a share of something else.
                let mut same =
                    before.keys.iter().filter(|_| old.groups.len() == wanted.groups.len());
                same.find(|old| old.is(key)).unwrap_or(key).clone()
            });
            groups.push(KeyGroup::new(kept.collect()));
        }
    }
    (KeyGroups { groups, threshold: wanted.threshold }, changes)
}
