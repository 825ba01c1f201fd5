use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base_types::Secret;

pub(crate) use files_io::confirmed;

/// What was answered in this run. Files of a tree are worked on side by side and have the same keys;
/// a person is asked one question at a time, and none twice.
static ANSWERS: Mutex<BTreeMap<String, Option<Secret<String>>>> = Mutex::new(BTreeMap::new());

/// The passphrase of what `name` says. Nothing if there is nobody to ask.
pub(crate) fn passphrase(name: &str) -> Option<Secret<String>> {
    let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    answers.entry(name.to_owned()).or_insert_with(|| files_io::passphrase(name)).clone()
}
