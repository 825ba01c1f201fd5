use std::process::Command;

use crate::Check;
use crate::bench::{Bench, Who};

pub(crate) const CHECKS: &[Check] = &[
    ("archives: every kind", kinds),
    ("archives: as gitleaks finds in them", like_gitleaks),
    ("archives: within archives", nested),
    ("archives: in a history", in_history),
    ("archives: broken, encrypted and bombs", hostile),
];

/// Packs by the libraries of Python, which know all formats but one.
const PACK: &str = r#"
import bz2, gzip, io, lzma, sys, tarfile, zipfile
text = b"x\ntkt_aaaaaaaaaaaa\n"
open("a.gz", "wb").write(gzip.compress(text[:5]) + gzip.compress(text[5:]))
open("a.bz2", "wb").write(bz2.compress(text))
open("a.xz", "wb").write(lzma.compress(text))
def tar(name, mode):
    with tarfile.open(name, mode) as t:
        for member, data in (("dir/in.txt", text), ("./other.txt", b"none")):
            info = tarfile.TarInfo(member); info.size = len(data); t.addfile(info, io.BytesIO(data))
tar("a.tar", "w"); tar("a.tar.gz", "w:gz")
with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("dir/in.txt", text); z.writestr("stored.txt", b"none")
"#;

fn python(bench: &Bench, script: &str) {
    let mut python = Command::new("python3");
    python.args(["-c", script]);
    let answer = bench.start(python, b"");
    assert_eq!(answer.code, 0, "{}", answer.stderr);
}

fn files(bench: &Bench, args: &[&str]) -> Vec<String> {
    let found = bench.findings(Who::Ours, args, b"");
    let mut files: Vec<String> =
        found.iter().map(|finding| finding["File"].as_str().unwrap().into()).collect();
    files.sort();
    files
}

fn kinds(bench: &Bench) {
    python(bench, PACK);
    bench.write("b.txt", "tkt_aaaaaaaaaaaa\n");
    let mut zstd = Command::new("zstd");
    zstd.args(["-q", "--rm", "b.txt", "-o", "a.zst"]);
    assert_eq!(bench.start(zstd, b"").code, 0);
    let expected = [
        "a.bz2",
        "a.gz",
        "a.tar!dir/in.txt",
        "a.tar.gz!dir/in.txt",
        "a.xz",
        "a.zip!dir/in.txt",
        "a.zst",
    ];
    assert_eq!(files(bench, &["dir", "."]), expected);
    assert!(files(bench, &["dir", "--max-archive-depth", "0", "."]).is_empty());
    let zip = std::fs::read(bench.path("a.zip")).unwrap();
    assert_eq!(bench.findings(Who::Ours, &["stdin"], &zip).len(), 1);
}

fn like_gitleaks(bench: &Bench) {
    python(bench, PACK);
    bench.agree(&["dir", "."], 0);
    bench.agree(&["dir", "--max-archive-depth", "1", "."], 6);
}

fn nested(bench: &Bench) {
    python(bench, PACK);
    python(
        bench,
        "import zipfile\nfor n, m in (('one.zip', 'a.tar.gz'), ('two.zip', 'one.zip')):\n    \
         zipfile.ZipFile(n, 'w').write(m)\n",
    );
    assert_eq!(files(bench, &["dir", "two.zip"]), ["two.zip!one.zip!a.tar.gz!dir/in.txt"]);
    let answer = bench.run(Who::Ours, &["dir", "--max-archive-depth", "2", "two.zip"]);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("two.zip!one.zip!a.tar.gz: it is deeper than 2 archives"),
        "{}",
        answer.stderr
    );
}

fn in_history(bench: &Bench) {
    python(bench, PACK);
    bench.git(&["init", "-q"]);
    bench.commit("packed");
    bench.git(&["mv", "a.tar", "moved.tar"]);
    bench.commit("moved");
    let found = files(bench, &["git", "."]);
    assert_eq!(
        found,
        ["a.bz2", "a.gz", "a.tar!dir/in.txt", "a.tar.gz!dir/in.txt", "a.xz", "a.zip!dir/in.txt"]
    );
}

fn hostile(bench: &Bench) {
    python(
        bench,
        r#"
import zipfile
with zipfile.ZipFile("bomb.zip", "w", zipfile.ZIP_DEFLATED) as z:
    with z.open("zeros", "w", force_zip64=True) as f:
        for _ in range(2100): f.write(bytes(1 << 20))
data = bytearray()
with zipfile.ZipFile("locked.zip", "w") as z: z.writestr("in.txt", "tkt_aaaaaaaaaaaa")
data = bytearray(open("locked.zip", "rb").read())
data[6] |= 1; data[data.index(b"PK\x01\x02") + 8] |= 1
open("locked.zip", "wb").write(data)
open("cut.gz", "wb").write(__import__("gzip").compress(b"tkt_aaaaaaaaaaaa\n" + bytes(range(256)) * 64)[:-20])
open("broken.zip", "wb").write(b"PK\x03\x04 nonsense")
"#,
    );
    let answer = bench.run(Who::Ours, &["dir", "."]);
    for part in
        ["bomb.zip!zeros: it holds more than 2 GiB", "locked.zip!", "cut.gz: ", "broken.zip: "]
    {
        assert!(answer.stderr.contains(part), "{part}: {}", answer.stderr);
    }
    // What could be read of the one that is cut was searched.
    assert_eq!(answer.code, 1);
    std::fs::remove_file(bench.path("cut.gz")).unwrap();
    assert_eq!(bench.run(Who::Ours, &["dir", "."]).code, 3);
}
