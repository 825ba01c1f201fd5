use std::collections::BTreeMap;
use std::path::PathBuf;

use base_crypto::Random;
use base_types::{Clock, Timestamp};
use files_age::Person;

use super::{Identities, Unwrapped};
use crate::keyservice::KeyServices;

/// What key sources need of the process they run in.
pub struct Surroundings<'a> {
    /// The environment.
    pub variables: BTreeMap<String, String>,
    pub clock: &'a dyn Clock,
    pub random: &'a dyn Random,
    /// Who is asked for passphrases.
    pub person: &'a dyn Person,
    /// Who wraps and unwraps.
    pub services: KeyServices,
    /// What keys have unwrapped already.
    pub unwrapped: Unwrapped,
    /// The identities of age that were read already.
    pub identities: Identities<'a>,
}

impl Surroundings<'_> {
    /// A variable that is set to something.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A path below the home folder, if that is known.
    pub fn home(&self, path: &str) -> Option<PathBuf> {
        self.variable("HOME").map(|home| PathBuf::from(home).join(path))
    }

    /// The folder in which programs of this person keep their settings.
    pub fn config_folder(&self) -> Option<PathBuf> {
        let default =
            if cfg!(target_os = "macos") { "Library/Application Support" } else { ".config" };
        self.variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| self.home(default))
    }

    /// The time in whole seconds, as sops writes it.
    pub fn now(&self) -> String {
        Timestamp::from_seconds(self.clock.now().seconds()).to_string()
    }
}
