//! Where master keys live. Each source is one file behind the trait [`KeySource`], and a row in
//! [`SOURCES`].

mod age;
mod aws;
mod azure;
mod cloud;
mod gcp;
mod pgp;
mod surroundings;
mod transit;
mod unwrapped;

use base_types::Secret;
use files_document::{Item, Scalar, Value, get};

pub use age::Identities;
pub use surroundings::Surroundings;
pub use unwrapped::Unwrapped;

use crate::keyservice::{Address, Question, Verb, ask};
use crate::metadata::{text_of, with};
use crate::{Failure, FailureKind, Result};

/// All sources, in the order in which sops tries and lists them.
pub const SOURCES: [&dyn KeySource; 6] =
    [&aws::AwsKms, &gcp::GcpKms, &azure::AzureKv, &transit::Transit, &pgp::Pgp, &age::Age];

/// A kind of master key: how it is named, and how it wraps a data key.
pub trait KeySource: Sync {
    /// The names under which it is known.
    fn row(&self) -> &'static Row;

    /// What people call the key that has these fields: a recipient, a fingerprint, an address.
    fn name(&self, fields: &[Item]) -> String;

    /// The fields of the key that people call `name`.
    ///
    /// # Errors
    /// `Invalid` if no key is called so.
    fn fields(&self, name: &str, surroundings: &Surroundings<'_>) -> Result<Vec<Item>>;

    /// The fields of the key that a mapping in a key group describes.
    ///
    /// # Errors
    /// `Invalid` if it describes none, or if keys of this source have nothing but a name.
    fn of_mapping(&self, _mapping: &[Item], _surroundings: &Surroundings<'_>) -> Result<Vec<Item>> {
        Err(Failure::invalid(format!("{} must list names of keys", self.row().group)))
    }

    /// The same fields with one of the source's options.
    ///
    /// # Errors
    /// `Invalid` if the option has no such value.
    fn with_option(&self, fields: Vec<Item>, _option: &str, _value: &str) -> Result<Vec<Item>> {
        Ok(fields)
    }

    /// The secret as only the holder of the key can read it.
    ///
    /// # Errors
    /// `Unavailable` or `Invalid`, saying why.
    fn wrap(&self, fields: &[Item], secret: &[u8], with: &Surroundings<'_>) -> Result<String>;

    /// The secret that [`KeySource::wrap`] was given.
    ///
    /// # Errors
    /// `DataKey`, saying why not.
    fn unwrap(
        &self,
        fields: &[Item],
        wrapped: &str,
        with: &Surroundings<'_>,
    ) -> Result<Secret<Vec<u8>>>;
}

/// The names of a source.
pub struct Row {
    /// In metadata.
    pub metadata: &'static str,
    /// As a flag that takes names separated by commas, and with `add-` or `rm-` before it.
    pub flag: &'static str,
    /// The short form of that flag.
    pub letter: Option<char>,
    /// The variable that stands for the flag.
    pub variable: &'static str,
    /// In a creation rule of the configuration file, with names separated by commas or as a list.
    pub rule: &'static str,
    /// In a key group of a creation rule, as a list of names.
    pub group: &'static str,
    /// In the list that says which kind is tried first.
    pub order: &'static str,
    /// What else can be said of its keys, for all of a call or a rule at once.
    pub options: &'static [KeyOption],
}

/// Something that keys of a source have besides their name.
pub struct KeyOption {
    pub flag: &'static str,
    /// In a creation rule; empty if it cannot be said there.
    pub rule: &'static str,
    /// In metadata.
    pub field: &'static str,
    pub about: &'static str,
}

/// One master key of a file, with the data key, or a share of it, as that key wrapped it.
#[derive(Clone)]
pub struct MasterKey {
    pub(crate) source: &'static dyn KeySource,
    /// All of the key's entry in the metadata, `enc` among it.
    pub(crate) entry: Vec<Item>,
}

impl MasterKey {
    /// The key that people call `name`, which has wrapped nothing yet.
    ///
    /// # Errors
    /// `Invalid` if no key is called so.
    pub fn new(
        source: &'static dyn KeySource,
        name: &str,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self> {
        Ok(Self { source, entry: source.fields(name, surroundings)? })
    }

    /// The keys of a list separated by commas.
    ///
    /// # Errors
    /// As [`MasterKey::new`].
    pub fn list(
        source: &'static dyn KeySource,
        names: &str,
        surroundings: &Surroundings<'_>,
    ) -> Result<Vec<Self>> {
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(|name| Self::new(source, name, surroundings)).collect()
    }

    /// The key that a mapping in a key group describes.
    ///
    /// # Errors
    /// `Invalid` if it describes none.
    pub(crate) fn of_mapping(
        source: &'static dyn KeySource,
        mapping: &[Item],
        surroundings: &Surroundings<'_>,
    ) -> Result<Self> {
        Ok(Self { source, entry: source.of_mapping(mapping, surroundings)? })
    }

    /// The same key with one of its source's options, if there is a value for it.
    ///
    /// # Errors
    /// `Invalid` if the option has no such value.
    pub fn with_option(self, option: &KeyOption, value: Option<&str>) -> Result<Self> {
        let Some(value) = value else { return Ok(self) };
        let entry = self.source.with_option(self.entry, option.field, value)?;
        Ok(Self { entry, ..self })
    }

    /// Its source.
    pub fn source(&self) -> &'static dyn KeySource {
        self.source
    }

    /// What people call it.
    pub fn name(&self) -> String {
        self.source.name(&self.entry)
    }

    /// Whether both are the same key, whatever they have wrapped.
    pub fn is(&self, other: &Self) -> bool {
        let kind = |key: &Self| key.source.row().metadata;
        kind(self) == kind(other) && self.name() == other.name()
    }

    pub(crate) fn forget_wrapped(&mut self) {
        let empty = Scalar::text("").into();
        self.entry = with(std::mem::take(&mut self.entry), "enc", Some(empty));
    }

    pub(crate) fn has_wrapped(&self) -> bool {
        text_of(&self.entry, "enc").is_some_and(|enc| !enc.is_empty())
    }

    pub(crate) fn wrap(&mut self, secret: &[u8], surroundings: &Surroundings<'_>) -> Result<()> {
        let Self { source, entry } = &*self;
        let remote = |address: &Address| {
            let message = Question::encode(*source, entry, secret)?;
            let wrapped = ask(address, Verb::Encrypt, &message)?;
            String::from_utf8(wrapped.to_vec()).map_err(|_| {
                Failure::new(FailureKind::Unavailable, "what it has wrapped is no text")
            })
        };
        let wrapped = surroundings
            .services
            .first(|| source.wrap(entry, secret, surroundings), remote)
            .map_err(|failure| failure.at(self.name()))?;
        self.entry =
            with(std::mem::take(&mut self.entry), "enc", Some(Scalar::text(wrapped).into()));
        Ok(())
    }

    pub(crate) fn unwrap(&self, surroundings: &Surroundings<'_>) -> Result<Secret<Vec<u8>>> {
        let Self { source, entry } = self;
        let wrapped = text_of(entry, "enc").unwrap_or_default();
        if wrapped.is_empty() {
            return Err(failed("its entry in the metadata has no wrapped key"));
        }
        let remote = |address: &Address| {
            let message = Question::encode(*source, entry, wrapped.as_bytes())?;
            let mut secret = ask(address, Verb::Decrypt, &message)?;
            Ok(Secret::new(std::mem::take(&mut *secret)))
        };
        surroundings.unwrapped.get_or(source.row().metadata, &wrapped, || {
            surroundings.services.first(|| source.unwrap(entry, &wrapped, surroundings), remote)
        })
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

/// The text of a field, empty if there is none.
fn field(fields: &[Item], key: &str) -> String {
    match get(fields, key) {
        Some(Value::Scalar(scalar)) => crate::flat::text(scalar).unwrap_or_default(),
        _ => String::new(),
    }
}

fn failed(text: impl Into<String>) -> Failure {
    Failure::new(FailureKind::DataKey, text)
}
