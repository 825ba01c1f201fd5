//! Kills the server while it makes, renews and takes back users of a database and rotates their
//! passwords, and looks whether it and the database agree afterwards.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, send};
use crate::http::Client;
use crate::postgres::Postgres;
use crate::random::Random;
use crate::server::{Product, Server, Setup};
use crate::tally::Tally;
use crate::{Result, wait};

const ISSUERS: u32 = 4;
const ROTATORS: u32 = 3;
/// How long a round may go on before the kill, in milliseconds.
const LOAD_MAX: u64 = 600;
/// How long the server may take to take back what is due.
const CLEAN_UP_LIMIT: Duration = Duration::from_secs(60);

/// Static roles with one user, and those with two that take turns.
const SINGLE: [&str; 2] = ["single-a", "single-b"];
const DUAL: [&str; 2] = ["dual-a", "dual-b"];

/// A credential that the server gave out and was not told to take back.
struct Live {
    lease: String,
    user: String,
    password: String,
}

pub(super) fn run(binary: &Path, rounds: u64, random: &mut Random) -> Result<Tally> {
    let database = Postgres::start()?;
    let setup = Setup { durable: true, audited: true, unseals_itself: true };
    let mut server = Server::start_ready(Product::Strongroom, binary, setup)?;
    prepare(&server, &database)?;
    let (mut tally, mut issued, mut rotated) = (Tally::default(), 0, 0);
    for round in 1..=rounds {
        let Work { live, rotations, refusals } = load(&mut server, random)?;
        issued += live.len();
        rotated += rotations;
        let refused = if refusals.is_empty() { Ok(()) } else { Err(refusals.join("; ")) };
        server.start_again()?;
        server.wait_for_answer()?;
        server.unseal()?;
        for (what, outcome) in [
            ("every request is granted", refused),
            ("credentials that were given out log in", live_ones_work(&database, &live)),
            ("passwords of static roles log in", static_ones_work(&server, &database)),
            ("no user is left when all leases have ended", none_is_left(&server, &database)),
        ] {
            tally.count(outcome.is_ok());
            if let Err(message) = outcome {
                println!("round {round}: {what}: {message}");
            }
        }
    }
    println!("{rounds} rounds, {issued} credentials outlived a kill, {rotated} rotations");
    Ok(tally)
}

fn prepare(server: &Server, database: &Postgres) -> Result<()> {
    database.connect(server, "app", ["1h", "2h"])?;
    let mut client = server.client();
    for role in SINGLE {
        database.query(&format!("create role \"{role}\" login password 'first'"))?;
        let body = json!({"db_name": "db", "username": role, "rotation_period": "24h"});
        client.expect("POST", &format!("/v1/database/static-roles/{role}"), &body)?;
    }
    for role in DUAL {
        let users = [format!("{role}-1"), format!("{role}-2")];
        for user in &users {
            database.query(&format!("create role \"{user}\" login password 'first'"))?;
        }
        let body = json!({
            "db_name": "db", "usernames": users, "rotation_period": "24h", "grace_period": "1h",
        });
        client.expect("POST", &format!("/v1/database/static-roles/{role}"), &body)?;
    }
    Ok(())
}

/// What one thread did until the kill.
#[derive(Default)]
struct Work {
    /// What was given out and stays.
    live: Vec<Live>,
    rotations: u64,
    /// Answers that said no, which nothing here deserves.
    refusals: Vec<String>,
}

impl Work {
    /// Sends a request. `None` means that no good answer came: the thread is done.
    fn send(
        &mut self,
        client: &mut Client,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Option<Value> {
        match send(client, method, path, body).ok()? {
            Answer::Done(body) => Some(body),
            Answer::Refused(message) => {
                self.refusals.push(message);
                None
            }
        }
    }

    fn issue(&mut self, client: &mut Client) -> Option<()> {
        let answer = self.send(client, "GET", "/v1/database/creds/app", &Value::Null)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.live.push(Live {
            lease: text(&answer["lease_id"]),
            user: text(&answer["data"]["username"]),
            password: text(&answer["data"]["password"]),
        });
        Some(())
    }

    fn issue_renew_or_revoke(&mut self, client: &mut Client, random: &mut Random) -> Option<()> {
        let what = random.below(4);
        if self.live.is_empty() || what > 1 {
            return self.issue(client);
        }
        let place = random.below(self.live.len() as u64) as usize;
        if what == 0 {
            let body = json!({"lease_id": self.live[place].lease, "increment": 3600});
            return self.send(client, "POST", "/v1/sys/leases/renew", &body).map(drop);
        }
        // Taken off the list first: when no answer comes, it may be gone or not.
        let body = json!({"lease_id": self.live.swap_remove(place).lease, "sync": true});
        self.send(client, "POST", "/v1/sys/leases/revoke", &body).map(drop)
    }

    fn rotate(&mut self, client: &mut Client, random: &mut Random) -> Option<()> {
        let roles = [SINGLE, DUAL][random.below(2) as usize];
        let role = roles[random.below(2) as usize];
        self.send(client, "POST", &format!("/v1/database/rotate-role/{role}"), &json!({}))?;
        self.rotations += 1;
        Some(())
    }
}

/// Issues, renews, revokes and rotates until the kill.
fn load(server: &mut Server, random: &mut Random) -> Result<Work> {
    let (address, token) = (server.address, server.root_token.clone());
    let length = Duration::from_millis(random.below(LOAD_MAX));
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for number in 0..ISSUERS + ROTATORS {
            let (token, mut random) = (&token, Random::new(random.next()));
            threads.push(scope.spawn(move || {
                let (mut work, mut client) = (Work::default(), Client::with_token(address, token));
                while let Some(()) = match number < ISSUERS {
                    true => work.issue_renew_or_revoke(&mut client, &mut random),
                    false => work.rotate(&mut client, &mut random),
                } {}
                work
            }));
        }
        wait::pause(length);
        server.kill();
        let mut all = Work::default();
        for thread in threads {
            let work = thread.join().map_err(|_| "a thread panicked".to_owned())?;
            all.live.extend(work.live);
            all.rotations += work.rotations;
            all.refusals.extend(work.refusals);
        }
        Ok(all)
    })
}

fn live_ones_work(database: &Postgres, live: &[Live]) -> Result<()> {
    for Live { user, password, .. } in live {
        database.query_as(user, password, "select 1")?;
    }
    Ok(())
}

fn static_ones_work(server: &Server, database: &Postgres) -> Result<()> {
    let mut client = server.client();
    for role in SINGLE.into_iter().chain(DUAL) {
        let path = format!("/v1/database/static-creds/{role}");
        let answer = client.expect("GET", &path, &Value::Null)?;
        let text = |name: &str| answer["data"][name].as_str().unwrap_or_default().to_owned();
        database
            .query_as(&text("username"), &text("password"), "select 1")
            .map_err(|error| format!("{role}: {error}"))?;
    }
    Ok(())
}

/// Ends all leases and waits until the database knows no user that was made for one. One that no
/// lease knows would stay.
fn none_is_left(server: &Server, database: &Postgres) -> Result<()> {
    let path = "/v1/sys/leases/revoke-prefix/database/creds";
    server.client().expect("POST", path, &json!({"sync": true}))?;
    let users = || -> Result<BTreeSet<String>> {
        let rows = database.query("select rolname from pg_roles where rolname like 'v-%'")?;
        Ok(rows.lines().map(str::to_owned).collect())
    };
    let empty = wait::until(CLEAN_UP_LIMIT, || users().ok().filter(BTreeSet::is_empty));
    match empty {
        Some(_) => Ok(()),
        None => Err(format!("{:?}", users()?)),
    }
}
