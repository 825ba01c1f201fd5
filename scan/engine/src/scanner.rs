use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::ScopedJoinHandle;

use base_types::{Error, Result};
use scan_rules::{Config, Filter, Pattern, Rule};

use crate::excuse::Excuse;
use crate::filter::{Judge, Outcome};
use crate::keywords::{Collector, Keywords};
use crate::matcher::{Cache, Matcher};
use crate::occurrence::PathAlone;
use crate::plan::{Method, Plan};
use crate::reach::{Before, Extent, Piece};
use crate::search::Search;
use crate::trigger::{self, Trigger};
use crate::{Clues, Copied, Finding, Hits, Occurrence, judge, names};

/// A configuration made ready to search. `Send` and `Sync`: one for all threads, with a [`Scratch`] for each.
pub struct Scanner {
    pub(crate) config: Config,
    pub(crate) options: Options,
    /// One for each rule in their order, then those of heads.
    pub(crate) plans: Vec<Plan>,
    pub(crate) excuses: Vec<Excuse>,
    /// The expressions that are asked about every match.
    pub(crate) judges: Vec<Judge>,
    /// Those that are asked before a text is searched.
    prefilters: Vec<Judge>,
    pub(crate) keywords: Keywords,
    /// For each literal the rules that it wakes up.
    pub(crate) wakes: Vec<Vec<usize>>,
    /// The rules that are run in all of a text.
    pub(crate) everywhere: Vec<usize>,
    /// The literals of which one makes a text far reaching, and whether every text is.
    pub(crate) far: Vec<usize>,
    pub(crate) is_far: bool,
    /// The literals of which one may make matches count that are elsewhere.
    pub(crate) gates: Vec<usize>,
    /// So far from what was decoded the literal of a match with it may be, in bytes.
    pub(crate) around_decoded: usize,
    /// For each rule for paths alone what it says of names, if that is anything.
    names: Vec<Option<Matcher>>,
}

/// What a scan may be told besides its rules.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many times what was decoded is decoded again; 0 decodes nothing.
    pub decode_depth: usize,
    /// Whether a comment in the line (`gitleaks:allow`, `betterleaks:allow`, `strongroom:allow`) excuses it.
    pub allow_comments: bool,
}

/// See [`Scanner::around_decoded`].
const AROUND_DECODED: usize = 4 << 10;

/// So many keywords and literals of expressions all rules may have together.
const LITERALS_MAX: usize = 60_000;

/// The caches of one thread.
pub struct Scratch {
    pub(crate) caches: Vec<Cache>,
    /// What is to be searched for each rule; empty between searches.
    pub(crate) windows: Vec<Vec<Range<usize>>>,
    /// The rules that have windows.
    pub(crate) woken: Vec<usize>,
    /// Whether the text has each literal.
    pub(crate) seen: Vec<bool>,
    pub(crate) stopped: Arc<AtomicBool>,
    /// Searches since the size of the caches was looked at.
    pub(crate) searches: usize,
}

/// So much the caches of one thread may take up.
const CACHES_BYTES_MAX: usize = 48 << 20;
/// After so many searches somebody looks.
const SEARCHES_MAX: usize = 64;

impl Scratch {
    /// Ends searches soon once `stopped` says so. What they have found until then is not all.
    pub fn stopped_by(mut self, stopped: Arc<AtomicBool>) -> Self {
        self.stopped = stopped;
        self
    }

    /// Drops the caches if they have become too large; what is in use comes back soon.
    pub(crate) fn trim(&mut self) {
        self.searches += 1;
        if self.searches < SEARCHES_MAX {
            return;
        }
        self.searches = 0;
        let size: usize = self.caches.iter().map(Cache::memory_usage).sum();
        if size > CACHES_BYTES_MAX {
            self.caches.fill_with(Cache::default);
        }
    }
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
        let (mut far_rules, mut far, mut gates) = (Vec::new(), Vec::new(), Vec::new());
        for (number, (rule, trigger)) in
            config.rules.iter().zip(triggers(&config.rules)).enumerate()
        {
            let (plan, wakers) = Plan::new(rule, trigger, &mut collector)?;
            wakes.resize(collector.len(), Vec::new());
            wakers.iter().for_each(|literal| wakes[*literal].push(number));
            if plan.extent == Extent::Far && rule.regex.is_some() {
                far_rules.push((number, wakers));
            }
            plans.push(plan);
        }
        let mut is_far = false;
        for (number, literals) in far_rules {
            if let Some((plan, wakers)) =
                plans[number].of_head(&config.rules[number], &mut collector)
            {
                wakes.resize(collector.len(), Vec::new());
                wakers.into_iter().for_each(|literal| wakes[literal].push(plans.len()));
                plans[number].has_head = true;
                plans.push(plan);
            } else {
                is_far |= literals.is_empty();
                far.extend(literals);
            }
        }
        if collector.len() > LITERALS_MAX {
            let count = collector.len();
            return Err(Error::invalid(format!(
                "the rules have {count} different keywords and literals, and at most {LITERALS_MAX} are supported; \
                 split the configuration"
            )));
        }
        connect(&config.rules, &mut plans);
        let judges = |filters: &[Arc<Filter>]| -> Result<Vec<Judge>> {
            filters.iter().cloned().map(Judge::new).collect()
        };
        let all = judges(&config.filters)?;
        let everywhere = |plan: &Plan| matches!(plan.method, Method::Everywhere);
        for plan in &plans {
            // The keywords of a rule for paths say something of all of a text.
            if matches!(plan.method, Method::Nowhere) {
                far.extend(&plan.gate);
            } else {
                gates.extend(&plan.gate);
            }
        }
        let names = of_paths(&config);
        let names = names.map(|pattern| names::of(pattern.hir()).map(Matcher::of_part)).collect();
        Ok(Self {
            options,
            everywhere: (0..plans.len()).filter(|number| everywhere(&plans[*number])).collect(),
            far: sorted(far),
            is_far: is_far || all.iter().any(|judge| judge.is_far),
            judges: all,
            prefilters: judges(&config.prefilters)?,
            gates: sorted(gates),
            names,
            around_decoded: AROUND_DECODED,
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
            caches: self.plans.iter().map(|_| Cache::default()).collect(),
            windows: self.plans.iter().map(|_| Vec::new()).collect(),
            woken: Vec::new(),
            seen: vec![false; self.wakes.len()],
            stopped: Arc::default(),
            searches: 0,
        }
    }

    /// Finds what depends on the bytes alone. `scratch` is one of this scanner's.
    pub fn search(&self, scratch: &mut Scratch, bytes: &[u8]) -> Hits {
        self.search_by(scratch, bytes, &self.clues(bytes))
    }

    /// As [`Scanner::search`], by the clues of these bytes.
    pub fn search_by(&self, scratch: &mut Scratch, bytes: &[u8], clues: &Clues) -> Hits {
        Search::new(self, scratch, bytes).run(clues)
    }

    /// What a search of these bytes goes by.
    pub fn clues(&self, bytes: &[u8]) -> Clues {
        let mut clues = Clues::default();
        self.look(&mut clues, bytes, 0..bytes.len());
        clues
    }

    /// As [`Scanner::clues`], for a text that has whole lines `copied`, in the order of their places, of one whose clues are
    /// known.
    pub fn clues_of_change(&self, bytes: &[u8], before: &Clues, copied: &[Copied]) -> Clues {
        // A literal over several lines is in none of them.
        if self.keywords.has_line_break() {
            return self.clues(bytes);
        }
        let look = |clues: &mut Clues, lines| self.look(clues, bytes, lines);
        Clues::of_change(before, copied, bytes.len(), look)
    }

    fn look(&self, clues: &mut Clues, bytes: &[u8], lines: Range<usize>) {
        clues.look(&self.keywords, self.options.decode_depth > 0, bytes, lines);
    }

    /// Whether a changed text has the hits of the one before, and none of them where the change is: then it says where those
    /// around the change are. `piece` is what is around it, and the change is `core` of that. What is known of the text before
    /// holds for the changed one then, but for the places around the change. Where it is not certain, the answer is `None`.
    pub fn settles(
        &self,
        scratch: &mut Scratch,
        piece: Piece<'_>,
        core: &Range<usize>,
        before: Before,
    ) -> Option<Vec<Range<usize>>> {
        // What is far may be completed anywhere.
        if self.is_far || before.reach.is_far {
            return None;
        }
        Search::new(self, scratch, piece.text).settles(piece, core, before)
    }

    /// What of `hits` counts at a place: findings in the order of their place in the text, then what rules say of the
    /// path alone.
    pub fn judge(&self, hits: &Hits, at: &Occurrence<'_>) -> Vec<Finding> {
        if self.skips(at) || self.prefilters.iter().any(|judge| judge.is_true_of(at)) {
            Vec::new()
        } else {
            judge::judge(self, hits, at)
        }
    }

    /// Whether there are rules for paths alone, so that [`Scanner::judge`] has something to say of bytes without hits.
    pub fn watches_paths(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether a rule for paths alone may have something to say of a file with this name, if that can be said without its
    /// folder.
    pub fn watches(&self, name: &[u8]) -> bool {
        self.names.iter().flatten().any(|pattern| pattern.is_match(name))
    }

    /// Whether there is a rule for paths alone that may have something to say of a file with any name.
    pub fn watches_folders(&self) -> bool {
        self.names.iter().any(Option::is_none)
    }

    /// Whether nothing at this place can be a finding, by the allow lists for all rules and what expressions say of the
    /// path, so that it need not be read. A folder may be asked for as well.
    pub fn skips(&self, at: &Occurrence<'_>) -> bool {
        let skips =
            |judge: &Judge| matches!(judge.ask_place(&PathAlone(at.path)), Outcome::Decided(true));
        self.excuses.iter().any(|excuse| excuse.covers(at)) || self.prefilters.iter().any(skips)
    }

    /// The rules in their order, for reports that list them.
    pub fn rules(&self) -> &[Rule] {
        &self.config.rules
    }
}

/// So many rules are worth a thread.
const CHUNK_MIN: usize = 64;

/// The trigger of every rule. To find them is half of what is done here.
fn triggers(rules: &[Rule]) -> Vec<Option<Trigger>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let of = |rule: &Rule| rule.regex.as_ref().and_then(|pattern| trigger::of(pattern.hir()));
    std::thread::scope(|scope| {
        let chunks = rules.chunks(rules.len().div_ceil(threads).max(CHUNK_MIN));
        let threads = chunks.map(|rules| scope.spawn(|| rules.iter().map(of).collect::<Vec<_>>()));
        let threads: Vec<_> = threads.collect();
        let join = |thread: ScopedJoinHandle<'_, Vec<_>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().flat_map(join).collect()
    })
}

/// The patterns of the rules for paths alone.
fn of_paths(config: &Config) -> impl Iterator<Item = &Pattern> {
    let rules = config.rules.iter().filter(|rule| rule.regex.is_none() && !rule.skip_report);
    rules.filter_map(|rule| rule.path.as_ref())
}

fn sorted(mut literals: Vec<usize>) -> Vec<usize> {
    literals.sort_unstable();
    literals.dedup();
    literals
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

    /// One over two lines would make the history be searched for all literals again and again.
    #[test]
    fn no_literal_of_a_default_rule_goes_over_the_end_of_a_line() {
        let scanner = Scanner::new(Config::default_set(), Options::default()).unwrap();
        assert!(!scanner.keywords.has_line_break());
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
