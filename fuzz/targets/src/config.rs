use base_types::ErrorKind;
use server::config::{Config, Environment};

use crate::hcl::{Lines, is_planted_only_in, position};
use crate::{PLANTED, text};

/// The server's configuration: an error names a place inside the file and never a key, a warning
/// does too, and what is accepted is whole.
pub fn config(data: &[u8]) {
    let text = text(data);
    let lines = Lines::of(&text);
    match Config::parse("f.hcl", &text, &Environment::from_fn(|_| None)) {
        Ok(config) => {
            assert!(!config.listeners.is_empty());
            assert!(!config.default_lease_ttl.is_zero());
            assert!(config.default_lease_ttl <= config.max_lease_ttl);
            assert!(config.seals.is_sorted_by_key(|seal| seal.priority));
            config.warnings.iter().for_each(|warning| lines.check(warning.place.at));
            let seals = format!("{:?}", config.seals);
            assert!(!seals.contains(PLANTED) || !is_planted_only_in(&text, KEYS), "{seals}");
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge));
            if let Some(at) = error.public().strip_prefix("f.hcl: ").and_then(position) {
                lines.check(at);
            }
            if is_planted_only_in(&text, KEYS) {
                assert!(!error.public().contains(PLANTED), "{}", error.public());
            }
        }
    }
}

/// What holds secrets.
const KEYS: &[&str] = &["current_key", "previous_key", "headers"];
