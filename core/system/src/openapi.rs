use std::collections::BTreeMap;

use core_engine_api::{Endpoint, Verb};
use serde_json::{Map, Value, json};

/// An OpenAPI document of these mounts: the path of each, and its endpoints.
pub(crate) fn document<'a>(mounts: impl Iterator<Item = (&'a str, &'a [Endpoint])>) -> Value {
    let (mut paths, mut schemas) = (BTreeMap::<String, Map<String, Value>>::new(), Map::new());
    for (mount, endpoints) in mounts {
        for endpoint in endpoints {
            let path = format!("/{mount}{}", endpoint.pattern.replace("..}", "}"));
            let path = match path.trim_end_matches('/') {
                folder if endpoint.verb.is_listing() => format!("{folder}/"),
                file => file.to_owned(),
            };
            let item = paths.entry(path).or_default();
            if endpoint.sudo {
                item.insert("x-vault-sudo".into(), true.into());
            }
            if endpoint.open {
                item.insert("x-vault-unauthenticated".into(), true.into());
            }
            let operation = operation(mount, endpoint, &mut schemas);
            item.insert(method(endpoint.verb).to_owned(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Strongroom API",
            "description": "All paths are prefixed with `/v1/`.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0" },
        },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

/// OpenAPI knows no LIST and no SCAN; both are also spelled GET with a query.
fn method(verb: Verb) -> &'static str {
    match verb {
        Verb::Delete => "delete",
        Verb::List | Verb::Read | Verb::Scan => "get",
        Verb::Patch => "patch",
        Verb::Write => "post",
    }
}

fn operation(mount: &str, endpoint: &Endpoint, schemas: &mut Map<String, Value>) -> Value {
    let in_path: Vec<&str> = path_parameters(endpoint.pattern).collect();
    let schema = lift_definitions((endpoint.schema)().to_value(), schemas);
    let properties =
        schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut parameters: Vec<Value> =
        in_path.iter().map(|name| path_parameter(name, &properties)).collect();
    let fields = properties.into_iter().filter(|(name, _)| !in_path.contains(&name.as_str()));
    let fields: Map<String, Value> = fields.collect();
    if endpoint.verb.is_listing() {
        let name = if endpoint.verb == Verb::List { "list" } else { "scan" };
        let schema = json!({ "type": "string", "enum": ["true"] });
        parameters.push(json!({ "name": name, "in": "query", "required": true, "schema": schema }));
    }
    let mut operation = Map::new();
    operation.insert("summary".into(), endpoint.summary.into());
    operation.insert("operationId".into(), operation_id(mount, endpoint).into());
    let tag = if mount.starts_with("auth/") {
        "auth"
    } else if mount == "sys/" {
        "system"
    } else {
        "secrets"
    };
    operation.insert("tags".into(), json!([tag]));
    if matches!(endpoint.verb, Verb::Patch | Verb::Write) && !fields.is_empty() {
        let schema = json!({ "type": "object", "properties": fields });
        let content = json!({ "application/json": { "schema": schema } });
        operation.insert("requestBody".into(), json!({ "required": true, "content": content }));
    } else {
        let query = |(name, schema): (String, Value)| json!({ "name": name, "in": "query", "schema": schema });
        parameters.extend(fields.into_iter().map(query));
    }
    if !parameters.is_empty() {
        operation.insert("parameters".into(), parameters.into());
    }
    operation.insert("responses".into(), json!({ "200": { "description": "OK" } }));
    operation.into()
}

pub(crate) fn path_parameters(pattern: &str) -> impl Iterator<Item = &str> {
    let name = |segment: &'_ str| segment.starts_with('{');
    pattern
        .split('/')
        .filter(move |segment| name(segment))
        .map(|segment| segment.trim_start_matches('{').trim_end_matches('}').trim_end_matches(".."))
}

fn path_parameter(name: &str, properties: &Map<String, Value>) -> Value {
    let description = properties.get(name).and_then(|schema| schema.get("description"));
    let description = description.cloned().unwrap_or_default();
    let schema = json!({ "type": "string" });
    json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema })
}

fn operation_id(mount: &str, endpoint: &Endpoint) -> String {
    let words = format!("{:?}-{mount}{}", endpoint.verb, endpoint.pattern).to_lowercase();
    let parts = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-")
}

/// Moves the definitions of a schema to where the whole document finds them. Two requests may
/// define different things under one name: the second gets a number.
fn lift_definitions(mut schema: Value, schemas: &mut Map<String, Value>) -> Value {
    let Some(Value::Object(definitions)) =
        schema.as_object_mut().and_then(|schema| schema.remove("$defs"))
    else {
        return schema;
    };
    let mut names = BTreeMap::new();
    for (name, definition) in definitions {
        let taken =
            |candidate: &String| schemas.get(candidate).is_some_and(|other| *other != definition);
        let numbered = (1..).map(|number| match number {
            1 => name.clone(),
            number => format!("{name}_{number}"),
        });
        let free = numbered.into_iter().find(|candidate| !taken(candidate)).unwrap_or_default();
        schemas.insert(free.clone(), definition);
        names.insert(format!("#/$defs/{name}"), format!("#/components/schemas/{free}"));
    }
    for free in names.values().filter_map(|path| path.rsplit('/').next()) {
        if let Some(definition) = schemas.get_mut(free) {
            rename(definition, &names);
        }
    }
    rename(&mut schema, &names);
    schema
}

fn rename(schema: &mut Value, names: &BTreeMap<String, String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref")
                && let Some(name) = names.get(target)
            {
                target.clone_from(name);
            }
            members.values_mut().for_each(|member| rename(member, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        _ => {}
    }
}
