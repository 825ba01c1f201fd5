use std::collections::BTreeMap;
use std::fmt::Write as _;

use core_engine_api::{Endpoint, Found, Verb};
use core_pipeline::MountEntry;
use serde::Serialize;
use serde_json::Value;

use crate::openapi;

/// The answer to `help=1`.
#[derive(Serialize)]
pub struct Help {
    /// For people.
    pub help: String,
    pub see_also: Option<Vec<String>>,
    /// The same for programs.
    pub openapi: Value,
}

/// What there is to know about `path` in a mount; `None` if the mount knows no such path. The
/// empty path asks about the whole mount.
pub fn help(mount: &MountEntry, path: &str) -> Option<Help> {
    let path = path.trim_matches('/');
    let endpoints: Vec<&Endpoint> = if path.is_empty() {
        mount.kind.endpoints().iter().collect()
    } else {
        let find = |verb: Verb| match mount.backend.find(verb, path) {
            Found::Route { route, .. } => Some(mount.backend.endpoint(route)),
            Found::Nothing | Found::OtherVerb => None,
        };
        let found: Vec<&Endpoint> = Verb::ALL.into_iter().filter_map(find).collect();
        let closest = found.iter().map(|endpoint| endpoint.pattern).max_by_key(|it| literals(it));
        found.into_iter().filter(|endpoint| Some(endpoint.pattern) == closest).collect()
    };
    let first = endpoints.first()?;
    let help = if path.is_empty() {
        overview(mount, &endpoints)
    } else {
        format!(
            "Request:        {path}\nMatching Route: {}\n\n{}",
            first.pattern,
            details(&endpoints)
        )
    };
    let endpoints: Vec<Endpoint> = endpoints.into_iter().cloned().collect();
    let openapi = openapi::document([(mount.record.path.as_str(), &*endpoints)].into_iter());
    Some(Help { help, see_also: None, openapi })
}

/// How many segments of a pattern stand for themselves: the more, the closer it fits.
fn literals(pattern: &str) -> usize {
    pattern.split('/').filter(|segment| !segment.starts_with('{')).count()
}

fn overview(mount: &MountEntry, endpoints: &[&Endpoint]) -> String {
    let mut by_pattern = BTreeMap::<&str, Vec<&str>>::new();
    for endpoint in endpoints {
        let summaries = by_pattern.entry(endpoint.pattern).or_default();
        if !endpoint.summary.is_empty() && !summaries.contains(&endpoint.summary) {
            summaries.push(endpoint.summary);
        }
    }
    let mut text = format!("## DESCRIPTION\n\n{}\n\n## PATHS\n\n", mount.kind.meta().summary);
    text.push_str(
        "To view help for any of these paths, ask for help with a path that matches it.\n",
    );
    for (pattern, summaries) in by_pattern {
        push_entry(&mut text, pattern, &summaries.join("\n"));
    }
    text
}

fn details(endpoints: &[&Endpoint]) -> String {
    let (mut text, mut fields) = (String::from("## OPERATIONS\n"), BTreeMap::new());
    for endpoint in endpoints {
        let sudo = if endpoint.sudo { " Needs sudo." } else { "" };
        let open = if endpoint.open { " Needs no token." } else { "" };
        push_entry(&mut text, name(endpoint.verb), &format!("{}{sudo}{open}", endpoint.summary));
        let schema = (endpoint.schema)().to_value();
        for (field, schema) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            fields.insert(format!("{field} ({})", kind(schema)), description.to_owned());
        }
    }
    if !fields.is_empty() {
        text.push_str("\n## PARAMETERS\n");
    }
    for (field, description) in fields {
        push_entry(&mut text, &field, &description);
    }
    text
}

fn push_entry(text: &mut String, name: &str, description: &str) {
    let _ = writeln!(text, "\n    {name}");
    for line in description.lines() {
        let _ = writeln!(text, "        {line}");
    }
}

fn name(verb: Verb) -> &'static str {
    match verb {
        Verb::Delete => "DELETE",
        Verb::List => "LIST",
        Verb::Patch => "PATCH",
        Verb::Read => "GET",
        Verb::Scan => "SCAN",
        Verb::Write => "POST",
    }
}

/// The type of a field in one word.
fn kind(schema: &Value) -> String {
    let name = |value: &Value| value.as_str().filter(|name| *name != "null").map(str::to_owned);
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().find_map(name),
        Some(kind) => name(kind),
        None => None,
    };
    match schema.get("format").and_then(Value::as_str) {
        Some("seconds") => "duration".to_owned(),
        _ => kind.unwrap_or_else(|| "object".to_owned()),
    }
}
