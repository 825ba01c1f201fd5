use base_types::{Error, Result};
use files_document::{Document, Element, Format, Item, Value};

/// How manifests are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Output {
    Json,
    Yaml,
}

impl Output {
    /// # Errors
    /// `Invalid` for what is neither `json` nor `yaml`.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        match name.to_lowercase().as_str() {
            "" | "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            _ => Err(Error::invalid(format!("unsupported output format: {name}"))),
        }
    }

    pub(crate) fn format(self) -> Format {
        match self {
            Self::Json => Format::Json,
            Self::Yaml => Format::Yaml,
        }
    }

    /// The text of a manifest, with what keeps it apart from the one before.
    ///
    /// # Errors
    /// `Invalid` if the format cannot hold it.
    pub(crate) fn text(self, manifest: &[Item]) -> Result<Vec<u8>> {
        match self {
            Self::Json => json(manifest),
            Self::Yaml => {
                let sorted = [sorted(manifest)];
                Ok([b"---\n".to_vec(), Document::emit(Format::Yaml, &sorted, Some(2))?].concat())
            }
        }
    }
}

/// The manifest alone, as JSON that ends with a line feed.
///
/// # Errors
/// `Invalid` if JSON cannot hold it.
pub(crate) fn json(manifest: &[Item]) -> Result<Vec<u8>> {
    Document::emit(Format::Json, &[manifest.to_vec()], Some(2))
}

/// YAML of the Kubernetes tools has its keys in the order of the alphabet.
fn sorted(items: &[Item]) -> Vec<Item> {
    let mut sorted: Vec<Item> = items
        .iter()
        .filter_map(|item| match item {
            Item::Comment(_) => None,
            Item::Member(member) => Some(Item::member(&member.key, sorted_value(&member.value))),
        })
        .collect();
    sorted.sort_by(|one, other| crate::seal::key(one).cmp(crate::seal::key(other)));
    sorted
}

fn sorted_value(value: &Value) -> Value {
    match value {
        Value::Map(inner) => Value::Map(sorted(inner)),
        Value::List(elements) => Value::List(elements.iter().map(sorted_element).collect()),
        Value::Scalar(_) => value.clone(),
    }
}

fn sorted_element(element: &Element) -> Element {
    match element {
        Element::Comment(_) => element.clone(),
        Element::Value(value) => Element::Value(sorted_value(value)),
    }
}
