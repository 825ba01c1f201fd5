//! Rules that a compiler does not check. Each finding says where it is and what to do about it.

mod dependencies;
mod layers;
mod licence;
mod sources;

use std::process::Command;

use serde_json::Value;

use crate::options::Options;
use crate::tally::Tally;
use crate::{Result, process, root};

/// A rule gives one sentence for each place that breaks it.
struct Rule {
    name: &'static str,
    check: fn(&Project) -> Result<Vec<String>>,
}

const RULES: [Rule; 10] = [
    Rule { name: "crates depend on lower layers only", check: layers::order },
    Rule { name: "crates take the workspace's lints", check: layers::lints },
    Rule { name: "kinds are listed in one place", check: sources::kinds },
    Rule { name: "nothing is left unfinished", check: sources::unfinished },
    Rule { name: "no test is switched off", check: sources::ignored_tests },
    Rule { name: "files stay readable", check: sources::long_files },
    Rule { name: "the text speaks of the project alone", check: sources::foreign_words },
    Rule { name: "lines end cleanly", check: sources::line_ends },
    Rule { name: "dependencies have a free licence", check: dependencies::licences },
    Rule { name: "there is one crypto provider", check: dependencies::crypto },
];

/// What the rules look at.
pub(crate) struct Project {
    /// Our own crates.
    crates: Vec<Crate>,
    /// All packages that end up in a build, as Cargo describes them.
    packages: Vec<Value>,
    /// The text files that are or could be committed: path from the root, and content.
    files: Vec<(String, String)>,
}

pub(crate) struct Crate {
    name: String,
    /// From the root of the checkout.
    folder: String,
    manifest: String,
    /// Our own crates that its product code depends on.
    uses: Vec<String>,
    /// Those of them that only a feature brings in, such as one for tests of other crates.
    optional: Vec<String>,
}

pub(crate) fn run(options: Options) -> Result<Tally> {
    options.finish()?;
    let project = Project::read()?;
    let mut tally = Tally::default();
    for Rule { name, check } in &RULES {
        let findings = check(&project)?;
        tally.count(findings.is_empty());
        println!("{} {name}", if findings.is_empty() { "ok    " } else { "FAILED" });
        for finding in findings {
            println!("       {finding}");
        }
    }
    Ok(tally)
}

impl Project {
    fn read() -> Result<Self> {
        let metadata = |arguments: &[&str]| -> Result<Value> {
            let mut cargo = Command::new("cargo");
            cargo.args(["metadata", "--format-version=1"]).args(arguments);
            let text = process::capture(&mut cargo)?;
            serde_json::from_str(&text)
                .map_err(|error| format!("`cargo metadata` is no JSON: {error}"))
        };
        let own = metadata(&["--no-deps"])?;
        let names: Vec<&str> = array(&own["packages"]).iter().map(|p| text(&p["name"])).collect();
        let mut crates = Vec::new();
        for package in array(&own["packages"]) {
            crates.push(Crate::read(package, &names)?);
        }
        let built = built()?;
        let is_built = |package: &&Value| built.iter().any(|name| name == text(&package["name"]));
        let all = metadata(&[])?;
        let packages = array(&all["packages"]).iter().filter(is_built).cloned().collect();
        Ok(Self { crates, packages, files: files()? })
    }

    /// Our Rust files, path and content.
    fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.files.iter().map(|(path, content)| (path.as_str(), content.as_str()));
        files.filter(|(path, _)| path.ends_with(".rs"))
    }
}

impl Crate {
    fn read(package: &Value, own: &[&str]) -> Result<Self> {
        let path = text(&package["manifest_path"]);
        let manifest = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read {path}: {error}"))?;
        let folder = path.strip_suffix("/Cargo.toml").unwrap_or(path);
        let root = format!("{}/", root().display());
        let used = |only_optional: bool| -> Vec<String> {
            let all = array(&package["dependencies"]).iter();
            let used = all.filter(|dependency| {
                text(&dependency["kind"]) != "dev"
                    && own.contains(&text(&dependency["name"]))
                    && (!only_optional || dependency["optional"] == true)
            });
            used.map(|dependency| text(&dependency["name"]).to_owned()).collect()
        };
        Ok(Self {
            name: text(&package["name"]).to_owned(),
            folder: folder.strip_prefix(&root).unwrap_or(folder).to_owned(),
            manifest,
            uses: used(false),
            optional: used(true),
        })
    }
}

/// Names of all packages that are compiled for some platform. Neither Cargo.lock nor `cargo
/// metadata` tells: both list what a feature nobody chose would bring.
fn built() -> Result<Vec<String>> {
    let mut cargo = Command::new("cargo");
    cargo.args(["tree", "--workspace", "--target=all", "--edges=normal,build,dev"]);
    let list = process::capture(cargo.args(["--prefix=none", "--format={p}"]))?;
    Ok(list.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

/// All files that Git knows or would take, if they are text.
fn files() -> Result<Vec<(String, String)>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = process::capture(&mut git)?;
    let mut files = Vec::new();
    for path in list.split_terminator('\0') {
        // A file that was just deleted is still listed, and a binary file has no words.
        if let Ok(content) = std::fs::read_to_string(root().join(path)) {
            files.push((path.to_owned(), content));
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
