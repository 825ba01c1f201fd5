//! Kills the server at random moments under load, or at every step of what it does in other systems,
//! starts it again and looks whether every acknowledged write is there and none is half done.

mod dynamic;
mod log_limit;
mod logins;
mod outage;
mod prefix;
mod scene;
mod secrets;
mod steps;
mod systems;
mod tokens;
mod trap;

use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::Client;
use crate::options::Options;
use crate::random::Random;
use crate::server::{Product, Server, Setup};
use crate::tally::Tally;
use crate::{Result, process, server, setup, wait};

use logins::LoginWriter;
use secrets::SecretWriter;
use tokens::TokenWriter;

/// One of the threads that write. Each owns what it writes, so that what must be there after a
/// kill is what it knows.
trait Writer: Send {
    /// Does one thing. An error means that no answer came, so the outcome is open.
    fn write(&mut self, client: &mut Client, random: &mut Random) -> Result<Step>;

    /// Compares what the server has with what was acknowledged, and takes it as the new state.
    /// Each sentence is a loss.
    fn check(&mut self, client: &mut Client) -> Result<Vec<String>>;
}

/// How one write ended.
enum Step {
    Acknowledged,
    /// The server said no, which none of these writes deserves.
    Refused(String),
}

const SECRET_WRITERS: u32 = 5;
const TOKEN_WRITERS: u32 = 3;
const LOGIN_WRITERS: u32 = 2;

/// How long writers write before the kill, in milliseconds.
const LOAD: Range<u64> = 20..700;
/// One round of this many goes on until the store moves what is new into its database, which it does
/// when the oldest of it is five seconds old.
const LONG_LOAD_ONE_OF: u64 = 8;
const LONG_LOAD: Range<u64> = 4_500..7_000;

/// After one round of this many the server is killed once more while it starts, at most so many
/// milliseconds after the start.
const KILL_AT_START_ONE_OF: u64 = 3;
const START_MILLISECONDS_MAX: u64 = 200;

/// After this many rounds a new server starts empty, so that checks stay quick.
const ROUNDS_PER_SERVER: u64 = 10;

pub(crate) fn run(mut options: Options) -> Result<Tally> {
    let rounds: u64 = options.value("--rounds")?.unwrap_or(20);
    let seed = options.value("--seed")?.unwrap_or_else(Random::fresh_seed);
    let release = options.flag("--release");
    let openbao = options.flag("--openbao");
    let dynamic = options.flag("--dynamic");
    let all = options.flag("--all");
    let prefix = options.value_or("--prefix", prefix::LEASES)?;
    options.finish()?;
    if all && !dynamic || openbao && (dynamic || prefix.is_some()) {
        return Err(
            "--all goes with --dynamic, and --openbao with neither of them nor --prefix".into()
        );
    }
    let (product, binary) = match openbao {
        true => (Product::OpenBao, setup::peers()?.bao),
        false => (Product::Strongroom, server::build(release)?),
    };
    if let Some(leases) = prefix {
        return prefix::run(&binary, leases);
    }
    println!("seed {seed}");
    let mut random = Random::new(seed);
    if dynamic {
        let mut tally = dynamic::run(&binary, rounds, &mut random)?;
        tally += steps::run_all(&binary, all)?;
        tally += outage::run(&binary)?;
        return Ok(tally);
    }
    under_load(product, &binary, rounds, &mut random)
}

/// Kills a server so often while secrets, tokens and logins are written.
fn under_load(product: Product, binary: &Path, rounds: u64, random: &mut Random) -> Result<Tally> {
    let (mut tally, mut acknowledged, mut losses) = (Tally::default(), 0, 0);
    let mut left = rounds;
    while left > 0 {
        let mut trial = Trial::start(product, binary, random)?;
        for _ in 0..left.min(ROUNDS_PER_SERVER) {
            let round = trial.round(random)?;
            acknowledged += round.acknowledged;
            losses += round.losses.len();
            tally.count(round.losses.is_empty());
            for loss in round.losses {
                println!("round {}: {loss}", tally.passed + tally.failed);
            }
        }
        left -= left.min(ROUNDS_PER_SERVER);
        if product == Product::Strongroom {
            let audit = trial.check_audit(binary);
            tally.count(audit.is_ok());
            println!("{}", audit.unwrap_or_else(|message| message));
        }
    }
    println!("{rounds} rounds, {acknowledged} acknowledged writes, {losses} losses");
    Ok(tally)
}

/// A server with its writers.
struct Trial {
    server: Server,
    writers: Vec<Box<dyn Writer>>,
    acknowledged: u64,
}

struct Round {
    acknowledged: u64,
    losses: Vec<String>,
}

impl Trial {
    fn start(product: Product, binary: &Path, random: &mut Random) -> Result<Self> {
        let setup = Setup { durable: true, audited: true, unseals_itself: true };
        let server = Server::start_ready(product, binary, setup)?;
        server.mount_kv("kv")?;
        let mut client = server.client();
        client.expect("POST", tokens::POLICY_PATH, &json!({"policy": tokens::POLICY}))?;
        logins::prepare(&mut client)?;
        let mut writers: Vec<Box<dyn Writer>> = Vec::new();
        for number in 0..SECRET_WRITERS {
            writers.push(Box::new(SecretWriter::new(number, random.next())));
        }
        for number in 0..TOKEN_WRITERS {
            writers.push(Box::new(TokenWriter::new(number)));
        }
        for _ in 0..LOGIN_WRITERS {
            writers.push(Box::new(LoginWriter::new(&mut client)?));
        }
        Ok(Self { server, writers, acknowledged: 0 })
    }

    /// Load, kill, start, check.
    fn round(&mut self, random: &mut Random) -> Result<Round> {
        let load = if random.below(LONG_LOAD_ONE_OF) == 0 { LONG_LOAD } else { LOAD };
        let load = Duration::from_millis(load.start + random.below(load.end - load.start));
        let (address, token) = (self.server.address, self.server.root_token.clone());
        let (server, writers) = (&mut self.server, &mut self.writers);
        let (acknowledged, mut losses) = std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for writer in writers.iter_mut() {
                let (mut random, token) = (Random::new(random.next()), &token);
                threads.push(scope.spawn(move || {
                    let mut client = Client::with_token(address, token);
                    write_until_killed(writer.as_mut(), &mut client, &mut random)
                }));
            }
            wait::pause(load);
            server.kill();
            let mut sums = (0, Vec::new());
            for thread in threads {
                match thread.join() {
                    Ok((count, refused)) => {
                        sums.0 += count;
                        sums.1.extend(refused);
                    }
                    Err(_) => sums.1.push("a writer panicked".to_owned()),
                }
            }
            sums
        });
        self.acknowledged += acknowledged;
        self.server.start_again()?;
        if random.below(KILL_AT_START_ONE_OF) == 0 {
            wait::pause(Duration::from_millis(random.below(START_MILLISECONDS_MAX)));
            self.server.kill();
            self.server.start_again()?;
        }
        self.server.wait_for_answer()?;
        self.server.unseal()?;
        let mut client = self.server.client();
        for writer in &mut self.writers {
            losses.extend(writer.check(&mut client)?);
        }
        losses.extend(tokens::check_accessors(&mut client)?);
        Ok(Round { acknowledged, losses })
    }

    /// The chain of the audit file holds through all kills, and no acknowledged write is missing.
    fn check_audit(&self, binary: &Path) -> Result<String> {
        let path = self.server.audit_file();
        let text =
            std::fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let lines = text.split(|byte| *byte == b'\n');
        let recorded = lines.filter(|line| is_done_write(line)).count() as u64;
        if recorded < self.acknowledged {
            let writes = self.acknowledged;
            return Err(format!(
                "{writes} writes were acknowledged, but the audit file has {recorded}"
            ));
        }
        let mut verify = Command::new(binary);
        verify.args(["audit", "verify"]).arg(path);
        process::capture(&mut verify).map(|text| text.trim().to_owned())
    }
}

/// Whether a line of the audit file records that one of the writers' requests was carried out.
fn is_done_write(line: &[u8]) -> bool {
    let entry: Value = serde_json::from_slice(line).unwrap_or_default();
    let path = entry["request"]["path"].as_str().unwrap_or_default();
    let is_secret = path.starts_with("kv/") && entry["request"]["operation"] != "read";
    let is_token = matches!(path, "auth/token/create" | "auth/token/revoke");
    let is_login = matches!(path, "auth/approle/login" | "auth/approle/role/crash/secret-id");
    let is_write = is_secret || is_token || is_login;
    entry["type"] == "response" && entry["error"].is_null() && is_write
}

/// Writes until the connection breaks: how many writes were acknowledged, and any refusal.
fn write_until_killed(
    writer: &mut dyn Writer,
    client: &mut Client,
    random: &mut Random,
) -> (u64, Option<String>) {
    let mut acknowledged = 0;
    loop {
        match writer.write(client, random) {
            Ok(Step::Acknowledged) => acknowledged += 1,
            Ok(Step::Refused(message)) => return (acknowledged, Some(message)),
            Err(_) => return (acknowledged, None),
        }
    }
}

/// Sends a write; an answer other than 2xx is a refusal.
fn send(client: &mut Client, method: &str, path: &str, body: &Value) -> Result<Answer> {
    let response = client.call(method, path, body)?;
    Ok(match response.status {
        200..300 => Answer::Done(response.json()),
        status => {
            Answer::Refused(format!("{method} {path} was answered {status}: {}", response.text()))
        }
    })
}

enum Answer {
    Done(Value),
    Refused(String),
}

#[cfg(test)]
mod tests {
    use super::is_done_write;

    #[test]
    fn only_writes_that_were_carried_out_count() {
        let entry = |kind: &str, operation: &str, path: &str, error: &str| {
            format!(
                r#"{{"type":"{kind}","request":{{"operation":"{operation}","path":"{path}"}}{error}}}"#
            )
        };
        for (line, expected) in [
            (entry("response", "update", "kv/data/a", ""), true),
            (entry("response", "delete", "kv/metadata/a", ""), true),
            (entry("response", "update", "auth/token/revoke", ""), true),
            (entry("request", "update", "kv/data/a", ""), false),
            (entry("response", "read", "kv/data/a", ""), false),
            (entry("response", "update", "auth/token/lookup", ""), false),
            (entry("response", "update", "kv/data/a", r#","error":"no""#), false),
            (r#"{"type":"response","request":{"pa"#.to_owned(), false),
        ] {
            assert_eq!(is_done_write(line.as_bytes()), expected, "{line}");
        }
    }
}
