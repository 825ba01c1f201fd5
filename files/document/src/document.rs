use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base_types::{Error, ErrorKind, Result, Secret};

use crate::change::{Change, Spot, Syntax};
use crate::edits::Edits;
use crate::layout::Layout;
use crate::place::{invalid, newline};
use crate::tree::get;
use crate::{Format, Item, Member, Scalar, Value, dotenv, flat, ini, json, toml, yaml};

/// The largest file that is read, in bytes.
pub const SIZE_MAX: usize = 64 << 20;

/// The key under which [`Format::Binary`] holds the whole file.
const DATA: &str = "data";

/// A file: its text as it was read, and the trees that the text spells.
#[derive(Clone)]
pub struct Document {
    format: Format,
    text: Secret<Vec<u8>>,
    trees: Vec<Vec<Item>>,
    /// Where the parts of each tree stand.
    layouts: Arc<Vec<Layout>>,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, trees, .. } = self;
        f.debug_struct("Document").field("format", format).field("trees", trees).finish()
    }
}

impl Document {
    /// Reads a file. A byte order mark at its start is kept and says nothing, except in dotenv,
    /// where sops takes it for a part of the first key.
    ///
    /// # Errors
    /// `TooLarge` beyond limits of size, depth or the number of values that aliases stand for;
    /// `Invalid`, with line and column, for anything else.
    pub fn parse(format: Format, text: &[u8]) -> Result<Self> {
        Self::of(format, Secret::new(text.to_vec()))
    }

    fn of(format: Format, text: Secret<Vec<u8>>) -> Result<Self> {
        let bytes = text.expose();
        if bytes.len() > SIZE_MAX {
            return Err(Error::too_large(format!(
                "the file has {} bytes and may have {SIZE_MAX}",
                bytes.len()
            )));
        }
        let (trees, layouts) = match format {
            Format::Binary => {
                let data = Scalar::Bytes(text.clone());
                (vec![vec![Item::member(DATA, data)]], Vec::new())
            }
            _ => read(format, utf8(bytes)?)?
                .into_iter()
                .filter_map(|(value, layout)| Some((items(value)?, layout)))
                .unzip(),
        };
        Ok(Self { format, text, trees, layouts: Arc::new(layouts) })
    }

    /// The format it was read as.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What the file says: a tree for each document of a YAML stream, else exactly one.
    pub fn trees(&self) -> &[Vec<Item>] {
        &self.trees
    }

    /// The file as it is now.
    pub fn text(&self) -> &[u8] {
        self.text.expose()
    }

    /// Makes the file say `trees`: the text changes only where they differ from
    /// [`Document::trees`], and not at all if they are equal. Then the new text is read again and
    /// compared with `trees`.
    ///
    /// Members are the same when their keys are; list elements are matched by what they hold and
    /// then by position. What is new gets the layout of sops with the indentation and the line
    /// ends of the file; a changed text keeps its quotes where it can. In dotenv and INI every
    /// scalar becomes the text that sops writes for it; in YAML a comment that stands first in an
    /// element of a list moves before it.
    ///
    /// # Errors
    /// `Invalid`, naming the place, if the format cannot hold what is meant (a list in dotenv) or
    /// if a change lies inside what an alias stands for, or under an anchor that others point to;
    /// `Internal` if the new text would not say `trees`. The document is as before then.
    pub fn update<'a>(&mut self, trees: impl Into<Cow<'a, [Vec<Item>]>>) -> Result<()> {
        let trees = trees.into();
        let trees = match self.format {
            Format::Dotenv | Format::Ini => flat::texts(trees.into_owned()).into(),
            Format::Yaml if trees.iter().any(|items| yaml::has_list_comment(items)) => {
                trees.into_owned().into_iter().map(yaml::hoisted).collect()
            }
            Format::Binary | Format::Json | Format::Toml | Format::Yaml => trees,
        };
        if *trees == *self.trees {
            return Ok(());
        }
        if trees.len() != self.trees.len() {
            return Err(Error::invalid(format!(
                "the file has {} documents and should get {}: none can be added or taken away",
                self.trees.len(),
                trees.len()
            )));
        }
        *self = match self.edited(&trees) {
            // A table whose lists of tables change is taken out and put in anew.
            Err(error) if self.format == Format::Toml && error.is(ErrorKind::Invalid) => self
                .edited(&self.without_changed_tables(&trees))
                .and_then(|file| file.edited(&trees)),
            result => result,
        }?;
        Ok(())
    }

    /// The file that says `trees`.
    fn edited(&self, trees: &[Vec<Item>]) -> Result<Self> {
        let text = match self.format {
            Format::Binary => Self::emit(Format::Binary, trees, None)?,
            _ => self.changed(trees)?.into_bytes(),
        };
        let after = Self::of(self.format, Secret::new(text)).map_err(|error| {
            Error::internal(format!("the edit broke the file: {}", error.log()))
        })?;
        if after.trees != trees {
            return Err(Error::internal(format!(
                "the edit would make the file say something else{}",
                difference(&after.trees, trees)
            )));
        }
        Ok(after)
    }

    /// The trees without the tables at the top that differ from those in the file.
    fn without_changed_tables(&self, trees: &[Vec<Item>]) -> Vec<Vec<Item>> {
        let is_kept = |item: &&Item| match item {
            Item::Comment(_) => true,
            Item::Member(member) => {
                !toml::is_section(&member.value)
                    || self.trees.iter().flatten().any(|old| old == *item)
            }
        };
        trees.iter().map(|items| items.iter().filter(is_kept).cloned().collect()).collect()
    }

    /// The text with what makes it say `trees`.
    fn changed(&self, trees: &[Vec<Item>]) -> Result<String> {
        let text = utf8(self.text())?;
        let parts = Parts { trees: &self.trees, layouts: &self.layouts };
        match self.format {
            Format::Binary => Err(Error::internal("a binary file has no parts")),
            Format::Dotenv => edit(text, &[dotenv::Writer], parts, trees),
            Format::Ini => edit(text, &[ini::Writer], parts, trees),
            Format::Json => {
                let writer = json::Writer::like(text, &self.layouts[0]);
                edit(text, &[writer], parts, trees)
            }
            Format::Toml => edit(text, &[toml::Writer], parts, trees),
            Format::Yaml => {
                let steps = self.layouts.iter().map(yaml::step);
                let writers = steps.map(|step| yaml::Writer { step }).collect::<Vec<_>>();
                edit(text, &writers, parts, trees)
            }
        }
    }

    /// A fresh file in the layout of sops; `indent` is the number of blanks for a level, by
    /// default 4 in YAML and a tab in JSON.
    ///
    /// # Errors
    /// `Invalid`, naming the place, if the format cannot hold the trees.
    pub fn emit(format: Format, trees: &[Vec<Item>], indent: Option<usize>) -> Result<Vec<u8>> {
        if format == Format::Yaml {
            let step = indent.filter(|step| *step > 0).unwrap_or(yaml::STEP).min(9);
            return Ok(yaml::Writer { step }.stream(trees)?.into_bytes());
        }
        let [items] = trees else {
            return Err(Error::invalid(format!(
                "{} documents fit into no {} file",
                trees.len(),
                format.name()
            )));
        };
        let texts = || flat::texts(vec![items.clone()]).pop().unwrap_or_default();
        Ok(match format {
            Format::Binary => match get(items, DATA) {
                Some(Value::Scalar(Scalar::Bytes(bytes))) => bytes.expose().clone(),
                Some(Value::Scalar(Scalar::Text(text))) => text.expose().clone().into_bytes(),
                _ => {
                    return Err(Error::invalid(
                        "a binary file is the text under the key 'data', which is not there",
                    ));
                }
            },
            Format::Dotenv => dotenv::file(&texts())?.into_bytes(),
            Format::Ini => ini::file(&texts())?.into_bytes(),
            Format::Json => {
                let unit = indent.map_or("\t".to_owned(), |indent| " ".repeat(indent));
                json::Writer { unit }.file(items)?.into_bytes()
            }
            Format::Toml => toml::file(items)?.into_bytes(),
            Format::Yaml => return Err(Error::internal("YAML was emitted above")),
        })
    }
}

/// The text, which must be UTF-8.
fn utf8(text: &[u8]) -> Result<&str> {
    std::str::from_utf8(text).map_err(|error| {
        let valid = String::from_utf8_lossy(&text[..error.valid_up_to()]);
        invalid(&valid, valid.len(), "the file is not UTF-8 here: convert it first")
    })
}

/// Reads all documents, each with where its parts stand.
fn read(format: Format, text: &str) -> Result<Vec<(Value, Layout)>> {
    match format {
        Format::Binary => Ok(Vec::new()),
        Format::Dotenv => Ok(vec![dotenv::read(text)?]),
        Format::Ini => Ok(vec![ini::read(text)?]),
        Format::Json => Ok(vec![json::read(text)?]),
        Format::Toml => Ok(vec![toml::read(text)?]),
        Format::Yaml => yaml::read(text),
    }
}

fn items(value: Value) -> Option<Vec<Item>> {
    match value {
        Value::Map(items) => Some(items),
        Value::List(_) | Value::Scalar(_) => None,
    }
}

/// What a text says, and where.
#[derive(Clone, Copy)]
struct Parts<'a> {
    trees: &'a [Vec<Item>],
    layouts: &'a [Layout],
}

/// The text with the changes of all documents; each has its own `syntaxes`.
fn edit<S: Syntax>(
    text: &str,
    syntaxes: &[S],
    parts: Parts<'_>,
    trees: &[Vec<Item>],
) -> Result<String> {
    let mut edits = Edits::new(text);
    let olds = parts.trees.iter().zip(parts.layouts);
    for (((old, layout), new), syntax) in olds.zip(trees).zip(syntaxes) {
        let mut change = Change { text, syntax, edits: &mut edits };
        let spot = Spot { spread: true, ..Spot::block(0) };
        change.root(layout, old, new, spot)?;
    }
    // Another tool may read the last line of a block scalar otherwise.
    if edits.adds_lines() && !text.is_empty() && !text.ends_with('\n') {
        edits.insert(text.len(), newline(text));
    }
    edits.apply()
}

/// The first key in which two trees differ, for the log.
fn difference(have: &[Vec<Item>], want: &[Vec<Item>]) -> String {
    let pairs = have.iter().zip(want).flat_map(|(have, want)| have.iter().zip(want));
    let first = pairs.into_iter().find(|(have, want)| have != want);
    match first {
        Some((_, Item::Member(Member { key, .. }))) => format!(" in '{key}'"),
        Some((_, Item::Comment(_))) => " in a comment".to_owned(),
        None => String::new(),
    }
}
