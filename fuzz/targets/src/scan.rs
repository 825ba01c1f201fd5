use std::sync::OnceLock;

use base_types::{Error, ErrorKind};
use scan_engine::{Occurrence, Options, Scanner};
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
