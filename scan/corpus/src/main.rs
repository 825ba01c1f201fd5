//! `scan-corpus FOLDER [NAME=PROGRAM…]` writes the corpus into a folder, has it searched by Strongroom's scanner and by others,
//! and says how well each did.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to its terminal"
)]

mod peer;
mod score;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use scan_corpus::{Labelled, corpus};
use scan_engine::{Occurrence, Options, Scanner};
use scan_rules::Config;

use crate::peer::{Peer, Place};
use crate::score::Score;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("scan-corpus: {fault}");
            ExitCode::from(2)
        }
    }
}

/// Whether ours has the highest F1.
fn run(arguments: &[String]) -> Result<bool, String> {
    let [folder, peers @ ..] = arguments else {
        return Err("usage: scan-corpus FOLDER [NAME=PROGRAM…]".into());
    };
    let files = corpus()?;
    write(Path::new(folder), &files)?;
    let mut scores = vec![Score::of("strongroom", &files, &ours(&files)?)];
    for peer in peers {
        let (name, program) =
            peer.split_once('=').ok_or_else(|| format!("'{peer}' is not NAME=PROGRAM"))?;
        let places = Peer::named(name)?.search(&PathBuf::from(program), Path::new(folder))?;
        scores.push(Score::of(name, &files, &places));
    }
    score::print(&files, &scores);
    Ok(scores.iter().skip(1).all(|other| scores[0].f1() > other.f1()))
}

fn write(folder: &Path, files: &[Labelled]) -> Result<(), String> {
    let fault = |e: std::io::Error| format!("cannot write {}: {e}", folder.display());
    std::fs::create_dir_all(folder).map_err(fault)?;
    files
        .iter()
        .try_for_each(|file| std::fs::write(folder.join(&file.path), &file.text))
        .map_err(fault)
}

fn ours(files: &[Labelled]) -> Result<Vec<Place>, String> {
    let scanner = Scanner::new(Config::default_set(), Options::default())
        .map_err(|e| e.public().to_owned())?;
    let mut scratch = scanner.scratch();
    let mut places = Vec::new();
    for file in files {
        let hits = scanner.search(&mut scratch, file.text.as_bytes());
        for finding in scanner.judge(&hits, &Occurrence::of(&file.path)) {
            places.push(Place {
                path: file.path.clone(),
                lines: (finding.start_line, finding.end_line),
            });
        }
    }
    Ok(places)
}
