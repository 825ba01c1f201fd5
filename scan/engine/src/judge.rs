use std::collections::HashMap;

use base_types::Secret;
use scan_rules::{Required, Rule};

use crate::hits::{ExcuseId, Hit};
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
    let better = better_by_line(scanner, &reported);
    let mut findings: Vec<Finding> = reported
        .iter()
        .filter(|(hit, _)| !is_generic_twin(scanner, hit, &better))
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
    hit.excused_there.iter().any(|id| {
        let excuse = match id {
            ExcuseId::OfAll(i) => &scanner.excuses[*i],
            ExcuseId::OfRule(i) => &scanner.plans[hit.rule].excuses[*i],
        };
        excuse.place_agrees(at)
    })
}

/// The rules for paths alone that count here.
fn path_rules<'s>(scanner: &'s Scanner, hits: &Hits, at: &Occurrence<'_>) -> Vec<&'s Rule> {
    let counts = |number: usize, plan: &Plan| {
        matches!(plan.method, Method::Nowhere)
            && !scanner.config.rules[number].skip_report
            && (plan.gate.is_empty() || hits.path_rules.contains(&number))
            && plan.applies(at)
    };
    let rules = scanner.plans.iter().enumerate().filter(|(number, plan)| counts(*number, plan));
    rules.map(|(number, _)| &scanner.config.rules[number]).collect()
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
                other.rule == *number && other.depth == hit.depth && is_near(hit, other, required)
            })
            .take(COMPONENTS_MAX)
            .map(|other| component(rule, other))
            .collect();
        // A rule for paths alone has found its path on the line before the first.
        if rule.regex.is_none() && scanner.plans[*number].applies(at) && hit.depth == 0 {
            let lines = required.within_lines.is_none_or(|lines| hit.location.start_line <= lines);
            let columns =
                required.within_columns.is_none_or(|columns| hit.location.start_column <= columns);
            found.extend((lines && columns).then(|| path_component(rule, at.path)));
        }
        if found.is_empty() {
            return None;
        }
        all.extend(found);
    }
    Some(all)
}

fn is_near(hit: &Hit, other: &Hit, required: &Required) -> bool {
    let within = |a: usize, b: usize, distance: Option<usize>| {
        distance.is_none_or(|max| a.abs_diff(b) <= max)
    };
    within(hit.location.start_line, other.location.start_line, required.within_lines)
        && within(hit.location.start_column, other.location.start_column, required.within_columns)
}

/// The secrets of rules that are not generic, by the line they begin in.
fn better_by_line<'h>(
    scanner: &Scanner,
    reported: &[(&'h Hit, Vec<Component>)],
) -> HashMap<usize, Vec<&'h Hit>> {
    let mut lines: HashMap<usize, Vec<&Hit>> = HashMap::new();
    for (hit, _) in reported.iter().filter(|(hit, _)| !scanner.plans[hit.rule].is_generic) {
        lines.entry(hit.location.start_line).or_default().push(hit);
    }
    lines
}

/// Whether a generic rule found what a better one found too.
fn is_generic_twin(scanner: &Scanner, hit: &Hit, better: &HashMap<usize, Vec<&Hit>>) -> bool {
    scanner.plans[hit.rule].is_generic
        && better.get(&hit.location.start_line).is_some_and(|others| {
            others.iter().any(|other| {
                memchr::memmem::find(other.secret.expose(), hit.secret.expose()).is_some()
            })
        })
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
