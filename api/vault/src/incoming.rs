use std::borrow::Cow;

use base_crypto::{Random, random_uuid};
use base_types::{Error, Namespace, RequestPath, Result, Secret, Ttl};
use bytes::Bytes;
use core_engine_api::{Body, Verb};
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
    /// `NotFound` outside `/v1/`, `Unsupported` for another method, `Invalid` for a path or a
    /// query that is not UTF-8.
    pub(crate) fn parse(method: &Method, uri: &Uri) -> Result<Self> {
        let path = uri.path().strip_prefix("/v1/").ok_or_else(|| Error::not_found(""))?;
        let path = decode(path)?.into_owned();
        let mut query = parse_query(uri.query().unwrap_or_default())?;
        let flag = |query: &[(String, String)], name: &str| {
            query.iter().any(|(key, value)| key == name && is_true(value))
        };
        let (list, scan, help) = (flag(&query, "list"), flag(&query, "scan"), flag(&query, "help"));
        query.retain(|(key, _)| !matches!(key.as_str(), "help" | "list" | "scan"));
        let verb = match method.as_str() {
            "GET" | "HEAD" if list => Verb::List,
            "GET" | "HEAD" if scan => Verb::Scan,
            "GET" | "HEAD" => Verb::Read,
            "POST" | "PUT" => Verb::Write,
            "PATCH" => Verb::Patch,
            "DELETE" => Verb::Delete,
            "LIST" => Verb::List,
            "SCAN" => Verb::Scan,
            _ => return Err(Error::unsupported()),
        };
        Ok(Self { verb, help: help && verb == Verb::Read, path, query })
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The request as the pipeline takes it.
pub(crate) fn request(
    random: &dyn Random,
    target: Target,
    headers: &HeaderMap,
    body: Bytes,
    peer: Peer,
) -> Result<Request> {
    let Target { verb, help, mut path, query } = target;
    // One spelling of each path, so that policies, the audit log and engines see the same: a
    // listing is of a folder, anything else is not.
    match (verb.is_listing(), path.ends_with('/')) {
        (true, false) => path.push('/'),
        (false, true) if matches!(verb, Verb::Patch | Verb::Write) => {
            return Err(Error::invalid("cannot write to a path ending in '/'"));
        }
        (false, true) => drop(path.pop()),
        _ => {}
    }
    if verb.is_listing() && path == "/" {
        path.clear();
    }
    let body = match verb {
        Verb::Write | Verb::Patch => Body::json(body)?,
        Verb::Delete if !body.is_empty() => Body::json(body)?,
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
    let ttl: Ttl = value.parse().map_err(|error: Error| error.at("X-Vault-Wrap-TTL"))?;
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

/// What the audit log and engines may ask for: everything but what authenticates the caller
/// (CVE-2026-4525).
fn others(headers: &HeaderMap) -> Vec<(String, String)> {
    let is_other = |name: &str| !matches!(name, "authorization" | "x-vault-token" | "cookie" | "proxy-authorization");
    let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter(|(name, _)| is_other(name.as_str())).filter_map(pair).collect()
}

fn decode(text: &str) -> Result<Cow<'_, str>> {
    percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| Error::invalid("the path or query is not UTF-8"))
}

fn parse_query(query: &str) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let (key, value) = (key.replace('+', " "), value.replace('+', " "));
        pairs.push((decode(&key)?.into_owned(), decode(&value)?.into_owned()));
    }
    Ok(pairs)
}

fn is_true(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True")
}
