use files_sops::{KeyGroup, KeyGroups, MasterKey, SOURCES};

use crate::session::{Session, Stop};
use crate::tree::{self, Found, Outcome, files, look};

pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    if session.flags.on("recursive") {
        return tree(session);
    }
    let [path] = session.arguments("FILE")?;
    let input = session.read(path)?;
    let (format, _) = session.formats(&input)?;
    let open = session.open_to_read(format, &input.text)?;
    let mut groups = open.metadata().groups.clone();
    change(session, &mut groups)?;
    let bytes = open.rotate(groups, &session.surroundings)?;
    session.write(&input, &bytes)?;
    Ok(0)
}

/// Rotates all encrypted files of trees, in their places.
fn tree(session: &Session) -> Result<u8, Stop> {
    let paths = files(&session.words)?;
    Ok(tree::change(&paths, "rotated", |path| {
        let file = match look(path) {
            Found::Encrypted(file) => *file,
            Found::Plain => return Ok(Outcome::NotEncrypted),
            Found::Broken(stop) => return Err(stop),
        };
        let key = session.data_key(&file)?;
        let open = file.open_to_read(key, session.flags.on("ignore-mac"))?;
        let mut groups = open.metadata().groups.clone();
        change(session, &mut groups)?;
        Ok(Outcome::Change(open.rotate(groups, &session.surroundings)?))
    }))
}

/// Adds keys to the first group, and removes them from all.
fn change(session: &Session, groups: &mut KeyGroups) -> Result<(), Stop> {
    let named = |before: &str| {
        let mut keys = Vec::new();
        for source in SOURCES {
            let names = session.flags.list(&format!("{before}{}", source.row().flag));
            let new = MasterKey::list(source, &names, &session.surroundings)?;
            keys.extend(session.with_options(new)?);
        }
        Ok::<_, Stop>(keys)
    };
    let (added, removed) = (named("add-")?, named("rm-")?);
    for group in &mut groups.groups {
        group.keys.retain(|key| !removed.iter().any(|other| other.is(key)));
    }
    if groups.groups.is_empty() {
        groups.groups.push(KeyGroup::default());
    }
    let first = &mut groups.groups[0].keys;
    for key in added {
        if !first.iter().any(|other| other.is(&key)) {
            first.push(key);
        }
    }
    Ok(())
}
