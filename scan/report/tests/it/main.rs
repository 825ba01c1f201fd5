//! Reports as a whole. That they are the same as those of gitleaks is tested where the real one runs, in `scan-cli`.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use boon::{Compiler, Schemas};
use scan_engine::{Occurrence, Options, Scanner};
use scan_report::{Format, Redaction, Tool};
use scan_rules::Config;
use scan_sources::{Commit, Leak};
use serde_json::Value;

/// <https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json>
const SCHEMA: &str = include_str!("../../testdata/sarif-schema-2.1.0.json");

const RULES: &str = "
[[rules]]
id = 'ticket'
description = 'A ticket'
regex = 'ticket-([0-9]{4})'
tags = ['one']
[[rules]]
id = 'store'
description = 'A key store'
path = '\\.p12$'
";

fn scanner() -> Scanner {
    Scanner::new(Config::parse(RULES, "test").unwrap(), Options::default()).unwrap()
}

fn leaks(scanner: &Scanner) -> Vec<Leak> {
    let hits = scanner.search(&mut scanner.scratch(), b"a line\nthe ticket-1234\n");
    let commit = Commit { id: "0123456789".repeat(4), message: "m".into(), ..Commit::default() };
    let at = |path: &str, commit: Option<Arc<Commit>>| {
        let id = commit.as_ref().map(|commit| commit.id.clone());
        let found =
            scanner.judge(&hits, &Occurrence { path, commit: id.as_deref(), attributes: None });
        let leaks = found.into_iter().map(|finding| Leak {
            finding,
            file: path.into(),
            symlink: String::new(),
            commit: commit.clone(),
            link: String::new(),
        });
        leaks.collect::<Vec<_>>()
    };
    // A file that is found by its name has no line, which the schema does not know.
    let mut leaks = at("a b/é%.p12", Some(Arc::new(commit)));
    leaks.extend(at("plain.txt", None));
    leaks
}

fn sarif(leaks: &[Leak], tool: &Tool) -> Value {
    let mut report = Vec::new();
    Format::Sarif.write(leaks, scanner().rules(), Redaction::FULL, tool, &mut report).unwrap();
    serde_json::from_slice(&report).unwrap()
}

fn is_valid(report: &Value) -> bool {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.enable_format_assertions();
    compiler.add_resource("sarif.json", serde_json::from_str(SCHEMA).unwrap()).unwrap();
    let schema = compiler.compile("sarif.json", &mut schemas).unwrap();
    schemas.validate(report, schema).is_ok()
}

#[test]
fn sarif_is_what_its_schema_says() {
    let scanner = scanner();
    let leaks = leaks(&scanner);
    assert_eq!(leaks.len(), 3);
    for tool in [Tool::STRONGROOM, Tool::GITLEAKS] {
        assert!(is_valid(&sarif(&leaks, &tool)));
        assert!(is_valid(&sarif(&[], &tool)));
    }
}

#[test]
fn the_schema_refuses_what_is_no_sarif() {
    let mut report = sarif(&leaks(&scanner()), &Tool::STRONGROOM);
    *report
        .pointer_mut("/runs/0/results/0/locations/0/physicalLocation/region/startLine")
        .unwrap() = 0.into();
    assert!(!is_valid(&report));
}
