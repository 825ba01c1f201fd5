use std::ops::Range;
use std::sync::OnceLock;

use base_types::{Error, ErrorKind};
use scan_engine::fuzzing::{keeps_name, looks_far_from_decoded};
use scan_engine::{Finding, Occurrence, Options, Scanner};
use scan_rules::Config;

use crate::text;

/// A configuration of the scanner, which may not extend files: what is refused names a line that there is, and what
/// is accepted can be searched by.
pub fn scan_config(data: &[u8]) {
    let text = text(data);
    let refuse = |_: &str| Err(Error::invalid("no other files here"));
    match Config::parse_with(&text, "fuzz", &refuse) {
        Ok(config) => {
            let scanner = Scanner::new(config, Options::default()).unwrap();
            search(&scanner, b"key = \"0123456789abcdef\"\n-----BEGIN KEY-----\n");
            search(&scanner, text.as_bytes());
        }
        Err(error) => {
            assert!(error.is(ErrorKind::Invalid));
            let line = error
                .public()
                .strip_prefix("fuzz:")
                .and_then(|rest| rest.split(':').next()?.parse().ok());
            let line: usize = line.expect("an error begins with its place");
            assert!((1..=text.lines().count() + 1).contains(&line), "{}", error.public());
        }
    }
}

/// An expression for paths in the first line, and a path in each of the others: a path that it matches has a last part that what is cut
/// from it for names matches.
pub fn scan_names(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let expression = String::from_utf8_lossy(lines.next().unwrap_or_default());
    for path in lines {
        assert_ne!(keeps_name(&expression, path), Some(false), "{}", path.escape_ascii());
    }
}

/// Rules with matches that are short, and of which none begins in another one.
const RULES: &str = r#"
[[rules]]
id = "ticket"
regex = '''ticket-[0-9]{6}'''

[[rules]]
id = "secret"
regex = '''[a-z]{1,30}_secret_[0-9]{4}'''

[[rules]]
id = "key"
regex = '''key = "([a-z0-9]{8,40})"'''

[[rules]]
id = "lines"
regex = '''---BEGIN X---\n[a-z\n]{1,400}---END X---'''
"#;

/// A text with encoded parts: to search around what was decoded finds what a search of all of the decoded text does.
pub fn scan_decoded(data: &[u8]) {
    static SCANNERS: OnceLock<[Scanner; 2]> = OnceLock::new();
    let [near, far] = SCANNERS.get_or_init(|| {
        let config = Config::parse(RULES, "rules").unwrap();
        let make = || Scanner::new(config.clone(), Options::default()).unwrap();
        [make(), looks_far_from_decoded(make())]
    });
    assert_eq!(places(near, data), places(far, data));
}

/// Where which rules find something, in an order of their own.
fn places(scanner: &Scanner, bytes: &[u8]) -> Vec<(Range<usize>, String, Vec<u8>)> {
    let hits = scanner.search(&mut scanner.scratch(), bytes);
    let findings = scanner.judge(&hits, &Occurrence::of("source.txt")).into_iter();
    let place = |finding: Finding| (finding.span, finding.rule_id, finding.secret.expose().clone());
    let mut places: Vec<_> = findings.map(place).collect();
    places.sort_by(|a, b| (a.0.start, a.0.end, &a.1, &a.2).cmp(&(b.0.start, b.0.end, &b.1, &b.2)));
    places
}

/// Bytes under the default rules: places lie within them, and a second search finds the same.
pub fn scan_search(data: &[u8]) {
    static SCANNER: OnceLock<Scanner> = OnceLock::new();
    let make = || Scanner::new(Config::default_set(), Options::default()).unwrap();
    search(SCANNER.get_or_init(make), data);
}

fn search(scanner: &Scanner, bytes: &[u8]) {
    let mut scratch = scanner.scratch();
    let hits = scanner.search(&mut scratch, bytes);
    let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
    let findings = scanner.judge(&hits, &Occurrence::of("source.txt"));
    for finding in &findings {
        assert!(finding.span.start <= finding.span.end && finding.span.end <= bytes.len());
        assert!(finding.start_line <= lines && finding.end_line <= lines);
        if let Some(at) = &finding.in_line {
            assert_eq!(&finding.line.expose()[at.clone()], &bytes[finding.span.clone()]);
        }
    }
    let again = scanner.search(&mut scratch, bytes);
    assert_eq!(again.len(), hits.len());
}
