use crate::Pattern;

/// What is excused although a rule matches.
#[derive(Clone, Default)]
pub struct Allowlist {
    pub description: String,
    pub condition: Condition,
    /// Hashes of commits, in lower case.
    pub commits: Vec<String>,
    /// One expression for all of them.
    pub paths: Option<Pattern>,
    /// What `regexes` is matched against.
    pub target: Target,
    /// One expression for all of them.
    pub regexes: Option<Pattern>,
    /// In lower case; looked for in the secret.
    pub stopwords: Vec<String>,
}

/// Whether one of the kinds of checks that an allow list has is enough.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Condition {
    And,
    #[default]
    Or,
}

/// The text that the expressions of an allow list look at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Target {
    Line,
    Match,
    #[default]
    Secret,
}
