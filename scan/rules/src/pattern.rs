use std::sync::Arc;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

use crate::re2;

/// A regular expression as Go's RE2 reads it, checked and parsed; compiling it cannot fail. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: Arc<str>,
    hir: Arc<Hir>,
}

/// So many states an expression may have when its repetitions are written out; each takes some 20 bytes.
const STATES_MAX: usize = 500_000;

/// How deep groups may be nested.
const NESTING_MAX: u32 = 250;

impl Pattern {
    /// Parses `source`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong: no syntax of RE2, or too big once its repetitions are written out.
    pub fn new(source: impl Into<String>) -> Result<Self, String> {
        let source = source.into();
        let translated = re2::translate(&source)?;
        let mut parser = ParserBuilder::new().utf8(false).nest_limit(NESTING_MAX).build();
        let hir = parser.parse(&translated).map_err(|e| reason(&e))?;
        let states = states(&hir);
        if states > STATES_MAX {
            return Err(format!(
                "the expression is too big: about {states} states when its repetitions are written out, \
                 and at most {STATES_MAX} are allowed; make the counts in braces smaller"
            ));
        }
        Ok(Self { source: source.into(), hir: Arc::new(hir) })
    }

    /// One pattern for all of `sources`: gitleaks joins them by `|`, so that a flag set in one holds in those after it.
    pub(crate) fn any<'a>(sources: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let list: Vec<&str> = sources.into_iter().collect();
        Self::new(format!("(?:{})", list.join("|")))
    }

    /// One pattern for all of `sources`, whose flags hold in themselves alone, as in betterleaks.
    pub(crate) fn any_apart<'a>(
        sources: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, String> {
        let mut list = Vec::new();
        for source in sources {
            Self::new(source)?;
            list.push(format!("(?:{source})"));
        }
        Self::new(list.join("|"))
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its meaning, for the engine.
    pub fn hir(&self) -> &Hir {
        &self.hir
    }

    /// How many groups it has, apart from the whole match.
    pub fn groups(&self) -> usize {
        self.hir.properties().explicit_captures_len()
    }
}

/// The sentence of the parser without its drawing of the expression.
fn reason(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(e) => e.kind().to_string(),
        regex_syntax::Error::Translate(e) => e.kind().to_string(),
        other => other.to_string(),
    }
}

/// A bound of the states that compiling makes of `hir`.
fn states(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        // A class beyond ASCII becomes the sequences of bytes that encode it.
        HirKind::Class(class) => {
            if class.is_utf8() && class.maximum_len() > Some(1) {
                8
            } else {
                1
            }
        }
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(2),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min.saturating_add(1)).max(1);
            states(&repetition.sub).saturating_add(1).saturating_mul(times as usize)
        }
        HirKind::Concat(list) | HirKind::Alternation(list) => {
            list.iter().map(states).fold(1, usize::saturating_add)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_would_take_all_memory_is_refused() {
        let fault = Pattern::new("((a{900}){900}){900}").err().unwrap();
        assert!(fault.contains("too big"), "{fault}");
        // The one that takes other engines exponential time is harmless here.
        assert_eq!(Pattern::new("(a*)*b").unwrap().groups(), 1);
    }

    #[test]
    fn faults_of_the_syntax_are_one_sentence() {
        for source in ["(a", "a)", "*a", "a{3,2}", r"\p{Nonsense}"] {
            let fault = Pattern::new(source).err().unwrap();
            assert!(!fault.is_empty() && !fault.contains('\n'), "{source}: {fault}");
        }
    }
}
