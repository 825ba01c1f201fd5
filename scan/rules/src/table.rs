use base_types::{Error, Result};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A text and what messages call it.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) text: &'a str,
    pub(crate) place: &'a str,
}

/// A table of a TOML text, read as gitleaks does: keys in any case, one text where a list of them is
/// expected (its parts between commas), numbers as texts. What is not known is left alone.
#[derive(Clone)]
pub(crate) struct Table<'a> {
    source: Source<'a>,
    entries: &'a DeTable<'a>,
    /// Where the table itself begins.
    offset: usize,
    /// What messages say before the key: `rule 'x': `.
    owner: String,
}

impl<'a> Source<'a> {
    pub(crate) fn parse(self) -> Result<Spanned<DeTable<'a>>> {
        DeTable::parse(self.text).map_err(|e| {
            let offset = e.span().map_or(0, |span| span.start);
            self.fault(offset, &format!("not valid TOML: {}", e.message().replace('\n', " ")))
        })
    }

    /// `what`, with the file and the line that `offset` is in.
    pub(crate) fn fault(self, offset: usize, what: &str) -> Error {
        let line = 1 + self.text.as_bytes()[..offset.min(self.text.len())]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        Error::invalid(format!("{}:{line}: {what}", self.place))
    }
}

impl<'a> Table<'a> {
    pub(crate) fn new(source: Source<'a>, entries: &'a Spanned<DeTable<'a>>) -> Self {
        Self {
            source,
            entries: entries.get_ref(),
            offset: entries.span().start,
            owner: String::new(),
        }
    }

    /// The same table, whose messages begin with `owner`.
    pub(crate) fn of(mut self, owner: String) -> Self {
        self.owner = owner;
        self
    }

    /// An error at `key`, or at the table if it has none.
    pub(crate) fn fault(&self, key: &str, what: impl std::fmt::Display) -> Error {
        let offset = self.get(key).map_or(self.offset, |value| value.span().start);
        self.source.fault(offset, &format!("{}{key}: {what}", self.owner))
    }

    /// An error in an expression that is the text of `key`, `within` bytes from its start.
    pub(crate) fn fault_within(&self, key: &str, within: usize, what: &str) -> Error {
        let Some(span) = self.get(key).map(Spanned::span) else { return self.fault(key, what) };
        let written = &self.source.text[span.clone()];
        // TOML leaves out the line break right after the quotes of several lines.
        let quotes =
            if written.starts_with("'''") || written.starts_with("\"\"\"") { 3 } else { 1 };
        let blank = match written.as_bytes().get(quotes..) {
            Some([b'\r', b'\n', ..]) => 2,
            Some([b'\n', ..]) => 1,
            _ => 0,
        };
        let offset = (span.start + quotes + blank + within).min(span.end);
        self.source.fault(offset, &format!("{}{key}: {what}", self.owner))
    }

    /// The same text as a warning.
    pub(crate) fn warning(&self, key: &str, what: &str) -> String {
        self.fault(key, what).public().to_owned()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn text(&self, key: &str) -> Result<String> {
        match self.get(key) {
            Some(value) => self.as_text(key, value.get_ref()),
            None => Ok(String::new()),
        }
    }

    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>> {
        match self.get(key).map(Spanned::get_ref) {
            Some(DeValue::Array(list)) => {
                list.iter().map(|item| self.as_text(key, item.get_ref())).collect()
            }
            Some(DeValue::String(text)) if text.is_empty() => Ok(Vec::new()),
            Some(DeValue::String(text)) => Ok(text.split(',').map(str::to_owned).collect()),
            Some(other) => Err(self.mismatch(key, "a list of texts", other)),
            None => Ok(Vec::new()),
        }
    }

    pub(crate) fn number(&self, key: &str) -> Result<f64> {
        let Some(value) = self.get(key).map(Spanned::get_ref) else { return Ok(0.0) };
        let parsed = match value {
            DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(number) => number.to_string().parse().ok(),
            DeValue::String(text) => text.parse().ok(),
            _ => None,
        };
        parsed
            .filter(|number: &f64| number.is_finite())
            .ok_or_else(|| self.mismatch(key, "a number", value))
    }

    pub(crate) fn count(&self, key: &str) -> Result<Option<usize>> {
        let Some(value) = self.get(key).map(Spanned::get_ref) else { return Ok(None) };
        let parsed = match value {
            DeValue::Integer(number) => usize::from_str_radix(number.as_str(), number.radix()).ok(),
            DeValue::String(text) => text.parse().ok(),
            _ => None,
        };
        parsed.map(Some).ok_or_else(|| self.mismatch(key, "a whole number from 0", value))
    }

    /// A whole number, which may be less than 0.
    pub(crate) fn integer(&self, key: &str) -> Result<Option<i64>> {
        let Some(value) = self.get(key).map(Spanned::get_ref) else { return Ok(None) };
        let parsed = match value {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        parsed.map(Some).ok_or_else(|| self.mismatch(key, "a whole number", value))
    }

    pub(crate) fn flag(&self, key: &str) -> Result<bool> {
        match self.get(key).map(Spanned::get_ref) {
            Some(DeValue::Boolean(flag)) => Ok(*flag),
            Some(other) => Err(self.mismatch(key, "true or false", other)),
            None => Ok(false),
        }
    }

    /// The tables of a list, or the one that stands in its place.
    pub(crate) fn tables(&self, key: &str) -> Result<Vec<Self>> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let table = |value: &'a Spanned<DeValue<'a>>| match value.get_ref() {
            DeValue::Table(entries) => Ok(Self {
                source: self.source,
                entries,
                offset: value.span().start,
                owner: self.owner.clone(),
            }),
            other => Err(self.mismatch(key, "a table", other)),
        };
        match value.get_ref() {
            DeValue::Array(list) => list.iter().map(table).collect(),
            _ => Ok(vec![table(value)?]),
        }
    }

    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.entries.get(key).or_else(|| {
            self.entries
                .iter()
                .find(|(name, _)| name.get_ref().eq_ignore_ascii_case(key))
                .map(|(_, v)| v)
        })
    }

    fn as_text(&self, key: &str, value: &DeValue<'_>) -> Result<String> {
        match value {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(number) => Ok(number.to_string()),
            DeValue::Float(number) => Ok(number.to_string()),
            DeValue::Boolean(flag) => Ok(flag.to_string()),
            other => Err(self.mismatch(key, "a text", other)),
        }
    }

    fn mismatch(&self, key: &str, expected: &str, value: &DeValue<'_>) -> Error {
        self.fault(
            key,
            format!(
                "expected {expected}, found {} {}",
                article(value.type_str()),
                value.type_str()
            ),
        )
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" }
}
