use std::collections::BTreeMap;
use std::path::Path;

use base_crypto::SeededRandom;
use base_types::Timestamp;
use files_document::Format;
use files_sops::config::Config;
use files_sops::keyservice::KeyServices;
use files_sops::{
    DataKey, EncryptedFile, FailureKind, Identities, Surroundings, Unwrapped, value_of_json, words,
};

use crate::PLANTED;

const FORMATS: [Format; 6] =
    [Format::Binary, Format::Dotenv, Format::Ini, Format::Json, Format::Toml, Format::Yaml];

/// The seeds are encrypted with the first key of these numbers.
const KEY: u64 = 7;

fn with_surroundings<T>(work: impl FnOnce(&Surroundings<'_>) -> T) -> T {
    let clock = base_types::ManualClock::at(Timestamp::from_seconds(1_767_225_600));
    let random = SeededRandom::new(KEY);
    work(&Surroundings {
        variables: BTreeMap::new(),
        clock: &clock,
        random: &random,
        person: &|_: &str| None,
        services: KeyServices::default(),
        unwrapped: Unwrapped::default(),
        identities: Identities::default(),
    })
}

/// Encrypted files: what can be read can be shown without its key, a file that opens is not written
/// when nothing changes, and no failure repeats a value.
pub fn sops_file(data: &[u8]) {
    for format in FORMATS {
        match EncryptedFile::parse(format, data) {
            Ok(file) => {
                file.outline().expect("what is parsed can be shown");
                file.metadata().summary();
                open(file);
            }
            Err(failure) => {
                let kinds =
                    [FailureKind::Invalid, FailureKind::NotEncrypted, FailureKind::Unreadable];
                assert!(kinds.contains(&failure.kind), "{failure:?}");
            }
        }
    }
    let text = String::from_utf8_lossy(data);
    if let Ok(path) = text.parse::<files_sops::Path>() {
        assert_eq!(path.to_string().parse::<files_sops::Path>(), Ok(path));
    }
    if let Err(failure) = value_of_json(&text) {
        assert!(!failure.text.contains(PLANTED), "{failure:?}");
    }
    let _ = words(&text);
}

fn open(file: EncryptedFile) {
    let key = DataKey::generate(&SeededRandom::new(KEY));
    let same = DataKey::generate(&SeededRandom::new(KEY));
    assert!(key.is(&same));
    match file.open(key, false) {
        Ok(open) => {
            let trees = open.trees().to_vec();
            let written = with_surroundings(|with| open.replace(trees, with));
            assert!(written.expect("nothing has to be done").is_none());
        }
        Err(failure) => {
            let kinds = [FailureKind::Decrypt, FailureKind::MacMismatch];
            assert!(kinds.contains(&failure.kind), "{failure:?}");
            // The keys on the way are named, and are no secrets.
            let reason = failure.text.rsplit("]: ").next().unwrap_or_default();
            assert!(!reason.contains(PLANTED), "{failure:?}");
        }
    }
}

/// Configurations: what is wrong with one is said as such, and what is right answers for any file.
pub fn sops_config(data: &[u8]) {
    let config = match Config::parse(data, Path::new("/repository/.sops.yaml")) {
        Ok(config) => config,
        Err(failure) => {
            assert_eq!(failure.kind, FailureKind::Config, "{failure:?}");
            return;
        }
    };
    for format in FORMATS {
        config.indent(format);
    }
    with_surroundings(|with| {
        for name in ["/repository/a.yaml", "/repository/secrets/b.json", "/elsewhere/c"] {
            if let Err(failure) = config.rule(Path::new(name), with) {
                assert_eq!(failure.kind, FailureKind::Config, "{failure:?}");
            }
            if let Err(failure) = config.destination(Path::new(name), with) {
                assert_eq!(failure.kind, FailureKind::Config, "{failure:?}");
            }
        }
    });
}
