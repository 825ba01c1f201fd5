//! Configurations in the grammar of gitleaks find here what they find there.

use std::path::Path;

use scan_engine::{Finding, Occurrence};

use crate::case::Case;
use crate::gitleaks::{self, Found};
use crate::ours;

/// gitleaks takes most of its time to start.
const THREADS: usize = 4;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/cases");

#[test]
fn configurations_find_what_they_find_in_gitleaks() {
    let mut differences = Vec::new();
    let (mut compared, mut findings, mut refused) = (0, 0, 0);
    let cases = Case::all(CASES);
    let both: Vec<_> = std::thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(THREADS));
        let threads: Vec<_> =
            parts.map(|part| scope.spawn(|| part.iter().map(find).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    for (case, (theirs, ours)) in cases.iter().zip(&both) {
        compared += 1;
        match (theirs, ours) {
            (Ok(theirs), Ok(ours)) if theirs == ours => findings += ours.len(),
            (Err(_), Err(_)) => refused += 1,
            _ => differences
                .push(format!("{}:\n  gitleaks {theirs:#?}\n  ours {ours:#?}", case.name)),
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {compared} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
    assert!(
        compared >= 40 && findings >= 60 && refused >= 5,
        "{compared} cases, {findings} findings, {refused} refused"
    );
}

type Findings = Result<Vec<Found>, String>;

/// What gitleaks and ours find in a case.
fn find(case: &Case) -> (Findings, Findings) {
    let home = tempfile::tempdir().unwrap();
    let files = case.write(home.path());
    (gitleaks::run(home.path(), case.is_git), ours(home.path(), &files))
}

fn ours(home: &Path, files: &[(String, Option<String>)]) -> Findings {
    ours::run(home, files, |scanner, hits, path, commit| {
        let at = Occurrence { path, commit, attributes: None };
        scanner.judge(hits, &at).iter().map(|finding| of(finding, &at)).collect()
    })
}

fn of(finding: &Finding, at: &Occurrence<'_>) -> Found {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Found {
        file: at.path.to_owned(),
        lines: (finding.start_line as u64, finding.end_line as u64),
        columns: (finding.start_column as u64, finding.end_column as u64),
        rule: finding.rule_id.clone(),
        description: finding.description.clone(),
        matched: text(finding.matched.expose()),
        secret: text(finding.secret.expose()),
        entropy: (f64::from(finding.entropy) * 1000.0).round() as i64,
        tags: finding.tags.clone(),
        commit: at.commit.unwrap_or_default().to_owned(),
    }
}
