use base_types::{Error, ErrorKind, Result, Secret};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A stored type: one version byte, then JSON. It is never the type of an API.
pub trait Record: Serialize + DeserializeOwned + Send {
    /// What a person calls it, for errors: "token role".
    const KIND: &'static str;

    const VERSION: u8 = 1;

    /// Reads bytes of an older version; the default refuses.
    fn upgrade(version: u8, body: &[u8]) -> Result<Self> {
        let _ = body;
        Err(unknown_version(Self::KIND, version, Self::VERSION))
    }
}

/// The bytes of `record`, before encryption.
pub(crate) fn encode<R: Record>(record: &R) -> Result<Secret<Vec<u8>>> {
    // Room for most records, so that the growing vector leaves no copies of a secret behind.
    let mut bytes = Vec::with_capacity(1024);
    bytes.push(R::VERSION);
    match serde_json::to_writer(&mut bytes, record) {
        Ok(()) => Ok(Secret::new(bytes)),
        Err(_) => Err(Error::internal(format!("a {} does not serialise", R::KIND))),
    }
}

/// The record in `bytes`, which were stored at `key`.
pub(crate) fn decode<R: Record>(key: &str, bytes: &[u8]) -> Result<R> {
    let Some((version, body)) = bytes.split_first() else {
        return Err(Error::corrupt(format!("the {} at {key} is empty", R::KIND)));
    };
    if *version < R::VERSION {
        return R::upgrade(*version, body).map_err(|error| error.at(key));
    }
    if *version > R::VERSION {
        return Err(unknown_version(R::KIND, *version, R::VERSION).at(key));
    }
    // The text of a serde error quotes the value, so only the place is told.
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("{:?} error at column {}", error.classify(), error.column());
        Error::corrupt(format!("the {} at {key} cannot be read", R::KIND)).because(place)
    })
}

fn unknown_version(kind: &str, found: u8, known: u8) -> Error {
    let text = format!(
        "the stored {kind} has version {found} and this program knows version {known}: \
         run the program that wrote it, or a newer one"
    );
    Error::new(ErrorKind::Internal, text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Second {
        name: String,
    }

    impl Record for Second {
        const KIND: &'static str = "example";
        const VERSION: u8 = 2;

        fn upgrade(version: u8, body: &[u8]) -> Result<Self> {
            assert_eq!(version, 1);
            Ok(Self { name: String::from_utf8_lossy(body).into() })
        }
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct First {
        count: u32,
    }

    impl Record for First {
        const KIND: &'static str = "count";
    }

    #[test]
    fn the_bytes_are_a_version_and_json() {
        let record = Second { name: "a".into() };
        let bytes = encode(&record).unwrap();
        assert_eq!(bytes.expose().as_slice(), b"\x02{\"name\":\"a\"}");
        assert_eq!(decode::<Second>("k", bytes.expose()).unwrap(), record);
    }

    #[test]
    fn an_older_version_is_upgraded_and_a_newer_one_refused() {
        assert_eq!(decode::<Second>("k", b"\x01old").unwrap().name, "old");
        for (bytes, version) in [(&b"\x00{}"[..], 0), (b"\x02{\"count\":1}", 2)] {
            let error = decode::<First>("roles/a", bytes).unwrap_err();
            assert!(error.is(ErrorKind::Internal));
            let start = format!("roles/a: the stored count has version {version} and this");
            assert!(error.public().starts_with(&start), "{}", error.public());
        }
    }

    #[test]
    fn broken_json_is_named_but_never_quoted() {
        for body in [&b""[..], b"\x01", b"\x01{\"count\":\"hunter2\"}", b"\x01{\"count\":1"] {
            let error = decode::<First>("roles/a", body).unwrap_err();
            assert!(error.is(ErrorKind::Corrupt));
            assert!(error.public().contains("the count at roles/a"), "{}", error.public());
            assert!(!error.log().to_string().contains("hunter2"));
        }
    }
}
