use std::ops::Range;

use base_types::Result;
use regex_syntax::hir::Hir;
use scan_rules::Rule;

use crate::excuse::Excuse;
use crate::filter::Judge;
use crate::keywords::Collector;
use crate::matcher::Matcher;
use crate::opening::Opening;
use crate::reach::{Distance, Extent, head};
use crate::trigger::{self, Trigger};

/// How one rule is searched for.
pub(crate) struct Plan {
    pub(crate) matcher: Option<Matcher>,
    pub(crate) path: Option<Matcher>,
    pub(crate) method: Method,
    /// The numbers of the keywords, one of which a text must have; empty if that is certain anyway.
    pub(crate) gate: Vec<usize>,
    pub(crate) excuses: Vec<Excuse>,
    pub(crate) judge: Option<Judge>,
    /// Places in the list of rules; parallel to the rule's `required`.
    pub(crate) required: Vec<usize>,
    /// Whether another rule requires this one, which then counts without its keywords too.
    pub(crate) is_component: bool,
    pub(crate) extent: Extent,
    /// Whether it stands for no rule but for what a far one begins with.
    pub(crate) is_head: bool,
    /// Whether it is far, and another plan stands for what it begins with.
    pub(crate) has_head: bool,
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
    pub(crate) fn new(
        rule: &Rule,
        trigger: Option<Trigger>,
        keywords: &mut Collector,
    ) -> Result<(Self, Vec<usize>)> {
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
        let (method, wakers) = match (&rule.regex, &trigger) {
            (None, _) => (Method::Nowhere, Vec::new()),
            (Some(_), None) => (Method::Everywhere, Vec::new()),
            (Some(pattern), Some(trigger)) => Method::by(trigger, pattern.hir(), keywords),
        };
        let judge = rule.filter.clone().map(Judge::new).transpose()?;
        let looks_far = judge.as_ref().is_some_and(|judge| judge.is_far);
        let plan = Self {
            matcher: rule.regex.clone().map(Matcher::new),
            path: rule.path.clone().map(Matcher::new),
            method,
            gate,
            excuses: rule.allowlists.iter().map(Excuse::new).collect::<Result<_>>()?,
            required: Vec::new(),
            is_component: false,
            extent: match &rule.regex {
                _ if looks_far => Extent::Far,
                None => Extent::Near { most: Distance::Bytes(0), lead: Distance::Bytes(0) },
                Some(pattern) => Extent::of(pattern.hir(), trigger.as_ref()),
            },
            judge,
            is_head: false,
            has_head: false,
        };
        Ok((plan, wakers))
    }

    /// A plan for what the expression of a far rule begins with; `None` if it begins with nothing that can be looked for, or
    /// is far for another reason.
    pub(crate) fn of_head(
        &self,
        rule: &Rule,
        keywords: &mut Collector,
    ) -> Option<(Self, Vec<usize>)> {
        if self.judge.as_ref().is_some_and(|judge| judge.is_far) {
            return None;
        }
        let head = head(rule.regex.as_ref()?.hir())?;
        let trigger = trigger::of(&head)?;
        let (method, wakers) = Method::by(&trigger, &head, keywords);
        let extent = Extent::of(&head, Some(&trigger));
        let plan = Self {
            matcher: Some(Matcher::of_part(head)),
            path: None,
            method,
            gate: Vec::new(),
            excuses: Vec::new(),
            required: Vec::new(),
            is_component: false,
            judge: None,
            extent,
            is_head: true,
            has_head: false,
        };
        Some((plan, wakers))
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

impl Method {
    /// How to search for an expression that has a trigger, and the numbers of its literals.
    fn by(trigger: &Trigger, hir: &Hir, keywords: &mut Collector) -> (Self, Vec<usize>) {
        let wakers = trigger.literals.iter().map(|literal| keywords.number(literal)).collect();
        let method = match (trigger.lead, trigger.tail) {
            (Some(0), Some(tail)) if tail <= REACH_MAX => {
                Self::At { opening: Opening::of(hir), tail }
            }
            (lead, tail) => Self::Around {
                lead: lead.unwrap_or(REACH_MAX).min(REACH_MAX),
                tail: tail.unwrap_or(REACH_MAX).min(REACH_MAX),
            },
        };
        (method, wakers)
    }
}

fn contains(literal: &[u8], keyword: &str) -> bool {
    memchr::memmem::find(literal, keyword.as_bytes()).is_some()
}
