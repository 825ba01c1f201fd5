use super::{Crate, Project};
use crate::Result;

/// The one file that names concrete engines, auth methods and stores.
const REGISTRY: &str = "server/src/registry.rs";

/// A file longer than this is many things.
const LINES_MAX: usize = 900;

/// Longer files and why they are one thing.
const LONG_FILES: [(&str, &str); 0] = [];

/// Words that belong to the machine somebody worked on and not to the project. They are written in
/// two halves, so that this list does not find itself.
const FOREIGN_WORDS: [&str; 9] = [
    concat!("/wo", "rk/"),
    concat!("/tmp/", "brief"),
    concat!("/ro", "ot/."),
    concat!("pypi", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("static.crates", ".io"),
    concat!("index.crates", ".io"),
    concat!("deb.debian", ".org"),
    concat!("proxy.golang", ".org"),
];

pub(super) fn kinds(project: &Project) -> Result<Vec<String>> {
    let is_kind = |name: &str| {
        name != "store-api"
            && ["auth-", "engine-", "store-"].iter().any(|kind| name.starts_with(kind))
    };
    let kinds: Vec<_> = project.crates.iter().filter(|one| is_kind(&one.name)).collect();
    let mut findings = Vec::new();
    for (path, content) in project.rust().filter(|(path, _)| *path != REGISTRY) {
        for kind in &kinds {
            let word = kind.name.replace('-', "_");
            let inside = path.starts_with(&format!("{}/", kind.folder));
            if !inside
                && !path.starts_with("xtask/")
                && has_word(product_code(path, content), &word)
            {
                findings
                    .push(format!("{path}: it names {word}; only {REGISTRY} may, ask it instead"));
            }
        }
    }
    let product = |one: &&Crate| one.name != "server" && !is_for_tests(&one.folder);
    for one in project.crates.iter().filter(product) {
        for used in one.uses.iter().filter(|used| is_kind(used) && !one.optional.contains(used)) {
            let folder = &one.folder;
            findings.push(format!(
                "{folder}: only server may depend on {used}; use dev-dependencies in tests"
            ));
        }
    }
    Ok(findings)
}

pub(super) fn unfinished(project: &Project) -> Result<Vec<String>> {
    let words = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
    ];
    Ok(in_rust(project, &words, "finish it, or leave it out and open an issue"))
}

pub(super) fn ignored_tests(project: &Project) -> Result<Vec<String>> {
    let words = [concat!("#[", "ignore")];
    Ok(in_rust(project, &words, "make the test pass, or delete it"))
}

pub(super) fn long_files(project: &Project) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for (path, content) in project.rust() {
        let lines = content.lines().count();
        let excused = LONG_FILES.iter().any(|(known, _)| *known == path);
        if lines > LINES_MAX && !excused {
            findings.push(format!(
                "{path}: {lines} lines; split it by its nouns, or list it in LONG_FILES with a reason"
            ));
        }
    }
    for (path, _) in LONG_FILES {
        if project
            .rust()
            .all(|(known, content)| known != path || content.lines().count() <= LINES_MAX)
        {
            findings.push(format!("{path}: it is not long any more; take it off LONG_FILES"));
        }
    }
    Ok(findings)
}

pub(super) fn foreign_words(project: &Project) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for (path, content) in &project.files {
        for word in FOREIGN_WORDS {
            if let Some(line) = line_with(content, word) {
                findings
                    .push(format!("{path}:{line}: '{word}' is of one machine; say it in general"));
            }
        }
    }
    Ok(findings)
}

pub(super) fn line_ends(project: &Project) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    // What parsers are fed is as it is, odd ends included.
    let is_fed =
        |path: &str| ["tests/interop/", "fuzz/seeds/"].iter().any(|at| path.starts_with(at));
    for (path, content) in project.files.iter().filter(|(path, _)| !is_fed(path)) {
        let spaced = content.lines().position(|line| line.ends_with([' ', '\t', '\r']));
        if let Some(line) = spaced {
            findings.push(format!("{path}:{}: remove the space at the end of the line", line + 1));
        }
        if !content.is_empty() && !content.ends_with('\n') {
            findings.push(format!("{path}: end the last line with a line break"));
        }
    }
    Ok(findings)
}

fn in_rust(project: &Project, words: &[&str], remedy: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, content) in project.rust() {
        for word in words {
            if let Some(line) = line_with(content, word) {
                findings.push(format!("{path}:{line}: '{word}': {remedy}"));
            }
        }
    }
    findings
}

/// The number of the first line that holds `word`.
fn line_with(content: &str, word: &str) -> Option<usize> {
    content.lines().position(|line| line.contains(word)).map(|index| index + 1)
}

/// A file without the tests at its end; nothing of a file that is all tests.
fn product_code<'a>(path: &str, content: &'a str) -> &'a str {
    if is_for_tests(path) {
        return "";
    }
    content.split("#[cfg(test)]").next().unwrap_or_default()
}

/// Whether a file or folder serves tests alone.
fn is_for_tests(path: &str) -> bool {
    const PARTS: [&str; 7] =
        ["/benches/", "/examples/", "/fuzz/", "/testing.rs/", "/testing/", "/testkit/", "/tests/"];
    let path = format!("/{path}/");
    PARTS.iter().any(|part| path.contains(part))
}

/// Whether `content` holds `word` with no letter, digit or underscore on either side.
fn has_word(content: &str, word: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    content.match_indices(word).any(|(place, _)| {
        let before = content[..place].chars().next_back().is_some_and(part);
        let after = content[place + word.len()..].chars().next().is_some_and(part);
        !before && !after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(path: &str, content: &str) -> Project {
        let one = |name: &str, folder: &str| Crate {
            name: name.to_owned(),
            folder: folder.to_owned(),
            manifest: String::new(),
            uses: Vec::new(),
            optional: Vec::new(),
        };
        Project {
            crates: vec![one("engine-kv", "engines/kv"), one("store-api", "store/api")],
            packages: Vec::new(),
            files: vec![(path.to_owned(), content.to_owned())],
        }
    }

    #[test]
    fn kinds_are_named_in_the_registry_alone() {
        let count = |path, content| kinds(&project(path, content)).map(|found| found.len());
        assert_eq!(count("core/a.rs", "use engine_kv::Kv;"), Ok(1));
        assert_eq!(count("core/a.rs", "use store_api::Store; use core_engine_kv_like;"), Ok(0));
        assert_eq!(count("core/a.rs", "#[cfg(test)]\nuse engine_kv::Kv;"), Ok(0));
        assert_eq!(count("server/src/registry.rs", "use engine_kv::Kv;"), Ok(0));
        assert_eq!(count("engines/kv/src/lib.rs", "use engine_kv::Kv;"), Ok(0));
    }

    #[test]
    fn each_rule_finds_its_fault() {
        let long = "line\n".repeat(LINES_MAX + 1);
        let switched_off = concat!("#[", "ignore]\n");
        let open = concat!("todo", "!()\n");
        let path = concat!("see /wo", "rk/x\n");
        for (check, content) in [
            (long_files as fn(&Project) -> Result<Vec<String>>, long.as_str()),
            (ignored_tests, switched_off),
            (unfinished, open),
            (foreign_words, path),
            (line_ends, "space \n"),
            (line_ends, "no end"),
        ] {
            assert_eq!(check(&project("core/a.rs", content)).map(|found| found.len()), Ok(1));
            assert_eq!(check(&project("core/a.rs", "fine\n")), Ok(Vec::new()));
        }
    }
}
