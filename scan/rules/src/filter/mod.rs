//! Expressions that say what is no finding: `filter` and `prefilter` of betterleaks.
//!
//! They are written in the language Expr, <https://expr-lang.org/docs/language-definition>, of which this reads what makes
//! sense for texts, numbers and lists, and the forms of CEL that betterleaks 1.2 to 1.5 used. What they can
//! be asked about is in <https://github.com/betterleaks/betterleaks/blob/main/docs/config.md>.
//!
//! An expression is checked when it is read: names, types, numbers of arguments and regular expressions. The engine
//! evaluates it.

mod access;
mod call;
mod cel;
mod function;
mod lexer;
mod parser;
mod term;
mod types;

pub use function::Function;
pub use term::{Field, Operator, Quantifier, Term, Text, Value};

use crate::Pattern;

/// A checked expression; where it is true there is no finding.
#[derive(Clone, Debug)]
pub struct Filter {
    pub term: Term,
    /// What [`Operator::Matches`] and [`Operator::FindMatch`] name by number.
    pub patterns: Vec<Pattern>,
    /// What [`Operator::ContainsAny`] names by number: words in lower case.
    pub words: Vec<Vec<String>>,
    /// So many variables it has; [`Term::Variable`] and [`Term::Let`] number them from 0.
    pub variables: usize,
}

/// What an expression may be about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// A finding and where it is.
    Finding,
    /// A text that is not searched yet: where it is, nothing else.
    Place,
}

/// What is wrong with an expression, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// In bytes, from the start of the expression.
    pub offset: usize,
    pub what: String,
}

impl Filter {
    /// Reads and checks an expression.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn parse(source: &str, scope: Scope) -> Result<Self, Fault> {
        parser::parse(source, scope)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fault(source: &str) -> (usize, String) {
        let fault = Filter::parse(source, Scope::Finding)
            .err()
            .unwrap_or_else(|| panic!("{source} was read"));
        (fault.offset, fault.what)
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (source, offset, expect) in [
            ("entropy(finding['secret'])", 0, "expected a truth value, found a number"),
            ("foo(1)", 0, "there is no function 'foo'"),
            ("secret == 'a'", 0, "there is no variable 'secret'"),
            ("finding['secrte'] == 'a'", 8, "finding has no 'secrte'"),
            ("entropy('a', 'b') > 1", 0, "entropy takes 1 argument, found 2"),
            ("entropy(3) > 1", 8, "expected a text, found a number"),
            ("'a' == 1", 4, "a text and a number"),
            ("true &&", 7, "expected a value, found the end"),
            ("true false", 5, "expected the end, found 'false'"),
            ("matchesAny(finding['secret'], ['(a'])", 30, "unclosed group"),
            ("matchesAny(finding['secret'], [finding['line']])", 30, "written out"),
            ("'abc", 0, "a text without its closing '"),
            ("let x = 1; let x = 2; true", 15, "'x' is there already"),
            ("http.get('x') == 'y'", 0, "there is no function 'http.get'"),
            ("1 § 2", 2, "'§' means nothing here"),
            ("# == 1", 0, "'#' stands for nothing here"),
        ] {
            let (at, what) = fault(source);
            assert!(what.contains(expect), "{source}: {what}");
            assert_eq!(at, offset, "{source}: {what}");
        }
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused() {
        let deep = format!("{}true{}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(fault(&deep).1.contains("nested"));
        assert!(fault(&format!("{}true", "!".repeat(10_000))).1.contains("nested"));
    }

    #[test]
    fn a_prefilter_knows_no_finding() {
        let fault = Filter::parse("finding['secret'] == 'a'", Scope::Place).unwrap_err();
        assert!(fault.what.contains("before anything is found"), "{}", fault.what);
    }
}
