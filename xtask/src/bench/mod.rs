//! Measures ours beside OpenBao on the same machine and disk, and says whether the bars are met.
//! The two take turns, so that a neighbour who is busy for a while slows both.

mod complete;
mod files;
mod leases;
mod scan;
mod start;
mod wrk;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::options::Options;
use crate::postgres::Postgres;
use crate::server::{Memory, Product, Server, Setup};
use crate::tally::Tally;
use crate::{Result, server, setup, wait};

use wrk::Load;

struct Workload {
    name: &'static str,
    /// How many times OpenBao's requests per second ours must reach.
    bar: f64,
    /// Prepares the server and gives the script for wrk.
    prepare: fn(&Server, &mut Outside) -> Result<String>,
}

/// What both servers use outside of themselves, started when first wanted.
#[derive(Default)]
struct Outside {
    postgres: Option<Postgres>,
}

const WORKLOADS: [Workload; 5] = [
    Workload { name: "kv2 read", bar: 6.0, prepare: kv_read },
    Workload { name: "kv2 write", bar: 8.0, prepare: kv_write },
    Workload { name: "token create", bar: 8.0, prepare: token_create },
    Workload { name: "approle login", bar: 8.0, prepare: approle_login },
    // The database is the limit.
    Workload { name: "database user", bar: 1.5, prepare: database_user },
];

/// Of OpenBao's memory ours may take at most this part, idle and after the run.
const MEMORY_BAR: f64 = 1.0 / 3.0;

/// As in the usual benchmark of such servers: a thousand secrets of one short value.
const SECRETS: u32 = 1000;
const VALUE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// In how many turns each workload is run on each of the two.
const TURNS: u32 = 5;

/// How long a server is left alone before its memory is read.
const REST: Duration = Duration::from_secs(3);

/// All that one server showed.
struct Showing {
    loads: Vec<Load>,
    idle: Memory,
    after: Memory,
}

pub(crate) fn run(mut options: Options) -> Result<Tally> {
    let seconds: u32 = options.value("--seconds")?.unwrap_or(10).max(1);
    let only: Option<String> = options.value("--only")?;
    let leases = options.value_or("--leases", 1_000_000)?;
    let start = options.flag("--start");
    let binary: Option<PathBuf> = options.value("--binary")?;
    match options.words()?.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => {}
        ["files"] => return files::run(&binary.map_or_else(|| server::build(true), Ok)?),
        ["scan", path] => {
            return scan::run(&binary.map_or_else(|| server::build(true), Ok)?, Path::new(path));
        }
        [word, ..] => {
            return Err(format!("unexpected '{word}'; `cargo xtask` lists what is taken"));
        }
    }
    let chosen = |w: &&Workload| only.as_ref().is_none_or(|only| w.name.contains(only.as_str()));
    let workloads: Vec<&Workload> = WORKLOADS.iter().filter(chosen).collect();
    if workloads.is_empty() {
        let names = WORKLOADS.map(|workload| workload.name).join(", ");
        return Err(format!("--only fits no workload; there are {names}"));
    }
    setup::load_generator()?;
    let strongroom = server::build(true)?;
    if start {
        return start::run(&strongroom, leases.unwrap_or(1_000_000));
    }
    if let Some(leases) = leases {
        return leases::run(&strongroom, leases, seconds);
    }
    let peers = setup::peers()?;
    let theirs = Setup { durable: true, ..Setup::default() };
    let ours = Setup { durable: true, audited: true, unseals_itself: true };
    let mut theirs = Contender::start(Product::OpenBao, &peers.bao, theirs)?;
    let mut ours = Contender::start(Product::Strongroom, &strongroom, ours)?;
    let mut outside = Outside::default();
    for workload in &workloads {
        eprintln!("{}: {seconds} s each", workload.name);
        let mut prepare = |server| (workload.prepare)(server, &mut outside);
        let scripts = [prepare(&theirs.server)?, prepare(&ours.server)?];
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            a.push(wrk::run(&theirs.server, &scripts[0], seconds.div_ceil(TURNS))?);
            b.push(wrk::run(&ours.server, &scripts[1], seconds.div_ceil(TURNS))?);
        }
        theirs.loads.push(Load::of_turns(&a));
        ours.loads.push(Load::of_turns(&b));
    }
    Ok(report(&workloads, &theirs.rest()?, &ours.rest()?))
}

/// One of the two servers and what it showed so far.
struct Contender {
    server: Server,
    idle: Memory,
    loads: Vec<Load>,
}

impl Contender {
    fn start(product: Product, binary: &Path, setup: Setup) -> Result<Self> {
        let server = Server::start_ready(product, binary, setup)?;
        wait::pause(REST);
        Ok(Self { idle: server.memory()?, server, loads: Vec::new() })
    }

    fn rest(self) -> Result<Showing> {
        wait::pause(REST);
        Ok(Showing { loads: self.loads, idle: self.idle, after: self.server.memory()? })
    }
}

fn report(workloads: &[&Workload], theirs: &Showing, ours: &Showing) -> Tally {
    let mut tally = Tally::default();
    let mut judge = |met: bool| {
        tally.count(met);
        if met { "met" } else { "MISSED" }
    };
    println!(
        "{:<16} {:>10} {:>8} {:>10} {:>8} {:>7} {:>7}",
        "requests/s", "openbao", "p99 ms", "ours", "p99 ms", "ratio", "bar"
    );
    for ((workload, a), b) in workloads.iter().zip(&theirs.loads).zip(&ours.loads) {
        let ratio = b.requests_per_second() / a.requests_per_second();
        println!(
            "{:<16} {:>10.0} {:>8.2} {:>10.0} {:>8.2} {:>6.1}x {:>6.1}x {}",
            workload.name,
            a.requests_per_second(),
            a.p99_milliseconds,
            b.requests_per_second(),
            b.p99_milliseconds,
            ratio,
            workload.bar,
            judge(ratio >= workload.bar)
        );
        let fine = judge(a.errors == 0 && b.errors == 0);
        if fine != "met" {
            println!(
                "{:<16} {:>10} {:>8} {:>10}  errors, where none may be",
                "", a.errors, "", b.errors
            );
        }
    }
    println!("\n{:<16} {:>10} {:>10} {:>8} {:>8}", "memory, MB", "openbao", "ours", "part", "bar");
    for (name, a, b, barred) in [
        ("idle", theirs.idle.now, ours.idle.now, true),
        ("after the run", theirs.after.now, ours.after.now, true),
        ("peak", theirs.after.peak, ours.after.peak, false),
    ] {
        let part = b as f64 / a as f64;
        let verdict = if barred { judge(part <= MEMORY_BAR) } else { "" };
        let bar = if barred { format!("{MEMORY_BAR:.2}") } else { String::new() };
        println!(
            "{name:<16} {:>10.1} {:>10.1} {part:>8.2} {bar:>8} {verdict}",
            megabytes(a),
            megabytes(b)
        );
    }
    tally
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Mounts the engine with all its secrets unless an earlier workload did.
fn secrets(server: &Server) -> Result<()> {
    let mut client = server.client();
    if client.call("GET", "/v1/sys/mounts/bench", &json!(null))?.status == 200 {
        return Ok(());
    }
    server.mount_kv("bench")?;
    let secret = json!({"data": {"value": VALUE}});
    for number in 0..SECRETS {
        client.expect("POST", &format!("/v1/bench/data/key-{number}"), &secret)?;
    }
    Ok(())
}

fn kv_read(server: &Server, _: &mut Outside) -> Result<String> {
    secrets(server)?;
    Ok(format!(
        "request = function()\n  \
           return wrk.format(\"GET\", \"/v1/bench/data/key-\" .. math.random(0, {}))\n\
         end",
        SECRETS - 1
    ))
}

fn kv_write(server: &Server, _: &mut Outside) -> Result<String> {
    secrets(server)?;
    Ok(format!(
        "wrk.body = '{{\"data\": {{\"value\": \"{VALUE}\"}}}}'\n\
         request = function()\n  \
           return wrk.format(\"POST\", \"/v1/bench/data/key-\" .. math.random(0, {}))\n\
         end",
        SECRETS - 1
    ))
}

fn token_create(_: &Server, _: &mut Outside) -> Result<String> {
    Ok("wrk.method = \"POST\"\n\
        wrk.path = \"/v1/auth/token/create\"\n\
        wrk.body = '{\"policies\": [\"default\"], \"ttl\": \"1h\"}'"
        .to_owned())
}

fn approle_login(server: &Server, _: &mut Outside) -> Result<String> {
    let mut client = server.client();
    client.expect("POST", "/v1/sys/auth/approle", &json!({"type": "approle"}))?;
    let role = json!({"token_policies": "default", "token_ttl": "1h"});
    client.expect("POST", "/v1/auth/approle/role/bench", &role)?;
    let role = client.expect("GET", "/v1/auth/approle/role/bench/role-id", &json!(null))?;
    let secret = client.expect("POST", "/v1/auth/approle/role/bench/secret-id", &json!({}))?;
    let (role, secret) = (&role["data"]["role_id"], &secret["data"]["secret_id"]);
    let body = json!({"role_id": role, "secret_id": secret});
    Ok(format!("wrk.method = \"POST\"\nwrk.path = \"/v1/auth/approle/login\"\nwrk.body = '{body}'"))
}

fn database_user(server: &Server, outside: &mut Outside) -> Result<String> {
    let postgres = match outside.postgres.take() {
        Some(running) => running,
        None => Postgres::start()?,
    };
    outside.postgres.insert(postgres).connect(server, "bench", ["1h", "2h"])?;
    Ok("wrk.path = \"/v1/database/creds/bench\"".to_owned())
}
