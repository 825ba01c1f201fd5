//! Encrypted files: ours beside the real sops, in turns, as processes on the same files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::folder::Folder;
use crate::sops::{Key, Sops};
use crate::tally::Tally;

/// One thing that both do, some times in turns; the medians count.
struct Task {
    name: &'static str,
    /// How many times as fast as sops ours must be.
    bar: f64,
    turns: usize,
    prepare: fn(&Path) -> Result<()>,
    /// The calls of sops, and those of ours: one for a whole tree.
    sops: fn() -> Vec<Vec<String>>,
    ours: fn() -> Vec<Vec<String>>,
}

const TASKS: [Task; 7] = [
    Task {
        name: "start, small file",
        bar: 5.0,
        turns: 41,
        prepare: small,
        sops: || one(&["decrypt", "f.yaml"]),
        ours: || one(&["decrypt", "f.yaml"]),
    },
    Task {
        name: "yaml 2000, encrypt",
        bar: 10.0,
        turns: 7,
        prepare: yaml,
        sops: || one(&["encrypt", "p.yaml"]),
        ours: || one(&["encrypt", "p.yaml"]),
    },
    Task {
        name: "yaml 2000, decrypt",
        bar: 10.0,
        turns: 7,
        prepare: yaml,
        sops: || one(&["decrypt", "f.yaml"]),
        ours: || one(&["decrypt", "f.yaml"]),
    },
    Task { name: "yaml 2000, set", bar: 10.0, turns: 7, prepare: yaml, sops: set, ours: set },
    Task {
        name: "json 5000, encrypt",
        bar: 50.0,
        turns: 3,
        prepare: json,
        sops: || one(&["encrypt", "p.json"]),
        ours: || one(&["encrypt", "p.json"]),
    },
    Task {
        name: "300 files, updatekeys",
        bar: 50.0,
        turns: 3,
        prepare: tree,
        sops: || each(&["updatekeys", "-y"]),
        ours: || one(&["updatekeys", "-y", "-r", "tree"]),
    },
    Task {
        name: "300 files, rotate",
        bar: 50.0,
        turns: 3,
        prepare: tree,
        sops: || each(&["rotate", "-i"]),
        ours: || one(&["rotate", "-r", "tree"]),
    },
];

const FILES: usize = 300;

pub(super) fn run(binary: &Path) -> Result<Tally> {
    let sops = Sops::find()?;
    let mut tally = Tally::default();
    println!("{:<24} {:>10} {:>10} {:>8} {:>8}", "milliseconds", "sops", "ours", "ratio", "bar");
    for task in &TASKS {
        let [theirs, ours] = measure(task, &sops, binary)?;
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        let met = ratio >= task.bar;
        tally.count(met);
        println!(
            "{:<24} {:>10.1} {:>10.1} {ratio:>7.1}x {:>7.0}x {}",
            task.name,
            theirs.as_secs_f64() * 1e3,
            ours.as_secs_f64() * 1e3,
            task.bar,
            if met { "met" } else { "MISSED" }
        );
    }
    Ok(tally)
}

fn measure(task: &Task, sops: &Sops, binary: &Path) -> Result<[Duration; 2]> {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..task.turns {
        for (side, times) in times.iter_mut().enumerate() {
            // Each begins with the same files, which are made by the same program.
            let folder = Folder::new("files")?;
            let key = Key::new(&folder)?;
            key.write_rules(&folder, &[])?;
            (task.prepare)(folder.path())?;
            for plain in plain_files(folder.path())? {
                let name = plain.replace("p.", "f.").replace("plain", "file");
                let made = command(&sops.program, &folder, &key).args(["encrypt", &plain]).output();
                let made = made.map_err(|error| format!("cannot start sops: {error}"))?;
                if !made.status.success() {
                    return Err(String::from_utf8_lossy(&made.stderr).into_owned());
                }
                folder.write(&name, made.stdout)?;
            }
            if task.name.contains("updatekeys") {
                key.write_rules(&folder, &[&Key::new(&folder)?])?;
            }
            let (program, calls) = match side {
                0 => (&sops.program, (task.sops)()),
                _ => (&binary.to_owned(), (task.ours)()),
            };
            times.push(time(program, side == 1, &calls, &folder, &key)?);
        }
    }
    Ok(times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    }))
}

fn time(
    program: &PathBuf,
    is_ours: bool,
    calls: &[Vec<String>],
    folder: &Folder,
    key: &Key,
) -> Result<Duration> {
    let begin = Instant::now();
    for call in calls {
        let mut command = command(program, folder, key);
        if is_ours {
            command.arg("files");
        }
        let output = command.args(call).stderr(Stdio::piped()).output();
        let output =
            output.map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} {}: {why}", program.display(), call.join(" ")));
        }
    }
    Ok(begin.elapsed())
}

fn command(program: &PathBuf, folder: &Folder, key: &Key) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder.path()).stdin(Stdio::null()).envs(key.environment(folder));
    command
}

fn one(words: &[&str]) -> Vec<Vec<String>> {
    vec![words.iter().map(|word| (*word).to_owned()).collect()]
}

fn each(words: &[&str]) -> Vec<Vec<String>> {
    (0..FILES)
        .map(|number| {
            let name = format!("tree/file-{number}.yaml");
            words.iter().map(|word| (*word).to_owned()).chain([name]).collect()
        })
        .collect()
}

fn set() -> Vec<Vec<String>> {
    one(&["set", "f.yaml", "[\"key-7\"][\"b\"]", "\"new\""])
}

fn write(path: PathBuf, text: String) -> Result<()> {
    fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn small(folder: &Path) -> Result<()> {
    write(folder.join("p.yaml"), "user: ann\npassword: secret words\n".to_owned())
}

/// A thousand mappings of two values.
fn yaml(folder: &Path) -> Result<()> {
    let entry =
        |number: usize| format!("key-{number}:\n    a: value number {number}\n    b: {number}\n");
    write(folder.join("p.yaml"), (0..1000).map(entry).collect())
}

fn json(folder: &Path) -> Result<()> {
    let entries: Vec<String> =
        (0..5000).map(|number| format!("  \"key-{number}\": \"value number {number}\"")).collect();
    write(folder.join("p.json"), format!("{{\n{}\n}}\n", entries.join(",\n")))
}

fn tree(folder: &Path) -> Result<()> {
    let folder = folder.join("tree");
    fs::create_dir(&folder)
        .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    (0..FILES).try_for_each(|number| {
        let text =
            format!("user: user-{number}\npassword: secret words {number}\nhost: example.com\n");
        write(folder.join(format!("plain-{number}.yaml")), text)
    })
}

/// The files that tasks have written, by their names in the folder.
fn plain_files(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (prefix, place) in [("", folder.to_owned()), ("tree/", folder.join("tree"))] {
        let Ok(entries) = fs::read_dir(&place) else { continue };
        for entry in entries {
            let entry =
                entry.map_err(|error| format!("cannot read {}: {error}", place.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("p.") || name.starts_with("plain-") {
                names.push(format!("{prefix}{name}"));
            }
        }
    }
    Ok(names)
}
