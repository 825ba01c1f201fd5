use std::collections::HashMap;

/// The environment as it was at the start.
///
/// Each setting has three spellings, `STRONGROOM_X`, `BAO_X` and `VAULT_X`; the first that exists
/// decides, even if it is empty, and an empty one counts as not set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(HashMap<String, String>);

const FAMILIES: [&str; 3] = ["STRONGROOM_", "BAO_", "VAULT_"];

impl Environment {
    pub(crate) fn of_process() -> Self {
        let vars = std::env::vars_os();
        Self(
            vars.filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.into_string().ok()?))
            })
            .collect(),
        )
    }

    /// The setting `name`, for example `ADDR`.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        let found = FAMILIES.iter().find_map(|family| self.0.get(&format!("{family}{name}")));
        found.map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The spelling under which `name` is set: what a warning should name.
    pub(crate) fn spelling(&self, name: &str) -> Option<String> {
        let spellings = FAMILIES.iter().map(|family| format!("{family}{name}"));
        spellings
            .into_iter()
            .find(|spelling| self.0.get(spelling).is_some_and(|value| !value.is_empty()))
    }

    /// A variable that is not ours, such as `HOME`.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// `path` with a leading `~/` replaced by the home folder.
    pub(crate) fn expand_home(&self, path: &str) -> std::path::PathBuf {
        match (path.strip_prefix("~/"), self.variable("HOME")) {
            (Some(rest), Some(home)) => std::path::Path::new(home).join(rest),
            _ => path.into(),
        }
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_family_decides() {
        let env = Environment::from([("VAULT_ADDR", "v"), ("BAO_ADDR", "b"), ("VAULT_TOKEN", "t")]);
        assert_eq!(env.setting("ADDR"), Some("b"));
        assert_eq!(env.setting("TOKEN"), Some("t"));
        assert_eq!(env.spelling("TOKEN").as_deref(), Some("VAULT_TOKEN"));
        assert_eq!(env.setting("NAMESPACE"), None);
        let env = Environment::from([("STRONGROOM_ADDR", ""), ("BAO_ADDR", "b")]);
        assert_eq!(env.setting("ADDR"), None, "an empty variable hides the others");
        let env = Environment::from([("STRONGROOM_ADDR", "s"), ("BAO_ADDR", "b")]);
        assert_eq!(env.setting("ADDR"), Some("s"));
    }

    #[test]
    fn home_is_expanded_only_at_the_start() {
        let env = Environment::from([("HOME", "/home/u")]);
        assert_eq!(env.expand_home("~/.vault-token").to_str(), Some("/home/u/.vault-token"));
        assert_eq!(env.expand_home("a/~/b").to_str(), Some("a/~/b"));
    }
}
