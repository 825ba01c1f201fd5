//! Works out the expressions of betterleaks: whether a match is no finding.
//!
//! What an expression is about becomes known in two steps: first the match in its text, then the path and the commit. The
//! first step leaves an expression in which all that it could work out is done, so that the text can be dropped.

mod evaluate;
mod operation;
mod subject;
mod token;

use std::sync::Arc;

use aho_corasick::AhoCorasick;
use base_types::{Error, Result};
use scan_rules::Filter;
use scan_rules::filter::{Field, Operator, Term, Text, Value};

use crate::matcher::Matcher;

pub(crate) use subject::{Match, PathMatch, Unknown};
pub(crate) use token::is_too_efficient;

/// An expression made ready.
pub(crate) struct Judge {
    filter: Arc<Filter>,
    matchers: Vec<Matcher>,
    words: Vec<Option<AhoCorasick>>,
    /// Whether it looks at more of the text than the lines of the match.
    pub(crate) is_far: bool,
}

/// What expressions ask of a match.
pub(crate) trait Subject {
    fn field(&self, field: Field) -> Value;
}

/// What expressions ask of a place.
pub(crate) trait Place {
    /// An empty text if there is no such thing, `None` if that is not known yet.
    fn attribute(&self, name: &str) -> Option<Text>;
}

/// What an expression came to.
pub(crate) enum Outcome {
    /// The match stands, too, if the expression could not be worked out.
    Decided(bool),
    /// What is left of it hangs on the place.
    Open(Term),
}

impl Judge {
    pub(crate) fn new(filter: Arc<Filter>) -> Result<Self> {
        let automaton = |words: &Vec<String>| {
            let automaton = || {
                AhoCorasick::builder().build(words).map_err(|e| {
                    Error::invalid(format!("the words of an expression are too many: {e}"))
                })
            };
            (!words.is_empty()).then(automaton).transpose()
        };
        Ok(Self {
            matchers: filter.patterns.iter().cloned().map(Matcher::new).collect(),
            words: filter.words.iter().map(automaton).collect::<Result<_>>()?,
            is_far: is_far(&filter.term),
            filter,
        })
    }

    /// Asks the expression about a match whose place may not be known yet.
    pub(crate) fn ask(&self, subject: &dyn Subject, place: &dyn Place) -> Outcome {
        self.outcome(evaluate::Evaluation::new(self, Some(subject), place).of(&self.filter.term))
    }

    /// Asks it about a place alone.
    pub(crate) fn ask_place(&self, place: &dyn Place) -> Outcome {
        self.outcome(evaluate::Evaluation::new(self, None, place).of(&self.filter.term))
    }

    /// Whether it is true of a place of which all is known.
    pub(crate) fn is_true_of(&self, place: &dyn Place) -> bool {
        matches!(self.ask_place(place), Outcome::Decided(true))
    }

    /// Asks what was left of it.
    pub(crate) fn finish(&self, open: &Term, place: &dyn Place) -> bool {
        let outcome = self.outcome(evaluate::Evaluation::new(self, None, place).of(open));
        matches!(outcome, Outcome::Decided(true))
    }

    fn outcome(&self, worked_out: std::result::Result<Term, Arc<str>>) -> Outcome {
        match worked_out {
            Ok(Term::Value(Value::Truth(truth))) => Outcome::Decided(truth),
            Ok(Term::Value(_) | Term::Fault(_)) | Err(_) => Outcome::Decided(false),
            Ok(open) => Outcome::Open(open.detached()),
        }
    }

    fn variables(&self) -> usize {
        self.filter.variables
    }

    fn matcher(&self, number: usize) -> &Matcher {
        &self.matchers[number]
    }

    fn has_word(&self, number: usize, text: &[u8]) -> bool {
        let lower = || String::from_utf8_lossy(text).to_lowercase();
        self.words[number].as_ref().is_some_and(|words| words.is_match(&lower()))
    }
}

/// Whether a term asks where in the text the match is, or what else the text has.
fn is_far(term: &Term) -> bool {
    match term {
        Term::Finding(field) => matches!(
            field,
            Field::Raw
                | Field::MatchStart
                | Field::MatchEnd
                | Field::MatchLineStart
                | Field::MatchLineEnd
        ),
        Term::Value(_) | Term::Attribute(_) | Term::Variable(_) | Term::Fault(_) => false,
        Term::Let(_, a, b) | Term::And(a, b) | Term::Or(a, b) | Term::Each(_, _, a, b) => {
            is_far(a) || is_far(b)
        }
        Term::Choice(a, b, c) => is_far(a) || is_far(b) || is_far(c),
        Term::List(terms) | Term::Apply(_, terms) => terms.iter().any(is_far),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scan_rules::Config;

    use crate::{Attributes, Occurrence, Options, Scanner};

    struct Author(&'static str);

    impl Attributes for Author {
        fn attribute(&self, name: &str) -> String {
            if name == "git.author_name" { self.0.to_owned() } else { String::new() }
        }
    }

    /// Whether a match stands that is found in a file of somebody.
    fn stands(filter: &str, path: &str, author: &'static str) -> bool {
        let config =
            format!("[[rules]]\nid = 'k'\nregex = 'key-([0-9]+)'\nfilter = '''{filter}'''\n");
        let scanner =
            Scanner::new(Config::parse(&config, "test").unwrap(), Options::default()).unwrap();
        let hits = scanner.search(&mut scanner.scratch(), b"the key-1234 of tests\n");
        let attributes = Author(author);
        let at = Occurrence { path, commit: None, attributes: Some(&attributes) };
        !scanner.judge(&hits, &at).is_empty()
    }

    #[test]
    fn what_hangs_on_the_place_is_asked_where_it_is_known() {
        let filter = "let known = finding['secret'] == '1234' && attributes['path'] endsWith '.md';\n\
                      known || any([attributes['git.author_name']], finding['fragment_raw'] contains #)";
        assert!(stands(filter, "a.rs", "bot"));
        assert!(!stands(filter, "a.md", "bot"));
        assert!(!stands(filter, "a.rs", "tests"));
    }

    #[test]
    fn what_cannot_be_worked_out_lets_the_match_stand() {
        for filter in [
            "any(1..90000, {let a = #; none(1..90000, # == a - 100000)}) && false",
            "all(1..90000, {let a = #; any(1..90000, # == a + 100000)}) || true == (1 == 2)",
            "len(repeat(repeat(finding['secret'], 1000), 100000)) > 3",
            "[1][finding['match_start_idx']] == 1",
            "9223372036854775807 + len(finding['secret']) > 0",
            "int(finding['match']) == 3",
            "7 % (len(finding['secret']) - 4) == 1",
        ] {
            assert!(stands(filter, "a.rs", ""), "{filter}");
        }
        // A fault that nobody needs is none.
        assert!(!stands("finding['secret'] == '1234' || [1][9] == 1", "a.rs", ""));
        assert!(!stands("attributes['path'] == 'a.rs' || [1][9] == 1", "a.rs", ""));
        assert!(stands("attributes['path'] == 'b.rs' || [1][9] == 1", "a.rs", ""));
    }
}
