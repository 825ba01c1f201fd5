use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::key::Surroundings;

/// The settings of a profile in `~/.aws/credentials` and `~/.aws/config`, of which the first count.
/// <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html>
pub(super) struct Profile(HashMap<String, Zeroizing<String>>);

impl Profile {
    /// Nothing if no file has it.
    ///
    /// # Errors
    /// If a file is there and cannot be read.
    pub(super) fn read(name: &str, with: &Surroundings<'_>) -> Result<Option<Self>, String> {
        let files = [
            ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", name.to_owned()),
            ("AWS_CONFIG_FILE", ".aws/config", format!("profile {name}")),
        ];
        let mut settings = HashMap::new();
        let mut is_there = false;
        for (variable, usual, section) in files {
            let path = with.variable(variable).map(PathBuf::from).or_else(|| with.home(usual));
            let Some(path) = path.filter(|path| path.is_file()) else { continue };
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            let text = Zeroizing::new(text);
            is_there |= collect(&text, &[&section, name], &mut settings);
        }
        Ok(is_there.then_some(Self(settings)))
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// Adds the settings of the sections of these names, and says whether there are such sections. The
/// default profile needs no word before its name.
fn collect(text: &str, names: &[&str], settings: &mut HashMap<String, Zeroizing<String>>) -> bool {
    let (mut is_inside, mut is_there) = (false, false);
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.split(']').next().unwrap_or_default();
            let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
            is_inside = names.contains(&section.as_str());
            is_there |= is_inside;
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| is_inside) else { continue };
        if !line.starts_with(['#', ';']) {
            let value = || Zeroizing::new(value.trim().to_owned());
            settings.entry(key.trim().to_lowercase()).or_insert_with(value);
        }
    }
    is_there
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_one_profile_are_read() {
        let text = "[default]\na = 1\n# a = 2\n[ profile  x ]\nA=3\nb = 4=5\n[y]\nc=6\n";
        let mut settings = HashMap::new();
        assert!(collect(text, &["profile x", "x"], &mut settings));
        assert_eq!((settings["a"].as_str(), settings["b"].as_str()), ("3", "4=5"));
        assert!(!settings.contains_key("c"));
        assert!(!collect(text, &["profile z", "z"], &mut settings));
    }
}
