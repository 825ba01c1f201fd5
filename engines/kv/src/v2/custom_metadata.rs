use std::collections::BTreeMap;

use base_types::{Error, Result};

const KEYS_MAX: usize = 64;
const KEY_LENGTH_MAX: usize = 128;
const VALUE_LENGTH_MAX: usize = 512;

/// Custom metadata is shown in lists and logs, so it is small and printable.
///
/// # Errors
/// `Invalid` with every fault, in Vault's words.
pub(super) fn check(custom: &BTreeMap<String, String>) -> Result<()> {
    let faults = if custom.len() > KEYS_MAX {
        vec![format!("payload must contain at most {KEYS_MAX} keys, provided {}", custom.len())]
    } else {
        custom.iter().flat_map(|(key, value)| faults(key, value)).collect()
    };
    match faults.len() {
        0 => Ok(()),
        1 => Err(Error::invalid(list("1 error", &faults))),
        count => Err(Error::invalid(list(&format!("{count} errors"), &faults))),
    }
}

fn faults(key: &str, value: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let (key_length, value_length) = (key.len(), value.len());
    if !(1..=KEY_LENGTH_MAX).contains(&key_length) {
        faults.push(format!(
            "length of key {key:?} is {key_length} but must be 0 < len(key) <= {KEY_LENGTH_MAX}"
        ));
    }
    if !(1..=VALUE_LENGTH_MAX).contains(&value_length) {
        faults.push(format!(
            "length of value for key {key:?} is {value_length} but must be 0 < len(value) <= \
             {VALUE_LENGTH_MAX}"
        ));
    }
    if !is_printable(key) {
        faults.push(format!("key {key:?} contains unprintable characters"));
    }
    if !is_printable(value) {
        faults.push(format!("value for key {key:?} contains unprintable characters"));
    }
    faults
}

/// No control character, and no space but the ordinary one.
fn is_printable(text: &str) -> bool {
    text.chars().all(|c| c == ' ' || !(c.is_control() || c.is_whitespace()))
}

fn list(title: &str, faults: &[String]) -> String {
    let line = |fault: &String| format!("\t* custom_metadata validation failed: {fault}\n");
    format!("{title} occurred:\n{}\n", faults.iter().map(line).collect::<String>())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check_one(key: &str, value: &str, fits: bool) {
        let custom = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        assert_eq!(check(&custom).is_ok(), fits, "{key:?} {value:.40?}");
    }

    #[test]
    fn holds_the_limits() {
        check_one("a", "b", true);
        check_one("owner team", "ä b", true);
        check_one("", "b", false);
        check_one("a", "", false);
        check_one(&"k".repeat(128), &"v".repeat(512), true);
        check_one(&"k".repeat(129), "v", false);
        check_one("k", &"v".repeat(513), false);
        check_one("k\u{1}", "v", false);
        check_one("k", "a\nb", false);
        let full = |count: usize| (0..count).map(|n| (n.to_string(), "v".to_owned())).collect();
        assert!(check(&full(64)).is_ok());
        assert!(check(&full(65)).is_err());
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let custom = BTreeMap::from([("a".to_owned(), String::new()), (String::new(), "b".into())]);
        assert_eq!(
            check(&custom).unwrap_err().public(),
            "2 errors occurred:\n\
             \t* custom_metadata validation failed: length of key \"\" is 0 but must be 0 < len(key) <= 128\n\
             \t* custom_metadata validation failed: length of value for key \"a\" is 0 but must be 0 < \
             len(value) <= 512\n\n"
        );
    }
}
