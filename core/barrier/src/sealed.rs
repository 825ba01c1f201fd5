use base_types::Secret;
use serde::{Deserialize, Serialize, Serializer};

/// A secret in a record, which the barrier encrypts. Only records hold it: whatever else is
/// serialised leaves the server.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(transparent)]
pub struct Sealed(Secret<String>);

impl Sealed {
    pub fn open(&self) -> &Secret<String> {
        &self.0
    }
}

impl From<Secret<String>> for Sealed {
    fn from(secret: Secret<String>) -> Self {
        Self(secret)
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_the_text_and_nothing_else_shows_it() {
        let sealed = Sealed::from(Secret::new("hunter2".to_owned()));
        assert_eq!(serde_json::to_string(&sealed).unwrap(), "\"hunter2\"");
        assert_eq!(serde_json::from_str::<Sealed>("\"hunter2\"").unwrap(), sealed);
        assert_eq!(format!("{sealed:?}"), "Sealed(Secret(..))");
    }
}
