use bytes::Bytes;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Error, Result};

/// What to do at a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    Delete,
    List,
    Patch,
    Post,
    Put,
    Read,
    Scan,
}

impl Verb {
    /// The method on the wire. `List` and `Scan` travel as GET with a query parameter, because
    /// not every proxy lets other methods through.
    pub fn method(self) -> Method {
        match self {
            Self::Delete => Method::DELETE,
            Self::Patch => Method::PATCH,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::List | Self::Read | Self::Scan => Method::GET,
        }
    }

    pub(crate) fn method_name(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::List | Self::Read | Self::Scan => "GET",
        }
    }
}

/// One request, independent of server and token.
#[derive(Clone, Debug)]
pub struct Request {
    pub verb: Verb,
    /// Below `/v1/`, as people write it: not percent-encoded, no leading slash.
    pub path: String,
    /// Query parameters in the order given, not encoded.
    pub query: Vec<(String, String)>,
    pub body: Option<Bytes>,
    /// Whether the client's `wrap_ttl` applies.
    pub wrap: bool,
}

impl Request {
    pub fn new(verb: Verb, path: impl Into<String>) -> Self {
        let query = match verb {
            Verb::List => vec![("list".to_owned(), "true".to_owned())],
            Verb::Scan => vec![("scan".to_owned(), "true".to_owned())],
            _ => Vec::new(),
        };
        Self { verb, path: path.into(), query, body: None, wrap: true }
    }

    pub fn read(path: impl Into<String>) -> Self {
        Self::new(Verb::Read, path)
    }

    pub fn list(path: impl Into<String>) -> Self {
        Self::new(Verb::List, path)
    }

    pub fn scan(path: impl Into<String>) -> Self {
        Self::new(Verb::Scan, path)
    }

    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Verb::Put, path)
    }

    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Verb::Post, path)
    }

    /// A JSON merge patch (RFC 7396).
    pub fn patch(path: impl Into<String>) -> Self {
        Self::new(Verb::Patch, path)
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Verb::Delete, path)
    }

    /// Adds a query parameter.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    ///
    /// # Errors
    /// `Config` if the value has no JSON form.
    pub fn json(mut self, value: &impl serde::Serialize) -> Result<Self> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| Error::Config(format!("the request has no JSON form: {error}")))?;
        self.body = Some(bytes.into());
        Ok(self)
    }

    /// Asks for the answer itself even where the client wraps all answers.
    pub fn unwrapped(mut self) -> Self {
        self.wrap = false;
        self
    }

    /// The path and query, encoded; repeated slashes and trailing ones are dropped from the path,
    /// as Vault's clients do, so that `secret//a/` and `secret/a` ask the same.
    pub(crate) fn target(&self) -> String {
        let mut target = String::from("/v1");
        for segment in self.path.split('/').filter(|segment| !segment.is_empty()) {
            target.push('/');
            target.extend(utf8_percent_encode(segment, PATH));
        }
        let mut query: Vec<_> = self.query.iter().collect();
        query.sort_by(|a, b| a.0.cmp(&b.0));
        for (index, (name, value)) in query.into_iter().enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            target.extend(utf8_percent_encode(name, QUERY));
            target.push('=');
            target.extend(utf8_percent_encode(value, QUERY));
        }
        target
    }
}

/// What stays readable in a path segment: RFC 3986's `pchar`.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_encoded_once_and_slashes_are_single() {
        for (path, target) in [
            ("secret/data/a", "/v1/secret/data/a"),
            ("/secret//data/a/", "/v1/secret/data/a"),
            ("kv/ä b?c#d%2f", "/v1/kv/%C3%A4%20b%3Fc%23d%252f"),
        ] {
            assert_eq!(Request::read(path).target(), target);
        }
        let listing = Request::list("kv/").query("after", "x&y").query("limit", "5");
        assert_eq!(listing.target(), "/v1/kv?after=x%26y&limit=5&list=true");
    }
}
