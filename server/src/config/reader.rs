use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base_hcl::{Block, Body, Fields, Position, nearest};
use base_types::{Error, Result, Ttl};

use super::keys::{Effect, Section};

/// A place in a configuration file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    pub file: Arc<Path>,
    pub at: Position,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.at)
    }
}

/// Something that the operator should know, and that does not stop the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Warning {
    pub place: Place,
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// The file being read and what was noticed in it.
pub(super) struct Source {
    pub(super) file: Arc<Path>,
    pub(super) warnings: Vec<Warning>,
}

impl Source {
    pub(super) fn place(&self, at: Position) -> Place {
        Place { file: self.file.clone(), at }
    }

    pub(super) fn warn(&mut self, at: Position, text: impl Into<String>) {
        self.warnings.push(Warning { place: self.place(at), text: text.into() });
    }
}

/// Reads one stanza by its [`Section`]. Values that are set replace those already in the target,
/// so that reading several files after each other merges them.
pub(super) struct Reader<'a, 's> {
    fields: Fields<'a>,
    section: &'static Section,
    pub(super) source: &'s mut Source,
}

impl<'a, 's> Reader<'a, 's> {
    pub(super) fn new(body: &'a Body, section: &'static Section, source: &'s mut Source) -> Self {
        Self { fields: body.fields(), section, source }
    }

    pub(super) fn set<T: Setting>(&mut self, key: &'static str, target: &mut T) -> Result<()> {
        self.expect_honoured(key);
        if let Some(value) = T::read(&mut self.fields, key)? {
            *target = value;
        }
        Ok(())
    }

    /// Sets `target` to what `options` has for the word that the key is set to.
    pub(super) fn choose<T: Copy>(
        &mut self,
        key: &'static str,
        options: &[(&str, T)],
        target: &mut T,
    ) -> Result<()> {
        let mut word: Option<String> = None;
        self.set(key, &mut word)?;
        let Some(word) = word else { return Ok(()) };
        *target = pick(&word, options).map_err(|text| self.invalid(key, text))?;
        Ok(())
    }

    /// A limit as Vault writes it: 0 for the default, below 0 for none.
    pub(super) fn limit(
        &mut self,
        key: &'static str,
        default: u64,
        target: &mut Option<u64>,
    ) -> Result<()> {
        let mut value: Option<i64> = None;
        self.set(key, &mut value)?;
        match value {
            None => {}
            Some(0) => *target = Some(default),
            Some(value) => *target = u64::try_from(value).ok(),
        }
        Ok(())
    }

    pub(super) fn blocks(&mut self, key: &'static str, labels: usize) -> Result<Vec<Block<'a>>> {
        self.expect_honoured(key);
        self.fields.blocks(key, labels)
    }

    pub(super) fn block(&mut self, key: &'static str) -> Result<Option<Block<'a>>> {
        self.expect_honoured(key);
        self.fields.block(key)
    }

    pub(super) fn string_map(&mut self, key: &'static str) -> Result<Vec<(String, String)>> {
        self.expect_honoured(key);
        Ok(self.fields.string_map(key)?.unwrap_or_default())
    }

    /// An error about the value of `key`: `line L, column C: "key" {text}`.
    pub(super) fn invalid(&self, key: &str, text: impl fmt::Display) -> Error {
        self.fields.place(key).error(format_args!("{key:?} {text}"))
    }

    /// The place of `key`, for a warning.
    pub(super) fn at(&self, key: &str) -> Position {
        self.fields.place(key)
    }

    /// Warns of keys without effect, and refuses the rest that nobody read.
    pub(super) fn finish(mut self) -> Result<()> {
        for key in self.section.keys() {
            match key.effect {
                Effect::Honoured(_) => {}
                Effect::Ignored => {
                    if let Some(at) = self.fields.ignored(key.name) {
                        let text = format!("{:?} has no effect here: {}", key.name, key.text);
                        self.source.warn(at, text);
                    }
                }
                Effect::Refused => {
                    if let Some(at) = self.fields.ignored(key.name) {
                        let text = format!("{:?} is not offered: {}", key.name, key.text);
                        return Err(at.error(text));
                    }
                }
            }
        }
        self.fields.finish()
    }

    fn expect_honoured(&self, key: &str) {
        debug_assert!(
            self.section.keys().any(|k| k.name == key && matches!(k.effect, Effect::Honoured(_))),
            "{key} is missing in the section {}",
            self.section.name
        );
    }
}

/// What `options` has for `word`, or what to tell the operator.
pub(super) fn pick<T: Copy>(word: &str, options: &[(&str, T)]) -> Result<T, String> {
    let found = options.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = options.iter().map(|(name, _)| *name).collect();
        match nearest(word, names.iter().copied()) {
            Some(name) => format!("cannot be {word:?}; did you mean {name:?}?"),
            None => format!("cannot be {word:?}; it can be {}", names.join(", ")),
        }
    })
}

/// A type that a key can have.
pub(super) trait Setting: Sized {
    fn read(fields: &mut Fields<'_>, key: &'static str) -> Result<Option<Self>>;
}

impl<T: Setting> Setting for Option<T> {
    fn read(fields: &mut Fields<'_>, key: &'static str) -> Result<Option<Self>> {
        T::read(fields, key).map(|value| value.map(Some))
    }
}

impl Setting for bool {
    fn read(fields: &mut Fields<'_>, key: &'static str) -> Result<Option<Self>> {
        fields.bool(key)
    }
}

impl Setting for i64 {
    fn read(fields: &mut Fields<'_>, key: &'static str) -> Result<Option<Self>> {
        fields.integer(key, Self::MIN, Self::MAX)
    }
}

impl Setting for u32 {
    fn read(fields: &mut Fields<'_>, key: &'static str) -> Result<Option<Self>> {
        let value = fields.integer(key, 0, i64::from(Self::MAX))?;
        Ok(value.and_then(|value| value.try_into().ok()))
    }
}

impl Setting for String {
    fn read(fields: &mut Fields<'_>, key: &'static str) -> Result<Option<Self>> {
        fields.string(key)
    }
}

impl Setting for PathBuf {
    fn read(fields: &mut Fields<'_>, key: &'static str) -> Result<Option<Self>> {
        match fields.string(key)? {
            Some(text) if text.is_empty() => {
                Err(fields.place(key).error(format_args!("{key:?} is empty: name a path")))
            }
            text => Ok(text.map(Self::from)),
        }
    }
}

/// In whole seconds. What is shorter than one is one, since zero stands for no limit or the default.
impl Setting for Ttl {
    fn read(fields: &mut Fields<'_>, key: &'static str) -> Result<Option<Self>> {
        let Some(ttl) = fields.duration(key)? else { return Ok(None) };
        let text = fields.string(key)?.unwrap_or_default();
        let is_shorter = ttl.is_zero() && text.contains(|c: char| matches!(c, '1'..='9'));
        Ok(Some(if is_shorter { Self::from_seconds(1) } else { ttl }))
    }
}

impl Setting for Duration {
    fn read(fields: &mut Fields<'_>, key: &'static str) -> Result<Option<Self>> {
        let ttl = Ttl::read(fields, key)?;
        Ok(ttl.map(|ttl| Self::from_secs(ttl.seconds())))
    }
}

/// A list of strings, or one string with commas.
impl Setting for Vec<String> {
    fn read(fields: &mut Fields<'_>, key: &'static str) -> Result<Option<Self>> {
        let Some(texts) = fields.strings(key)? else { return Ok(None) };
        let items = texts.iter().flat_map(|text| text.split(','));
        Ok(Some(items.map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()))
    }
}
