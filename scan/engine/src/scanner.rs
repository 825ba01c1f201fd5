use std::ops::Range;

use base_types::{Error, Result};
use regex_automata::meta::Cache;
use scan_rules::{Config, Rule};

use crate::excuse::Excuse;
use crate::keywords::{Collector, Keywords};
use crate::plan::{Method, Plan};
use crate::search::Search;
use crate::{Finding, Hits, judge};

/// A configuration made ready to search. `Send` and `Sync`: one for all threads, with a [`Scratch`] for each.
pub struct Scanner {
    pub(crate) config: Config,
    pub(crate) options: Options,
    pub(crate) plans: Vec<Plan>,
    pub(crate) excuses: Vec<Excuse>,
    pub(crate) keywords: Keywords,
    /// For each literal the rules that it wakes up.
    pub(crate) wakes: Vec<Vec<usize>>,
    /// The rules that are run in all of a text.
    pub(crate) everywhere: Vec<usize>,
    watches_paths: bool,
}

/// What a scan may be told besides its rules.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many times what was decoded is decoded again; 0 decodes nothing.
    pub decode_depth: usize,
    /// Whether a comment in the line (`gitleaks:allow`, `betterleaks:allow`, `strongroom:allow`) excuses it.
    pub allow_comments: bool,
}

/// So many keywords and literals of expressions all rules may have together.
const LITERALS_MAX: usize = 60_000;

/// Where some bytes were found.
#[derive(Clone, Copy, Debug)]
pub struct Occurrence<'a> {
    /// With `/` between folders; empty if there is none, as for the standard input.
    pub path: &'a str,
    /// The hash of a commit in hexadecimal.
    pub commit: Option<&'a str>,
}

/// The caches of one thread.
pub struct Scratch {
    pub(crate) caches: Vec<Option<Cache>>,
    /// What is to be searched for each rule; empty between searches.
    pub(crate) windows: Vec<Vec<Range<usize>>>,
    /// The rules that have windows.
    pub(crate) woken: Vec<usize>,
    /// Whether the text has each literal.
    pub(crate) seen: Vec<bool>,
}

impl Default for Options {
    fn default() -> Self {
        Self { decode_depth: 5, allow_comments: true }
    }
}

impl Scanner {
    /// Makes `config` ready; its expressions are compiled when they are first needed.
    ///
    /// # Errors
    ///
    /// `Invalid` if the rules have more keywords than one search can look for.
    pub fn new(config: Config, options: Options) -> Result<Self> {
        let mut collector = Collector::default();
        let mut plans = Vec::with_capacity(config.rules.len());
        let mut wakes: Vec<Vec<usize>> = Vec::new();
        for (number, rule) in config.rules.iter().enumerate() {
            let (plan, wakers) = Plan::new(rule, &mut collector)?;
            wakes.resize(collector.len(), Vec::new());
            wakers.into_iter().for_each(|literal| wakes[literal].push(number));
            plans.push(plan);
        }
        if collector.len() > LITERALS_MAX {
            let count = collector.len();
            return Err(Error::invalid(format!(
                "the rules have {count} different keywords and literals, and at most {LITERALS_MAX} are supported; \
                 split the configuration"
            )));
        }
        connect(&config.rules, &mut plans);
        let everywhere = |plan: &Plan| matches!(plan.method, Method::Everywhere);
        Ok(Self {
            options,
            everywhere: (0..plans.len()).filter(|number| everywhere(&plans[*number])).collect(),
            watches_paths: config
                .rules
                .iter()
                .any(|rule| rule.regex.is_none() && !rule.skip_report),
            excuses: config.allowlists.iter().map(Excuse::new).collect::<Result<_>>()?,
            keywords: collector.finish(),
            config,
            plans,
            wakes,
        })
    }

    /// Caches for one thread.
    pub fn scratch(&self) -> Scratch {
        Scratch {
            caches: self.plans.iter().map(|_| None).collect(),
            windows: self.plans.iter().map(|_| Vec::new()).collect(),
            woken: Vec::new(),
            seen: vec![false; self.wakes.len()],
        }
    }

    /// Finds what depends on the bytes alone. `scratch` is one of this scanner's.
    pub fn search(&self, scratch: &mut Scratch, bytes: &[u8]) -> Hits {
        Search::new(self, scratch, bytes).run()
    }

    /// Whether a piece of a text may have a hit, whatever the rest of the text is. Who knows that the rest has none need
    /// not search it again.
    pub fn may_hit(&self, scratch: &mut Scratch, piece: &[u8]) -> bool {
        !Search::of_piece(self, scratch, piece).run().is_empty()
    }

    /// What of `hits` counts at a place: findings in the order of their place in the text, then what rules say of the
    /// path alone.
    pub fn judge(&self, hits: &Hits, at: &Occurrence<'_>) -> Vec<Finding> {
        if self.skips(at) { Vec::new() } else { judge::judge(self, hits, at) }
    }

    /// Whether there are rules for paths alone, so that [`Scanner::judge`] has something to say of bytes without hits.
    pub fn watches_paths(&self) -> bool {
        self.watches_paths
    }

    /// Whether nothing at this place can be a finding, by the allow lists for all rules, so that it need not be read.
    /// A folder may be asked for as well.
    pub fn skips(&self, at: &Occurrence<'_>) -> bool {
        self.excuses.iter().any(|excuse| excuse.covers(at))
    }

    /// The rules in their order, for reports that list them.
    pub fn rules(&self) -> &[Rule] {
        &self.config.rules
    }
}

/// Tells each plan which others it requires, and those that they are.
fn connect(rules: &[Rule], plans: &mut [Plan]) {
    for (number, rule) in rules.iter().enumerate() {
        for required in &rule.required {
            // A configuration is refused when it is read if there is no such rule.
            let Some(other) = rules.iter().position(|other| other.id == required.id) else {
                continue;
            };
            plans[number].required.push(other);
            plans[other].is_component = true;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_default_rule_has_a_literal_to_be_looked_for() {
        let scanner = Scanner::new(Config::default_set(), Options::default()).unwrap();
        let slow: Vec<&str> = scanner
            .everywhere
            .iter()
            .map(|number| scanner.config.rules[*number].id.as_str())
            .collect();
        assert!(slow.is_empty(), "these are run over all of a text: {slow:?}");
    }

    /// Searching around literals finds what searching all of a text does.
    #[test]
    fn windows_miss_nothing() {
        let config = Config::default_set();
        let options = Options { decode_depth: 0, ..Options::default() };
        let around = Scanner::new(config.clone(), options).unwrap();
        let mut everywhere = Scanner::new(config, options).unwrap();
        for plan in everywhere.plans.iter_mut().filter(|plan| plan.matcher.is_some()) {
            plan.method = Method::Everywhere;
        }
        everywhere.everywhere = (0..everywhere.plans.len()).collect();
        let (mut a, mut b) = (around.scratch(), everywhere.scratch());
        let mut found = 0;
        for file in scan_corpus::corpus().unwrap().iter().step_by(4) {
            let list = |hits: Hits| {
                let mut list: Vec<_> = hits
                    .list
                    .iter()
                    .map(|hit| (hit.rule, hit.span.clone(), hit.secret.expose().clone()))
                    .collect();
                list.sort_by_key(|(rule, span, _)| (*rule, span.start));
                list
            };
            let bytes = file.text.as_bytes();
            let windows = list(around.search(&mut a, bytes));
            assert!(windows == list(everywhere.search(&mut b, bytes)), "{}", file.path);
            found += windows.len();
        }
        assert!(found > 200, "{found} hits");
    }
}
