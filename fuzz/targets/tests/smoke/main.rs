//! Runs every target over its seeds, and over some thousand mutations of them that are the same
//! with every run. What this finds in seconds need not wait for a long search.
#![allow(clippy::unwrap_used)]

mod mutator;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fuzz_targets::{TARGETS, Target};
use mutator::{Mutator, dictionary};

/// Change it to look elsewhere; a failure names it.
const SEED: u64 = 1;

/// Mutations of one target, fewer where an input costs a lot: the store works on a disk, and so do repositories.
fn rounds(target: &str) -> u64 {
    match target {
        "store_log" => 30,
        "scan_archive" | "scan_git" | "scan_git_sha256" => 600,
        _ => 6000,
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The seeds of a target with their names.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(folder().join("seeds").join(target)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        seeds.push((name, std::fs::read(&path).unwrap()));
    }
    seeds.sort();
    seeds
}

/// The first inputs of a target that break a promise, and where they came from.
fn failures(name: &str, target: Target, words: &[Vec<u8>]) -> Vec<String> {
    const SHOWN_MAX: usize = 3;
    let seeds = seeds(name);
    let inputs: Vec<&[u8]> = seeds.iter().map(|(_, input)| input.as_slice()).collect();
    let mutated = (0..rounds(name)).map(|round| {
        let origin = format!("{name}, seed {SEED}, round {round}");
        (origin, Mutator::new(SEED, round).mutate(&inputs, words))
    });
    let given = seeds.iter().map(|(file, input)| (format!("seeds/{name}/{file}"), input.clone()));
    let broken = given.chain(mutated).filter_map(|(origin, input)| {
        let outcome = catch_unwind(AssertUnwindSafe(|| target(&input)));
        outcome.is_err().then(|| format!("{origin}: b\"{}\"", input.escape_ascii()))
    });
    broken.take(SHOWN_MAX).collect()
}

/// What was broken is printed by the panic itself, above the list of inputs.
#[test]
fn every_seed_and_its_mutations_keep_the_promises() {
    let words = dictionary(&std::fs::read_to_string(folder().join("dictionary.txt")).unwrap());
    let failures: Vec<String> =
        TARGETS.iter().flat_map(|(name, target)| failures(name, *target, &words)).collect();
    assert!(failures.is_empty(), "broken promises:\n{}", failures.join("\n"));
}

/// A target that is not registered everywhere would never run.
#[test]
fn every_target_has_seeds_a_file_and_a_program() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let in_folder = |folder: PathBuf| -> BTreeSet<String> {
        let files = std::fs::read_dir(folder).unwrap();
        files
            .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into())
            .collect()
    };
    assert_eq!(in_folder(folder().join("fuzz_targets")), names);
    assert_eq!(in_folder(folder().join("seeds")), names);
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for name in &names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is no [[bin]]");
        assert!(seeds(name).len() >= 3, "{name} has too few seeds to mutate");
    }
}
