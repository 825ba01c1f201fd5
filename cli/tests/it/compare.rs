use std::collections::HashMap;
use std::path::Path;

use crate::proxy::Proxy;
use crate::session::{Server, Step, call, parse};
use crate::{AS_CLI, Tally};

const COMMANDS: &str = include_str!("commands.txt");

/// Runs the session with both programs.
pub(crate) fn run(bao: &Path, tally: &mut Tally) {
    let home = tempfile::tempdir().unwrap();
    let mut session = Session {
        bao,
        home: home.path(),
        proxy: Proxy::start(),
        server: Server::dev(bao, home.path()),
        token: "root".to_owned(),
        variables: HashMap::new(),
        own_words: Vec::new(),
        compared: 0,
    };
    session.variables.insert("UNSEAL_KEY".to_owned(), session.server.logged("Unseal Key:"));
    for line in
        COMMANDS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        session.line(line, tally);
    }
    println!("{} commands compared with bao", session.compared);
    println!(
        "{} of them in words of our own (exit code and requests are equal):",
        session.own_words.len()
    );
    session.own_words.iter().for_each(|line| println!("  {line}"));
}

struct Session<'a> {
    bao: &'a Path,
    home: &'a Path,
    proxy: Proxy,
    server: Server,
    token: String,
    variables: HashMap<String, String>,
    own_words: Vec<String>,
    compared: usize,
}

impl Session<'_> {
    fn line(&mut self, line: &str, tally: &mut Tally) {
        match line.split_once(' ') {
            Some(("!let", rest)) => self.set(rest),
            Some(("!file", rest)) => {
                let (name, text) = rest.split_once(' ').unwrap();
                std::fs::write(self.home.join(name), text.replace("\\n", "\n")).unwrap();
            }
            Some(("!token", token)) => self.token = parse(token, &self.variables).args.concat(),
            Some(("!server", "fresh")) => self.server = Server::fresh(self.bao, self.home),
            Some(("*", command)) => {
                for format in ["table", "json", "yaml"] {
                    self.compare(&with_format(command, format), tally);
                }
            }
            _ => self.compare(line, tally),
        }
    }

    /// `!let NAME=label,NAME=label command`: keeps what the real program prints after the labels, in
    /// which `_` stands for a space.
    fn set(&mut self, rest: &str) {
        let (names, command) = rest.split_once(' ').unwrap();
        let step = parse(command, &self.variables);
        self.proxy.record(&self.server.host);
        let output = call(self.bao, &step, self.home, &self.env(&[]));
        let text = String::from_utf8(output.stdout).unwrap();
        for name in names.split(',') {
            let (name, label) = name.split_once('=').unwrap();
            let value = text.lines().find_map(|line| line.strip_prefix(&label.replace('_', " ")));
            let value = value.unwrap_or_else(|| panic!("{command}: {text}")).trim().to_owned();
            self.variables.insert(name.to_owned(), value);
        }
    }

    fn compare(&mut self, line: &str, tally: &mut Tally) {
        let step = parse(line, &self.variables);
        self.compared += 1;
        if step.own_words {
            self.own_words.push(line.trim_start_matches("~ ").to_owned());
        }
        let outcome = self.difference(&step).map_or(Ok(()), Err);
        tally.record(line, outcome);
    }

    /// How the two programs differ.
    fn difference(&self, step: &Step) -> Option<String> {
        let before = self.files();
        self.proxy.record(&self.server.host);
        let theirs = call(self.bao, step, self.home, &self.env(&[]));
        let changed = self.files();
        restore(self.home, &before);
        let their_requests = if step.live {
            self.proxy.record(&self.server.host);
            Vec::new()
        } else {
            self.proxy.replay()
        };
        let this = std::env::current_exe().unwrap();
        let ours = call(&this, step, self.home, &self.env(&[(AS_CLI, "1")]));
        let our_requests = self.proxy.asked();
        let mut text = String::new();
        let mut differs = |what: &str, theirs: &str, ours: &str| {
            if theirs != ours {
                text.push_str(&format!("  {what}: bao\n{theirs}\n  {what}: ours\n{ours}\n"));
            }
        };
        differs("exit code", &theirs.status.to_string(), &ours.status.to_string());
        if !step.own_words {
            let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            differs("stdout", &shown(&theirs.stdout), &shown(&ours.stdout));
        }
        if theirs.stderr.is_empty() != ours.stderr.is_empty() {
            let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            differs("stderr", &shown(&theirs.stderr), &shown(&ours.stderr));
        }
        let our_requests = if step.live { Vec::new() } else { our_requests };
        differs("requests", &format!("{their_requests:#?}"), &format!("{our_requests:#?}"));
        differs("files", &format!("{changed:?}"), &format!("{:?}", self.files()));
        (!text.is_empty())
            .then(|| format!("{text}  stderr of ours: {}", String::from_utf8_lossy(&ours.stderr)))
    }

    fn env<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut env = vec![("BAO_ADDR", self.proxy.address.as_str())];
        if self.token != "none" {
            env.push(("BAO_TOKEN", self.token.as_str()));
        }
        env.extend_from_slice(more);
        env
    }

    /// The files that commands may change.
    fn files(&self) -> Vec<(String, Option<String>)> {
        let names = [".vault-token", "policy.hcl"];
        names
            .map(|name| (name.to_owned(), std::fs::read_to_string(self.home.join(name)).ok()))
            .into()
    }
}

fn restore(home: &Path, files: &[(String, Option<String>)]) {
    for (name, text) in files {
        match text {
            Some(text) => std::fs::write(home.join(name), text).unwrap(),
            None => drop(std::fs::remove_file(home.join(name))),
        }
    }
}

/// `command` with `-format` after the words that name it.
fn with_format(command: &str, format: &str) -> String {
    let groups = [
        "kv",
        "metadata",
        "token",
        "policy",
        "secrets",
        "auth",
        "audit",
        "lease",
        "namespace",
        "operator",
    ];
    let mut words: Vec<&str> = command.split(' ').collect();
    let mut at =
        words.iter().take_while(|word| ["~", "="].contains(word) || groups.contains(word)).count()
            + 1;
    at = at.min(words.len());
    let flag = format!("-format={format}");
    words.insert(at, &flag);
    words.join(" ")
}
