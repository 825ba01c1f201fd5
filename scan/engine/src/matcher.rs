use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use regex_automata::meta::{self, Regex};
use regex_automata::{Anchored, Input, util::syntax};
use regex_syntax::hir::Hir;
use scan_rules::Pattern;

use crate::prefix::{Prefix, PrefixCache};

/// The expression of one rule or allow list, compiled when it is first needed.
pub(crate) struct Matcher {
    expression: Expression,
    regex: OnceLock<Regex>,
    prefix: OnceLock<Prefix>,
}

/// What one thread keeps of an expression between searches.
#[derive(Default)]
pub(crate) struct Cache {
    regex: Option<meta::Cache>,
    prefix: PrefixCache,
}

impl Cache {
    /// In bytes.
    pub(crate) fn memory_usage(&self) -> usize {
        self.regex.as_ref().map_or(0, meta::Cache::memory_usage) + self.prefix.memory_usage()
    }
}

enum Expression {
    Whole(Pattern),
    /// Of a pattern.
    Part(Hir),
}

/// An expression whose automaton grows too large is searched for at a hundredth of the usual speed. So that such a search can be stopped, a
/// long text is searched in slices of at least so many bytes.
const SLICE_MIN: usize = 64 << 10;

/// A match that is longer may be found in part.
const SLICED_MAX: usize = 256 << 10;

/// The lazy automaton of one expression may keep so many bytes of states in each thread.
pub(crate) const STATES_BYTES_MAX: usize = 1 << 20;

impl Matcher {
    pub(crate) fn new(pattern: Pattern) -> Self {
        Self::by(Expression::Whole(pattern))
    }

    pub(crate) fn of_part(part: Hir) -> Self {
        Self::by(Expression::Part(part))
    }

    fn by(expression: Expression) -> Self {
        Self { expression, regex: OnceLock::new(), prefix: OnceLock::new() }
    }

    pub(crate) fn groups(&self) -> usize {
        self.hir().properties().explicit_captures_len()
    }

    /// The leftmost match that lies within `range`, or the one at its start if it is `anchored`; what is around it is
    /// seen by `\b` and the like. None once the search was `stopped`.
    pub(crate) fn find(
        &self,
        cache: &mut Cache,
        bytes: &[u8],
        range: Range<usize>,
        anchored: bool,
        stopped: &AtomicBool,
    ) -> Option<Range<usize>> {
        if stopped.load(Ordering::Relaxed) {
            return None;
        }
        if anchored {
            let prefix = self.prefix.get_or_init(|| Prefix::new(self.hir()));
            let end = prefix.end(&mut cache.prefix, bytes, range.start, range.end)?;
            return Some(range.start..end);
        }
        let regex = self.regex();
        let cache = cache.regex.get_or_insert_with(|| regex.create_cache());
        let longest = self.hir().properties().maximum_len().unwrap_or(SLICED_MAX).min(SLICED_MAX);
        let slice = longest.max(SLICE_MIN);
        let mut start = range.start;
        loop {
            let end = range.end.min(start + slice + longest);
            let found = regex.search_with(cache, &Input::new(bytes).range(start..end));
            // What begins in the slice ends in what is searched, so it is found as if there were no slices.
            if end == range.end || found.is_some_and(|found| found.start() <= start + slice) {
                return found.map(|found| found.range());
            }
            if stopped.load(Ordering::Relaxed) {
                return None;
            }
            start += slice;
        }
    }

    /// The first match in `text` with its groups; the first of them is the whole.
    pub(crate) fn groups_of(&self, cache: &mut Cache, text: &[u8]) -> Vec<Option<Range<usize>>> {
        let regex = self.regex();
        let cache = cache.regex.get_or_insert_with(|| regex.create_cache());
        let mut captures = regex.create_captures();
        // Nearly always it begins where the text does, which is found out sooner.
        let input = Input::new(text);
        let anchored = input.clone().anchored(Anchored::Yes);
        regex.search_captures_with(cache, &anchored, &mut captures);
        if !captures.is_match() {
            regex.search_captures_with(cache, &input, &mut captures);
        }
        if !captures.is_match() {
            return Vec::new();
        }
        captures.iter().map(|span| span.map(|span| span.range())).collect()
    }

    /// The first match in `text`.
    pub(crate) fn first(&self, text: &[u8]) -> Option<Range<usize>> {
        self.regex().find(text).map(|found| found.range())
    }

    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.regex().is_match(text)
    }

    fn hir(&self) -> &Hir {
        match &self.expression {
            Expression::Whole(pattern) => pattern.hir(),
            Expression::Part(part) => part,
        }
    }

    fn regex(&self) -> &Regex {
        self.regex.get_or_init(|| {
            Regex::builder()
                .configure(
                    Regex::config()
                        .utf8_empty(false)
                        // The pattern was refused when it was read if it is too big.
                        .nfa_size_limit(None)
                        .onepass(false)
                        .dfa(false)
                        .hybrid_cache_capacity(STATES_BYTES_MAX),
                )
                .syntax(syntax::Config::new().utf8(false))
                .build_from_hir(self.hir())
                .expect("the pattern was parsed, and there is no limit on its size")
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn matcher(source: &str) -> Matcher {
        Matcher::new(Pattern::new(source).unwrap())
    }

    fn find(matcher: &Matcher, text: &[u8], is_stopped: bool) -> Option<Range<usize>> {
        let stopped = AtomicBool::new(is_stopped);
        matcher.find(&mut Cache::default(), text, 0..text.len(), false, &stopped)
    }

    #[test]
    fn a_long_text_in_slices_has_the_matches_that_it_has_as_a_whole() {
        let sources = ["ab{1,9}c", "a(?:b{3}c|b)", r"\bab", "b+c$", "a[^c]*", "a?", "xy"];
        for matcher in sources.map(matcher) {
            for at in SLICE_MIN - 12..SLICE_MIN + 12 {
                let mut text = vec![b'.'; 3 * SLICE_MIN];
                text[at..at + 6].copy_from_slice(b"abbbbc");
                assert_eq!(find(&matcher, &text, false), matcher.first(&text), "{at}");
            }
        }
    }

    #[test]
    fn a_search_can_be_stopped() {
        let text = b"abc";
        assert_eq!(find(&matcher("b"), text, false), Some(1..2));
        assert_eq!(find(&matcher("b"), text, true), None);
    }
}
