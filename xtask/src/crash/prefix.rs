//! Kills the server while it ends all leases below a prefix, and looks whether it goes on with that
//! when it is back, to the end and not beyond.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::Client;
use crate::server::{Product, Server, Setup};
use crate::tally::Tally;
use crate::{Result, wait};

/// How many leases there are to be ended, unless another number is asked for.
pub(super) const LEASES: u64 = 100_000;
/// How many leases there are beside them, which stay.
const OTHERS: u64 = 100;
/// The server is killed when it has dealt with one of so many.
const KILL_AT_ONE_OF: u64 = 4;

const CREATORS: u64 = 8;
const PREFIX: &str = "auth/token/create";
/// What merely begins alike.
const OTHER_PREFIX: &str = "auth/token/create-orphan";
/// In this time a job comes to what it is waited for.
const LIMIT: Duration = Duration::from_secs(600);

/// What the server tells of the job.
#[derive(Debug)]
struct Job {
    id: String,
    state: String,
    total: u64,
    handled: u64,
    remaining: u64,
    error: String,
}

pub(super) fn run(binary: &Path, leases: u64) -> Result<Tally> {
    let setup = Setup { durable: true, audited: true, unseals_itself: true };
    let mut server = Server::start_ready(Product::Strongroom, binary, setup)?;
    let others = create(&server, OTHER_PREFIX, OTHERS)?;
    let start = Instant::now();
    let tokens = create(&server, PREFIX, leases)?;
    println!("{leases} leases made in {} s", start.elapsed().as_secs());

    let start = Instant::now();
    let path = format!("/v1/sys/leases/revoke-prefix/{PREFIX}");
    server.client().expect("POST", &path, &json!({"sync": false}))?;
    let before = wait_for(&server, |job| job.handled >= job.total / KILL_AT_ONE_OF)?;
    server.kill();
    println!("killed: {before:?}");
    server.start_again()?;
    server.wait_for_answer()?;
    server.unseal()?;
    let after = Job::read(&mut server.client())?;
    println!("back:   {after:?}");
    let end = wait_for(&server, |job| job.state == "finished")?;
    println!("ended:  {end:?}, {} s from the start", start.elapsed().as_secs());

    let mut tally = Tally::default();
    let is_within = |job: &Job| (1..leases).contains(&job.handled) && job.state == "handing";
    for (what, holds) in [
        ("it was killed on the way", is_within(&before)),
        ("it goes on where it was", after.id == before.id && after.handled >= before.handled),
        ("what is left is told", before.remaining <= leases && after.remaining < leases),
        ("it ends with all that there were", end.handled == leases && end.total == leases),
        ("it ends without a failure", end.error.is_empty() && end.remaining == 0),
        ("no lease below the prefix is left", count(&server, PREFIX)? == 0),
        ("the leases beside it stay", count(&server, OTHER_PREFIX)? == OTHERS),
        ("their tokens work", count_working(&server, &others)? == OTHERS),
        ("the tokens of the others do not", count_working(&server, &tokens)? == 0),
    ] {
        tally.count(holds);
        println!("{what}: {}", if holds { "yes" } else { "NO" });
    }
    Ok(tally)
}

/// Makes so many tokens by requests to `path`, and answers with some of them.
fn create(server: &Server, path: &str, count: u64) -> Result<Vec<String>> {
    const KEPT: usize = (OTHERS / CREATORS + 1) as usize;
    let work = |number: u64| -> Result<Vec<String>> {
        let mut client = server.client();
        let body = json!({"policies": ["default"], "ttl": "24h"});
        let mut tokens = Vec::new();
        for _ in (number..count).step_by(CREATORS as usize) {
            let made = client.expect("POST", &format!("/v1/{path}"), &body)?;
            if tokens.len() < KEPT {
                tokens.push(made["auth"]["client_token"].as_str().unwrap_or_default().to_owned());
            }
        }
        Ok(tokens)
    };
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..CREATORS).map(|number| scope.spawn(move || work(number))).collect();
        let mut tokens = Vec::new();
        for thread in threads {
            tokens.extend(thread.join().map_err(|_| "a thread panicked".to_owned())??);
        }
        Ok(tokens)
    })
}

fn wait_for(server: &Server, is_so: impl Fn(&Job) -> bool) -> Result<Job> {
    let mut client = server.client();
    let found = wait::until(LIMIT, || match Job::read(&mut client) {
        Ok(job) if !is_so(&job) => None,
        outcome => Some(outcome),
    });
    found.unwrap_or_else(|| Err("the job does not get on".to_owned()))
}

impl Job {
    fn read(client: &mut Client) -> Result<Self> {
        let answer = client.expect("GET", "/v1/sys/leases/jobs", &Value::Null)?;
        let [job] = answer["data"]["jobs"].as_array().map(Vec::as_slice).unwrap_or_default() else {
            return Err(format!("there is not one job, but {answer}"));
        };
        let text = |name: &str| job[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| job[name].as_u64().unwrap_or_default();
        Ok(Self {
            id: text("id"),
            state: text("state"),
            total: number("total"),
            handled: number("handled"),
            remaining: number("remaining"),
            error: text("error"),
        })
    }
}

/// How many leases there are right below a prefix.
fn count(server: &Server, prefix: &str) -> Result<u64> {
    let path = format!("/v1/sys/leases/lookup/{prefix}");
    let answer = server.client().call("LIST", &path, &Value::Null)?;
    match answer.status {
        404 => Ok(0),
        200 => Ok(answer.json()["data"]["keys"].as_array().map_or(0, Vec::len) as u64),
        status => Err(format!("LIST {path} was answered {status}: {}", answer.text())),
    }
}

fn count_working(server: &Server, tokens: &[String]) -> Result<u64> {
    let mut working = 0;
    for token in tokens {
        let mut client = server.client().acting_as(token);
        let answer = client.call("GET", "/v1/auth/token/lookup-self", &Value::Null)?;
        working += u64::from(answer.status == 200);
    }
    Ok(working)
}
