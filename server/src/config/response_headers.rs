use base_hcl::{Block, Entry, Kind};
use base_types::Result;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::reader::Source;

/// Headers that a listener adds to its responses, by status.
#[derive(Clone, Debug)]
pub struct ResponseHeaders {
    /// From the closest to the most general.
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    scope: Scope,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Scope {
    Status(u16),
    /// The first digit of the status.
    Class(u16),
    Default,
}

const STRICT_TRANSPORT_SECURITY: HeaderValue =
    HeaderValue::from_static("max-age=31536000; includeSubDomains");

impl Default for ResponseHeaders {
    fn default() -> Self {
        let headers = vec![(http::header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT_SECURITY)];
        Self { rules: vec![Rule { scope: Scope::Default, headers }] }
    }
}

impl ResponseHeaders {
    /// Adds to a response what it does not have yet; the closest rule wins.
    pub fn apply(&self, status: StatusCode, headers: &mut HeaderMap) {
        for rule in self.rules.iter().filter(|rule| rule.scope.covers(status)) {
            for (name, value) in &rule.headers {
                if !headers.contains_key(name) {
                    headers.insert(name.clone(), value.clone());
                }
            }
        }
    }

    pub(super) fn add_default(&mut self, name: HeaderName, value: HeaderValue) {
        self.rules.push(Rule { scope: Scope::Default, headers: vec![(name, value)] });
    }

    /// Reads blocks whose label is a status and whose keys are headers.
    pub(super) fn read(blocks: &[Block<'_>], source: &mut Source) -> Result<Self> {
        let mut rules = Self::default().rules;
        for block in blocks {
            let scope = Scope::parse(block.label(0)).ok_or_else(|| {
                block.at.error(
                    "custom_response_headers are given by \"default\", a class such as \"2xx\" or a \
                     status such as \"307\"",
                )
            })?;
            let mut headers = Vec::new();
            for entry in &block.body.entries {
                headers.extend(header(entry, source)?);
            }
            // What is set goes before the built-in default, and so wins.
            rules.insert(0, Rule { scope, headers });
        }
        rules.sort_by_key(|rule| rule.scope);
        Ok(Self { rules })
    }
}

impl Scope {
    fn parse(text: &str) -> Option<Self> {
        if text == "default" {
            return Some(Self::Default);
        }
        if let Some(class) = text.strip_suffix("xx") {
            return class.parse().ok().filter(|class| (1..=5).contains(class)).map(Self::Class);
        }
        text.parse().ok().filter(|status| (100..600).contains(status)).map(Self::Status)
    }

    fn covers(self, status: StatusCode) -> bool {
        match self {
            Self::Status(code) => code == status.as_u16(),
            Self::Class(class) => class == status.as_u16() / 100,
            Self::Default => true,
        }
    }
}

/// One header; several values are joined with `; `, as Vault does.
fn header(entry: &Entry, source: &mut Source) -> Result<Option<(HeaderName, HeaderValue)>> {
    let at = entry.key.at;
    let name: HeaderName =
        entry.key.text.parse().map_err(|_| at.error("this is no name of a header"))?;
    if name.as_str().starts_with("x-vault-") {
        source.warn(at, format!("the header {name} belongs to the server and is not changed"));
        return Ok(None);
    }
    let texts: Option<Vec<&str>> = match &entry.value.kind {
        Kind::String(text) => Some(vec![text]),
        Kind::List(values) => values
            .iter()
            .map(|value| match &value.kind {
                Kind::String(text) => Some(text.trim()),
                _ => None,
            })
            .collect(),
        _ => None,
    };
    let texts = texts.ok_or_else(|| entry.value.at.error("a header takes a list of strings"))?;
    let joined = texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
    let value = HeaderValue::from_str(&joined)
        .map_err(|_| entry.value.at.error("a header cannot hold control characters"))?;
    Ok(Some((name, value)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(config: &ResponseHeaders, status: u16) -> HeaderMap {
        let mut headers = HeaderMap::new();
        config.apply(StatusCode::from_u16(status).unwrap(), &mut headers);
        headers
    }

    #[test]
    fn the_closest_rule_wins_and_the_servers_own_header_stays() {
        let text = r#"
            custom_response_headers {
              "default" = { "X-Custom-Header" = ["default"], "X-All" = ["a", "b"] },
              "3xx" = { "X-Custom-Header" = ["3xx"] },
              "307" = { "X-Custom-Header" = ["307"] },
              "200" = { "X-Vault-Token" = ["no"] },
            }"#;
        let body = base_hcl::parse(text).unwrap();
        let mut fields = body.fields();
        let blocks = fields.blocks("custom_response_headers", 1).unwrap();
        let mut source =
            Source { file: std::path::Path::new("a.hcl").into(), warnings: Vec::new() };
        let config = ResponseHeaders::read(&blocks, &mut source).unwrap();
        for (status, value) in [(200, "default"), (306, "3xx"), (307, "307")] {
            assert_eq!(headers(&config, status)["x-custom-header"], value, "{status}");
        }
        assert_eq!(headers(&config, 200)["x-all"], "a; b");
        assert!(headers(&config, 200).contains_key("strict-transport-security"));
        assert!(!headers(&config, 200).contains_key("x-vault-token"));
        assert_eq!(source.warnings.len(), 1);
        let mut own = HeaderMap::new();
        own.insert("x-custom-header", HeaderValue::from_static("server"));
        config.apply(StatusCode::OK, &mut own);
        assert_eq!(own["x-custom-header"], "server");
    }
}
