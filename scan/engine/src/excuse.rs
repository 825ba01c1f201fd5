use aho_corasick::AhoCorasick;
use base_types::{Error, Result};
use scan_rules::{Allowlist, Condition, Target};

use crate::Occurrence;
use crate::matcher::Matcher;

/// An allow list made ready.
pub(crate) struct Excuse {
    condition: Condition,
    commits: Vec<String>,
    paths: Option<Matcher>,
    target: Target,
    regexes: Option<Matcher>,
    stopwords: Option<AhoCorasick>,
}

/// The texts of one match that an allow list may look at.
#[derive(Clone, Copy)]
pub(crate) struct Texts<'a> {
    pub(crate) secret: &'a [u8],
    pub(crate) matched: &'a [u8],
    pub(crate) line: &'a [u8],
}

/// What the texts of a match alone say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Excused,
    /// If the place is one that the list names too.
    ExcusedThere,
    Stands,
}

impl Excuse {
    pub(crate) fn new(list: &Allowlist) -> Result<Self> {
        let Allowlist { description: _, condition, commits, paths, target, regexes, stopwords } =
            list;
        let automaton = |words: &Vec<String>| {
            AhoCorasick::builder().build(words).map_err(|e| {
                Error::invalid(format!("the stop words of an allow list are too many: {e}"))
            })
        };
        Ok(Self {
            condition: *condition,
            commits: commits.clone(),
            paths: paths.clone().map(Matcher::new),
            target: *target,
            regexes: regexes.clone().map(Matcher::new),
            stopwords: (!stopwords.is_empty()).then(|| automaton(stopwords)).transpose()?,
        })
    }

    /// Whether everything at a place is excused. A list with AND that looks at texts too says nothing yet.
    pub(crate) fn covers(&self, at: &Occurrence<'_>) -> bool {
        match self.condition {
            Condition::Or => self.has_commit(at) || self.has_path(at),
            Condition::And => !self.looks_at_texts() && self.place_agrees(at),
        }
    }

    /// What the texts of a match say.
    pub(crate) fn weigh(&self, texts: Texts<'_>) -> Verdict {
        match self.condition {
            Condition::Or if self.text_matches(texts) || self.has_stopword(texts) => {
                Verdict::Excused
            }
            Condition::Or => Verdict::Stands,
            Condition::And => {
                let agrees = self.looks_at_texts()
                    && (self.regexes.is_none() || self.text_matches(texts))
                    && (self.stopwords.is_none() || self.has_stopword(texts));
                match agrees {
                    false => Verdict::Stands,
                    true if self.commits.is_empty() && self.paths.is_none() => Verdict::Excused,
                    true => Verdict::ExcusedThere,
                }
            }
        }
    }

    /// Whether a place is one that a list with AND names; one without commits or paths names all.
    pub(crate) fn place_agrees(&self, at: &Occurrence<'_>) -> bool {
        (self.commits.is_empty() || self.has_commit(at))
            && (self.paths.is_none() || self.has_path(at))
    }

    fn looks_at_texts(&self) -> bool {
        self.regexes.is_some() || self.stopwords.is_some()
    }

    fn has_commit(&self, at: &Occurrence<'_>) -> bool {
        at.commit.is_some_and(|commit| {
            self.commits.iter().any(|listed| listed.eq_ignore_ascii_case(commit))
        })
    }

    fn has_path(&self, at: &Occurrence<'_>) -> bool {
        !at.path.is_empty()
            && self.paths.as_ref().is_some_and(|paths| paths.is_match(at.path.as_bytes()))
    }

    fn text_matches(&self, texts: Texts<'_>) -> bool {
        let text = match self.target {
            Target::Line => texts.line,
            Target::Match => texts.matched,
            Target::Secret => texts.secret,
        };
        !text.is_empty() && self.regexes.as_ref().is_some_and(|regexes| regexes.is_match(text))
    }

    fn has_stopword(&self, texts: Texts<'_>) -> bool {
        let Some(stopwords) = &self.stopwords else { return false };
        let secret = String::from_utf8_lossy(texts.secret).to_lowercase();
        stopwords.is_match(&secret)
    }
}
