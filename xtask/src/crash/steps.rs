//! Kills the server at every step of what it does in other systems, one step after the other, and
//! looks whether it and the system agree afterwards.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use serde_json::json;
use test_databases::{Mariadb, Postgresql, Slapd};

use super::log_limit::LogLimit;
use super::scene::{Act, LIMIT, Scene};
use super::systems::{Aws, Ldap, Mysql, Postgres, Redis, System};
use crate::server::{Product, Server, Setup};
use crate::tally::Tally;
use crate::{Result, setup, wait};

/// What the steps are by which a server is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Each message that it sends or is sent.
    Message,
    /// So many bytes each of what it stores: no record is as short, so each is cut, and each is there
    /// without the next.
    Bytes(u64),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message => write!(f, "at each message"),
            Self::Bytes(bytes) => write!(f, "at each {bytes} bytes of its log"),
        }
    }
}

/// Every record in the log of a server is longer, in bytes.
const RECORD_MIN: u64 = 256;
/// A process that is ending has ended by then.
const END_LIMIT: Duration = Duration::from_secs(5);
/// Kills servers at every step towards the databases that most people have, or towards all systems;
/// all side by side.
pub(super) fn run_all(binary: &Path, all: bool) -> Result<Tally> {
    setup::databases()?;
    let runs: [&(dyn Fn() -> Result<Tally> + Sync); 6] = [
        &|| run(binary, &Postgres(Postgresql::start()), Step::Message),
        &|| run(binary, &Postgres(Postgresql::start()), Step::Bytes(RECORD_MIN)),
        &|| run(binary, &Mysql(Mariadb::start()), Step::Message),
        &|| run(binary, &Redis(test_databases::Redis::start()), Step::Message),
        &|| run(binary, &Ldap(Slapd::start()), Step::Message),
        &|| run(binary, &Aws::start()?, Step::Message),
    ];
    let runs = if all { &runs } else { &runs[..3] };
    std::thread::scope(|scope| {
        let threads: Vec<_> = runs.iter().map(|run| scope.spawn(run)).collect();
        let mut tally = Tally::default();
        for thread in threads {
            tally += thread.join().map_err(|_| "a thread panicked".to_owned())??;
        }
        Ok(tally)
    })
}

/// Kills a server at every step of every act that `system` knows.
fn run(binary: &Path, system: &dyn System, step: Step) -> Result<Tally> {
    let start = Instant::now();
    // With a limit for its files, an audit file were the first to meet it.
    let audited = step == Step::Message;
    let setup = Setup { durable: true, audited, unseals_itself: true };
    let server = Server::start_ready(Product::Strongroom, binary, setup)?;
    let mut trial = Trial { server, system, step, tally: Tally::default() };
    let mut summary = String::new();
    for act in system.acts() {
        if *act == Act::RotateRoot {
            // Afterwards engines with the same administrator could end nothing.
            trial.note_what_is_left();
        }
        let steps = trial.enumerate(*act)?;
        let _ = write!(summary, ", {} {steps}", act.name());
        // An act without a step was not looked at.
        trial.note(*act, None, if steps > 0 { Ok(()) } else { Err("has no step".to_owned()) });
    }
    trial.note_what_is_left();
    let (name, seconds) = (system.name(), start.elapsed().as_secs());
    println!("{name}, killed {step}:{}; {seconds} s", &summary[1..]);
    Ok(trial.tally)
}

struct Trial<'a> {
    server: Server,
    system: &'a dyn System,
    step: Step,
    tally: Tally,
}

/// What comes first.
enum Moment {
    Caught,
    Over(Result<()>),
}

impl Trial<'_> {
    /// Kills the server at each step of an act. The answer is how many there are.
    fn enumerate(&mut self, act: Act) -> Result<u64> {
        let mut scene = Scene::set_up(act, &self.server, self.system)?;
        for step in 0.. {
            self.prepare(&mut scene)?;
            if let Some(outcome) = self.act_until(&mut scene, step)? {
                self.note(act, Some(step), outcome);
                return Ok(step);
            }
            self.server.start_again()?;
            self.server.wait_for_answer()?;
            self.server.unseal()?;
            let outcome = scene.check(&self.server);
            self.note(act, Some(step), outcome);
        }
        Ok(0)
    }

    fn note(&mut self, act: Act, step: Option<u64>, outcome: Result<()>) {
        self.tally.count(outcome.is_ok());
        if let Err(message) = outcome {
            let step = step.map(|step| format!(" at step {step}")).unwrap_or_default();
            println!("{}: {}{step}: {message}", self.system.name(), act.name());
        }
    }

    fn note_what_is_left(&mut self) {
        let outcome = self.nothing_is_left();
        self.tally.count(outcome.is_ok());
        if let Err(message) = outcome {
            println!("{}: after the end of all leases: {message}", self.system.name());
        }
    }

    /// What goes before an act, and is not killed.
    fn prepare(&self, scene: &mut Scene<'_>) -> Result<()> {
        if let Step::Bytes(_) = self.step {
            let (path, body) = ("/v1/sys/policies/acl/any", json!({"policy": "# Nothing."}));
            self.server.client().expect("POST", path, &body)?;
        }
        scene.prepare(&self.server)
    }

    /// Acts, and kills the server at one step. If the act is over before, the answer is how it ended.
    fn act_until(&mut self, scene: &mut Scene<'_>, step: u64) -> Result<Option<Result<()>>> {
        let (sender, moments) = mpsc::channel();
        let limit = match self.step {
            Step::Message => {
                let caught = sender.clone();
                // Nobody listens any more once the act is over.
                scene.trap.arm(step, move || drop(caught.send(Moment::Caught)));
                None
            }
            Step::Bytes(bytes) => Some(LogLimit::set(&self.server, step * bytes + 1)?),
        };
        let outcome = self.act(scene, sender, &moments);
        scene.trap.open();
        let Some(limit) = limit else { return Ok(outcome) };
        match outcome {
            Some(Err(_)) if self.has_ended() => Ok(None),
            Some(_) if !limit.is_current(&self.server)? => {
                // The limit was for a segment that is complete: once more.
                limit.lift(&self.server)?;
                self.prepare(scene)?;
                self.act_until(scene, step)
            }
            outcome => {
                limit.lift(&self.server)?;
                Ok(outcome)
            }
        }
    }

    /// Whether the limit of its log has ended the server; its connections break a little before.
    fn has_ended(&mut self) -> bool {
        wait::until(END_LIMIT, || self.server.has_ended().ok().filter(|ended| *ended)).is_some()
    }

    /// How the act ended; nothing if the server was killed first.
    fn act(
        &mut self,
        scene: &Scene<'_>,
        sender: Sender<Moment>,
        moments: &Receiver<Moment>,
    ) -> Option<Result<()>> {
        let (mut watcher, trap) = (self.server.client(), scene.trap.clone());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let outcome = scene.act(&mut watcher);
                drop(sender.send(Moment::Over(outcome)));
            });
            match moments.recv() {
                Ok(Moment::Over(outcome)) => Some(outcome),
                Ok(Moment::Caught) => {
                    self.server.kill();
                    trap.open();
                    None
                }
                Err(_) => Some(Err("the thread that acts panicked".to_owned())),
            }
        })
    }

    /// Waits until all leases have ended. What no lease knows of would stay.
    fn nothing_is_left(&self) -> Result<()> {
        let mut client = self.server.client();
        let mut left = || -> Result<Vec<String>> {
            let mut left = self.system.made()?;
            for act in self.system.acts() {
                if act.has_leases(&mut client)? {
                    left.push(format!("a lease of {}", act.name()));
                }
            }
            Ok(left)
        };
        match wait::until(LIMIT, || left().ok().filter(Vec::is_empty)) {
            Some(_) => Ok(()),
            None => Err(format!("there is still {:?}", left()?)),
        }
    }
}
