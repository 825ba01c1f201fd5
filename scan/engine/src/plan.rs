use std::ops::Range;

use base_types::Result;
use scan_rules::Rule;

use crate::excuse::Excuse;
use crate::keywords::Collector;
use crate::matcher::Matcher;
use crate::opening::Opening;
use crate::trigger;

/// How one rule is searched for.
pub(crate) struct Plan {
    pub(crate) matcher: Option<Matcher>,
    pub(crate) path: Option<Matcher>,
    pub(crate) method: Method,
    /// The numbers of the keywords, one of which a text must have; empty if that is certain anyway.
    pub(crate) gate: Vec<usize>,
    pub(crate) excuses: Vec<Excuse>,
    /// Places in the list of rules; parallel to the rule's `required`.
    pub(crate) required: Vec<usize>,
    /// Whether another rule requires this one, which then counts without its keywords too.
    pub(crate) is_component: bool,
    pub(crate) is_generic: bool,
}

/// Where an expression is tried.
pub(crate) enum Method {
    /// Exactly where one of its literals begins.
    At { opening: Opening, tail: usize },
    /// In windows around its literals.
    Around { lead: usize, tail: usize },
    /// In all of a text.
    Everywhere,
    /// In no text; the rule looks at paths.
    Nowhere,
}

/// A match that may be longer is looked for no further than this from its literal. gitleaks looks at pieces of 100 kB.
const REACH_MAX: usize = 128 << 10;

impl Plan {
    /// Plans `rule`, whose literals go into `keywords`; and the numbers of those that wake it up.
    pub(crate) fn new(rule: &Rule, keywords: &mut Collector) -> Result<(Self, Vec<usize>)> {
        let trigger = rule.regex.as_ref().and_then(|pattern| trigger::of(pattern.hir()));
        let certain = trigger.as_ref().is_some_and(|trigger| {
            let has_keyword =
                |literal: &Vec<u8>| rule.keywords.iter().any(|keyword| contains(literal, keyword));
            trigger.literals.iter().all(has_keyword)
        });
        let gate = match certain {
            true => Vec::new(),
            false => {
                rule.keywords.iter().map(|keyword| keywords.number(keyword.as_bytes())).collect()
            }
        };
        let (method, wakers) = match (&rule.regex, trigger) {
            (None, _) => (Method::Nowhere, Vec::new()),
            (Some(_), None) => (Method::Everywhere, Vec::new()),
            (Some(pattern), Some(trigger)) => {
                let wakers =
                    trigger.literals.iter().map(|literal| keywords.number(literal)).collect();
                let method = match (trigger.lead, trigger.tail) {
                    (Some(0), Some(tail)) if tail <= REACH_MAX => {
                        Method::At { opening: Opening::of(pattern.hir()), tail }
                    }
                    (lead, tail) => Method::Around {
                        lead: lead.unwrap_or(REACH_MAX).min(REACH_MAX),
                        tail: tail.unwrap_or(REACH_MAX).min(REACH_MAX),
                    },
                };
                (method, wakers)
            }
        };
        let plan = Self {
            matcher: rule.regex.clone().map(Matcher::new),
            path: rule.path.clone().map(Matcher::new),
            method,
            gate,
            excuses: rule.allowlists.iter().map(Excuse::new).collect::<Result<_>>()?,
            required: Vec::new(),
            is_component: false,
            is_generic: rule.id.to_lowercase().contains("generic"),
        };
        Ok((plan, wakers))
    }

    /// What is to be searched because a literal begins at `at`, if anything is.
    pub(crate) fn window(&self, text: &[u8], at: usize) -> Option<Range<usize>> {
        match &self.method {
            Method::At { opening, tail } => {
                opening.allows(&text[at..]).then(|| at..text.len().min(at + tail))
            }
            Method::Around { lead, tail } => {
                Some(at.saturating_sub(*lead)..text.len().min(at + tail))
            }
            Method::Everywhere | Method::Nowhere => None,
        }
    }
}

fn contains(literal: &[u8], keyword: &str) -> bool {
    memchr::memmem::find(literal, keyword.as_bytes()).is_some()
}
