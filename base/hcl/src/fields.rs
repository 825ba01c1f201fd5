use std::fmt;

use base_types::{Result, Ttl};

use crate::tree::{Body, Entry, Key, Kind, Position, Value};
use crate::{DEPTH_MAX, nearest};

/// Typed reading of an object, one key at a time; [`Fields::finish`] then refuses every key that
/// was not asked for.
///
/// All readers answer `None` for a key that is not there (or is `null` in JSON), and an error with
/// line and column for a value of the wrong type or a key that is set twice. They are as lenient
/// with types as Vault: numbers and booleans may be in quotes, a text may be a bare number.
///
/// Whoever returns early on an error need not call `finish`; everybody else must.
#[must_use = "call finish(), or a misspelt key goes unnoticed"]
pub struct Fields<'a> {
    body: &'a Body,
    known: Vec<&'static str>,
}

/// One block, for example `listener "tcp" { … }` with the label `tcp`.
pub struct Block<'a> {
    pub at: Position,
    pub labels: Vec<&'a Key>,
    pub body: &'a Body,
}

impl Block<'_> {
    /// The text of a label, of which there are as many as [`Fields::blocks`] was asked for.
    pub fn label(&self, index: usize) -> &str {
        &self.labels[index].text
    }
}

impl<'a> Fields<'a> {
    pub(crate) fn new(body: &'a Body) -> Self {
        Self { body, known: Vec::new() }
    }

    /// The place of the object, for an error such as "address is missing".
    pub fn at(&self) -> Position {
        self.body.at
    }

    /// The place of a key, for errors about its value that only the caller can find. It does not
    /// count as asking for the key.
    pub fn place(&self, key: &str) -> Position {
        let entry = self.body.entries.iter().find(|entry| entry.key.text == key);
        entry.map_or(self.body.at, |entry| entry.key.at)
    }

    /// The value as it stands in the tree.
    pub fn value(&mut self, key: &'static str) -> Result<Option<&'a Value>> {
        let mut found: Option<&Entry> = None;
        for entry in self.all(key) {
            if let Some(first) = found {
                let text =
                    format!("{key:?} is set for the second time; the first is at {}", first.key.at);
                return Err(entry.key.at.error(text));
            }
            found = Some(entry);
        }
        Ok(found.map(|entry| &entry.value))
    }

    /// A text. A number is taken as it is written.
    pub fn string(&mut self, key: &'static str) -> Result<Option<String>> {
        let Some(value) = self.value(key)? else { return Ok(None) };
        string_of(key, value).map(Some)
    }

    /// `true` or `false`, also in quotes, also as 1 or 0.
    pub fn bool(&mut self, key: &'static str) -> Result<Option<bool>> {
        let Some(value) = self.value(key)? else { return Ok(None) };
        let text = match &value.kind {
            Kind::Bool(value) => return Ok(Some(*value)),
            Kind::Number(number) => number.as_str(),
            Kind::String(text) => text,
            Kind::List(_) | Kind::Null | Kind::Object(_) => "",
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => Ok(Some(true)),
            "false" | "f" | "0" => Ok(Some(false)),
            _ => Err(mismatch(key, value, "true or false")),
        }
    }

    /// A whole number between `least` and `most`, also in quotes.
    pub fn integer(&mut self, key: &'static str, least: i64, most: i64) -> Result<Option<i64>> {
        let Some(value) = self.value(key)? else { return Ok(None) };
        let number = match &value.kind {
            Kind::Number(number) => number.integer(),
            Kind::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(mismatch(key, value, &format!("a whole number from {least} to {most}"))),
        }
    }

    /// A duration: seconds as a number, or a text such as `90s`, `1h30m` or `30d`.
    pub fn duration(&mut self, key: &'static str) -> Result<Option<Ttl>> {
        let Some(value) = self.value(key)? else { return Ok(None) };
        let text = match &value.kind {
            Kind::Number(number) => number.as_str(),
            Kind::String(text) => text,
            _ => return Err(mismatch(key, value, "a duration such as 90, \"90s\" or \"1h30m\"")),
        };
        let ttl: Result<Ttl> = text.parse();
        ttl.map(Some).map_err(|error| value.at.error(format!("{key:?}: {}", error.public())))
    }

    /// A list of texts; a single text is a list of one.
    pub fn strings(&mut self, key: &'static str) -> Result<Option<Vec<String>>> {
        let Some(value) = self.value(key)? else { return Ok(None) };
        match &value.kind {
            Kind::List(values) => values.iter().map(|value| string_of(key, value)).collect(),
            Kind::String(text) => Ok(vec![text.clone()]),
            _ => Err(mismatch(key, value, "a list of strings")),
        }
        .map(Some)
    }

    /// A block whose keys are free and whose values are texts, such as `options { … }`. A key that
    /// is set twice is an error.
    pub fn string_map(&mut self, key: &'static str) -> Result<Option<Vec<(String, String)>>> {
        let Some(block) = self.block(key)? else { return Ok(None) };
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        for Entry { key, value } in &block.body.entries {
            if !names.insert(&key.text) {
                return Err(key.at.error(format!("{:?} is set for the second time", key.text)));
            }
            pairs.push((key.text.clone(), string_of(&key.text, value)?));
        }
        Ok(Some(pairs))
    }

    /// A block without labels that may occur once.
    pub fn block(&mut self, key: &'static str) -> Result<Option<Block<'a>>> {
        let mut blocks = self.blocks(key, 0)?.into_iter();
        let first = blocks.next();
        match (&first, blocks.next()) {
            (Some(first), Some(second)) => Err(second
                .at
                .error(format!("{key:?} may occur once; the first is at {}", first.at))),
            _ => Ok(first),
        }
    }

    /// All blocks called `key`, in order, each with this many labels. In JSON, and where a list of
    /// objects is assigned, the keys inside the object are the labels; an
    /// empty object where the second or a later label is missing is an error.
    pub fn blocks(&mut self, key: &'static str, labels: usize) -> Result<Vec<Block<'a>>> {
        debug_assert!(labels < DEPTH_MAX);
        let mut blocks = Vec::new();
        for entry in self.all(key) {
            let place = Place { name: key, at: entry.key.at, wanted: labels };
            collect_blocks(&place, &mut Vec::new(), &entry.value, &mut blocks)?;
        }
        Ok(blocks)
    }

    /// The place of a key that is understood to have no effect, for a warning. Its value may be
    /// anything.
    pub fn ignored(&mut self, key: &'static str) -> Option<Position> {
        self.all(key).map(|entry| entry.key.at).next()
    }

    /// Refuses the first key that nobody asked for.
    ///
    /// # Errors
    /// `Invalid`, with the place of the key and the nearest key that exists.
    pub fn finish(self) -> Result<()> {
        let Self { body, known } = self;
        match body.entries.iter().find(|entry| !known.contains(&entry.key.text.as_str())) {
            None => Ok(()),
            Some(Entry { key, .. }) => Err(unknown(key, &known)),
        }
    }

    /// Every entry of `key` that is not null, which from now on is a known key.
    fn all(&mut self, key: &'static str) -> impl Iterator<Item = &'a Entry> + use<'a> {
        self.known.push(key);
        let wanted = move |entry: &&Entry| entry.key.text == key && entry.value.kind != Kind::Null;
        self.body.entries.iter().filter(wanted)
    }
}

fn unknown(key: &Key, known: &[&str]) -> base_types::Error {
    let hint = match nearest(&key.text, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None if known.is_empty() => "nothing may stand here".to_owned(),
        None => format!("known keys: {}", known.join(", ")),
    };
    base_types::Error::invalid(format!("unknown key {:?} at {}; {hint}", key.text, key.at))
}

fn mismatch(key: &str, value: &Value, wanted: &str) -> base_types::Error {
    value.at.error(format_args!("{key:?} must be {wanted}, not {}", Described(&value.kind)))
}

fn string_of(key: &str, value: &Value) -> Result<String> {
    match &value.kind {
        Kind::Number(number) => Ok(number.as_str().to_owned()),
        Kind::String(text) => Ok(text.clone()),
        _ => Err(mismatch(key, value, "a string")),
    }
}

/// Numbers are shown, since a wrong range is easier to see then; texts are not.
struct Described<'a>(&'a Kind);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Number(number) => f.write_str(number.as_str()),
            Kind::String(_) => f.write_str("this string"),
            other => f.write_str(other.noun()),
        }
    }
}

struct Place {
    name: &'static str,
    at: Position,
    wanted: usize,
}

impl Place {
    /// How the block is written.
    fn sample(&self) -> String {
        format!("{}{} {{ … }}", self.name, " \"…\"".repeat(self.wanted))
    }
}

/// Descends through labels and lists of objects. The tree is at most [`DEPTH_MAX`] deep.
fn collect_blocks<'a>(
    place: &Place,
    labels: &mut Vec<&'a Key>,
    value: &'a Value,
    blocks: &mut Vec<Block<'a>>,
) -> Result<()> {
    match &value.kind {
        Kind::List(values) => {
            values.iter().try_for_each(|value| collect_blocks(place, labels, value, blocks))
        }
        Kind::Object(body) if labels.len() == place.wanted => {
            let at = labels.last().map_or(place.at, |label| label.at);
            blocks.push(Block { at, labels: labels.clone(), body });
            Ok(())
        }
        Kind::Object(body) if body.entries.is_empty() => match labels.last() {
            // No block at all, as JSON writes it: `"path": {}`.
            None => Ok(()),
            Some(last) => Err(last.at.error(format!("a label is missing: {}", place.sample()))),
        },
        Kind::Object(body) => body.entries.iter().try_for_each(|entry| {
            labels.push(&entry.key);
            let outcome = collect_blocks(place, labels, &entry.value, blocks);
            labels.pop();
            outcome
        }),
        Kind::Null => Ok(()),
        Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {
            Err(value.at.error(format!("a block is expected: {}", place.sample())))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::parse;

    fn message<T>(outcome: Result<T>) -> String {
        outcome.err().map(|error| error.public().to_owned()).unwrap_or_default()
    }

    #[test]
    fn reads_values_as_leniently_as_vault() {
        let body = parse(
            "a = \"text\"\nb = \"true\"\nc = 0x10\nd = \"90s\"\ne = [\"x\", 8200,]\nf = 0600\n\
             g = 1\nh = \"12\"\ni = 60\nj = \"one\"\nk { x = \"1\" y = 2 }\nl = false",
        )
        .unwrap();
        let mut fields = body.fields();
        assert_eq!(fields.string("a").unwrap().unwrap(), "text");
        assert_eq!(fields.bool("b").unwrap(), Some(true));
        assert_eq!(fields.integer("c", 0, 99).unwrap(), Some(16));
        assert_eq!(fields.duration("d").unwrap().unwrap().seconds(), 90);
        assert_eq!(fields.strings("e").unwrap().unwrap(), ["x", "8200"]);
        assert_eq!(fields.string("f").unwrap().unwrap(), "0600");
        assert_eq!(fields.bool("g").unwrap(), Some(true));
        assert_eq!(fields.integer("h", 0, 99).unwrap(), Some(12));
        assert_eq!(fields.duration("i").unwrap().unwrap().seconds(), 60);
        assert_eq!(fields.strings("j").unwrap().unwrap(), ["one"]);
        let pairs = [("x".to_owned(), "1".to_owned()), ("y".to_owned(), "2".to_owned())];
        assert_eq!(fields.string_map("k").unwrap().unwrap(), pairs);
        assert_eq!(fields.bool("l").unwrap(), Some(false));
        assert_eq!(fields.string("missing").unwrap(), None);
        fields.finish().unwrap();
    }

    #[test]
    fn a_wrong_type_names_its_place_and_not_its_text() {
        let body =
            parse("a = \"hunter2\"\nb = [1]\nc = 100\nd = \"soon\"\nk { x = [] }\nu = 1").unwrap();
        let mut fields = body.fields();
        assert_eq!(
            message(fields.bool("a")),
            "line 1, column 5: \"a\" must be true or false, not this string"
        );
        assert_eq!(
            message(fields.integer("a", 0, 9)),
            "line 1, column 5: \"a\" must be a whole number from 0 to 9, not this string"
        );
        assert_eq!(
            message(fields.string("b")),
            "line 2, column 5: \"b\" must be a string, not a list"
        );
        assert_eq!(
            message(fields.integer("c", 0, 99)),
            "line 3, column 5: \"c\" must be a whole number from 0 to 99, not 100"
        );
        assert!(
            message(fields.duration("d")).starts_with("line 4, column 5: \"d\": not a duration")
        );
        assert_eq!(
            message(fields.string_map("k")),
            "line 5, column 9: \"x\" must be a string, not a list"
        );
        assert_eq!(message(fields.block("u")), "line 6, column 5: a block is expected: u { … }");
    }

    #[test]
    fn a_key_set_twice_is_refused_unless_it_is_a_block() {
        let body = parse("a = 1\na = 2\nt { }\nt { }\no { x = 1, x = 2 }").unwrap();
        let mut fields = body.fields();
        assert_eq!(
            message(fields.string("a")),
            "line 2, column 1: \"a\" is set for the second time; the first is at line 1, column 1"
        );
        assert_eq!(
            message(fields.block("t")),
            "line 4, column 1: \"t\" may occur once; the first is at line 3, column 1"
        );
        assert_eq!(
            message(fields.string_map("o")),
            "line 5, column 12: \"x\" is set for the second time"
        );
        assert_eq!(fields.blocks("t", 0).unwrap().len(), 2);
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest() {
        let text = "ui = true\n\nlisener \"tcp\" { }\n";
        let body = parse(text).unwrap();
        let mut fields = body.fields();
        fields.bool("ui").unwrap();
        fields.blocks("listener", 1).unwrap();
        assert_eq!(
            message(fields.finish()),
            "unknown key \"lisener\" at line 3, column 1; did you mean \"listener\"?"
        );
        let mut fields = body.fields();
        fields.bool("ui").unwrap();
        assert_eq!(
            message(fields.finish()),
            "unknown key \"lisener\" at line 3, column 1; known keys: ui"
        );
        assert!(
            message(body.fields().finish())
                .contains("\"ui\" at line 1, column 1; nothing may stand here")
        );
    }

    #[test]
    fn blocks_look_alike_in_every_spelling() {
        for text in [
            "audit \"file\" \"a\" { x = 1 }\naudit \"file\" \"b\" { x = 2 }\naudit \"socket\" \"c\" { x = 3 }",
            "audit = { file = { a = { x = 1 }, b = { x = 2 } } }\naudit \"socket\" { c { x = 3 } }",
            r#"{"audit": [{"file": {"a": {"x": 1}}}, {"file": {"b": [{"x": 2}]}}, {"socket": {"c": {"x": 3}}}]}"#,
        ] {
            let body = parse(text).unwrap();
            let mut fields = body.fields();
            let mut seen = Vec::new();
            for block in fields.blocks("audit", 2).unwrap() {
                let x = block.body.fields().string("x").unwrap().unwrap();
                seen.push(format!("{} {} {x}", block.label(0), block.label(1)));
            }
            assert_eq!(seen, ["file a 1", "file b 2", "socket c 3"], "{text}");
            fields.finish().unwrap();
        }
        let body = parse("listener { address = \"x\" }").unwrap();
        assert_eq!(
            message(body.fields().blocks("listener", 1)),
            "line 1, column 22: a block is expected: listener \"…\" { … }"
        );
    }

    #[test]
    fn an_empty_block_that_has_a_label_needs_all_of_them() {
        for (text, labels, expected) in [
            ("audit \"file\" \"a\" {}", 2, ""),
            ("telemetry {}", 0, ""),
            (
                "audit \"file\" {}",
                2,
                "line 1, column 7: a label is missing: audit \"…\" \"…\" { … }",
            ),
            (
                r#"{"audit": [{"file": {"a": {}}}, {"socket": [{}]}]}"#,
                2,
                "line 1, column 34: a label is missing: audit \"…\" \"…\" { … }",
            ),
            (r#"{"seal": {}}"#, 1, ""),
            (r#"{"audit": []}"#, 2, ""),
        ] {
            let body = parse(text).unwrap();
            let name = ["telemetry", "seal", "audit"][labels];
            assert_eq!(message(body.fields().blocks(name, labels)), expected, "{text}");
        }
    }

    #[test]
    fn null_is_absence_but_its_key_must_still_be_known() {
        let body = parse(r#"{"ui": null, "x": null}"#).unwrap();
        let mut fields = body.fields();
        assert_eq!(fields.bool("ui").unwrap(), None);
        assert!(message(fields.finish()).starts_with("unknown key \"x\" at line 1, column 14"));
    }
}
