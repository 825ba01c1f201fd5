use super::Row;
use super::rivals::{Rivals, Who, holds, same};
use crate::Result;

/// Whole files, by name.
const FORMATS: [(&str, &str, &[u8]); 8] = [
    (
        "yaml",
        "f.yaml",
        b"# top\na: 1\nb:\n    c: x # why\n    d:\n        - y\n        - {e: [1, 2]}\n",
    ),
    ("yaml, several documents", "f.yaml", b"a: 1\n---\nb: x\n---\nc:\n    - 1\n"),
    ("json", "f.json", b"{\"a\": 1, \"b\": {\"c\": [true, null, \"x<&>\", 1.5, {}]}}"),
    ("dotenv", "f.env", b"# comment\nA=1\nB=x=y\\nz\nEMPTY=\nQ=\"q\"\n"),
    ("ini", "f.ini", b"; top\na = 1\n\n[s]\n; inner\nb = two words\n"),
    ("binary, text", "f.txt", b"any text\n"),
    ("binary, bytes", "f.bin", &[0, 255, 1, 254, 10, 13]),
    ("binary, empty", "f.bin", b""),
];

/// Values as YAML has them.
const TYPES: [(&str, &str); 26] = [
    ("int", "7"),
    ("negative int", "-7"),
    ("largest int", "9223372036854775807"),
    ("hex", "0x1F"),
    ("octal", "0o17"),
    ("old octal", "0777"),
    ("float", "1.5"),
    ("float, whole", "1.0"),
    ("float, exponent", "1e21"),
    ("float, small", "0.000001"),
    ("true", "true"),
    ("false", "False"),
    ("null", "null"),
    ("null, bare", ""),
    ("empty text", "\"\""),
    ("text", "hello"),
    ("text like a number", "\"23\""),
    ("text like a truth", "'yes'"),
    ("text with signs", "\"a: b#c\\n\\t'\\\"\""),
    ("unicode", "\"ä ☃ 😀\""),
    ("date", "2025-01-02"),
    ("time", "2001-12-14T21:59:43.10-05:00"),
    ("literal block", "|\n    two\n    lines"),
    ("folded block", ">-\n    one\n    line"),
    ("empty containers", "{m: {}, l: []}"),
    ("nested lists", "[[1, [x]], {y: [z]}]"),
];

const COMMENTS: [(&str, &str, &str); 8] = [
    ("before a key", "f.yaml", "# c\na: 1\n"),
    ("several lines", "f.yaml", "# c\n# d\n\n# e\na: 1\n"),
    ("behind a value", "f.yaml", "a: 1 # c\nb: 2\n"),
    ("in a mapping", "f.yaml", "a:\n    # c\n    b: 1\n    # d\n"),
    ("in a list", "f.yaml", "a:\n    # c\n    - 1\n    # d\n    - 2\n"),
    ("at the end", "f.yaml", "a: 1\n# c\n"),
    ("dotenv", "f.env", "# c\nA=1\n# d\nB=2\n"),
    ("ini", "f.ini", "; c\na = 1\n\n[s]\n; d\nb = 2\n"),
];

const SELECTORS: [(&str, &str); 6] = [
    ("--unencrypted-suffix", "_plain"),
    ("--encrypted-suffix", "word"),
    ("--unencrypted-regex", "^(a|names)$"),
    ("--encrypted-regex", r"^\w{6}$"),
    ("--unencrypted-comment-regex", "public"),
    ("--encrypted-comment-regex", "public"),
];

const SELECTED: &str = "\
# public: all of it
a:
    b: 1
secret:
    password: x
    names: [y, z]
a_plain:
    b: 3
# other words
c: 4
";

pub(super) fn rows() -> Vec<Row> {
    let formats = FORMATS.into_iter().map(|(name, file, text)| {
        Row::new("format", name, move |rivals, writer, reader| {
            there(rivals, writer, reader, file, text, &[])
        })
    });
    let types = TYPES.into_iter().map(|(name, spelled)| {
        Row::new("type", name, move |rivals, writer, reader| {
            let text = format!("k: {spelled}\nl:\n  - {}\n", spelled.replace("\n    ", "\n      "));
            there(rivals, writer, reader, "f.yaml", text.as_bytes(), &[])
        })
    });
    let comments = COMMENTS.into_iter().map(|(name, file, text)| {
        Row::new("comment", name, move |rivals, writer, reader| {
            there(rivals, writer, reader, file, text.as_bytes(), &[])
        })
    });
    let selectors = SELECTORS.into_iter().map(|(flag, pattern)| {
        Row::new("selector", &flag[2..], move |rivals, writer, reader| {
            there(rivals, writer, reader, "f.yaml", SELECTED.as_bytes(), &[flag, pattern])?;
            same_selection(rivals, writer, reader, &[flag, pattern])
        })
    });
    let mac = Row::new("selector", "mac-only-encrypted", |rivals, writer, reader| {
        let flags = ["--mac-only-encrypted", "--encrypted-regex", "^secret$"];
        there(rivals, writer, reader, "f.yaml", SELECTED.as_bytes(), &flags)?;
        let changed = rivals.read("f.yaml")?.replace("c: 4", "c: 5");
        rivals.folder.write("f.yaml", changed)?;
        holds(
            "what is in clear may change",
            rivals.content(reader, "f.yaml", &[])?.contains("\"c\":5"),
        )
    });
    formats.chain(types).chain(comments).chain(selectors).chain([mac]).collect()
}

/// Whether the reader finds what sops finds in what it has encrypted itself.
fn there(
    rivals: &Rivals,
    writer: Who,
    reader: Who,
    name: &str,
    text: &[u8],
    flags: &[&str],
) -> Result<()> {
    rivals.folder.write(name, text)?;
    rivals.encrypt(Who::Sops, name, flags)?;
    let expected = rivals.content(Who::Sops, name, &[])?;
    rivals.folder.write(name, text)?;
    rivals.encrypt(writer, name, flags)?;
    same(&rivals.content(reader, name, &[])?, &expected)
}

/// Whether both encrypt the same values.
fn same_selection(rivals: &Rivals, writer: Who, reader: Who, flags: &[&str]) -> Result<()> {
    let mut selections = Vec::new();
    for who in [writer, reader] {
        rivals.folder.write("f.yaml", SELECTED)?;
        rivals.encrypt(who, "f.yaml", flags)?;
        let text = rivals.read("f.yaml")?;
        let values = text.lines().take_while(|line| *line != "sops:");
        let values = values.filter(|line| !line.trim_start().starts_with('#'));
        // A list may stand in one line or in several.
        let keys = values
            .filter_map(|line| Some((line.split_once(": ")?.0.to_owned(), line.contains("ENC["))));
        selections.push(keys.filter(|(key, _)| !key.contains("names")).collect::<Vec<_>>());
    }
    holds(&format!("{selections:?} are equal"), selections[0] == selections[1])
}
