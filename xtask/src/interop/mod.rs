//! Plays the same commands, requests and client scripts against a real OpenBao and against ours,
//! and compares what both answer.

mod compare;
mod files;
mod known;
mod normal;
mod play;
mod scripts;
mod transcript;

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use compare::{Answer, Difference};
use known::KnownDifferences;
use play::Player;
use scripts::{SCRIPTS, Script};
use transcript::{Action, Transcript};

use crate::options::Options;
use crate::postgres::Postgres;
use crate::server::{Product, Server, Setup};
use crate::setup::{self, Peers};
use crate::tally::Tally;
use crate::{Result, root, server};

/// The two servers of a run. With `--self` the second is an OpenBao too, which proves that a
/// transcript compares what the server does and not what the moment brings.
struct Match {
    peers: Peers,
    theirs: (Product, PathBuf),
    ours: (Product, PathBuf),
}

/// One area's steps, with what both servers answered.
struct Area {
    name: String,
    commands: usize,
    requests: usize,
    steps: Vec<StepResult>,
}

struct StepResult {
    text: String,
    theirs: Answer,
    ours: Answer,
}

/// What the table shows of an area.
#[derive(Default)]
struct Verdict {
    equal: u64,
    listed: u64,
    unexplained: u64,
}

pub(crate) fn run(mut options: Options) -> Result<Tally> {
    let against_itself = options.flag("--self");
    let release = options.flag("--release");
    let binary: Option<PathBuf> = options.value("--binary")?;
    let wanted = options.words()?;
    if wanted == ["files"] {
        return files::run(binary.map_or_else(|| server::build(release), Ok)?);
    }
    let peers = setup::peers()?;
    let theirs = (Product::OpenBao, peers.bao.clone());
    let ours = match against_itself {
        true => theirs.clone(),
        false => (Product::Strongroom, server::build(release)?),
    };
    let rivals = Match { peers, theirs, ours };
    let folder = root().join("tests/interop");
    let known = KnownDifferences::load(&folder.join("differences.toml"))?;
    let mut tally = Tally::default();
    let mut table = Table::new();
    for area in areas(&folder, &wanted)? {
        let name = area.name().to_owned();
        match area.play(&rivals) {
            Ok(area) => {
                area.write_record()?;
                let verdict = area.judge(&known);
                table.row(&area, &verdict);
                tally.passed += verdict.equal + verdict.listed;
                tally.failed += verdict.unexplained;
            }
            Err(message) => {
                println!("{name}: {message}\n");
                table.broken(&name);
                tally.failed += 1;
            }
        }
    }
    print!("{}", table.finish());
    if !against_itself && wanted.is_empty() {
        for entry in known.unused() {
            println!(
                "differences.toml lists what does not differ any more; remove the entry: {entry}"
            );
            tally.failed += 1;
        }
    }
    Ok(tally)
}

/// What there is to play: a transcript or a client's script.
enum Source {
    Script(&'static Script),
    Transcript(Transcript),
}

fn areas(folder: &std::path::Path, wanted: &[String]) -> Result<Vec<Source>> {
    let entries =
        fs::read_dir(folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    let mut sources = Vec::new();
    for path in paths {
        sources.push(Source::Transcript(Transcript::load(&path)?));
    }
    sources.extend(SCRIPTS.iter().map(Source::Script));
    if let Some(name) = wanted.iter().find(|name| sources.iter().all(|s| s.name() != *name)) {
        let names: Vec<&str> = sources.iter().map(Source::name).collect();
        return Err(format!("there is no area '{name}'; there are {}", names.join(", ")));
    }
    sources.retain(|source| wanted.is_empty() || wanted.iter().any(|name| name == source.name()));
    Ok(sources)
}

impl Source {
    fn name(&self) -> &str {
        match self {
            Self::Script(script) => script.name,
            Self::Transcript(transcript) => &transcript.area,
        }
    }

    /// Plays against two new servers at the same time.
    fn play(&self, rivals: &Match) -> Result<Area> {
        match self {
            Self::Script(script) => {
                let (theirs, ours) = both(rivals, |(product, binary)| {
                    let server = Server::start_ready(*product, binary, Setup::default())?;
                    script.run(&server, &rivals.peers)
                })?;
                Ok(script_area(script.name, theirs, ours))
            }
            Self::Transcript(transcript) => {
                let (theirs, ours) = both(rivals, |(product, binary)| {
                    let start = match transcript.initialised {
                        true => Server::start_ready,
                        false => Server::start,
                    };
                    let server = start(*product, binary, Setup::default())?;
                    let postgres = transcript.with_postgres.then(Postgres::start).transpose()?;
                    let mut player = Player::new(&server, &rivals.peers.bao)?;
                    if let Some(postgres) = &postgres {
                        player.know("postgres", postgres.address.to_string());
                    }
                    player.play(transcript)
                })?;
                Ok(transcript_area(transcript, theirs, ours))
            }
        }
    }
}

/// Does `work` for both servers, side by side.
fn both<T: Send>(
    rivals: &Match,
    work: impl Fn(&(Product, PathBuf)) -> Result<T> + Sync,
) -> Result<(T, T)> {
    std::thread::scope(|scope| {
        let theirs = scope.spawn(|| work(&rivals.theirs));
        let ours = work(&rivals.ours)?;
        let theirs = theirs.join().map_err(|_| "the player of OpenBao panicked".to_owned())??;
        Ok((theirs, ours))
    })
}

fn transcript_area(
    transcript: &Transcript,
    theirs: Vec<Option<Answer>>,
    ours: Vec<Option<Answer>>,
) -> Area {
    let of_kind = |wanted: fn(&Action) -> bool| {
        transcript.steps.iter().filter(|step| wanted(&step.action)).count()
    };
    let answers = theirs.into_iter().zip(ours);
    let steps = transcript.steps.iter().zip(answers).filter_map(|(step, (theirs, ours))| {
        Some(StepResult { text: step.text.clone(), theirs: theirs?, ours: ours? })
    });
    Area {
        name: transcript.area.clone(),
        commands: of_kind(|action| matches!(action, Action::Command { .. })),
        requests: of_kind(|action| matches!(action, Action::Request { .. })),
        steps: steps.collect(),
    }
}

/// Sets the steps of both runs side by side; a step that one run lacks differs in everything.
fn script_area(name: &str, theirs: Vec<(String, Answer)>, ours: Vec<(String, Answer)>) -> Area {
    let mut ours = ours.into_iter();
    let steps = theirs.into_iter().map(|(text, theirs)| {
        let (our_text, mut answer) =
            ours.next().unwrap_or_else(|| ("nothing".to_owned(), missing()));
        if our_text != text {
            answer.status = format!("another step: {our_text}");
        }
        StepResult { text, theirs, ours: answer }
    });
    let steps: Vec<_> = steps.collect();
    Area { name: name.to_owned(), commands: steps.len(), requests: 0, steps }
}

fn missing() -> Answer {
    Answer {
        status: "missing".to_owned(),
        headers: Vec::new(),
        body: compare::Body::Lines(Vec::new()),
        errors: Vec::new(),
    }
}

impl Area {
    /// Compares all steps and prints what nobody explained.
    fn judge(&self, known: &KnownDifferences) -> Verdict {
        let mut verdict = Verdict::default();
        for step in &self.steps {
            let found = compare::answers(&step.theirs, &step.ours);
            let is_listed = |d: &Difference| known.covers(&self.name, &step.text, d);
            let (listed, unexplained): (Vec<_>, Vec<_>) = found.into_iter().partition(is_listed);
            match (listed.is_empty(), unexplained.is_empty()) {
                (true, true) => verdict.equal += 1,
                (false, true) => verdict.listed += 1,
                (_, false) => verdict.unexplained += 1,
            }
            if !unexplained.is_empty() {
                println!("{}: {}", self.name, step.text);
                for Difference { field, theirs, ours } in &unexplained {
                    println!("  {field}\n    theirs: {theirs}\n    ours:   {ours}");
                }
            }
        }
        verdict
    }

    /// Writes both sides' answers below `target/interop`, to be read or compared by other means.
    fn write_record(&self) -> Result<()> {
        let folder = root().join("target/interop");
        fs::create_dir_all(&folder)
            .map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
        for (side, text) in [
            ("theirs", record(self.steps.iter().map(|step| (&step.text, &step.theirs)))),
            ("ours", record(self.steps.iter().map(|step| (&step.text, &step.ours)))),
        ] {
            let path = folder.join(format!("{}.{side}.txt", self.name));
            fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        }
        Ok(())
    }
}

/// Steps with their answers as text.
fn record<'a>(steps: impl Iterator<Item = (&'a String, &'a Answer)>) -> String {
    let mut text = String::new();
    for (step, Answer { status, headers, body, errors }) in steps {
        let headers: Vec<String> = headers.iter().map(|(n, v)| format!("{n}: {v}")).collect();
        let _ = writeln!(text, "{step}\n  {status} {}", headers.join(" "));
        for line in body.shown().lines().chain(errors.iter().map(String::as_str)) {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// The closing table: a row for each area and one for the sums.
struct Table {
    text: String,
    sums: [u64; 5],
}

impl Table {
    fn new() -> Self {
        let mut table = Self { text: String::new(), sums: [0; 5] };
        table.line("area", ["commands", "requests", "equal", "listed", "unexplained"]);
        table
    }

    fn row(&mut self, area: &Area, verdict: &Verdict) {
        let Verdict { equal, listed, unexplained } = *verdict;
        let row = [area.commands as u64, area.requests as u64, equal, listed, unexplained];
        for (sum, number) in self.sums.iter_mut().zip(row) {
            *sum += number;
        }
        self.line(&area.name, row.map(|number| number.to_string()));
    }

    fn broken(&mut self, name: &str) {
        self.line(name, ["-", "-", "-", "-", "broken off"]);
    }

    fn finish(mut self) -> String {
        let sums = self.sums.map(|number| number.to_string());
        self.line("all", sums);
        self.text
    }

    fn line(&mut self, name: &str, cells: [impl AsRef<str>; 5]) {
        let [a, b, c, d, e] = cells.each_ref().map(AsRef::as_ref);
        let _ = writeln!(self.text, "{name:<16} {a:>8} {b:>8} {c:>6} {d:>6} {e:>11}");
    }
}
