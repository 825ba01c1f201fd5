use std::path::Path;

use scan_engine::{Hits, Options, Scanner};
use scan_rules::Config;

/// Has ours search what a case wrote, by its configuration. `judge` says what counts of a file, by the name that the case
/// gives it and its commit; an error is what ours says of the configuration.
pub(crate) fn run<T: Ord>(
    home: &Path,
    files: &[(String, Option<String>)],
    judge: impl Fn(&Scanner, &Hits, &str, Option<&str>) -> Vec<T>,
) -> Result<Vec<T>, String> {
    let fault = |e: base_types::Error| e.public().to_owned();
    let config = Config::open(&home.join("config.toml")).map_err(fault)?;
    let scanner = Scanner::new(config, Options::default()).map_err(fault)?;
    let mut scratch = scanner.scratch();
    let mut found = Vec::new();
    for (path, commit) in files {
        let bytes = std::fs::read(home.join("files").join(path)).unwrap();
        let hits = scanner.search(&mut scratch, &bytes);
        found.extend(judge(&scanner, &hits, path, commit.as_deref()));
    }
    found.sort();
    Ok(found)
}
