use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::start::{self, TIME_BAR, measure, seed};
use super::wrk::{self, Load};
use super::{Outside, kv_read, megabytes};
use crate::server::{Product, Server, Setup};
use crate::tally::Tally;
use crate::{Result, wait};

/// A stored lease may cost this many bytes of memory.
const MEMORY_BAR: f64 = 100.0;
/// So many leases end in a second while secrets are read.
const EXPIRIES_PER_SECOND: u64 = 5_000;
/// Meanwhile the 99th percentile of the reads may be so many times what it is without.
const P99_BAR: f64 = 2.0;
/// Of the leases that were to end in the time so many must have ended in it.
const DRAINED_BAR: f64 = 0.95;

/// Reads alone and reads while leases end are measured in turns, so many of each, since what else
/// the machine does then falls on both.
const TURNS: u32 = 3;
/// How long reads go on before they are measured, how long the server has to finish what a turn left
/// to be done, and by how much a turn may be late.
const SETTLE: Duration = Duration::from_secs(5);
/// Seeding is expected to reach this; a slower machine finds its deadline passed and is told.
const SEEDED_PER_SECOND: u64 = 1_500;

/// Fills a server with `leases` that live, and looks at its start and memory; then lets many others
/// end, evenly over the `seconds` of a turn, while secrets are read.
pub(super) fn run(binary: &Path, leases: u64, seconds: u32) -> Result<Tally> {
    let setup = Setup { durable: true, audited: true, unseals_itself: true };
    let mut server = Server::start_ready(Product::Strongroom, binary, setup)?;
    let empty = measure(&mut server)?;
    let stored = seed(&server, &long_lived(), leases)?;
    let full = measure(&mut server)?;
    start::print(&[("nothing".to_owned(), &empty), (format!("{stored} leases"), &full)]);
    let growth = full.memory.saturating_sub(empty.memory);
    let per_lease = growth as f64 / stored as f64;
    println!("memory per lease: {per_lease:.1} bytes, {:.1} MB in all", megabytes(growth));

    let reads = kv_read(&server, &mut Outside::default())?;
    let turn = Duration::from_secs(seconds.into());
    let expiring = EXPIRIES_PER_SECOND * u64::from(seconds * TURNS);
    let seeding = Duration::from_secs(expiring / SEEDED_PER_SECOND);
    let deadlines = Deadlines { first: unix_now()? + seeding + SETTLE * 2 + turn, turn };
    let expiring = seed(&server, &deadlines.short_lived(), expiring)?;
    let expected = expiring as f64 / f64::from(seconds * TURNS);
    wrk::run(&server, &reads, SETTLE.as_secs() as u32)?;
    let (mut idle, mut busy, mut drained) = (Vec::new(), Vec::new(), 0.0);
    for number in 0..TURNS {
        idle.push(wrk::run(&server, &reads, seconds)?);
        let early = deadlines.of(number).checked_sub(unix_now()?);
        wait::pause(early.ok_or("seeding took too long: try fewer")?);
        let (before, began) = (ended(&server)?, Instant::now());
        busy.push(wrk::run(&server, &reads, seconds)?);
        drained += (ended(&server)? - before) as f64 / began.elapsed().as_secs_f64();
        wait::pause(SETTLE);
    }
    drained /= f64::from(TURNS);
    let [idle, busy] = [Load::of_turns(&idle), Load::of_turns(&busy)];
    println!("{:<24} {:>12} {:>8} {:>10}", "kv2 read", "requests/s", "p99 ms", "ended/s");
    for (name, load, ended) in [("idle", idle, 0.0), ("while leases end", busy, drained)] {
        let (rate, p99) = (load.requests_per_second(), load.p99_milliseconds);
        println!("{name:<24} {rate:>12.0} {p99:>8.2} {ended:>10.0}");
    }

    let mut tally = Tally::default();
    let worse = busy.p99_milliseconds / idle.p99_milliseconds;
    let milliseconds = TIME_BAR.as_millis();
    for (what, met) in [
        (format!("ready within {milliseconds} ms"), full.time <= TIME_BAR),
        (format!("at most {MEMORY_BAR} bytes for each lease"), per_lease <= MEMORY_BAR),
        (format!("all of {expected:.0} leases/s ended"), drained >= expected * DRAINED_BAR),
        (format!("p99 {worse:.2} times the idle one, of {P99_BAR}"), worse <= P99_BAR),
        ("no errors".to_owned(), idle.errors + busy.errors == 0),
    ] {
        tally.count(met);
        println!("{what}: {}", if met { "met" } else { "MISSED" });
    }
    Ok(tally)
}

fn long_lived() -> String {
    "wrk.method = \"POST\"\n\
     wrk.path = \"/v1/auth/token/create\"\n\
     wrk.body = '{\"policies\": [\"default\"], \"ttl\": \"24h\"}'"
        .to_owned()
}

/// When leases end: over a turn from a deadline on, and again in the next turn but one.
struct Deadlines {
    /// Since 1970.
    first: Duration,
    turn: Duration,
}

impl Deadlines {
    fn period(&self) -> Duration {
        (self.turn + SETTLE) * 2
    }

    fn of(&self, number: u32) -> Duration {
        self.first + self.period() * number
    }

    /// Tokens that end at any second of any of the turns, whenever they are made.
    fn short_lived(&self) -> String {
        format!(
            "wrk.method = \"POST\"\n\
             wrk.path = \"/v1/auth/token/create\"\n\
             request = function()\n  \
               local turn = math.random(0, {}) * {}\n  \
               local ttl = {} + turn + math.random(0, {}) - os.time()\n  \
               local body = '{{\"policies\": [\"default\"], \"ttl\": ' .. math.max(ttl, 1) .. '}}'\n  \
               return wrk.format(nil, nil, nil, body)\n\
             end",
            TURNS - 1,
            self.period().as_secs(),
            self.first.as_secs(),
            self.turn.as_secs() - 1,
        )
    }
}

/// How many leases have ended since the server started.
fn ended(server: &Server) -> Result<u64> {
    let text = server
        .client()
        .call("GET", "/v1/sys/metrics?format=prometheus", &serde_json::Value::Null)?
        .text();
    let figure = |line: &str| line.strip_prefix("strongroom_leases_ended_total ")?.parse().ok();
    text.lines().find_map(figure).ok_or_else(|| "the metrics do not count ended leases".to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the load generator's script knows only this clock")]
fn unix_now() -> Result<Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| "the clock is before 1970".to_owned())
}
