use std::borrow::Cow;
use std::collections::BTreeMap;

use base_crypto::{Random, random_uuid};
use base_types::{Error, ErrorKind, Namespace, RequestPath, Result, Secret, Ttl};
use bytes::Bytes;
use core_engine_api::{Body, JsonLimits, Verb};
use core_pipeline::{Peer, Request};
use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

/// What is asked of which path.
pub(crate) struct Target {
    pub(crate) verb: Verb,
    pub(crate) help: bool,
    /// Decoded, below `/v1/`, not yet proven harmless.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
}

/// Longer ones are no tokens of ours, and are not worth hashing.
const TOKEN_LENGTH_MAX: usize = 8192;

impl Target {
    /// # Errors
    /// `NotFound` outside `/v1/`, `Unsupported` for another method, `Invalid` for a path that is
    /// not UTF-8 or a flag that is neither true nor false.
    pub(crate) fn parse(method: &Method, uri: &Uri) -> Result<Self> {
        let path = uri.path().strip_prefix("/v1/").ok_or_else(|| Error::not_found(""))?;
        let path = decode(path)?.into_owned();
        let mut query = parse_query(uri.query().unwrap_or_default());
        let value =
            |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| &**value);
        let (list, scan) = (flag(value("list"))?, flag(value("scan"))?);
        let help = value("help").is_some_and(|value| !value.is_empty());
        query.retain(|(key, _)| !matches!(key.as_str(), "help" | "list" | "scan"));
        let verb = match method.as_str() {
            "GET" if list => Verb::List,
            "GET" if scan => Verb::Scan,
            "GET" => Verb::Read,
            "HEAD" if path == "sys/health" => Verb::Read,
            "POST" | "PUT" => Verb::Write,
            "PATCH" => Verb::Patch,
            "DELETE" => Verb::Delete,
            "LIST" => Verb::List,
            "SCAN" => Verb::Scan,
            "OPTIONS" => {
                return Err(Error::invalid("cannot handle internal-only request operation"));
            }
            _ => return Err(Error::new(ErrorKind::Unsupported, "")),
        };
        Ok(Self { verb, help: help && verb == Verb::Read, path, query })
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What came over the wire.
pub(crate) struct Parts<'a> {
    pub(crate) target: Target,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) peer: Peer,
}

/// The request as the pipeline takes it.
pub(crate) fn request(
    random: &dyn Random,
    limits: &JsonLimits,
    parts: Parts<'_>,
) -> Result<Request> {
    let Parts { target: Target { verb, help, mut path, query }, headers, body, peer } = parts;
    match (verb.is_listing(), path.ends_with('/')) {
        (true, false) => path.push('/'),
        (false, true) if matches!(verb, Verb::Patch | Verb::Write) => {
            return Err(Error::invalid("cannot write to a path ending in '/'"));
        }
        _ => {}
    }
    if verb.is_listing() && path == "/" {
        path.clear();
    }
    let body = match verb {
        Verb::Write if is_form(headers, &body) => Body::json_within(form(&body)?, limits)?,
        Verb::Write | Verb::Patch => Body::json_within(body, limits)?,
        Verb::Delete if !body.is_empty() => Body::json_within(body, limits)?,
        _ if query.is_empty() => Body::Empty,
        _ => Body::Query(query),
    };
    Ok(Request {
        id: random_uuid(random).into(),
        verb,
        help,
        namespace: match text(headers, "x-vault-namespace")? {
            Some(namespace) => Namespace::parse(namespace)?,
            None => Namespace::root(),
        },
        path: RequestPath::parse(&path)?,
        body,
        token: token(headers)?,
        wrap_ttl: wrap_ttl(headers)?,
        peer,
        headers: others(headers),
    })
}

pub(crate) fn token(headers: &HeaderMap) -> Result<Option<Secret<String>>> {
    let token = match text(headers, "x-vault-token")? {
        Some(token) => Some(token),
        None => text(headers, "authorization")?.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        }),
    };
    match token {
        Some(token) if token.len() > TOKEN_LENGTH_MAX => {
            Err(Error::invalid("the token is longer than 8192 bytes"))
        }
        Some("") | None => Ok(None),
        Some(token) => Ok(Some(Secret::new(token.to_owned()))),
    }
}

fn wrap_ttl(headers: &HeaderMap) -> Result<Option<Ttl>> {
    let Some(value) = text(headers, "x-vault-wrap-ttl")? else { return Ok(None) };
    let ttl: Ttl =
        value.parse().map_err(|error: Error| error.at("error parsing X-Vault-Wrap-TTL header"))?;
    Ok((!ttl.is_zero()).then_some(ttl))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>> {
    match headers.get(name) {
        None => Ok(None),
        Some(value) => value
            .to_str()
            .map(Some)
            .map_err(|_| Error::invalid(format!("the header {name} holds other than ASCII text"))),
    }
}

/// What the audit log may ask for: everything but what authenticates the caller (CVE-2026-4525). Some
/// clients send what they would log in with along (OpenBao's inline authentication).
fn others(headers: &HeaderMap) -> Vec<(String, String)> {
    let is_other = |name: &str| {
        !matches!(name, "authorization" | "x-vault-token" | "cookie" | "proxy-authorization")
            && !name.starts_with("x-vault-inline-auth-")
    };
    let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter(|(name, _)| is_other(name.as_str())).filter_map(pair).collect()
}

/// A body that is no JSON but the fields of a form. `curl -d` says that of JSON too.
fn is_form(headers: &HeaderMap, body: &[u8]) -> bool {
    media_type(headers) == Some("application/x-www-form-urlencoded")
        && !body.trim_ascii_start().starts_with(b"{")
}

/// The fields of a form as a JSON object; one that comes several times becomes a list.
fn form(body: &[u8]) -> Result<Bytes> {
    let text = std::str::from_utf8(body).map_err(|_| Error::invalid("error parsing form data"))?;
    let mut fields = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in parse_query(text) {
        fields.entry(name).or_default().push(value);
    }
    let values = |values: Vec<String>| match <[String; 1]>::try_from(values) {
        Ok([value]) => value.into(),
        Err(values) => values.into(),
    };
    let object: serde_json::Map<String, serde_json::Value> =
        fields.into_iter().map(|(name, list)| (name, values(list))).collect();
    serde_json::to_vec(&object).map(Bytes::from).map_err(Error::internal)
}

/// What a body is, without its parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim).filter(|kind| !kind.is_empty())
}

fn decode(text: &str) -> Result<Cow<'_, str>> {
    let is_escape = |part: &str| {
        part.get(..2).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    if !text.split('%').skip(1).all(is_escape) {
        return Err(Error::invalid("the path or query holds a '%' without two hexadecimal digits"));
    }
    percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| Error::invalid("the path or query is not UTF-8"))
}

fn parse_query(query: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let (key, value) = (key.replace('+', " "), value.replace('+', " "));
        // As in Go: what is malformed is not there.
        if let (Ok(key), Ok(value)) = (decode(&key), decode(&value)) {
            pairs.push((key.into_owned(), value.into_owned()));
        }
    }
    pairs
}

/// A parameter of the query that is true or false, in the spellings that Go takes.
fn flag(value: Option<&str>) -> Result<bool> {
    match value {
        None | Some("" | "0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some(_) => Err(Error::invalid("")),
    }
}
