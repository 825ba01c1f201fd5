use std::sync::Arc;

use crate::grammar::Grammar;
use crate::{Config, Filter, Rule};

/// Adds the rules of `base`; of those that are in both, what `config` says goes before. In betterleaks 2 a rule that is in
/// both is the one of `config`, and expressions for all rules add up.
pub(crate) fn merge(config: &mut Config, base: Config, disabled: &[String], grammar: Grammar) {
    let replaces = grammar == Grammar::Betterleaks2;
    for base_rule in base.rules.into_iter().filter(|rule| !disabled.contains(&rule.id)) {
        match config.rules.iter_mut().find(|rule| rule.id == base_rule.id) {
            Some(_) if replaces => {}
            Some(rule) => *rule = merged(base_rule, std::mem::take(rule)),
            None => config.rules.push(base_rule),
        }
    }
    config.allowlists.extend(base.allowlists);
    inherit(&mut config.prefilters, base.prefilters, replaces);
    inherit(&mut config.filters, base.filters, replaces);
    config.hides_components |= base.hides_components;
    config.warnings.extend(base.warnings);
    config.rules.sort_by(|a, b| a.id.cmp(&b.id));
}

/// Takes over the expressions of `base`, if there are none yet or they are `added`.
fn inherit(own: &mut Vec<Arc<Filter>>, base: Vec<Arc<Filter>>, added: bool) {
    if own.is_empty() || added {
        own.extend(base);
    }
}

fn merged(base: Rule, own: Rule) -> Rule {
    let text = |own: String, base: String| if own.is_empty() { base } else { own };
    let list = |mut base: Vec<_>, own: Vec<_>| {
        base.extend(own);
        base
    };
    Rule {
        id: base.id,
        description: text(own.description, base.description),
        regex: own.regex.or(base.regex),
        path: own.path.or(base.path),
        secret_group: if own.secret_group == 0 { base.secret_group } else { own.secret_group },
        entropy: if own.entropy == 0.0 { base.entropy } else { own.entropy },
        keywords: list(base.keywords, own.keywords),
        tags: list(base.tags, own.tags),
        allowlists: base.allowlists.into_iter().chain(own.allowlists).collect(),
        filter: own.filter.or(base.filter),
        // gitleaks takes these from what is extended, even if the file at hand has its own.
        required: base.required,
        skip_report: base.skip_report,
        token_efficiency: base.token_efficiency,
        specificity: base.specificity,
        random: base.random || own.random,
    }
}
