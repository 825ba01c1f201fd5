pub(crate) use core_rotation::check_name as check;
use schemars::JsonSchema;
use serde::Deserialize;

/// A request that names one thing.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Named {
    /// Its name.
    pub(crate) name: String,
}

/// Whether one of the patterns, in which `*` at an end stands for anything, is `name`.
pub(crate) fn is_allowed(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => name.contains(pattern.trim_matches('*')),
        (Some(end), None) => name.ends_with(end),
        (None, Some(start)) => name.starts_with(start),
        (None, None) => pattern == name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_with_dots_and_hyphens_inside() {
        for name in ["a", "my-role", "a.b_c", "_x_", "7"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "-a", "a-", ".", "a b", "a/b", "a'b", "ä", "a\"", "a\0", &"a".repeat(257)]
        {
            assert!(check(name).is_err(), "{name}");
        }
    }

    #[test]
    fn globs_stand_at_the_ends() {
        let check = |patterns: &[&str], name: &str| {
            let patterns: Vec<_> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            is_allowed(&patterns, name)
        };
        assert!(check(&["*"], "any"));
        assert!(check(&["a", "r*"], "role"));
        assert!(check(&["*-ro"], "app-ro"));
        assert!(check(&["*pp*"], "app-ro"));
        assert!(check(&["exact"], "exact"));
        for patterns in [&[][..], &["r"], &["x*"], &["*x"], &["r*e"], &[""]] {
            assert!(!check(patterns, "role"), "{patterns:?}");
        }
    }
}
