use base_types::{Error, Result};
use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Where another system's HTTP interface begins: scheme, host, port, and a path if it lies behind
/// one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BaseUrl(String);

/// What RFC 3986, section 2.3 leaves as it is; everything else in a name is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl BaseUrl {
    /// # Errors
    /// `Invalid` for all but `http://HOST[:PORT][/PATH]` and the same with `https`. The text is
    /// not repeated, since it may hold a password.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::invalid(format!("{what}: write it as https://HOST:PORT or http://HOST:PORT"))
        };
        let uri: Uri = text.trim().parse().map_err(|_| wrong("the URL cannot be read"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong("the URL is neither http nor https"));
        }
        if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(wrong("the URL holds a user: there are fields for that"));
        }
        if uri.host().is_none_or(str::is_empty) || uri.query().is_some() || text.contains('#') {
            return Err(wrong("the URL has no host, or more than a host and a path"));
        }
        Ok(Self(text.trim().trim_end_matches('/').to_owned()))
    }

    /// The URL of what lies below, each name one segment of the path whatever it holds.
    ///
    /// # Errors
    /// `Invalid` for a name that no URL can hold: empty, `.` and `..`, which servers resolve even
    /// when they are encoded (RFC 3986, section 6.2.2.3), or one that is too long.
    pub fn join(&self, segments: &[&str]) -> Result<Uri> {
        let mut url = self.0.clone();
        for segment in segments {
            if matches!(*segment, "" | "." | "..") {
                return Err(Error::invalid(format!("{segment:?} cannot be a name in a URL")));
            }
            url.push('/');
            url.extend(utf8_percent_encode(segment, RESERVED));
        }
        url.parse().map_err(|_| Error::invalid("a name is too long for a URL"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_a_place_and_nothing_else() {
        for text in
            ["http://localhost:15672", "https://[::1]", " http://h/ ", "https://h:1/behind/proxy/"]
        {
            assert!(BaseUrl::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "localhost",
            "localhost:15672",
            "/path",
            "ftp://h",
            "amqp://h:5672",
            "http://",
            "http://hunter2:hunter2@h",
            "http://h?hunter2",
            "http://h#hunter2",
            "http://h\r\nX-Injected: hunter2",
            "http://hun ter2",
        ] {
            let error = BaseUrl::parse(text).unwrap_err();
            assert!(!error.public().contains("ter2"), "{text}: {}", error.public());
        }
    }

    #[test]
    fn a_name_stays_one_segment() {
        let base = BaseUrl::parse("http://h:1/x/").unwrap();
        for (name, path) in [
            ("plain-Name_1.~", "/x/api/plain-Name_1.~"),
            ("/", "/x/api/%2F"),
            ("a/../../b", "/x/api/a%2F..%2F..%2Fb"),
            ("a?b=c#d&e", "/x/api/a%3Fb%3Dc%23d%26e"),
            ("100%", "/x/api/100%25"),
            ("%2e%2e", "/x/api/%252e%252e"),
            ("a b\r\nHost: evil", "/x/api/a%20b%0D%0AHost%3A%20evil"),
            ("ключ", "/x/api/%D0%BA%D0%BB%D1%8E%D1%87"),
            ("...", "/x/api/..."),
        ] {
            let uri = base.join(&["api", name]).unwrap();
            assert_eq!((uri.path(), uri.query()), (path, None), "{name}");
            assert_eq!(uri.authority().unwrap(), "h:1");
        }
        for name in ["", ".", "..", &"x".repeat(70_000)] {
            assert!(base.join(&["api", name]).is_err(), "{name:.10}");
        }
    }
}
