use super::Row;
use super::rivals::{Rivals, Who, holds, same};
use crate::Result;
use crate::sops::Key;

const TEXT: &str = "a: 1\nb:\n    c: x\n    l:\n        - 1\n        - k: v\n";

/// Words after which a file is to say the same, whoever ran them; `F` stands for the file.
const EDITS: [(&str, &[&str]); 7] = [
    ("set, text", &["set", "F", r#"["b"]["c"]"#, "\"new\""]),
    ("set, new mapping", &["set", "F", r#"["n"]"#, r#"{"k": [1, "x", null, true]}"#]),
    ("set, list element", &["set", "F", r#"["b"]["l"][0]"#, "2"]),
    ("set, longer list", &["set", "F", r#"["b"]["l"][9]"#, "\"z\""]),
    ("unset, key", &["unset", "F", r#"["a"]"#]),
    ("unset, list element", &["unset", "F", r#"["b"]["l"][1]"#]),
    ("rotate", &["rotate", "-i", "F"]),
];

pub(super) fn rows() -> Vec<Row> {
    let edits = EDITS.into_iter().map(|(name, words)| {
        Row::new("command", name, move |rivals, writer, reader| edit(rivals, writer, reader, words))
    });
    let shown = [
        ("decrypt, part", &["decrypt", "--extract", r#"["b"]["l"]"#, "F"][..]),
        ("decrypt, as json", &["decrypt", "--output-type", "json", "F"]),
        ("filestatus", &["filestatus", "F"]),
        ("exec-file", &["exec-file", "F", "cat {}"]),
    ];
    let shown = shown.into_iter().map(|(name, words)| {
        Row::new("command", name, move |rivals, writer, reader| {
            made(rivals, writer)?;
            let words = filled(words);
            let [found, expected] = [reader, Who::Sops].map(|who| {
                rivals
                    .output(who, &words, &[])
                    .map(|out| String::from_utf8_lossy(&out).into_owned())
            });
            same(&found?, &expected?)
        })
    });
    let exec = Row::new("command", "exec-env", |rivals, writer, reader| {
        rivals.folder.write("f.env", "A=1\nB=x y\n")?;
        rivals.encrypt(writer, "f.env", &[])?;
        let out = rivals.output(reader, &["exec-env", "f.env", "echo $A,$B"], &[])?;
        same(&String::from_utf8_lossy(&out), "1,x y\n")
    });
    let edited = Row::new("command", "edit", |rivals, writer, reader| {
        made(rivals, writer)?;
        let editor = [("SOPS_EDITOR", "sed -i s/x$/y/")];
        rivals.output(reader, &["edit", "f.yaml"], &editor)?;
        let text = rivals.content(writer, "f.yaml", &[])?;
        holds("it is changed", text.contains(r#""c":"y""#))
    });
    let updated = Row::new("command", "updatekeys", |rivals, writer, reader| {
        made(rivals, writer)?;
        let bob = Key::new(&rivals.folder)?;
        bob.write_rules(&rivals.folder, &[])?;
        rivals.output(reader, &["updatekeys", "-y", "f.yaml"], &[])?;
        let refused = rivals.run(writer, &["decrypt", "f.yaml"], &[])?;
        holds("the old key opens nothing", refused.code == Some(128))?;
        let environment = bob.environment(&rivals.folder);
        let with: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (*name, value.to_str().unwrap_or_default()))
            .collect();
        rivals.content(writer, "f.yaml", &with).map(|_| ())
    });
    let tampered = Row::new("command", "a changed value", |rivals, writer, reader| {
        made(rivals, writer)?;
        let text = rivals.read("f.yaml")?;
        let swapped: Vec<&str> = text.lines().filter(|line| !line.starts_with("a:")).collect();
        rivals.folder.write("f.yaml", swapped.join("\n") + "\n")?;
        let refused = rivals.run(reader, &["decrypt", "f.yaml"], &[])?;
        holds(
            &format!("a value that is gone is missed: {}", refused.stderr),
            refused.code == Some(51),
        )?;
        rivals.output(reader, &["decrypt", "--ignore-mac", "f.yaml"], &[]).map(|_| ())
    });
    edits.chain(shown).chain([exec, edited, updated, tampered]).collect()
}

fn made(rivals: &Rivals, writer: Who) -> Result<()> {
    rivals.folder.write("f.yaml", TEXT)?;
    rivals.encrypt(writer, "f.yaml", &[])
}

fn filled(words: &[&'static str]) -> Vec<&'static str> {
    words.iter().map(|word| if *word == "F" { "f.yaml" } else { word }).collect()
}

/// The reader changes what the writer has written, and the writer reads it again.
fn edit(rivals: &Rivals, writer: Who, reader: Who, words: &[&'static str]) -> Result<()> {
    let words = filled(words);
    made(rivals, Who::Sops)?;
    rivals.output(Who::Sops, &words, &[])?;
    let expected = rivals.content(Who::Sops, "f.yaml", &[])?;
    made(rivals, writer)?;
    rivals.output(reader, &words, &[])?;
    same(&rivals.content(writer, "f.yaml", &[])?, &expected)
}
