//! Takes a database away while leases end there and elsewhere, kills the server meanwhile, and looks
//! who waits for whom. What a person does about it goes through the real command line.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_databases::{Mariadb, Postgresql};

use super::systems::{Mysql, Postgres, System};
use crate::server::{Product, Server, Setup};
use crate::tally::Tally;
use crate::{Result, process, wait};

/// How many leases end in each of the databases.
const LEASES: usize = 1_000;
const CREATORS: usize = 8;
/// All leases are made before the first of them ends.
const TTL: Duration = Duration::from_secs(45);
/// So soon after the end of the last lease all must be taken back where that is possible.
const ON_TIME: Duration = Duration::from_secs(30);
/// An account whose password changes so often, and how often that fails before it is looked at.
const ACCOUNT: &str = "kept";
const PERIOD: Duration = Duration::from_secs(20);
const ATTEMPTS: u64 = 2;
/// What the server does by itself it has done by then.
const LIMIT: Duration = Duration::from_secs(180);

/// The mounts.
const DEAD: &str = "dead";
const LIVE: &str = "live";

pub(super) fn run(binary: &Path) -> Result<Tally> {
    let setup = Setup { durable: true, audited: true, unseals_itself: true };
    let server = Server::start_ready(Product::Strongroom, binary, setup)?;
    let (dead, live) = (Postgres(Postgresql::start()), Mysql(Mariadb::start()));
    let mut outage = Outage { server, binary: binary.to_owned(), dead, live };
    let mut tally = Tally::default();
    for (what, step) in STEPS {
        let outcome = step(&mut outage);
        tally.count(outcome.is_ok());
        println!("outage: {what}: {}", outcome.unwrap_or_else(|message| format!("NO: {message}")));
    }
    Ok(tally)
}

type Work = fn(&mut Outage) -> Result<String>;

/// In this order; each tells how it went.
const STEPS: [(&str, Work); 9] = [
    ("what ends elsewhere is taken back on time", Outage::ends_elsewhere),
    ("what waits is shown, with its cause", Outage::shows_what_waits),
    ("a rotation that fails is shown, counted and tried again", Outage::tells_of_a_rotation),
    ("what waits is not forgotten over a kill", Outage::survives_a_kill),
    ("it goes when the database is back", Outage::ends_when_it_returns),
    ("so does the rotation, by itself", Outage::rotates_when_it_returns),
    ("a rotation that was missed is caught up with", Outage::catches_up),
    ("what the database refuses is given up on and shown", Outage::gives_up),
    ("that is tried anew on demand", Outage::tries_anew),
];

struct Outage {
    server: Server,
    binary: PathBuf,
    dead: Postgres,
    live: Mysql,
}

impl Outage {
    fn ends_elsewhere(&mut self) -> Result<String> {
        let mut client = self.server.client();
        let (dead, live): (&dyn System, &dyn System) = (&self.dead, &self.live);
        let ttl = format!("{}s", TTL.as_secs());
        for (mount, system) in [(DEAD, dead), (LIVE, live)] {
            system.mount(&mut client, mount, system.address(), None, &ttl)?;
        }
        self.dead.add_account(ACCOUNT)?;
        let period = format!("{}s", PERIOD.as_secs());
        let role = json!({"db_name": "db", "username": ACCOUNT, "rotation_period": period});
        client.expect("POST", &format!("/v1/{DEAD}/static-roles/{ACCOUNT}"), &role)?;
        let first = Instant::now();
        self.issue_all()?;
        let made = (self.dead.made()?.len(), self.live.made()?.len());
        if made != (LEASES, LEASES) {
            return Err(format!("{made:?} users were made"));
        }
        self.dead.0.stop();
        let last = Instant::now();
        if last.duration_since(first) >= TTL {
            return Err(format!("to make all leases took longer than {TTL:?}"));
        }
        let gone = || self.live.made().ok().filter(Vec::is_empty);
        wait::until(TTL + LIMIT, gone).ok_or("some are still there")?;
        let late = last.elapsed().saturating_sub(TTL);
        match late <= ON_TIME {
            true => {
                Ok(format!("{LEASES} of them, {:.1} s after the last was due", late.as_secs_f64()))
            }
            false => Err(format!("{} s late", late.as_secs())),
        }
    }

    fn shows_what_waits(&mut self) -> Result<String> {
        let all = wait::until(LIMIT, || self.waiting().ok().filter(|it| it["waiting"] == LEASES));
        let shown = all.ok_or_else(|| format!("{:?}", self.waiting()))?;
        let error = shown["last_error"].as_str().unwrap_or_default();
        let is_told = shown["state"] == "failing" && error.contains("failed to connect");
        let given_up = self.irrevocable()?["lease_count"] == 0;
        match is_told && given_up {
            true => Ok(format!("{LEASES} wait: {error}")),
            false => Err(shown.to_string()),
        }
    }

    fn survives_a_kill(&mut self) -> Result<String> {
        let before = self.waiting()?;
        self.server.kill();
        self.server.start_again()?;
        self.server.wait_for_answer()?;
        self.server.unseal()?;
        let after = self.waiting()?;
        match after["waiting"] == LEASES && after["since"] == before["since"] {
            true => Ok(format!("{LEASES} wait")),
            false => Err(format!("{before} became {after}")),
        }
    }

    fn tells_of_a_rotation(&mut self) -> Result<String> {
        let failure = || {
            let failure = self.static_role().ok()?["rotation_failure"].clone();
            (failure["attempts"].as_u64()? >= ATTEMPTS).then_some(failure)
        };
        let failure = wait::until(LIMIT, failure).ok_or("it is not tried again")?;
        let error = failure["last_error"].as_str().unwrap_or_default();
        let path = "/v1/sys/metrics?format=prometheus";
        let metrics = self.server.client().call("GET", path, &Value::Null)?.text();
        let counted = metrics.lines().any(|line| {
            let count = line.strip_prefix("strongroom_password_rotation_failures_total ");
            count.is_some_and(|count| count != "0")
        });
        match counted && error.contains("failed to connect") && failure["next_try"].is_string() {
            true => Ok(format!("{ATTEMPTS} attempts, the next is known: {error}")),
            false => Err(format!("counted: {counted}, {failure}")),
        }
    }

    fn ends_when_it_returns(&mut self) -> Result<String> {
        self.dead.0.resume();
        self.cli(&["write", "-f", "sys/leases/retry"])?;
        let start = Instant::now();
        let gone = || self.dead.made().ok().filter(Vec::is_empty);
        wait::until(LIMIT, gone).ok_or_else(|| format!("{:?}", self.waiting()))?;
        let is_empty = || {
            let shown = self.read(&["sys/leases/targets"]).ok()?;
            (shown["targets"] == json!([])).then_some(())
        };
        wait::until(LIMIT, is_empty).ok_or("it is still shown as one that does not work")?;
        Ok(format!("{LEASES} of them, within {:.1} s", start.elapsed().as_secs_f64()))
    }

    fn rotates_when_it_returns(&mut self) -> Result<String> {
        let is_over = || self.static_role().ok().filter(|role| role["rotation_failure"].is_null());
        wait::until(LIMIT, is_over).ok_or("it still fails")?;
        self.log_in().map(|()| "its password logs in".to_owned())
    }

    fn catches_up(&mut self) -> Result<String> {
        let before = self.static_role()?["last_vault_rotation"].clone();
        self.server.kill();
        wait::pause(PERIOD);
        self.server.start_again()?;
        self.server.wait_for_answer()?;
        self.server.unseal()?;
        let is_done = || {
            let role = self.static_role().ok()?;
            (role["last_vault_rotation"] != before).then_some(())
        };
        wait::until(PERIOD / 2, is_done).ok_or("it waits for the next time")?;
        self.log_in().map(|()| "its password logs in".to_owned())
    }

    /// A database that answers no is another matter than one that does not answer.
    fn gives_up(&mut self) -> Result<String> {
        let statements = json!({"revocation_statements": "SELECT 1/0"});
        let path = format!("/v1/{DEAD}/roles/{DEAD}");
        self.server.client().expect("POST", &path, &statements)?;
        let creds = format!("{DEAD}/creds/{DEAD}");
        let lease = self.cli(&["read", "-field=lease_id", &creds])?.trim().to_owned();
        let listed = wait::until(LIMIT, || {
            // A failed attempt is what is wanted here.
            let _ = self.cli(&["lease", "revoke", "-sync", &lease]);
            self.irrevocable().ok().filter(|shown| shown["lease_count"] == 1)
        });
        let listed = listed.ok_or("it is not listed")?;
        let shown = &listed["leases"][0];
        let error = shown["error"].as_str().unwrap_or_default();
        match shown["lease_id"] == lease.as_str() && error.contains("division by zero") {
            true => Ok(error.to_owned()),
            false => Err(listed.to_string()),
        }
    }

    fn tries_anew(&mut self) -> Result<String> {
        let path = format!("/v1/{DEAD}/roles/{DEAD}");
        self.server.client().expect("POST", &path, &json!({"revocation_statements": ""}))?;
        self.cli(&["write", "-f", "sys/leases/retry"])?;
        let gone = || self.dead.made().ok().filter(Vec::is_empty);
        wait::until(LIMIT, gone).ok_or("the user is still there")?;
        let none = || self.irrevocable().ok().filter(|shown| shown["lease_count"] == 0);
        wait::until(LIMIT, none).ok_or("it is still listed")?;
        Ok("gone".to_owned())
    }

    /// Fetches as many credentials of each database.
    fn issue_all(&self) -> Result<()> {
        let work = || -> Result<()> {
            let mut client = self.server.client();
            for mount in [DEAD, LIVE] {
                for _ in 0..LEASES / CREATORS {
                    client.expect("GET", &format!("/v1/{mount}/creds/{mount}"), &Value::Null)?;
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..CREATORS).map(|_| scope.spawn(work)).collect();
            for thread in threads {
                thread.join().map_err(|_| "a thread panicked".to_owned())??;
            }
            Ok(())
        })
    }

    fn static_role(&self) -> Result<Value> {
        self.read(&[&format!("{DEAD}/static-roles/{ACCOUNT}")])
    }

    fn log_in(&self) -> Result<()> {
        System::log_in(&self.dead, &self.read(&[&format!("{DEAD}/static-creds/{ACCOUNT}")])?)
    }

    /// The one system that leases wait for.
    fn waiting(&self) -> Result<Value> {
        let shown = self.read(&["sys/leases/targets"])?;
        match shown["targets"].as_array().map(Vec::as_slice) {
            Some([target]) if target["mount"] == format!("{DEAD}/") => Ok(target.clone()),
            _ => Err(format!("there is not one target: {shown}")),
        }
    }

    fn irrevocable(&self) -> Result<Value> {
        self.read(&["sys/leases", "type=irrevocable"])
    }

    /// The data that the command line reads.
    fn read(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = vec!["read", "-format=json"];
        command.extend(arguments);
        let text = self.cli(&command)?;
        let answer: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        Ok(answer["data"].clone())
    }

    fn cli(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.binary);
        command.env("VAULT_ADDR", format!("http://{}", self.server.address));
        command.env("VAULT_TOKEN", &self.server.root_token).env("HOME", self.server.folder());
        process::capture(command.args(arguments))
    }
}
