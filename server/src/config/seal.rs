use std::path::PathBuf;

use base_hcl::Block;
use base_types::{Error, Result, Secret};
use core_seal::parse_key;

use super::Environment;
use super::keys;
use super::reader::{Place, Reader, Source};

/// One way to protect the root key. Any of several opens it.
#[derive(Debug)]
pub struct Seal {
    pub place: Place,
    pub name: String,
    pub priority: u32,
    pub kind: SealKind,
}

#[derive(Debug)]
pub enum SealKind {
    Shamir,
    Static { current: StaticKey, previous: Option<StaticKey> },
}

/// A key for auto-unseal. Its id changes whenever the key does.
#[derive(Debug)]
pub struct StaticKey {
    pub id: String,
    pub source: KeySource,
}

/// Where the 32 bytes of a static key come from.
#[derive(Debug)]
pub enum KeySource {
    /// `env://NAME`
    Environment(String),
    /// `file:///path`
    File(PathBuf),
    /// The text in the configuration itself.
    Literal(Secret<String>),
}

impl Seal {
    pub(super) fn read(block: &Block<'_>, source: &mut Source) -> Result<Self> {
        match block.label(0) {
            "shamir" => {
                let mut seal = Self::new(block, source, SealKind::Shamir);
                let mut reader = Reader::new(block.body, &keys::SEAL_SHAMIR, source);
                seal.read_common(&mut reader)?;
                reader.finish()?;
                Ok(seal)
            }
            "static" => Self::read_static(block, source),
            other => Err(block.at.error(format!(
                "there is no seal {other:?} here: the kinds are \"shamir\" and \"static\""
            ))),
        }
    }

    fn read_static(block: &Block<'_>, source: &mut Source) -> Result<Self> {
        let mut seal = Self::new(block, source, SealKind::Shamir);
        let mut reader = Reader::new(block.body, &keys::SEAL_STATIC, source);
        let current = StaticKey::read(&mut reader, "current_key_id", "current_key")?;
        let previous = StaticKey::read(&mut reader, "previous_key_id", "previous_key")?;
        seal.read_common(&mut reader)?;
        let id_at = reader.at("previous_key_id");
        reader.finish()?;
        let current = current.ok_or_else(|| {
            block.at.error("\"current_key_id\" and \"current_key\" are missing: name the key")
        })?;
        if previous.as_ref().is_some_and(|previous| previous.id == current.id) {
            let text = "\"previous_key_id\" is the current one: another key has another id";
            return Err(id_at.error(text));
        }
        seal.kind = SealKind::Static { current, previous };
        Ok(seal)
    }

    fn new(block: &Block<'_>, source: &Source, kind: SealKind) -> Self {
        let name = block.label(0).to_owned();
        Self { place: source.place(block.at), name, priority: 1, kind }
    }

    fn read_common(&mut self, reader: &mut Reader<'_, '_>) -> Result<()> {
        reader.set("name", &mut self.name)?;
        reader.set("priority", &mut self.priority)
    }
}

/// Several seals need names of their own.
pub(super) fn check(seals: &[Seal]) -> Result<()> {
    for (index, seal) in seals.iter().enumerate() {
        if let Some(first) = seals[..index].iter().find(|other| other.name == seal.name) {
            return Err(Error::invalid(format!(
                "{}: the seal at {} is also called {:?}: give each its own name",
                seal.place, first.place, seal.name
            )));
        }
    }
    Ok(())
}

impl StaticKey {
    /// Both keys, or neither.
    fn read(
        reader: &mut Reader<'_, '_>,
        id_key: &'static str,
        key_key: &'static str,
    ) -> Result<Option<Self>> {
        let (mut id, mut key) = (None::<String>, None::<String>);
        reader.set(id_key, &mut id)?;
        reader.set(key_key, &mut key)?;
        match (id, key) {
            (None, None) => Ok(None),
            (Some(id), Some(key)) if !id.is_empty() => {
                let source = KeySource::parse(key).map_err(|text| reader.invalid(key_key, text))?;
                Ok(Some(Self { id, source }))
            }
            (Some(_), Some(_)) => Err(reader.invalid(id_key, "is empty: name the key")),
            (Some(_), None) => Err(reader.invalid(id_key, format!("needs {key_key:?}"))),
            (None, Some(_)) => Err(reader.invalid(key_key, format!("needs {id_key:?}"))),
        }
    }
}

impl KeySource {
    fn parse(text: String) -> Result<Self, &'static str> {
        if let Some(name) = text.strip_prefix("env://") {
            return match name {
                "" => Err("names no variable: write env://NAME"),
                name => Ok(Self::Environment(name.to_owned())),
            };
        }
        if let Some(path) = text.strip_prefix("file://") {
            return match path {
                "" => Err("names no file: write file:///path/to/key"),
                path => Ok(Self::File(path.into())),
            };
        }
        match parse_key(text.as_bytes()) {
            Ok(_) => Ok(Self::Literal(Secret::new(text))),
            Err(_) => Err("must be 32 bytes in hex or base64, or file://… or env://…"),
        }
    }

    /// The key itself.
    ///
    /// # Errors
    /// `Invalid`, naming the file or variable but never what it holds.
    pub fn resolve(&self, environment: &Environment) -> Result<Secret<[u8; 32]>> {
        let (place, bytes) = match self {
            Self::Environment(name) => {
                let value = environment.exact(name).ok_or_else(|| {
                    Error::invalid(format!("the environment variable {name} is not set"))
                })?;
                (format!("the environment variable {name}"), Secret::new(value.into_bytes()))
            }
            Self::File(path) => {
                let bytes = std::fs::read(path).map_err(|error| {
                    Error::invalid(format!(
                        "the key file {} cannot be read: {error}",
                        path.display()
                    ))
                })?;
                (format!("the key file {}", path.display()), Secret::new(bytes))
            }
            Self::Literal(text) => {
                ("the key".to_owned(), Secret::new(text.expose().clone().into_bytes()))
            }
        };
        parse_key(bytes.expose()).map_err(|error| error.at(place))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn raw() -> [u8; 32] {
        std::array::from_fn(|index| index as u8)
    }

    #[test]
    fn a_key_is_found_where_the_configuration_points() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, raw()).unwrap();
        let environment =
            Environment::from_fn(|name| (name == "UNSEAL_KEY").then(|| HEX.to_owned()));
        for text in [format!("file://{}", path.display()), "env://UNSEAL_KEY".into(), BASE64.into()]
        {
            let key = KeySource::parse(text).unwrap().resolve(&environment).unwrap();
            assert_eq!(*key.expose(), raw());
        }
        std::fs::write(&path, "hunter2").unwrap();
        for (text, reason) in [
            (format!("file://{}", path.display()), "not a key"),
            (format!("file://{}/none", folder.path().display()), "cannot be read"),
            ("env://OTHER".into(), "OTHER is not set"),
        ] {
            let error = KeySource::parse(text).unwrap().resolve(&environment).unwrap_err();
            assert!(error.public().contains(reason), "{error:?}");
            assert!(!error.public().contains("hunter2"));
        }
        for bad in ["env://", "file://", "hunter2"] {
            assert!(KeySource::parse(bad.to_owned()).is_err());
        }
    }
}
