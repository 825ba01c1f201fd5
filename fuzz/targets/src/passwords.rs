use base_crypto::SeededRandom;
use base_hcl::Body;
use base_types::ErrorKind;
use core_pipeline::PasswordPolicy;

use crate::text;

/// Password policies: what a policy accepts it can also keep, read from its text a second time.
pub fn passwords(data: &[u8]) {
    let text = text(data);
    let policy = match PasswordPolicy::parse(&text) {
        Ok(policy) => policy,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge));
            return;
        }
    };
    let body = base_hcl::parse(&text).unwrap();
    let rules = rules(&body);
    // A policy that hardly any draw meets costs 10,000 draws, which says nothing new.
    if rules.iter().map(|(_, least)| least).sum::<usize>() > 4 {
        return;
    }
    match policy.generate(&SeededRandom::new(1)) {
        Err(error) => assert!(error.is(ErrorKind::Invalid)),
        Ok(password) => {
            let chars: Vec<char> = password.expose().chars().collect();
            let length = body.fields().integer("length", 4, 100).unwrap().unwrap();
            assert_eq!(chars.len() as i64, length);
            assert!(chars.iter().all(|char| rules.iter().any(|(set, _)| set.contains(*char))));
            for (set, least) in rules {
                assert!(chars.iter().filter(|char| set.contains(**char)).count() >= least);
            }
        }
    }
}

/// The charset of every rule with how many characters of it there must be.
fn rules(body: &Body) -> Vec<(String, usize)> {
    let blocks = body.fields().blocks("rule", 1).unwrap();
    let rule = |block: &base_hcl::Block<'_>| {
        let mut fields = block.body.fields();
        let charset = fields.string("charset").unwrap().unwrap_or_default();
        let least = fields.integer("min-chars", 0, 100).unwrap().unwrap_or(0);
        (charset, least as usize)
    };
    blocks.iter().map(rule).collect()
}
