use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// One line of `commands.txt`, with variables replaced.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) args: Vec<String>,
    pub(crate) stdin: String,
    /// Our words differ on purpose: only exit code and requests count.
    pub(crate) own_words: bool,
    /// The two ask at different paths: both are run against the server itself.
    pub(crate) live: bool,
    pub(crate) env: Vec<(String, String)>,
}

/// Reads one command: words as in a shell, `NAME=value` before them for the environment, `<<<`
/// before the standard input.
pub(crate) fn parse(line: &str, variables: &HashMap<String, String>) -> Step {
    let mut line = line.to_owned();
    for (name, value) in variables {
        line = line.replace(&format!("${name}"), value);
    }
    let own_words = line.starts_with("~ ");
    let live = line.starts_with("= ");
    let line = line.trim_start_matches("~ ").trim_start_matches("= ");
    let (command, stdin) = line.split_once(" <<< ").unwrap_or((line, ""));
    let mut words = words(command);
    let is_env = |word: &String| {
        word.split_once('=')
            .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    };
    let count = words.iter().take_while(|word| is_env(word)).count();
    let env = words
        .drain(..count)
        .map(|word| word.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap());
    let env = env.collect();
    Step { args: words, stdin: stdin.replace("\\n", "\n"), own_words, live, env }
}

/// Splits at spaces; single and double quotes hold words together, `\n` in double quotes is a
/// newline.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (' ', None) => words.extend(word.take()),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            ('\\', Some('"')) => match chars.next() {
                Some('n') => word.get_or_insert_default().push('\n'),
                Some(other) => word.get_or_insert_default().push(other),
                None => {}
            },
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Runs `program` as a shell would, in `home`.
pub(crate) fn call(program: &Path, step: &Step, home: &Path, extra: &[(&str, &str)]) -> Output {
    let mut child = Command::new(program)
        .args(&step.args)
        .env_clear()
        .env("HOME", home)
        .envs(extra.iter().copied())
        .envs(step.env.iter().cloned())
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its standard input closes it.
    let _ = child.stdin.take().unwrap().write_all(step.stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// A running `bao server`; it ends with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) host: String,
    log: PathBuf,
}

impl Server {
    /// In memory, initialised, root token `root`.
    pub(crate) fn dev(bao: &Path, home: &Path) -> Self {
        let host = free_port();
        let listen = format!("-dev-listen-address={host}");
        let args = ["server", "-dev", "-dev-root-token-id=root", "-dev-no-store-token", &listen];
        Self::start(bao, home, host, &args, "Development mode should NOT")
    }

    /// In memory, not initialised.
    pub(crate) fn fresh(bao: &Path, home: &Path) -> Self {
        let host = free_port();
        let config = home.join("server.hcl");
        let text = format!(
            "storage \"inmem\" {{}}\nlistener \"tcp\" {{\n  address = \"{host}\"\n  tls_disable = true\n  \
             disable_unauthed_generate_root_endpoints = false\n  \
             disable_unauthed_rekey_endpoints = false\n}}\n"
        );
        std::fs::write(&config, text).unwrap();
        Self::start(bao, home, host, &["server", "-config=server.hcl"], "server started!")
    }

    /// Returns when the log says `ready`.
    fn start(bao: &Path, home: &Path, host: String, args: &[&str], ready: &str) -> Self {
        let log = home.join("server.log");
        let file = std::fs::File::create(&log).unwrap();
        let child = Command::new(bao)
            .args(args)
            .env_clear()
            .env("HOME", home)
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut server = Self { child, host, log };
        server.wait(ready);
        server
    }

    /// A server that ends before it is ready is an error with its log.
    fn wait(&mut self, ready: &str) {
        loop {
            let log = std::fs::read_to_string(&self.log).unwrap();
            if log.contains(ready) {
                return;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "the server ended:\n{log}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// What follows `label` in the log.
    pub(crate) fn logged(&self, label: &str) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap();
        let line = log.lines().find_map(|line| line.trim().strip_prefix(label)).unwrap_or_default();
        line.trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
