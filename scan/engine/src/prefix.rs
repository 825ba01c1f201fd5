use regex_automata::hybrid::dfa::{self, DFA};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{NFA, WhichCaptures};
use regex_automata::{Anchored, Input};
use regex_syntax::hir::Hir;

use crate::matcher::STATES_BYTES_MAX;

/// An expression that is tried at given places alone, and of which only the end of a match is asked. So it needs no automaton
/// that looks for the start of one, which takes as long to build as the other.
pub(crate) struct Prefix {
    /// `None` for an expression of which it would have no room.
    dfa: Option<DFA>,
    pikevm: PikeVM,
}

#[derive(Default)]
pub(crate) struct PrefixCache {
    dfa: Option<dfa::Cache>,
    pikevm: Option<pikevm::Cache>,
}

impl Prefix {
    pub(crate) fn new(hir: &Hir) -> Self {
        let config = NFA::config()
            .utf8(false)
            // The pattern was refused when it was read if it is too big.
            .nfa_size_limit(None)
            .which_captures(WhichCaptures::Implicit);
        let nfa = NFA::compiler()
            .configure(config)
            .build_from_hir(hir)
            .expect("the pattern was parsed, and there is no limit on its size");
        // A text that makes more states than it has use of is better searched without them.
        let config = DFA::config()
            .cache_capacity(STATES_BYTES_MAX)
            .minimum_cache_clear_count(Some(3))
            .minimum_bytes_per_state(Some(10));
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa.clone()).ok();
        let pikevm = PikeVM::new_from_nfa(nfa).expect("it takes every automaton with captures");
        Self { dfa, pikevm }
    }

    /// Where the match ends that begins at `start`, if there is one and it ends by `end`.
    pub(crate) fn end(
        &self,
        cache: &mut PrefixCache,
        bytes: &[u8],
        start: usize,
        end: usize,
    ) -> Option<usize> {
        let input = Input::new(bytes).range(start..end).anchored(Anchored::Yes);
        if let Some(dfa) = &self.dfa {
            let cache = cache.dfa.get_or_insert_with(|| dfa.create_cache());
            if let Ok(found) = dfa.try_search_fwd(cache, &input) {
                return found.map(|found| found.offset());
            }
        }
        let cache = cache.pikevm.get_or_insert_with(|| self.pikevm.create_cache());
        self.pikevm.find(cache, input).map(|found| found.end())
    }
}

impl PrefixCache {
    /// In bytes.
    pub(crate) fn memory_usage(&self) -> usize {
        self.dfa.as_ref().map_or(0, dfa::Cache::memory_usage)
            + self.pikevm.as_ref().map_or(0, pikevm::Cache::memory_usage)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scan_rules::Pattern;

    use super::*;

    fn end(source: &str, text: &[u8], start: usize) -> Option<usize> {
        let prefix = Prefix::new(Pattern::new(source).unwrap().hir());
        let mut cache = PrefixCache::default();
        let found = prefix.end(&mut cache, text, start, text.len());
        // And so without the states.
        let slow = Prefix { dfa: None, ..prefix };
        assert_eq!(slow.end(&mut cache, text, start, text.len()), found, "{source}");
        found
    }

    #[test]
    fn a_match_begins_at_its_place() {
        assert_eq!(end("b+", b"abbc", 1), Some(3));
        assert_eq!(end("b+", b"abbc", 0), None);
        assert_eq!(end("b|bb", b"abbc", 1), Some(2));
        assert_eq!(end("bb|b", b"abbc", 1), Some(3));
        assert_eq!(end(r"\bb", b"abbc", 1), None);
        assert_eq!(end(r"b\b", b"ab c", 1), Some(2));
        assert_eq!(end("[^x]+", b"a\xFFb", 0), Some(1));
    }
}
