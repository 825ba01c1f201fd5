//! Every format in both directions, with every type, comment and selector.

use crate::Check;
use crate::bench::{Bench, Who, holds, same};

pub(crate) const CHECKS: &[Check] = &[
    ("formats: sops reads what we write", sops_reads),
    ("formats: we read what sops writes", we_read),
    ("formats: selectors in both directions", selectors),
    ("formats: one format becomes another", other_format),
    ("formats: the layout of a file stays", layout),
    ("formats: comments belong where sops sees them", comments),
    ("formats: what cannot keep its layout says so", new_layout),
    ("formats: a MAC over encrypted values alone", mac_only_encrypted),
];

const YAML: &str = "\
# top
int: 1
float: 1.5
exact: 1.0
big: 1e21
neg: -3
yes: true
\"no\": false
nothing: null
empty: \"\"
date: 2025-01-02
time: 2001-12-14T21:59:43.10-05:00
text: \"23\"
word: 'yes'
map:
    # inside
    key: hello   # inline
    empty: {}
    list:
        # in the list
        - x
        - x
        - 2
        - {a: b}
        - [1, [2]]
        - []
block: |
    two
    lines
folded: >-
    one
    line
key_unencrypted: readable
";

const JSON: &str = "{\n\t\"a\": 1,\n\t\"b\": [1.5, \"x\", null, true, {}, [], [[2]]],\n\t\"e\": \"\",\n\t\"u\": \"ä<&>\\n\\u2028\",\n\t\"o\": {\"p\": {\"q\": \"r\"}}\n}\n";

const DOTENV: &str = "# a comment\nA=1\nB=x=y\\nz\nEMPTY=\nQUOTED=\"as it is\"\n";

const INI: &str = "; top\ntop = 0\n\n[one]\n; inner\na = 1\nb = two words\n\n[two]\nc = x=y\n";

const MULTI: &str = "a: 1\nb: x\n---\n# second\na: 2\n---\nc: [1, 2]\n";

/// The files, with the name by which both programs know the format.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("f.yaml", YAML.into()),
        ("many.yaml", MULTI.into()),
        ("f.json", JSON.into()),
        ("f.env", DOTENV.into()),
        ("f.ini", INI.into()),
        ("f.txt", b"any text\n".to_vec()),
        ("f.bin", (0..=255).collect()),
        ("empty.bin", Vec::new()),
    ]
}

/// What sops makes of a file when it encrypts and decrypts it itself.
fn by_sops(bench: &Bench, name: &str) -> Result<Vec<u8>, String> {
    let copy = format!("sops.{name}");
    std::fs::copy(bench.path(name), bench.path(&copy)).unwrap();
    bench.encrypt(Who::Sops, &copy, &[])?;
    bench.output(Who::Sops, &["decrypt", &copy])
}

fn sops_reads(bench: &Bench) -> Result<(), String> {
    for (name, text) in files() {
        bench.write(name, &text);
        let expected = by_sops(bench, name)?;
        bench.encrypt(Who::Ours, name, &[])?;
        let found = bench.output(Who::Sops, &["decrypt", name])?;
        let moved = name == "f.yaml" && !bench.text(name).contains("type:str]   #ENC[");
        holds("inline comments stay where they are", !moved)?;
        same(&format!("{name}: encrypted by us, decrypted by sops"), &found, &expected)?;
    }
    Ok(())
}

fn we_read(bench: &Bench) -> Result<(), String> {
    for (name, text) in files() {
        bench.write(name, &text);
        bench.encrypt(Who::Sops, name, &[])?;
        let mut expected = bench.output(Who::Sops, &["decrypt", name])?;
        if name == "f.yaml" {
            // What sops writes for these is an integer, and to many readers a text; ours are read as
            // the floats that they are, so that the file can be encrypted again with the same types.
            let text = String::from_utf8(expected).unwrap();
            expected =
                text.replace("exact: 1\n", "exact: 1.0\n").replace("1e+21", "1.0e+21").into();
        }
        if name == "f.json" {
            // People write these without the escapes that sops gives them. In a new layout they have
            // them: see `other_format`.
            let text = String::from_utf8(expected).unwrap();
            expected = text.replace("\\u003c\\u0026\\u003e", "<&>").into();
        }
        let found = bench.output(Who::Ours, &["decrypt", name])?;
        same(&format!("{name}: encrypted by sops, decrypted by us"), &found, &expected)?;
    }
    Ok(())
}

fn selectors(bench: &Bench) -> Result<(), String> {
    let text = "\
# public: all of it
a:
    b: 1
secret:
    password: x
    names: [y, z]
a_plain:
    b: 3
# plain words
c: 4
";
    for (flag, pattern) in [
        ("--unencrypted-suffix", "_plain"),
        ("--encrypted-suffix", "word"),
        ("--unencrypted-regex", "^(a|names)$"),
        ("--encrypted-regex", r"^\w{6}$"),
        ("--unencrypted-comment-regex", "public"),
        ("--encrypted-comment-regex", "public"),
    ] {
        for (writer, reader) in [(Who::Ours, Who::Sops), (Who::Sops, Who::Ours)] {
            bench.write("s.yaml", text);
            // Not all of these are flags of the command in sops, but all are of the older form.
            let age = bench.ann.as_str();
            bench.output(writer, &["-e", "-i", "--age", age, flag, pattern, "s.yaml"])?;
            let sealed: Vec<bool> = bench
                .text("s.yaml")
                .lines()
                .take_while(|l| *l != "sops:")
                .map(|l| l.contains("ENC["))
                .collect();
            let found = bench.output(reader, &["decrypt", "s.yaml"])?;
            let what = format!("{flag} {pattern}: {reader:?} reads what {writer:?} wrote");
            holds(&what, String::from_utf8_lossy(&found).contains("password: x"))?;
            holds(
                "something is encrypted and something is not",
                sealed.contains(&true) && sealed.contains(&false),
            )?;
        }
    }
    Ok(())
}

fn other_format(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", "a: 1\nb: <&>\nc:\n    d: [true, null, 1.5]\n");
    bench.encrypt(Who::Sops, "f.yaml", &[])?;
    for format in ["json", "yaml"] {
        let args = ["decrypt", "--output-type", format, "f.yaml"];
        let (found, expected) = (bench.output(Who::Ours, &args)?, bench.output(Who::Sops, &args)?);
        same(&format!("yaml as {format}"), &found, &expected)?;
    }
    bench.write("flat.yaml", "A: 1\nB: x y\nC: true\nD: 1.0\n");
    bench.encrypt(Who::Ours, "flat.yaml", &[])?;
    let args = ["decrypt", "--output-type", "dotenv", "flat.yaml"];
    let (found, expected) = (bench.output(Who::Ours, &args)?, bench.output(Who::Sops, &args)?);
    same("yaml as dotenv", &found, &expected)?;
    bench.write("plain.json", "{\"a\": {\"b\": \"c\"}}");
    let args = ["encrypt", "--age", &bench.ann, "--output-type", "yaml", "plain.json"];
    let encrypted = bench.output(Who::Ours, &args)?;
    bench.write("new.yaml", encrypted);
    let found = bench.output(Who::Sops, &["decrypt", "new.yaml"])?;
    same("json encrypted as yaml", &found, b"a:\n    b: c\n")
}

fn layout(bench: &Bench) -> Result<(), String> {
    let text = "\
# A chart's values

image:
  repository: \"nginx\"   # quoted
  tag: '1.25'

env:
- name: A
  value: b

- {name: C, value: \"d\"}
";
    bench.write("v.yaml", text);
    bench.encrypt(Who::Ours, "v.yaml", &["--encrypted-regex", "^value$"])?;
    let encrypted = bench.text("v.yaml");
    let changed = encrypted.lines().zip(text.lines()).filter(|(a, b)| a != b).count();
    same("lines that changed", changed.to_string().as_bytes(), b"2")?;
    same("decrypted", &bench.output(Who::Ours, &["decrypt", "v.yaml"])?, text.as_bytes())?;
    for (name, text) in [
        ("l.ini", "; c\n[s]\n\na=1\nlonger   = 2 ; why\n"),
        ("l.env", "\n# c\n\nA=1\n"),
        ("l.json", "{ \"a\" : 1,\n    \"b\":[ true,\"x\" ] }"),
        ("l.toml", "# c\na = 1   # why\n\n[t]\nb = 'x'\nd = 2025-01-02\n\n[[u]]\nc = [ 1, 2 ]\n"),
        ("l.yml", "--- # first\na:   &x 1\n...\n---\nb: \"\\t\"\n"),
        ("crlf.yaml", "a: 1\r\n\r\nb: x # y\r\n"),
    ] {
        bench.write(name, text);
        bench.encrypt(Who::Ours, name, &[])?;
        let read = bench.output(Who::Ours, &["decrypt", name])?;
        same(&format!("{name} there and back"), &read, text.as_bytes())?;
    }
    Ok(())
}

/// Where comments stand decides by which keys their encrypted form is bound.
const COMMENTED: [&str; 20] = [
    "e:\n  - n: 1\n # c\n\np: 1\n",
    "a:\n  e:\n    - n: 1\n    # c\n\n  p: 1\n",
    "e:\n  - n:\n      m: 1\n  # c\n  # d\n\np: 1\n",
    "e:\n  -\n    - x\n  # c\n\np: 1\n",
    "e:\n  - n: 1\n    v: {a: 1}\n  ## c\n  # - d\n  #   e\n\np: 1\n",
    "e:\n  - n: 1\n  # c\n\n  - n: 2\n",
    "h:\n    b: 1\n  # less\ni: 1\n",
    "h:\n    b: 1\n  # less\n",
    "h:\n    b: 1\n # least\ni: 1\n",
    "h:\n    b:\n        c: 1\n      # six\n    # four\n  # two\n# none\ni: 1\n",
    "h:\n    b:\n        c: 1\n        # eight\n  # two\n",
    "h:\n    - a: 1\n      # six\n# none\ni: 1\n",
    "h:\n    - a\n  # two\n    - b\n  # end\ni: 1\n",
    "h:\n- a\n# none\n- b\n# end\ni: 1\n",
    "h:\n    b: |\n        text\n    # four\n  # two\ni: 1\n",
    "h:\n    b: 1\n\n  # after a gap\n\ni: 1\n",
    "h:\n    b: 1\n\n    # in the block\n\n# outside\n\ni: 1\n",
    "h: # behind\n    b: 1 # behind b\n    # end\ni: 1 # last\n",
    "# only\n\n# two\n\nh: 1\n# end\n",
    "h:\n    # first\n\n    # second\n    b: 1\ni: [1, 2] # list\n",
];

fn comments(bench: &Bench) -> Result<(), String> {
    let mut wrong = String::new();
    for text in COMMENTED {
        for (writer, reader) in [(Who::Ours, Who::Sops), (Who::Sops, Who::Ours)] {
            bench.write("f.yaml", text);
            bench.encrypt(writer, "f.yaml", &[])?;
            let read = bench.run(reader, &["decrypt", "f.yaml"]);
            let plain = String::from_utf8_lossy(&read.stdout);
            if read.code != 0 || plain.contains("ENC[") || !read.stderr.is_empty() {
                wrong.push_str(&format!(
                    "{reader:?} reads what {writer:?} made of\n{text}as\n{plain}{}\n",
                    read.stderr
                ));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn new_layout(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", "a: &x {b: 1}\n\nc: *x\n");
    let encrypted = bench.run(Who::Ours, &["encrypt", "-i", "--age", &bench.ann, "f.yaml"]);
    holds(
        &format!("it says what stands in the way: {}", encrypted.stderr),
        encrypted.code == 0
            && encrypted.stderr.contains("f.yaml gets a new layout")
            && encrypted.stderr.contains("line 1"),
    )?;
    let expected = b"a:\n    b: 1\nc:\n    b: 1\n";
    same("aliases are written out", &bench.output(Who::Sops, &["decrypt", "f.yaml"])?, expected)?;
    bench.write("g.yaml", "a:   'b'\n");
    let kept = bench.run(Who::Ours, &["encrypt", "-i", "--age", &bench.ann, "g.yaml"]);
    same("nothing is said of a file that keeps its layout", kept.stderr.as_bytes(), b"")
}

fn mac_only_encrypted(bench: &Bench) -> Result<(), String> {
    bench.write(
        ".sops.yaml",
        format!(
            "creation_rules:\n- age: {}\n  mac_only_encrypted: true\n  encrypted_regex: ^s$\n",
            bench.ann
        ),
    );
    for (writer, reader) in [(Who::Ours, Who::Sops), (Who::Sops, Who::Ours)] {
        bench.write("m.yaml", "s: 1\np: 2\n");
        bench.output(writer, &["encrypt", "-i", "m.yaml"])?;
        let changed = bench.text("m.yaml").replace("p: 2", "p: 3");
        bench.write("m.yaml", changed);
        let found = bench.output(reader, &["decrypt", "m.yaml"])?;
        same("a readable value may change", &found, b"s: 1\np: 3\n")?;
    }
    Ok(())
}
