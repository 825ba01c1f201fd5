use base_crypto::SigningKey;
use base_types::Secret;
use core_audit::{Head, Report, verify};

/// Audit logs: an arbitrary file is a report and never a panic, where the file is cut in two does
/// not matter, and nothing passes for intact up to a known head but the lines that were written.
pub fn audit_log(data: &[u8]) {
    let whole = check(&[data], None);
    let lines: Vec<&[u8]> = data.split_inclusive(|byte| *byte == b'\n').collect();
    assert!(whole.entries + whole.checkpoints <= lines.len() as u64);
    assert_eq!(whole.problems.len() as u64, whole.problem_count.min(1000));

    let middle: usize = lines[..lines.len() / 2].iter().map(|line| line.len()).sum();
    let halves = check(&[&data[..middle], &data[middle..]], None);
    assert_eq!(counts(&whole), counts(&halves));

    let head = check(&[GENUINE], None).head.expect("the genuine log has a last line");
    if check(&[data], Some(head)).is_intact() {
        assert_genuine(&lines);
    }
}

/// What a device wrote: three requests with their replies between two checkpoints.
const GENUINE: &[u8] = include_bytes!("../../seeds/audit_log/genuine.jsonl");

fn check(files: &[&[u8]], anchor: Option<Head>) -> Report {
    let public = SigningKey::from_seed(&Secret::new([7; 32])).public();
    let files = files.iter().map(|bytes| ("audit.log".to_owned(), *bytes));
    verify(files, &[public], anchor).expect("memory can be read")
}

fn counts(report: &Report) -> (u64, u64, u64, u64, Option<Head>, Option<Head>) {
    let Report { entries, checkpoints, problem_count, unsigned, head, signed, .. } = report;
    (*entries, *checkpoints, *problem_count, *unsigned, *head, *signed)
}

/// Up to the last genuine line, all lines are genuine and none is missing between them.
fn assert_genuine(lines: &[&[u8]]) {
    let genuine: Vec<&[u8]> = GENUINE.split_inclusive(|byte| *byte == b'\n').collect();
    let end =
        lines.iter().position(|line| Some(line) == genuine.last()).expect("the head is there");
    let written = &lines[..=end];
    assert!(genuine.ends_with(written), "a forged log passes for intact");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_genuine_log_is_intact_and_a_shorter_one_is_not() {
        let report = check(&[GENUINE], None);
        assert!(report.is_intact() && report.closed, "{:?}", report.problems);
        assert_eq!((report.entries, report.checkpoints), (6, 2));
        let cut = &GENUINE[..GENUINE.len() / 2];
        assert!(!check(&[cut], report.head).is_intact());
    }
}
