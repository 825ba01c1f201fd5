use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::folder::Folder;
use crate::options::Options;
use crate::postgres::Postgres;
use crate::tally::Tally;
use crate::{Result, root, server, wait};

/// What a block of the README asks for. A block is marked by its first line: "```console" is run,
/// "```console server" starts something that goes on while the later blocks run.
struct Block {
    line: usize,
    is_server: bool,
    commands: Vec<Shown>,
}

/// A command (`$ …`) with what the README says it prints. In that, `…` stands for any text, and a
/// line that is only `…` for any lines.
struct Shown {
    command: String,
    output: Vec<String>,
}

/// How long a server may take to print what the README shows.
const SERVER_LIMIT: Duration = Duration::from_secs(60);

/// Where a server in development mode listens, as the README has it. The tour puts a free address
/// in its place.
const USUAL_ADDRESS: &str = "127.0.0.1:8200";

/// Where a PostgreSQL listens, as the README has it. The tour starts one and puts its address there.
const USUAL_DATABASE: &str = "127.0.0.1:5432";

/// Runs the tours of the README, one for each of its parts that has commands, and compares what they
/// print.
pub(crate) fn run(mut options: Options) -> Result<Tally> {
    let release = options.flag("--release");
    options.finish()?;
    let mut tally = Tally::default();
    for part in parts(&readme()?) {
        tally += walk(part, release, false)?;
    }
    if tally == Tally::default() {
        return Err("README.md has no ```console block, so the tour shows nothing".to_owned());
    }
    Ok(tally)
}

/// Runs one tour before the eyes of whoever asked for it.
pub(crate) fn demo(mut options: Options) -> Result<Tally> {
    let release = options.flag("--release");
    let words = options.words()?;
    let demo = DEMOS.iter().find(|(name, _)| words == [*name]);
    let (_, title) =
        demo.ok_or_else(|| format!("name one demo: {}", DEMOS.map(|(name, _)| name).join(", ")))?;
    let readme = readme()?;
    let part = parts(&readme).into_iter().find(|part| part.text.starts_with(title));
    walk(part.ok_or_else(|| format!("README.md has no part {title:?}"))?, release, true)
}

/// The demos, and the headings in the README under which they stand.
const DEMOS: [(&str, &str); 1] = [("dynamic", "## A database user that ends by itself")];

fn readme() -> Result<String> {
    let path = root().join("README.md");
    fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

/// What stands under one heading, and the number of the line before it.
struct Part<'a> {
    text: &'a str,
    line: usize,
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut starts: Vec<usize> = text.match_indices("\n## ").map(|(at, _)| at + 1).collect();
    starts.insert(0, 0);
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let part = |(start, end): (&usize, usize)| Part {
        text: &text[*start..end],
        line: text[..*start].lines().count(),
    };
    starts.iter().zip(ends).map(part).collect()
}

/// Runs the commands of one part in one new folder. What one of them exports holds for the later
/// ones.
fn walk(part: Part<'_>, release: bool, aloud: bool) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut text = part.text.to_owned();
    if blocks(&text).is_empty() {
        return Ok(tally);
    }
    let binary = server::build(release)?;
    let address = server::free_address()?.to_string();
    text = text.replace(USUAL_ADDRESS, &address);
    let mut database = None;
    if text.contains(USUAL_DATABASE) {
        let postgres = Postgres::start()?;
        text = text.replace(USUAL_DATABASE, &postgres.address.to_string());
        database = Some(postgres);
    }
    let (folder, state) = (Folder::new("tour")?, Folder::new("tour-state")?);
    let tour = Tour { folder, state, binary, address, database, aloud };
    let mut servers = Vec::new();
    for block in blocks(&text) {
        for shown in &block.commands {
            let result = match block.is_server {
                true => tour.start(shown).map(|server| servers.push(server)),
                false => tour.run(shown),
            };
            tally.count(result.is_ok());
            if let Err(message) = result {
                let line = part.line + block.line;
                println!("README.md line {line}: {}\n{message}", shown.command);
            }
        }
    }
    Ok(tally)
}

struct Tour {
    /// Where the commands run; it is also their home.
    folder: Folder,
    /// What the commands are not to see: the environment between two of them, a server's output.
    state: Folder,
    binary: PathBuf,
    address: String,
    database: Option<Postgres>,
    /// Commands and what they print are shown.
    aloud: bool,
}

/// A process that ends with the tour.
struct Background(Child);

impl Tour {
    fn run(&self, shown: &Shown) -> Result<()> {
        let environment = self.state.path().join("environment");
        let command = format!("{}\nexport -p > '{}'", shown.command, environment.display());
        let output = self
            .shell(&command)
            .output()
            .map_err(|error| format!("bash did not start: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        self.tell(shown, &text);
        if !output.status.success() {
            return Err(format!("it ended with {}:\n{text}{errors}", output.status));
        }
        check(&shown.output, &text)
    }

    /// Starts a command and waits until it has printed what is shown.
    fn start(&self, shown: &Shown) -> Result<Background> {
        let log = self.state.path().join("server.out");
        let file =
            File::create(&log).map_err(|e| format!("cannot create {}: {e}", log.display()))?;
        let child = self
            .shell(&format!("exec {}", shown.command))
            .stdout(file)
            .spawn()
            .map_err(|error| format!("bash did not start: {error}"))?;
        let child = Background(child);
        let printed = wait::until(SERVER_LIMIT, || {
            check(&shown.output, &fs::read_to_string(&log).unwrap_or_default()).ok()
        });
        match printed {
            Some(()) => {
                self.tell(shown, &fs::read_to_string(&log).unwrap_or_default());
                Ok(child)
            }
            None => {
                check(&shown.output, &fs::read_to_string(&log).unwrap_or_default()).map(|()| child)
            }
        }
    }

    fn tell(&self, shown: &Shown, printed: &str) {
        if self.aloud {
            println!("$ {}\n{printed}", shown.command);
        }
    }

    /// A shell in the tour's folder, where `strongroom` is the binary just built, with what earlier
    /// commands exported.
    fn shell(&self, command: &str) -> Command {
        let folder = self.binary.parent().unwrap_or(Path::new("."));
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&inherited));
        let mut shell = Command::new("bash");
        shell.arg("-euc").arg(command).current_dir(self.folder.path());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if ["BAO_", "STRONGROOM_", "VAULT_"].iter().any(|family| name.starts_with(family)) {
                shell.env_remove(name.as_ref());
            }
        }
        // Bash runs this file before the command.
        shell.env("BASH_ENV", self.state.path().join("environment"));
        shell.env("VAULT_DEV_LISTEN_ADDRESS", &self.address);
        shell.env("PATH", std::env::join_paths(paths).unwrap_or_default());
        if let Some(database) = &self.database {
            shell.envs(database.environment());
        }
        shell.env("HOME", self.folder.path()).stdin(Stdio::null());
        shell
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        if let Some(mark) = line.strip_prefix("```") {
            blocks.extend(open.take());
            if let "console" | "console server" = mark {
                let is_server = mark.ends_with("server");
                open = Some(Block { line: index + 1, is_server, commands: Vec::new() });
            }
        } else if let Some(block) = &mut open {
            if let Some(command) = line.strip_prefix("$ ") {
                block.commands.push(Shown { command: command.to_owned(), output: Vec::new() });
            } else if let Some(shown) = block.commands.last_mut() {
                match shown.command.strip_suffix('\\') {
                    Some(start) => shown.command = format!("{start}{}", line.trim_start()),
                    None => shown.output.push(line.to_owned()),
                }
            }
        }
    }
    blocks
}

/// Compares what was printed with what is shown, if anything is shown.
fn check(shown: &[String], printed: &str) -> Result<()> {
    let lines: Vec<&str> = printed.lines().collect();
    if shown.is_empty() || fits(shown, &lines) {
        return Ok(());
    }
    Err(format!("it is shown to print\n{}\nbut printed\n{printed}", shown.join("\n")))
}

fn fits(shown: &[String], lines: &[&str]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first.trim() == "…" => {
            (0..=lines.len()).any(|skipped| fits(rest, &lines[skipped..]))
        }
        Some((first, rest)) => lines.split_first().is_some_and(|(line, others)| {
            line_fits(first.trim_end(), line.trim_end()) && fits(rest, others)
        }),
    }
}

fn line_fits(shown: &str, line: &str) -> bool {
    match shown.split_once('…') {
        None => shown == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|tail| {
            tail.char_indices()
                .map(|(place, _)| place)
                .chain([tail.len()])
                .any(|place| line_fits(rest, &tail[place..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn console_blocks_are_taken() {
        let text = "# Tour\n```console server\n$ run \\\n  dev\nready …\n```\n```sh\n$ not this\n```\n```console\n$ a\n$ b\none\ntwo\n```\n";
        let found = blocks(text);
        assert_eq!(found.len(), 2);
        assert!(found[0].is_server && found[0].line == 2);
        assert_eq!(found[0].commands[0].command, "run dev");
        assert_eq!(found[0].commands[0].output, ["ready …"]);
        assert_eq!(found[1].commands[1].output, ["one", "two"]);
    }

    #[test]
    fn parts_begin_at_their_headings() {
        let text = "# Name\none\n## First\ntwo\n### Below\n## Second\nthree\n";
        let found: Vec<(&str, usize)> =
            parts(text).into_iter().map(|part| (part.text, part.line)).collect();
        let expected =
            [("# Name\none\n", 0), ("## First\ntwo\n### Below\n", 2), ("## Second\nthree\n", 5)];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_ellipsis_stands_for_any_text() {
        let shown =
            |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        for (expected, printed, fitting) in [
            (&["a", "b"][..], "a\nb\n", true),
            (&["a"], "a\nb\n", false),
            (&["a", "…"], "a\nb\nc\n", true),
            (&["…", "c"], "a\nb\nc\n", true),
            (&["token … end"], "token s.abc end\n", true),
            (&["token … end"], "token s.abc\n", false),
            (&["…"], "", true),
            (&[], "anything\n", true),
        ] {
            assert_eq!(
                check(&shown(expected), printed).is_ok(),
                fitting,
                "{expected:?} {printed:?}"
            );
        }
    }
}
