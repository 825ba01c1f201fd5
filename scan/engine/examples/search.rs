//! The scanner as a library: searches the files and folders that it is given by the default rules.
//!
//! `cargo run -p scan-engine --example search -- PATH…`
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to its terminal"
)]

use std::path::Path;

use scan_engine::{Occurrence, Options, Scanner, Scratch};
use scan_rules::Config;

fn main() -> std::io::Result<()> {
    let scanner = Scanner::new(Config::default_set(), Options::default())
        .expect("the default rules are sound");
    let mut scratch = scanner.scratch();
    let mut bytes = 0;
    for path in std::env::args().skip(1) {
        bytes += search(&scanner, &mut scratch, Path::new(&path))?;
    }
    eprintln!("{bytes} bytes");
    Ok(())
}

/// Prints where secrets are below `path`, and says how many bytes were searched.
fn search(scanner: &Scanner, scratch: &mut Scratch, path: &Path) -> std::io::Result<usize> {
    let name = path.to_string_lossy();
    let at = Occurrence::of(&name);
    if scanner.skips(&at) || path.is_symlink() {
        return Ok(0);
    }
    if path.is_dir() {
        let entries = std::fs::read_dir(path)?;
        return entries.map(|entry| search(scanner, scratch, &entry?.path())).sum();
    }
    let bytes = std::fs::read(path)?;
    let hits = scanner.search(scratch, &bytes);
    for finding in scanner.judge(&hits, &at) {
        println!("{name}:{}:{}: {}", finding.start_line, finding.column(), finding.rule_id);
    }
    Ok(bytes.len())
}
