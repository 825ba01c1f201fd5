use base_types::{Clock, ErrorKind, Name, Namespace, Ttl};
use core_policy::{Acl, Alias, Entity, Group, Identity, Operation, Parameters, Policy, Request};

use crate::hcl::{Lines, is_planted_only_in, position};
use crate::policy_reference::{Rules, Verdict};
use crate::{PLANTED, clock, text};

/// Policies: the compiled decision agrees with a naive reading of the text, with its own
/// explanation and with what `sys/capabilities` says, and never leaves the policy's namespace.
pub fn policy(data: &[u8]) {
    let text = text(data);
    let name = Name::parse("fuzz").unwrap();
    let policy = match Policy::parse(&name, &text) {
        Ok(policy) => policy,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge));
            let message = error.public().strip_prefix("failed to parse policy: ");
            if let Some(at) = message.and_then(position) {
                Lines::of(&text).check(at);
            }
            let hidden = ["allowed_parameters", "denied_parameters", "comment"];
            assert!(!error.public().contains(PLANTED) || !is_planted_only_in(&text, &hidden));
            return;
        }
    };
    let (identity, now) = (somebody(), clock().now());
    let below = Namespace::parse("ns1").unwrap();
    let rules = Rules::read(&text);
    let acl = Acl::compile(&[(&Namespace::root(), &policy)], &identity, now);
    let inside = Acl::compile(&[(&below, &policy)], &identity, now);
    for path in paths(&text) {
        for operation in OPERATIONS {
            check(&acl, rules.as_ref(), operation, &path);
            let request = Request::new(operation, &path);
            assert!(
                path.trim_start_matches('/').starts_with("ns1/")
                    || !inside.decide(&request).is_granted(),
                "{operation} {path:?} is outside of the policy's namespace"
            );
        }
    }
}

/// One of each kind: a listing, one with parameters, one without.
const OPERATIONS: [Operation; 4] =
    [Operation::Delete, Operation::List, Operation::Read, Operation::Update];

fn check(acl: &Acl, rules: Option<&Rules>, operation: Operation, path: &str) {
    let parameters = || Parameters::from_json(br#"{"a": "b", "ttl": 3600}"#);
    let wrap_ttl = Some(Ttl::from_seconds(60));
    let request = Request { parameters: &parameters, wrap_ttl, ..Request::new(operation, path) };
    let granted = acl.decide(&request).is_granted();
    let verdict = rules.map(|rules| rules.judge(operation, path));
    let agrees = match verdict {
        Some(Verdict::No) => !granted,
        Some(Verdict::Yes) => granted,
        Some(Verdict::Perhaps) | None => true,
    };
    assert!(agrees, "{operation} {path:?}: granted {granted}, the reference says {verdict:?}");
    assert_eq!(acl.explain(&request).granted, granted, "{operation} {path:?}");

    let is_listing = operation == Operation::List;
    let needed = operation.needs().unwrap().name();
    if granted && is_listing == path.ends_with('/') {
        let named = acl.capabilities(path);
        assert!(named.contains(&needed), "{operation} {path:?}: the capabilities are {named:?}");
    }
    if granted {
        let path = path.trim_start_matches('/');
        let above = path.match_indices('/').map(|(at, _)| &path[..=at]);
        for folder in above.filter(|folder| folder.len() < path.len()) {
            assert!(acl.reaches(folder), "{operation} {path:?} is granted, {folder:?} not reached");
        }
    }
}

/// Paths that the rules of the policy are about, and their neighbours.
fn paths(text: &str) -> Vec<String> {
    let body = base_hcl::parse(text).unwrap_or_default();
    let mut paths = vec![String::new(), "secret/data/app".to_owned()];
    for block in body.fields().blocks("path", 1).unwrap_or_default().iter().take(4) {
        let label = block.label(0).replace("{{identity.entity.id}}", "e1");
        let stem = label.strip_suffix('*').unwrap_or(&label);
        let filled = stem.replace('+', "x");
        let folder = filled.trim_end_matches('/').to_owned();
        paths.extend([
            format!("{filled}y"),
            format!("{filled}y/z/"),
            format!("{folder}/"),
            format!("{folder}/y/z"),
            folder,
            filled,
            label,
        ]);
    }
    paths
}

fn somebody() -> Identity {
    let map = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
    let alias = Alias {
        mount_accessor: "auth_userpass_1".into(),
        id: "a1".into(),
        name: "ada".into(),
        metadata: map("team", "ops"),
        custom_metadata: map("odd", "*/+"),
    };
    let entity = Entity {
        id: "e1".into(),
        name: "ada".into(),
        metadata: map("team", "ops"),
        aliases: vec![alias],
    };
    let group = Group { id: "g1".into(), name: "dev".into(), ..Group::default() };
    Identity { entity: Some(entity), groups: vec![group] }
}
