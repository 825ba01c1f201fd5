use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Outside, megabytes, token_create, wrk};
use crate::server::{Product, Server, Setup};
use crate::tally::Tally;
use crate::{Result, wait};

/// A start with many leases stored may take this long until requests are served, and this much
/// more memory than an empty start.
pub(super) const TIME_BAR: Duration = Duration::from_secs(1);
const MEMORY_BAR: u64 = 30_000_000;

/// How often the start is measured; the median counts.
const STARTS: usize = 5;

/// How long one step of seeding goes on at most.
const SEEDING_SECONDS: u64 = 10;

/// How a start went: the median of several.
pub(super) struct Start {
    pub(super) time: Duration,
    pub(super) memory: u64,
}

/// Compares an empty start with one on which `leases` leases are stored. They come to be as they
/// would with people: each is the lease of a token that was created by a request.
pub(super) fn run(binary: &Path, leases: u64) -> Result<Tally> {
    let setup = Setup { durable: true, audited: true, unseals_itself: true };
    let mut server = Server::start_ready(Product::Strongroom, binary, setup)?;
    let empty = measure(&mut server)?;
    let stored = seed(&server, &token_create(&server, &mut Outside::default())?, leases)?;
    let full = measure(&mut server)?;
    let growth = full.memory.saturating_sub(empty.memory);
    print(&[("nothing".to_owned(), &empty), (format!("{stored} leases"), &full)]);
    let mut tally = Tally::default();
    for (what, met) in [
        (format!("ready within {} ms", TIME_BAR.as_millis()), full.time <= TIME_BAR),
        (format!("at most {:.0} MB more", megabytes(MEMORY_BAR)), growth <= MEMORY_BAR),
    ] {
        tally.count(met);
        println!("{what}: {}", if met { "met" } else { "MISSED" });
    }
    Ok(tally)
}

pub(super) fn print(starts: &[(String, &Start)]) {
    println!("{:<24} {:>10} {:>12}", "start with", "ready, ms", "memory, MB");
    for (name, Start { time, memory }) in starts {
        println!("{name:<24} {:>10.0} {:>12.1}", time.as_secs_f64() * 1e3, megabytes(*memory));
    }
}

/// Creates tokens with the requests of `script` until at least `leases` of them are stored, and says
/// how many there are.
pub(super) fn seed(server: &Server, script: &str, leases: u64) -> Result<u64> {
    let (mut stored, mut spent) = (0, 0);
    while stored < leases {
        // At most a second too long at the pace so far.
        let missing = (leases - stored) * u64::from(spent.max(1)) / stored.max(1);
        let seconds = if stored == 0 { 1 } else { missing.clamp(1, SEEDING_SECONDS) as u32 };
        let load = wrk::run(server, script, seconds)?;
        if load.errors > 0 || load.requests == 0 {
            return Err(format!(
                "seeding met {} errors in {} requests",
                load.errors, load.requests
            ));
        }
        stored += load.requests;
        spent += seconds;
        eprintln!("{stored} leases of {leases}");
    }
    Ok(stored)
}

pub(super) fn measure(server: &mut Server) -> Result<Start> {
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        server.kill();
        let begin = Instant::now();
        server.start_again()?;
        server.unseal()?;
        let time = begin.elapsed();
        // One request that needs the token store, so that what is opened late counts too.
        server.client().expect("GET", "/v1/auth/token/lookup-self", &Value::Null)?;
        wait::pause(Duration::from_secs(1));
        starts.push(Start { time, memory: server.memory()?.now });
    }
    starts.sort_by_key(|start| start.time);
    Ok(starts.swap_remove(STARTS / 2))
}
