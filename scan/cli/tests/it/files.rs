use std::os::unix::fs::symlink;
use std::process::Command;

use crate::bench::{Bench, Who};
use crate::{AS_CLI, Check};

pub(crate) const CHECKS: &[Check] = &[
    ("files: folders", folders),
    ("files: links", links),
    ("files: a pipe that is named", pipe),
    ("files: the standard input", stdin),
    ("files: what git ignores", ignored),
    ("files: UTF-16 and UTF-32", wide),
    ("files: logs of builds", logs),
    ("files: large ones", large),
];

fn folders(bench: &Bench) {
    bench.write("a.txt", "x\n  tkt_aaaaaaaaaaaa\n");
    bench.write("sub/deep/b.txt", "tkt_bbbbbbbbbbbb");
    bench.write("sub/tool.exe", b"MZ tkt_cccccccccccc\n");
    bench.write("sub/raw.dat", b"\0\xff tkt_dddddddddddd\n");
    bench.write("empty.txt", "");
    bench.agree(&["dir", "."], 3);
    bench.agree(&["dir", "./sub/"], 2);
    bench.agree(&["dir"], 3);
    bench.agree(&["file", "sub/deep/b.txt"], 1);
    bench.agree(&["dir", "./a.txt"], 1);
    bench.agree(&["dir", bench.path("sub").to_str().unwrap()], 2);
    bench.agree(&["detect", "--no-git", "--source", "sub"], 2);
    bench.agree(&["dir", "--max-target-megabytes", "1", "."], 3);
}

fn links(bench: &Bench) {
    bench.write("a.txt", "tkt_aaaaaaaaaaaa\n");
    bench.write("sub/b.txt", "tkt_bbbbbbbbbbbb\n");
    symlink("../a.txt", bench.path("sub/one")).unwrap();
    symlink("one", bench.path("sub/two")).unwrap();
    symlink("..", bench.path("sub/up")).unwrap();
    bench.agree(&["dir", "."], 2);
    bench.agree(&["dir", "--follow-symlinks", "."], 4);
    // A link to itself cannot be read: that is told, and only where links are followed.
    symlink("loop", bench.path("loop")).unwrap();
    let answer = bench.run(Who::Ours, &["dir", "--follow-symlinks", "sub/b.txt"]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    let answer = bench.run(Who::Ours, &["dir", "--follow-symlinks", "."]);
    assert!(answer.stderr.contains("not scanned: loop"), "{}", answer.stderr);
}

/// As `<(…)` of a shell names it. gitleaks takes it for an empty file.
fn pipe(bench: &Bench) {
    let program = std::env::current_exe().unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "mkfifo pipe; echo tkt_aaaaaaaaaaaa > pipe & exec \"$@\"", "sh"])
        .arg(program);
    shell.args(["dir", "pipe", "-c"]).arg(bench.rules()).env(AS_CLI, "strongroom");
    let answer = bench.start(shell, b"");
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    // Nobody knows whether one that is in a folder ever ends.
    assert_eq!(bench.run(Who::Ours, &["dir", "."]).code, 0);
}

fn stdin(bench: &Bench) {
    bench.agree_on(&["stdin"], b"x\ntkt_aaaaaaaaaaaa\n", 1);
    bench.agree_on(&["detect", "--no-git=false", "--pipe"], b"tkt_aaaaaaaaaaaa", 1);
    bench.agree_on(&["stdin"], b"", 0);
}

fn ignored(bench: &Bench) {
    bench.write(".gitignore", "out/\n");
    bench.write("out/a.txt", "tkt_aaaaaaaaaaaa\n");
    bench.write("b.txt", "tkt_bbbbbbbbbbbb\n");
    assert_eq!(bench.findings(Who::Ours, &["dir", "."], b"").len(), 2);
    assert_eq!(bench.findings(Who::Ours, &["dir", "--gitignore", "."], b"").len(), 1);
}

fn wide(bench: &Bench) {
    let text = |bytes: fn(u16) -> [u8; 2]| {
        let units = "\u{feff}é\ntkt_aaaaaaaaaaaa\n".encode_utf16();
        units.flat_map(bytes).collect::<Vec<u8>>()
    };
    bench.write("little.txt", text(u16::to_le_bytes));
    bench.write("big.txt", text(u16::to_be_bytes));
    bench.write("little_without_mark.txt", &text(u16::to_le_bytes)[2..]);
    bench.write("big_without_mark.txt", &text(u16::to_be_bytes)[2..]);
    let text = |bytes: fn(u32) -> [u8; 4]| {
        let units = "\u{feff}é\ntkt_aaaaaaaaaaaa\n".chars().map(u32::from);
        units.flat_map(bytes).collect::<Vec<u8>>()
    };
    bench.write("little_of_four.txt", text(u32::to_le_bytes));
    bench.write("big_of_four.txt", text(u32::to_be_bytes));
    let found = bench.findings(Who::Ours, &["dir", "."], b"");
    assert_eq!(found.len(), 6);
    assert!(found.iter().all(|finding| finding["StartLine"] == 2));
    bench.git(&["init", "-q"]);
    bench.commit("first");
    assert_eq!(bench.findings(Who::Ours, &["git", "."], b"").len(), 6);
}

fn logs(bench: &Bench) {
    let log = "2026-11-22T10:00:00.1Z start\n2026-11-22T10:00:00.2Z -----BEGIN KEY-----\n\
               2026-11-22T10:00:00.3Z abc\n2026-11-22T10:00:00.4Z -----END KEY-----\n";
    assert!(bench.findings(Who::Ours, &["stdin"], log.as_bytes()).is_empty());
    let found = bench.findings(Who::Ours, &["log"], log.as_bytes());
    assert_eq!((&found[0]["StartLine"], &found[0]["EndLine"]), (&2.into(), &4.into()));
    bench.write("build.log", log);
    let found = bench.findings(Who::Ours, &["log", "build.log"], b"");
    assert_eq!(found[0]["File"], "build.log");
}

fn large(bench: &Bench) {
    // Ten gigabytes, of which the disk has a few kilobytes.
    let file = std::fs::File::create(bench.path("sparse")).unwrap();
    file.set_len(10 << 30).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"\ntkt_aaaaaaaaaaaa\n", 7 << 30).unwrap();
    // One line over many windows, with a secret on the border of two of them and one at the end.
    let mut line = vec![b'x'; (4 << 20) - 8];
    line.extend_from_slice(b" tkt_bbbbbbbbbbbb ");
    line.resize(9 << 20, b'y');
    line.extend_from_slice(b" tkt_cccccccccccc");
    bench.write("line.txt", &line);
    let mut lines = "short\n".repeat(1_000_000).into_bytes();
    lines.extend_from_slice(b"tkt_dddddddddddd\n");
    bench.write("lines.txt", &lines);
    let found = bench.findings(Who::Ours, &["dir", "."], b"");
    let place = |secret: &str| {
        let finding = found.iter().find(|finding| finding["Secret"] == secret).unwrap();
        (finding["StartLine"].as_u64().unwrap(), finding["StartColumn"].as_u64().unwrap())
    };
    assert_eq!(found.len(), 4);
    assert_eq!(place("tkt_bbbbbbbbbbbb"), (1, (4 << 20) - 6));
    assert_eq!(place("tkt_cccccccccccc"), (1, (9 << 20) + 2));
    assert_eq!(place("tkt_dddddddddddd"), (1_000_001, 2));
    assert_eq!(place("tkt_aaaaaaaaaaaa").0, 2);
}
