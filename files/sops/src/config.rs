//! `.sops.yaml`: who may read new files, by their paths.

use std::path::{Path, PathBuf};

use files_document::{Document, Element, Format, Item, Scalar, Value, get};

use crate::group::{KeyGroup, KeyGroups};
use crate::key::{KeySource, MasterKey, SOURCES, Surroundings};
use crate::metadata::text_of;
use crate::pattern::Pattern;
use crate::publish::Destination;
use crate::selector::{self, Selector};
use crate::{Failure, FailureKind, Result, flat, plain};

/// The name that is looked for in a folder and in those above it.
pub const FILE_NAME: &str = ".sops.yaml";

/// So many folders upwards are looked at.
const FOLDERS_MAX: usize = 100;

/// The keys by which rules name master keys that only other programs can use.
const FOREIGN: [&str; 1] = ["hckms"];

/// A configuration file.
#[derive(Clone, Debug)]
pub struct Config {
    folder: PathBuf,
    rules: Vec<Vec<Item>>,
    /// Where files are published to.
    destinations: Vec<Vec<Item>>,
    /// How each format is laid out.
    stores: Vec<Item>,
}

/// What the rule says that fits a file.
#[derive(Clone, Debug)]
pub struct Rule {
    /// No groups if the rule names no keys.
    pub groups: KeyGroups,
    pub selector: Option<Selector>,
    pub mac_only_encrypted: bool,
    /// Whether the rule names paths; else it fits every file.
    pub by_path: bool,
}

/// The configuration file that counts in `folder`: the nearest one there or above.
pub fn find(folder: &Path) -> Option<PathBuf> {
    let places = folder.ancestors().take(FOLDERS_MAX).map(|place| place.join(FILE_NAME));
    places.into_iter().find(|path| path.is_file())
}

impl Config {
    /// Reads the text of the configuration file at `path`.
    ///
    /// # Errors
    /// `Config`, naming the place.
    pub fn parse(text: &[u8], path: &Path) -> Result<Self> {
        let wrong = |text: &str| wrong(format!("{}: {text}", path.display()));
        let document =
            Document::parse(Format::Yaml, text).map_err(|error| wrong(error.public()))?;
        let root = document.trees().first().map_or(&[][..], Vec::as_slice);
        let rules = |name: &str| match get(root, name) {
            None | Some(Value::Scalar(Scalar::Null)) => Ok(Vec::new()),
            Some(Value::List(rules)) => values(rules)
                .map(|rule| match rule {
                    Value::Map(rule) => Ok(rule.clone()),
                    Value::List(_) | Value::Scalar(_) => {
                        Err(wrong(&format!("each of the {name} must be a mapping")))
                    }
                })
                .collect::<Result<_>>(),
            Some(Value::Map(_) | Value::Scalar(_)) => Err(wrong(&format!("{name} must be a list"))),
        };
        let (rules, destinations) = (rules("creation_rules")?, rules("destination_rules")?);
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let stores = match get(root, "stores") {
            Some(Value::Map(stores)) => stores.clone(),
            None | Some(Value::Scalar(Scalar::Null)) => Vec::new(),
            Some(Value::List(_) | Value::Scalar(_)) => {
                return Err(wrong("stores must be a mapping of formats"));
            }
        };
        Ok(Self { folder, rules, destinations, stores })
    }

    /// How many blanks a level is indented where a file of `format` gets a new layout; nothing for
    /// what sops does by default.
    pub fn indent(&self, format: Format) -> Option<usize> {
        let store = match format {
            Format::Binary => "json_binary",
            Format::Dotenv | Format::Ini | Format::Json | Format::Toml | Format::Yaml => {
                format.name()
            }
        };
        match get(&self.stores, store) {
            // A negative number stands for a tab, which is the default.
            Some(Value::Map(store)) => text_of(store, "indent")?.parse().ok(),
            _ => None,
        }
    }

    /// The first rule that fits the file; nothing if the file has no rules at all.
    ///
    /// # Errors
    /// `Config` if none fits, or the one that does is wrong.
    pub fn rule(&self, file: &Path, surroundings: &Surroundings<'_>) -> Result<Option<Rule>> {
        if self.rules.is_empty() {
            return Ok(None);
        }
        match self.first(&self.rules, file)? {
            Some(rule) => read(rule, surroundings).map(Some),
            None => Err(wrong("error loading config: no matching creation rules found")),
        }
    }

    /// Where the first rule that fits the file wants it to be published.
    ///
    /// # Errors
    /// `Config` if none fits, or the one that does is wrong.
    pub fn destination(&self, file: &Path, surroundings: &Surroundings<'_>) -> Result<Destination> {
        match self.first(&self.destinations, file)? {
            Some(rule) => Destination::parse(rule, surroundings),
            None => Err(wrong("error loading config: no matching destination found in config")),
        }
    }

    fn first<'a>(&self, rules: &'a [Vec<Item>], file: &Path) -> Result<Option<&'a Vec<Item>>> {
        let relative = file.strip_prefix(&self.folder).unwrap_or(file).to_string_lossy();
        for rule in rules {
            let pattern = text_of(rule, "path_regex").unwrap_or_default();
            let fits = pattern.is_empty()
                || Pattern::parse(&pattern)
                    .map_err(|failure| wrong(failure.at("path_regex").text))?
                    .is_in(&relative);
            if fits {
                return Ok(Some(rule));
            }
        }
        Ok(None)
    }
}

fn read(rule: &[Item], surroundings: &Surroundings<'_>) -> Result<Rule> {
    let groups = match get(rule, "key_groups") {
        Some(Value::List(groups)) if !groups.is_empty() => values(groups)
            .map(|group| {
                let mut keys = Vec::new();
                collect(group, surroundings, &mut keys, 0)?;
                Ok(KeyGroup::new(keys))
            })
            .collect::<Result<_>>()?,
        _ => flat_group(rule, surroundings)?,
    };
    let threshold = match text_of(rule, "shamir_threshold").unwrap_or_default().as_str() {
        "" => 0,
        digits => digits.parse().map_err(|_| wrong("shamir_threshold must be a number"))?,
    };
    let selectors: Vec<_> =
        selector::NAMES.map(|name| (name, text_of(rule, name).unwrap_or_default())).into();
    let given = selectors.iter().map(|(name, text)| (*name, text.as_str()));
    let selector = Selector::choose(given).map_err(|failure| wrong(failure.text))?;
    let mac_only_encrypted =
        match text_of(rule, "mac_only_encrypted").unwrap_or_default().as_str() {
            "" => false,
            word => plain::boolean(word)
                .ok_or_else(|| wrong("mac_only_encrypted must be true or false"))?,
        };
    let by_path = text_of(rule, "path_regex").is_some_and(|pattern| !pattern.is_empty());
    let groups = KeyGroups { groups, threshold };
    Ok(Rule { groups, selector, mac_only_encrypted, by_path })
}

/// The one group that a rule without `key_groups` names; none if it names no keys.
fn flat_group(rule: &[Item], surroundings: &Surroundings<'_>) -> Result<Vec<KeyGroup>> {
    refuse_foreign(rule)?;
    let mut keys = Vec::new();
    for source in SOURCES {
        let Some(value) = get(rule, source.row().rule) else { continue };
        add(source, value, surroundings, &mut keys)?;
    }
    let keys = keys.into_iter().map(|key| with_options(key, rule)).collect::<Result<Vec<_>>>()?;
    Ok(if keys.is_empty() { Vec::new() } else { vec![KeyGroup::new(keys)] })
}

/// A key with what a rule says of all keys of its source.
fn with_options(key: MasterKey, rule: &[Item]) -> Result<MasterKey> {
    let options = key.source().row().options.iter().filter(|option| !option.rule.is_empty());
    options.into_iter().try_fold(key, |key, option| {
        let value = text_of(rule, option.rule).filter(|value| !value.is_empty());
        key.with_option(option, value.as_deref()).map_err(|failure| wrong(failure.text))
    })
}

/// The keys of a group, and of the groups that are merged into it.
fn collect(
    group: &Value,
    surroundings: &Surroundings<'_>,
    keys: &mut Vec<MasterKey>,
    depth: usize,
) -> Result<()> {
    let Value::Map(group) = group else {
        return Err(wrong("each of the key_groups must be a mapping"));
    };
    if let Some(Value::List(merged)) = get(group, "merge") {
        // Aliases cannot make a circle, but a file may be deep.
        if depth > 32 {
            return Err(wrong("key_groups are merged too deeply"));
        }
        for inner in values(merged) {
            collect(inner, surroundings, keys, depth + 1)?;
        }
    }
    refuse_foreign(group)?;
    for source in SOURCES {
        let Some(value) = get(group, source.row().group) else { continue };
        add(source, value, surroundings, keys)?;
    }
    Ok(())
}

/// A text with names separated by commas, or a list of names and of mappings that describe keys. A
/// key that is there already is not added again.
fn add(
    source: &'static dyn KeySource,
    value: &Value,
    surroundings: &Surroundings<'_>,
    keys: &mut Vec<MasterKey>,
) -> Result<()> {
    let described = match value {
        Value::List(elements) => values(elements).collect(),
        Value::Map(_) | Value::Scalar(_) => vec![value],
    };
    for one in described {
        let new = match one {
            Value::Scalar(scalar) => {
                let names = flat::text(scalar).unwrap_or_default();
                MasterKey::list(source, &names, surroundings)
            }
            Value::Map(mapping) => {
                MasterKey::of_mapping(source, mapping, surroundings).map(|key| vec![key])
            }
            Value::List(_) => {
                return Err(wrong(format!("{} must list names of keys", source.row().rule)));
            }
        };
        for key in new.map_err(|failure| wrong(failure.text))? {
            if !keys.iter().any(|other| other.is(&key)) {
                keys.push(key);
            }
        }
    }
    Ok(())
}

/// A key that cannot be used must not be left out in silence: its owner could not read the file.
fn refuse_foreign(items: &[Item]) -> Result<()> {
    let is_something = |value: &Value| match value {
        Value::List(list) => !list.is_empty(),
        Value::Map(_) => true,
        Value::Scalar(scalar) => flat::text(scalar).is_some_and(|text| !text.is_empty()),
    };
    match FOREIGN.iter().find(|name| get(items, name).is_some_and(is_something)) {
        None => Ok(()),
        Some(name) => Err(wrong(format!(
            "the rule names keys under '{name}', which this version cannot use; encrypt the file with \
             sops, or take them out of the rule"
        ))),
    }
}

fn values(elements: &[Element]) -> impl Iterator<Item = &Value> {
    elements.iter().filter_map(|element| match element {
        Element::Comment(_) => None,
        Element::Value(value) => Some(value),
    })
}

fn wrong(text: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Config, text)
}
