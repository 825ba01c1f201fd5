use std::collections::BTreeMap;

use base_hcl::{Block, Body, Fields, Kind, Position, Value};
use base_types::{Error, Name, Result, Timestamp, Ttl};
use serde_json::Value as Json;

use crate::builtin::ROOT;
use crate::capability::{Capabilities, Capability};
use crate::constraints::Constraints;
use crate::template::Template;

/// A named list of rules, parsed from its text.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) name: Name,
    pub(crate) rules: Vec<PathRule>,
    warnings: Vec<String>,
}

/// One `path "…" { … }`.
#[derive(Clone, Debug)]
pub(crate) struct PathRule {
    /// Without its leading slash, relative to the policy's namespace.
    pub(crate) path: String,
    pub(crate) template: Template,
    pub(crate) line: u32,
    pub(crate) capabilities: Capabilities,
    pub(crate) constraints: Constraints,
    /// The last instant at which the rule counts.
    pub(crate) expiration: Option<Timestamp>,
}

impl Policy {
    /// Reads HCL, or JSON if the text begins with `{`.
    ///
    /// # Errors
    /// `Invalid`, with the line, for a text that is malformed, has an unknown key, capability or
    /// legacy policy, or uses what this server does not support; also for the reserved name `root`.
    pub fn parse(name: &Name, text: &str) -> Result<Self> {
        if name.as_str() == ROOT {
            return Err(Error::invalid("the policy \"root\" has no text"));
        }
        if text.trim().is_empty() {
            return Err(Error::invalid("'policy' parameter not supplied or empty"));
        }
        let body = base_hcl::parse(text).map_err(|error| error.at("failed to parse policy"))?;
        let mut parser = Parser { warnings: Vec::new() };
        let rules = parser.policy(&body).map_err(|error| error.at("failed to parse policy"))?;
        Ok(Self { name: name.clone(), rules, warnings: parser.warnings })
    }

    /// The policy that grants everything in its namespace and below. It has no text.
    pub fn root() -> Self {
        let name = Name::parse(ROOT).expect("the name of the root policy is a name");
        Self { name, rules: Vec::new(), warnings: Vec::new() }
    }

    /// The policy with none of its rules counting after `expiration`.
    pub fn until(mut self, expiration: Option<Timestamp>) -> Self {
        for rule in &mut self.rules {
            rule.expiration = rule.expiration.into_iter().chain(expiration).min();
        }
        self
    }

    pub fn name(&self) -> &Name {
        &self.name
    }

    pub fn is_root(&self) -> bool {
        self.name.as_str() == ROOT
    }

    /// What the author probably did not mean, each with its line.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Some rule depends on the identity, so that what this policy comes to differs between tokens.
    pub fn is_templated(&self) -> bool {
        self.rules.iter().any(|rule| rule.template.has_directives())
    }
}

impl PathRule {
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        self.expiration.is_some_and(|expiration| expiration < now)
    }
}

struct Parser {
    warnings: Vec<String>,
}

/// Keys of Vault or OpenBao which restrict a rule by means that do not exist here. To ignore them
/// would grant more than the author meant.
const UNSUPPORTED: [&str; 3] =
    ["control_group", "mfa_methods", "list_scan_response_keys_filter_path"];

impl Parser {
    fn policy(&mut self, body: &Body) -> Result<Vec<PathRule>> {
        let mut fields = body.fields();
        // The name inside the text has never had an effect: the request's path names the policy.
        fields.string("name")?;
        let blocks = fields.blocks("path", 1)?;
        fields.finish()?;
        blocks.iter().map(|block| self.rule(block)).collect()
    }

    fn rule(&mut self, block: &Block<'_>) -> Result<PathRule> {
        let at = block.at;
        let path = block.label(0);
        let path = path.strip_prefix('/').unwrap_or(path);
        let template = self.path(at, path)?;
        let mut fields = block.body.fields();
        fields.ignored("comment");
        if let Some(at) = fields.ignored("subscribe_event_types") {
            self.warn(at, "subscribe_event_types has no effect: events are not supported");
        }
        let entries = &block.body.entries;
        if let Some(entry) =
            entries.iter().find(|entry| UNSUPPORTED.contains(&entry.key.text.as_str()))
        {
            let base_hcl::Key { text, at } = &entry.key;
            return Err(at.error(format!("{text} is not supported: remove it, or the rule")));
        }
        let rule = PathRule {
            path: path.to_owned(),
            template,
            line: at.line,
            capabilities: self.capabilities(&mut fields, at)?,
            constraints: self.constraints(&mut fields)?,
            expiration: expiration(&mut fields)?,
        };
        fields.finish()?;
        Ok(if rule.capabilities.denies() {
            PathRule { constraints: Constraints::default(), ..rule }
        } else {
            rule
        })
    }

    fn path(&mut self, at: Position, path: &str) -> Result<Template> {
        if path.contains("+*") {
            return Err(
                at.error(format!("path {path:?}: invalid use of wildcards ('+*' is forbidden)"))
            );
        }
        let template = Template::parse(path).ok_or_else(|| {
            at.error(format!(
                "path {path:?}: unbalanced templating characters: each {{{{ needs its }}}}"
            ))
        })?;
        let unknown: Vec<_> = template.unknown().map(str::to_owned).collect();
        for directive in unknown {
            self.warn(at, &format!("{{{{{directive}}}}} is not known, so this rule never applies"));
        }
        if path.strip_suffix('*').unwrap_or(path).contains('*') {
            self.warn(at, "a * that is not at the end of the path stands for itself");
        }
        if path.split('/').any(|segment| segment.len() > 1 && segment.starts_with('+')) {
            self.warn(at, "a + that is not a whole segment stands for itself");
        }
        Ok(template)
    }

    fn capabilities(&mut self, fields: &mut Fields<'_>, at: Position) -> Result<Capabilities> {
        let mut capabilities = Capabilities::default();
        let legacy = fields.value("policy")?;
        let list = fields.value("capabilities")?;
        if let Some(value) = legacy {
            capabilities = legacy_policy(value)?;
        }
        for (at, word) in texts("capabilities", list)? {
            if word == "subscribe" {
                self.warn(at, "the capability subscribe has no effect: events are not supported");
                continue;
            }
            let capability =
                Capability::from_name(word).ok_or_else(|| unknown_capability(at, word))?;
            capabilities = capabilities.union(capability.into());
        }
        if capabilities.is_empty() {
            self.warn(
                at,
                "this rule has no capabilities: it grants nothing and hides less specific rules",
            );
        }
        Ok(capabilities)
    }

    fn constraints(&mut self, fields: &mut Fields<'_>) -> Result<Constraints> {
        let min_wrapping_ttl = wrapping_ttl(fields, "min_wrapping_ttl")?;
        let max_wrapping_ttl = wrapping_ttl(fields, "max_wrapping_ttl")?;
        if !max_wrapping_ttl.is_zero() && max_wrapping_ttl < min_wrapping_ttl {
            let at = fields.place("max_wrapping_ttl");
            return Err(at.error("max_wrapping_ttl cannot be less than min_wrapping_ttl"));
        }
        let pagination_limit = fields.integer("pagination_limit", 0, i64::from(u32::MAX))?;
        let required = texts("required_parameters", fields.value("required_parameters")?)?;
        let allowed = parameter_values(fields, "allowed_parameters")?;
        if allowed.get("*").is_some_and(|values| !values.is_empty()) {
            let at = fields.place("allowed_parameters");
            self.warn(
                at,
                "the values of \"*\" have no effect: all values of other parameters are allowed",
            );
        }
        Ok(Constraints {
            min_wrapping_ttl,
            max_wrapping_ttl,
            pagination_limit: u32::try_from(pagination_limit.unwrap_or(0)).unwrap_or(u32::MAX),
            required: required.into_iter().map(|(_, key)| key.to_lowercase()).collect(),
            allowed,
            denied: parameter_values(fields, "denied_parameters")?,
        })
    }

    fn warn(&mut self, at: Position, text: &str) {
        self.warnings.push(format!("line {}: {text}", at.line));
    }
}

/// The words that capabilities had before they were a list.
fn legacy_policy(value: &Value) -> Result<Capabilities> {
    use Capability::{Create, Delete, Deny, List, Read, Sudo, Update};
    let capabilities: &[Capability] = match &value.kind {
        Kind::String(word) => match word.as_str() {
            "deny" => &[Deny],
            "read" => &[Read, List],
            "write" => &[Create, Read, Update, Delete, List],
            "sudo" => &[Create, Read, Update, Delete, List, Sudo],
            "" => &[],
            _ => {
                return Err(value
                    .at
                    .error("invalid policy: use capabilities, or read, write, sudo or deny"));
            }
        },
        _ => return Err(value.at.error("\"policy\" must be read, write, sudo or deny")),
    };
    Ok(capabilities.iter().copied().collect())
}

fn unknown_capability(at: Position, word: &str) -> Error {
    let names = Capability::ALL.map(Capability::name);
    let hint = match base_hcl::nearest(word, names) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known are {}", names.join(", ")),
    };
    at.error(format!("invalid capability {word:?}; {hint}"))
}

/// The strings of a list with their places; nothing if there is no list.
fn texts<'a>(key: &str, value: Option<&'a Value>) -> Result<Vec<(Position, &'a str)>> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let Kind::List(values) = &value.kind else {
        return Err(value
            .at
            .error(format!("{key:?} must be a list of strings, not {}", value.kind.noun())));
    };
    let text = |value: &'a Value| match &value.kind {
        Kind::String(text) => Ok((value.at, text.as_str())),
        other => Err(value.at.error(format!("{key:?} must hold strings, not {}", other.noun()))),
    };
    values.iter().map(text).collect()
}

/// A duration that is zero when it is not there. One that would be cut to zero is refused, since
/// zero means that nothing is demanded.
fn wrapping_ttl(fields: &mut Fields<'_>, key: &'static str) -> Result<Ttl> {
    let at = fields.place(key);
    let Some(ttl) = fields.duration(key)? else { return Ok(Ttl::ZERO) };
    let written = fields.string(key)?.unwrap_or_default();
    if ttl.is_zero() && written.contains(|char: char| ('1'..='9').contains(&char)) {
        return Err(at.error(format!("{key:?} must be at least one second")));
    }
    Ok(ttl)
}

/// RFC 3339, or seconds since 1970.
fn expiration(fields: &mut Fields<'_>) -> Result<Option<Timestamp>> {
    let at = fields.place("expiration");
    let Some(text) = fields.string("expiration")? else { return Ok(None) };
    if let Ok(seconds) = text.parse() {
        return Ok(Some(Timestamp::from_seconds(seconds)));
    }
    text.parse()
        .map(Some)
        .map_err(|error: Error| at.error(format!("\"expiration\": {}", error.public())))
}

/// `{ "key" = ["value", …] }` by key in lower case.
fn parameter_values(
    fields: &mut Fields<'_>,
    key: &'static str,
) -> Result<BTreeMap<String, Vec<Json>>> {
    let mut parameters = BTreeMap::new();
    let Some(block) = fields.block(key)? else { return Ok(parameters) };
    for entry in &block.body.entries {
        let Kind::List(values) = &entry.value.kind else {
            let noun = entry.value.kind.noun();
            return Err(entry
                .value
                .at
                .error(format!("{:?} must be a list of values, not {noun}", entry.key.text)));
        };
        let values = values.iter().map(json).collect::<Result<_>>()?;
        if parameters.insert(entry.key.text.to_lowercase(), values).is_some() {
            return Err(entry
                .key
                .at
                .error(format!("{:?} is set for the second time", entry.key.text)));
        }
    }
    Ok(parameters)
}

/// A value as a request would hold it.
fn json(value: &Value) -> Result<Json> {
    Ok(match &value.kind {
        Kind::Bool(value) => (*value).into(),
        Kind::List(values) => values.iter().map(json).collect::<Result<_>>()?,
        Kind::Null => Json::Null,
        Kind::Number(number) => match number.integer() {
            Some(integer) => integer.into(),
            None => serde_json::Number::from_f64(number.float())
                .ok_or_else(|| value.at.error("the number is out of range"))?
                .into(),
        },
        Kind::Object(body) => {
            let entries = body.entries.iter();
            let entries = entries.map(|entry| Ok((entry.key.text.clone(), json(&entry.value)?)));
            Json::Object(entries.collect::<Result<_>>()?)
        }
        Kind::String(text) => text.as_str().into(),
    })
}
