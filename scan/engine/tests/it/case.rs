use std::path::Path;
use std::process::Command;

/// A configuration and the files that it is tried on, written as one text: `-- NAME --` begins a file.
///
/// `config.toml` is the configuration; `config/…` is what it may extend; everything else is searched. In a case whose
/// first line is `git` each file is a commit of its own, and `{{commit NAME}}` in the configuration is its hash.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) is_git: bool,
    pub(crate) files: Vec<(String, String)>,
}

impl Case {
    /// The cases of a folder, by their names.
    pub(crate) fn all(folder: &str) -> Vec<Self> {
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let case = |path: &std::path::PathBuf| {
            let name = path.file_stem().unwrap().to_str().unwrap();
            Self::parse(name, &std::fs::read_to_string(path).unwrap())
        };
        paths.iter().map(case).collect()
    }

    pub(crate) fn parse(name: &str, text: &str) -> Self {
        let mut files: Vec<(String, String)> = Vec::new();
        let mut lines = text.lines().peekable();
        let is_git = lines.next_if(|line| *line == "git").is_some();
        for line in lines {
            match line.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --")) {
                Some(name) => files.push((name.to_owned(), String::new())),
                None => {
                    let (_, text) = files
                        .last_mut()
                        .unwrap_or_else(|| panic!("{name}: text before the first file"));
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        Self { name: name.to_owned(), is_git, files }
    }

    /// Writes the configuration below `home` and the files below `home/files`; with git the hash of each file's commit is
    /// returned beside its name.
    pub(crate) fn write(&self, home: &Path) -> Vec<(String, Option<String>)> {
        let target = home.join("files");
        std::fs::create_dir_all(&target).unwrap();
        if self.is_git {
            git(&target, &["init", "--quiet", "--initial-branch=main"]);
        }
        let mut written = Vec::new();
        for (name, text) in self.files.iter().filter(|(name, _)| !is_config(name)) {
            write(&target.join(name), text);
            written.push((name.clone(), self.is_git.then(|| commit(&target, name))));
        }
        for (name, text) in self.files.iter().filter(|(name, _)| is_config(name)) {
            let mut text = text.clone();
            for (name, commit) in &written {
                text = text.replace(
                    &format!("{{{{commit {name}}}}}"),
                    commit.as_deref().unwrap_or_default(),
                );
            }
            write(&home.join(name), &text.replace("{{home}}", home.to_str().unwrap()));
        }
        written
    }
}

fn is_config(name: &str) -> bool {
    name == "config.toml" || name.starts_with("config/")
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn commit(repository: &Path, name: &str) -> String {
    git(repository, &["add", "--force", name]);
    git(
        repository,
        &["-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", name],
    );
    git(repository, &["rev-parse", "HEAD"]).trim().to_owned()
}

fn git(place: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(place).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
