use std::collections::HashMap;

use base_types::Secret;
use scan_rules::filter::Term;
use scan_rules::{Near, Rule};

use crate::filter::{Outcome, PathMatch};
use crate::hits::{ExcuseId, Hit, JudgeId};
use crate::near;
use crate::plan::{Method, Plan};
use crate::{Component, Finding, Hits, Occurrence, Scanner};

/// So many findings of one required rule are kept with the finding that requires it.
const COMPONENTS_MAX: usize = 16;

/// What counts at one place.
pub(crate) fn judge(scanner: &Scanner, hits: &Hits, at: &Occurrence<'_>) -> Vec<Finding> {
    let mut applies: HashMap<usize, bool> = HashMap::new();
    let mut standing: Vec<&Hit> = hits
        .list
        .iter()
        .filter(|hit| {
            *applies.entry(hit.rule).or_insert_with(|| scanner.plans[hit.rule].applies(at))
        })
        .filter(|hit| !excused(scanner, hit, at))
        .collect();
    standing.sort_by_key(|hit| (hit.span.start, hit.rule));
    let paths = path_rules(scanner, hits, at);
    let mut reported = Vec::new();
    for hit in standing.iter().filter(|hit| hit.reported) {
        if let Some(components) = components(scanner, hit, &standing, at) {
            reported.push((*hit, components));
        }
    }
    let others = Others::of(scanner, &reported);
    let mut findings: Vec<Finding> = reported
        .iter()
        .filter(|(hit, _)| !others.go_before(scanner.rule(hit), hit))
        .map(|(hit, components)| finding(scanner.rule(hit), hit, components.clone()))
        .collect();
    findings.extend(paths.into_iter().map(|rule| of_path(rule, at.path)));
    findings
}

impl Plan {
    /// Whether the rule counts at a place at all.
    fn applies(&self, at: &Occurrence<'_>) -> bool {
        let excused = self.excuses.iter().any(|excuse| excuse.covers(at));
        !excused && self.path.as_ref().is_none_or(|path| path.is_match(at.path.as_bytes()))
    }
}

impl Scanner {
    fn rule(&self, hit: &Hit) -> &Rule {
        &self.config.rules[hit.rule]
    }
}

fn excused(scanner: &Scanner, hit: &Hit, at: &Occurrence<'_>) -> bool {
    let is_dropped = |(id, open): &(JudgeId, Term)| {
        let judge = match id {
            JudgeId::OfAll(i) => Some(&scanner.judges[*i]),
            JudgeId::OfRule => scanner.plans[hit.rule].judge.as_ref(),
        };
        judge.is_some_and(|judge| judge.finish(open, at))
    };
    let is_excused = |id: &ExcuseId| {
        let excuse = match id {
            ExcuseId::OfAll(i) => &scanner.excuses[*i],
            ExcuseId::OfRule(i) => &scanner.plans[hit.rule].excuses[*i],
        };
        excuse.place_agrees(at)
    };
    hit.excused_there.iter().any(is_excused) || hit.open.iter().any(is_dropped)
}

/// The rules for paths alone that count here.
fn path_rules<'s>(scanner: &'s Scanner, hits: &Hits, at: &Occurrence<'_>) -> Vec<&'s Rule> {
    let counts = |number: usize, plan: &Plan| {
        matches!(plan.method, Method::Nowhere)
            && !scanner.config.rules[number].skip_report
            && (plan.gate.is_empty() || hits.path_rules.contains(&number))
            && plan.applies(at)
            && !is_dropped_path(scanner, number, at)
    };
    let rules = scanner.plans.iter().enumerate().filter(|(number, plan)| counts(*number, plan));
    rules.map(|(number, _)| &scanner.config.rules[number]).collect()
}

/// Whether an expression drops what a rule finds in a path.
fn is_dropped_path(scanner: &Scanner, number: usize, at: &Occurrence<'_>) -> bool {
    let found = PathMatch { rule: &scanner.config.rules[number], path: at.path };
    let mut judges = scanner.judges.iter().chain(&scanner.plans[number].judge);
    judges.any(|judge| matches!(judge.ask(&found, at), Outcome::Decided(true)))
}

/// What the rules that this hit's rule requires found near by; `None` if one of them found nothing.
fn components(
    scanner: &Scanner,
    hit: &Hit,
    standing: &[&Hit],
    at: &Occurrence<'_>,
) -> Option<Vec<Component>> {
    let mut all = Vec::new();
    for (required, number) in
        scanner.rule(hit).required.iter().zip(&scanner.plans[hit.rule].required)
    {
        let rule = &scanner.config.rules[*number];
        let mut found: Vec<Component> = standing
            .iter()
            .filter(|other| {
                other.rule == *number
                    && other.depth == hit.depth
                    && near::is_near(hit, other, &required.near)
            })
            .take(COMPONENTS_MAX)
            .map(|other| component(rule, other))
            .collect();
        // A rule for paths alone has found its path on the line before the first.
        if rule.regex.is_none() && scanner.plans[*number].applies(at) && hit.depth == 0 {
            let near = match &required.near {
                Near::Starts { lines, columns } => {
                    lines.is_none_or(|lines| hit.location.start_line <= lines)
                        && columns.is_none_or(|columns| hit.location.start_column <= columns)
                }
                Near::Anywhere | Near::Window(_) => true,
            };
            found.extend(near.then(|| path_component(rule, at.path)));
        }
        if found.is_empty() && !required.optional {
            return None;
        }
        all.extend(found);
    }
    Some(all)
}

/// What else was found, by the line that it begins in.
struct Others<'h> {
    /// With the specificity of the rule.
    secrets: HashMap<usize, Vec<(i64, &'h [u8])>>,
    /// What composite findings are made of.
    components: HashMap<usize, Vec<(&'h Component, i64)>>,
}

impl<'h> Others<'h> {
    fn of(scanner: &Scanner, reported: &'h [(&'h Hit, Vec<Component>)]) -> Self {
        let mut others = Self { secrets: HashMap::new(), components: HashMap::new() };
        for (hit, components) in reported {
            let secret = (scanner.rule(hit).specificity, hit.secret.expose().as_slice());
            others.secrets.entry(hit.location.start_line).or_default().push(secret);
            for component in components.iter().filter(|_| scanner.config.hides_components) {
                let specificity =
                    scanner.config.rule(&component.rule_id).map(|rule| rule.specificity);
                let component = (component, specificity.unwrap_or_default());
                others.components.entry(component.0.start_line).or_default().push(component);
            }
        }
        others
    }

    /// Whether a rule that goes before this one found the same secret in the line, or more of it, or whether the hit is told
    /// as a part of a composite finding.
    fn go_before(&self, rule: &Rule, hit: &Hit) -> bool {
        let (line, secret) = (hit.location.start_line, hit.secret.expose().as_slice());
        let contains = |other: &[u8]| memchr::memmem::find(other, secret).is_some();
        let better = |other: &(i64, &[u8])| other.0 > rule.specificity && contains(other.1);
        let is_part = |(component, specificity): &(&Component, i64)| {
            let other = component.secret.expose().as_slice();
            (component.rule_id == rule.id && other == secret) || better(&(*specificity, other))
        };
        self.secrets.get(&line).is_some_and(|others| others.iter().any(better))
            || self.components.get(&line).is_some_and(|others| others.iter().any(is_part))
    }
}

fn finding(rule: &Rule, hit: &Hit, required: Vec<Component>) -> Finding {
    let Hit { location, matched, secret, line, in_line, span, entropy, tags, .. } = hit;
    Finding {
        rule_id: rule.id.clone(),
        description: rule.description.clone(),
        start_line: location.start_line,
        end_line: location.end_line,
        start_column: location.start_column,
        end_column: location.end_column,
        matched: matched.clone(),
        secret: secret.clone(),
        line: line.clone(),
        span: span.clone(),
        in_line: in_line.clone(),
        entropy: *entropy,
        tags: rule.tags.iter().chain(tags).cloned().collect(),
        required,
    }
}

fn component(rule: &Rule, hit: &Hit) -> Component {
    Component {
        rule_id: rule.id.clone(),
        start_line: hit.location.start_line,
        end_line: hit.location.end_line,
        start_column: hit.location.start_column,
        end_column: hit.location.end_column,
        matched: hit.matched.clone(),
        secret: hit.secret.clone(),
    }
}

fn path_component(rule: &Rule, path: &str) -> Component {
    Component {
        rule_id: rule.id.clone(),
        start_line: 0,
        end_line: 0,
        start_column: 0,
        end_column: 0,
        matched: Secret::new(format!("file detected: {path}").into_bytes()),
        secret: Secret::default(),
    }
}

fn of_path(rule: &Rule, path: &str) -> Finding {
    Finding {
        rule_id: rule.id.clone(),
        description: rule.description.clone(),
        start_line: 0,
        end_line: 0,
        start_column: 0,
        end_column: 0,
        matched: Secret::new(format!("file detected: {path}").into_bytes()),
        secret: Secret::default(),
        line: Secret::default(),
        span: 0..0,
        in_line: None,
        entropy: 0.0,
        tags: rule.tags.clone(),
        required: Vec::new(),
    }
}
