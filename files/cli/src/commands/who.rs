use std::collections::BTreeMap;

use crate::session::{Session, Stop};
use crate::tree::{Found, files, look};
use crate::{complain, parallel, say};

/// Lists for each key the files that it opens, alone or together with others.
pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    let paths = files(&session.words)?;
    let found = parallel::each(&paths, |path| look(path));
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut encrypted, mut failed) = (0, 0);
    for (path, found) in paths.iter().zip(found) {
        let file = match found {
            Found::Encrypted(file) => file,
            Found::Plain => continue,
            Found::Broken(stop) => {
                failed += 1;
                complain(&format!("{}: {}", path.display(), stop.text));
                continue;
            }
        };
        encrypted += 1;
        let groups = &file.metadata().groups;
        let all = groups.groups.len();
        for (at, group) in groups.groups.iter().enumerate() {
            let path = match all {
                1 => path.display().to_string(),
                _ => format!(
                    "{} (group {at}; {} of {all} are needed)",
                    path.display(),
                    groups.needed()
                ),
            };
            let names = group
                .keys
                .iter()
                .map(|key| format!("{} {}", key.source().row().metadata, key.name()))
                .chain(group.foreign().map(str::to_owned));
            for name in names {
                keys.entry(name).or_default().push(path.clone());
            }
        }
    }
    for (key, paths) in &keys {
        say(&format!("{key} ({})\n", paths.len()));
        for path in paths {
            say(&format!("  {path}\n"));
        }
    }
    complain(&format!("{} keys, {encrypted} encrypted files, {failed} failed", keys.len()));
    Ok(u8::from(failed > 0))
}
