use std::path::Path;

use base_crypto::{hex, sha256};
use base_types::Ttl;
use core_audit::{Head, ProblemKind};

use crate::support::{
    broker, broker_at, clock, device, enable_file, lines, pairs, verify_bytes, verify_files,
};

/// A closed log of an opening checkpoint, `count` pairs and a closing checkpoint.
async fn log(count: usize) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let broker = broker();
    enable_file(&broker, &file).await;
    pairs(&broker, count).await;
    broker.close().await;
    std::fs::read(&file).unwrap()
}

fn split(log: &[u8]) -> Vec<Vec<u8>> {
    log.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn kinds(log: &[u8]) -> Vec<(u64, ProblemKind)> {
    verify_bytes(log, None)
        .problems
        .into_iter()
        .map(|problem| (problem.line, problem.kind))
        .collect()
}

#[tokio::test]
async fn an_untouched_log_is_intact_and_told_of() {
    let log = log(3).await;
    let report = verify_bytes(&log, None);
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.entries, report.checkpoints, report.unsigned), (6, 2, 0));
    assert_eq!((report.first_seq, report.lost, report.torn, report.cuts), (1, 0, 0, 0));
    assert!(report.closed);
    assert_eq!(report.device.as_deref(), Some("file/"));
    assert_eq!(report.head, report.signed);
    let (first, last) = report.times.unwrap();
    assert_eq!((first.seconds(), last.seconds()), (1_795_305_723, 1_795_305_723));
    let last = split(&log).pop().unwrap();
    assert_eq!(report.head, Some(Head { seq: 8, hash: sha256(&last[..last.len() - 1]) }));
    assert!(verify_bytes(&log, report.head).is_intact());
    let middle = Head { seq: 3, hash: sha256(split(&log)[2].strip_suffix(b"\n").unwrap()) };
    assert!(verify_bytes(&log, Some(middle)).is_intact());
}

#[tokio::test]
async fn every_changed_byte_is_found() {
    let log = log(1).await;
    let starts: Vec<usize> = split(&log)
        .iter()
        .scan(0, |start, line| Some(std::mem::replace(start, *start + line.len())))
        .collect();
    for at in 0..log.len() - 1 {
        let mut changed = log.clone();
        changed[at] ^= 1;
        let report = verify_bytes(&changed, None);
        let line = starts.partition_point(|start| *start <= at) as u64;
        let named = report.problems.iter().any(|p| p.line == line || p.line == line + 1);
        assert!(named, "byte {at} of line {line}: {report:?}");
    }
    // The end of the last line is the end of the log: only an outside anchor covers it.
    let head = verify_bytes(&log, None).head;
    let cut = &log[..log.len() - 1];
    assert!(verify_bytes(cut, None).torn > 0);
    assert!(!verify_bytes(cut, head).is_intact());
}

#[tokio::test]
async fn every_removed_line_is_found() {
    let log = log(3).await;
    let whole = split(&log);
    for index in 0..whole.len() - 1 {
        let mut rest = whole.clone();
        rest.remove(index);
        let found = kinds(&rest.concat());
        let expected = if index == 0 {
            ProblemKind::BeginningMissing
        } else {
            let seq = index as u64 + 1;
            ProblemKind::Removed { expected: seq, found: seq + 1 }
        };
        assert_eq!(found.first(), Some(&(index as u64 + 1, expected)), "{found:?}");
    }
}

#[tokio::test]
async fn every_inserted_line_is_found() {
    let log = log(2).await;
    let whole = split(&log);
    for at in 0..=whole.len() {
        for line in &whole {
            let mut more = whole.clone();
            more.insert(at, line.clone());
            let found = kinds(&more.concat());
            assert!(
                found.iter().any(|(line, _)| line.abs_diff(at as u64 + 1) <= 1),
                "{at}: {found:?}"
            );
        }
        let mut more = whole.clone();
        more.insert(at, b"{\"time\":\"2026-01-01T00:00:00Z\",\"type\":\"request\"}\n".to_vec());
        assert_eq!(kinds(&more.concat()), [(at as u64 + 1, ProblemKind::NotChained)]);
    }
}

#[tokio::test]
async fn every_swap_is_found() {
    let log = log(3).await;
    let whole = split(&log);
    for first in 0..whole.len() {
        for second in first + 1..whole.len() {
            let mut moved = whole.clone();
            moved.swap(first, second);
            let found = kinds(&moved.concat());
            assert!(
                found.iter().any(|(line, _)| *line == first as u64 + 1),
                "{first} {second}: {found:?}"
            );
        }
    }
}

#[tokio::test]
async fn every_cut_is_found_with_an_anchor_and_told_of_without() {
    let log = log(2).await;
    let head = verify_bytes(&log, None).head;
    for length in 0..log.len() {
        let cut = &log[..length];
        let anchored = verify_bytes(cut, head);
        assert!(anchored.problems.iter().any(|p| p.kind == ProblemKind::AnchorMissing), "{length}");
        let report = verify_bytes(cut, None);
        let whole = cut.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        assert_eq!(report.entries + report.checkpoints, whole.count() as u64);
        assert!(!report.closed);
        assert_eq!(report.torn > 0, length > 0 && cut[length - 1] != b'\n', "{length}");
        assert_eq!(report.is_intact(), report.head.is_some(), "{length}: {report:?}");
    }
}

#[tokio::test]
async fn a_forged_continuation_ends_where_a_checkpoint_was_due() {
    let log = log(1).await;
    let mut forged = split(&log)[..1].concat();
    let mut prev = sha256(forged.strip_suffix(b"\n").unwrap());
    for (seq, second) in [(2, 0), (3, 5), (4, 6)] {
        let line = format!(
            r#"{{"time":"2026-11-22T00:10:0{second}Z","type":"request","chain":{{"seq":{seq},"prev":"{}"}}}}"#,
            hex(&prev)
        );
        prev = sha256(line.as_bytes());
        forged.extend_from_slice(line.as_bytes());
        forged.push(b'\n');
    }
    assert_eq!(kinds(&forged), [(4, ProblemKind::CheckpointMissing)]);
}

#[tokio::test]
async fn a_checkpoint_stands_between_lines_of_different_times() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let clock = clock();
    let broker = broker_at(clock.clone(), std::time::Duration::from_secs(60));
    enable_file(&broker, &file).await;
    for seconds in [0, 5, 6, 3600] {
        clock.advance(Ttl::from_seconds(seconds));
        pairs(&broker, 1).await;
    }
    let log = std::fs::read(&file).unwrap();
    let checkpoints: Vec<usize> =
        (0..11).filter(|line| lines(&log)[*line]["type"] == "checkpoint").collect();
    assert_eq!(checkpoints, [0, 5, 8]);
    assert_eq!(lines(&log)[5]["chain"]["reason"], "interval");
    let report = verify_bytes(&log, None);
    assert!(report.is_intact() && report.unsigned == 2, "{report:?}");
}

#[tokio::test]
async fn a_key_that_was_not_given_proves_nothing() {
    let log = log(1).await;
    let report = core_audit::verify([("log".to_owned(), &*log)], &[[9; 32]], None).unwrap();
    assert_eq!(report.problem_count, 2);
    assert!(report.problems.iter().all(|p| matches!(p.kind, ProblemKind::UnknownKey { .. })));
    assert_eq!(report.signed, None);
}

#[tokio::test]
async fn problems_are_named_by_file_and_line() {
    let log = log(1).await;
    let mut lines = split(&log);
    lines.remove(1);
    let report = core_audit::verify(
        [("a.log".to_owned(), &*lines[..1].concat()), ("b.log".to_owned(), &*lines[1..].concat())],
        &[crate::support::signing_key().public()],
        None,
    )
    .unwrap();
    let text = report.problems[0].to_string();
    assert_eq!(
        text,
        "b.log:1: has number 3 where 2 is expected: lines before it were removed or moved"
    );
}

#[tokio::test]
async fn the_chain_goes_on_in_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    for run in 1..=3 {
        let broker = broker();
        enable_file(&broker, &file).await;
        pairs(&broker, 2).await;
        assert_eq!(device(&broker, "file/").head.seq, run * 6 - 1);
        broker.close().await;
    }
    let report = verify_files(&[&file], None);
    assert!(report.is_intact() && report.closed, "{report:?}");
    assert_eq!((report.entries, report.checkpoints, report.unproven), (12, 6, 0));
}

/// What a killed server leaves is any beginning of what it would have written.
#[tokio::test]
async fn the_chain_goes_on_after_a_kill_at_any_byte() {
    let whole = log(2).await;
    let folder = tempfile::tempdir().unwrap();
    for length in (0..whole.len()).step_by(61).chain([whole.len() - 1, 1, 2]) {
        let file = folder.path().join(format!("{length}.log"));
        let left = &whole[..length];
        std::fs::write(&file, left).unwrap();
        let broker = broker();
        enable_file(&broker, &file).await;
        pairs(&broker, 1).await;
        broker.close().await;
        let report = verify_files(&[&file], None);
        let kept = left.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        assert!(report.is_intact(), "{length}: {report:?}");
        assert_eq!(report.cuts, u64::from(kept < length));
        let before = verify_bytes(&left[..kept], None);
        assert_eq!(report.unproven, before.unsigned);
        assert_eq!(report.entries, before.entries + 2);
        let log = std::fs::read(&file).unwrap();
        assert_eq!(&log[..kept], &left[..kept]);
        let told = &lines(&log[kept..])[0]["chain"]["torn"];
        assert_eq!(told.as_u64().unwrap_or(0), (length - kept) as u64);
    }
}

#[tokio::test]
async fn rotated_files_are_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let broker = broker();
    enable_file(&broker, &path("audit.log")).await;
    pairs(&broker, 2).await;
    std::fs::rename(path("audit.log"), path("audit.log.1")).unwrap();
    pairs(&broker, 1).await;
    broker.reopen().await.unwrap();
    pairs(&broker, 3).await;
    broker.reopen().await.unwrap(); // Nothing was renamed: the same file goes on.
    broker.close().await;

    let (old, new) = (path("audit.log.1"), path("audit.log"));
    let check = |files: &[&Path]| verify_files(files, None);
    let report = check(&[&old, &new]);
    assert!(report.is_intact() && report.closed, "{report:?}");
    assert_eq!((report.entries, report.first_seq), (12, 1));
    let report = check(&[&old]);
    assert!(report.is_intact() && !report.closed && report.unsigned == 0, "{report:?}");
    let report = check(&[&new]);
    assert!(report.is_intact() && report.first_seq == 9, "{report:?}");
    assert!(!check(&[&new, &old]).is_intact());
    // A rotated file that was cut back to a whole line no longer fits to the next.
    let mut lines = split(&std::fs::read(&old).unwrap());
    lines.pop();
    std::fs::write(&old, lines.concat()).unwrap();
    let report = check(&[&old, &new]);
    assert_eq!(report.problems[0].kind, ProblemKind::Removed { expected: 8, found: 9 });
    // Nor does one whose last line is torn.
    std::fs::write(&old, &lines.concat()[..lines.concat().len() - 9]).unwrap();
    assert_eq!(check(&[&old, &new]).problems[0].kind, ProblemKind::Torn);
}

#[tokio::test]
async fn a_foreign_log_stays_and_a_new_chain_begins_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let foreign = "{\"time\":\"2026-11-22T00:01:25Z\",\"type\":\"request\"}\n";
    std::fs::write(&file, foreign).unwrap();
    let broker = broker();
    enable_file(&broker, &file).await;
    pairs(&broker, 1).await;
    broker.close().await;
    let log = std::fs::read(&file).unwrap();
    assert!(log.starts_with(foreign.as_bytes()));
    assert_eq!(kinds(&log), [(1, ProblemKind::NotChained)]);
    assert_eq!(kinds(&log[foreign.len()..]), []);
}

#[tokio::test]
async fn a_chain_that_begins_anew_is_found() {
    let (first, second) = (log(1).await, log(2).await);
    let found = kinds(&[first, second].concat());
    assert_eq!(found, [(5, ProblemKind::Restarted)]);
}
