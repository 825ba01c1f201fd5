//! Every rule of the default set finds its examples, what is drawn from its own expression, and nothing in its
//! counter-examples.

use scan_corpus::{Draw, Example, examples};
use scan_engine::{Finding, Occurrence, Options, Scanner, Scratch};
use scan_rules::Config;

/// So many times each example is drawn.
const ROUNDS: usize = 5;

/// Of what is drawn from an expression, a few look like a placeholder or are no secret by their entropy.
const MISSES_MAX: usize = 2;

struct Bench {
    scanner: Scanner,
    scratch: Scratch,
    draw: Draw,
}

impl Bench {
    fn new() -> Self {
        let scanner = Scanner::new(Config::default_set(), Options::default()).unwrap();
        Self { scratch: scanner.scratch(), scanner, draw: Draw::new(1) }
    }

    fn search(&mut self, text: &str, path: &str) -> Vec<Finding> {
        let hits = self.scanner.search(&mut self.scratch, text.as_bytes());
        self.scanner.judge(&hits, &Occurrence::of(path))
    }

    /// What the rules find in an example.
    fn found(&mut self, example: &Example, template: &str) -> (String, Vec<String>) {
        let (text, _) = self.draw.fill(template).unwrap();
        let findings = match example.of_path {
            true => self.search("", &text),
            false => self.search(&format!("a line before\n{text}\na line behind\n"), "source.txt"),
        };
        (text, findings.into_iter().map(|finding| finding.rule_id).collect())
    }
}

#[test]
fn rules_find_their_examples() {
    let mut bench = Bench::new();
    let mut missed = Vec::new();
    for example in examples().unwrap() {
        for template in &example.finds {
            let texts: Vec<_> = (0..ROUNDS).map(|_| bench.found(&example, template)).collect();
            let misses = texts.iter().filter(|(_, rules)| !rules.contains(&example.rule)).count();
            if misses > usize::from(!example.of_path) {
                missed
                    .push(format!("{} missed {misses} of {ROUNDS}: {:?}", example.rule, texts[0]));
            }
        }
    }
    assert!(missed.is_empty(), "{} examples:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn rules_pass_their_counter_examples() {
    let mut bench = Bench::new();
    let mut wrong = Vec::new();
    for example in examples().unwrap() {
        for template in &example.passes {
            let (text, rules) = bench.found(&example, template);
            if rules.contains(&example.rule) || !rules.is_empty() && !template.contains("<<") {
                wrong.push(format!("{}: {rules:?} in {text:?}", example.rule));
            }
        }
    }
    assert!(wrong.is_empty(), "{} examples:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn rules_find_what_is_drawn_from_their_expression() {
    let mut bench = Bench::new();
    let rules = Config::default_set().rules;
    assert!(rules.len() >= 250, "{} rules", rules.len());
    let mut missed = Vec::new();
    for rule in &rules {
        let Some(pattern) = rule.regex.as_ref().filter(|_| rule.keywords.is_empty()) else {
            continue;
        };
        let misses = (0..20)
            .filter(|_| {
                let text = bench.draw.matching(pattern);
                let findings = bench.search(&format!("\n{text}\n"), "source.txt");
                !findings.iter().any(|finding| finding.rule_id == rule.id)
            })
            .count();
        // Rules that ask for more than their expression says are tried by their examples.
        let asks_more = !rule.allowlists.is_empty() || rule.random || rule.entropy > 0.0;
        if misses > if asks_more { 20 - MISSES_MAX } else { MISSES_MAX } {
            missed.push(format!("{} missed {misses} of 20", rule.id));
        }
    }
    assert!(missed.is_empty(), "{} rules:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn rules_have_names_of_their_own_and_examples_of_both_kinds() {
    let rules = Config::default_set().rules;
    let examples = examples().unwrap();
    assert_eq!(rules.len(), examples.len());
    for (rule, example) in rules.iter().zip(&examples) {
        assert_eq!(rule.id, example.rule);
        assert!(!rule.description.is_empty(), "{} has no description", rule.id);
        assert!(
            !example.finds.is_empty() && !example.passes.is_empty(),
            "{} lacks examples",
            rule.id
        );
        assert_eq!(
            rules.iter().filter(|other| other.id == rule.id).count(),
            1,
            "{} is there twice",
            rule.id
        );
    }
}
