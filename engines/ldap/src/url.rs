use base_types::{Error, Result};

/// Where a directory listens: `ldap://host`, `ldaps://host:port`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ServerUrl {
    text: String,
    pub(crate) is_secure: bool,
}

impl ServerUrl {
    /// Reads a list that is separated by commas.
    ///
    /// # Errors
    /// `Invalid`, naming the one that is none.
    pub(crate) fn parse_all(list: &str) -> Result<Vec<Self>> {
        list.split(',').map(|text| Self::parse(text.trim())).collect()
    }

    fn parse(text: &str) -> Result<Self> {
        let text = text.to_ascii_lowercase();
        let fault = |what: &str| Err(Error::invalid(format!("url {text:?}: {what}")));
        let (is_secure, rest) = match text.split_once("://") {
            Some(("ldap", rest)) => (false, rest),
            Some(("ldaps", rest)) => (true, rest),
            _ => return fault("it begins neither with ldap:// nor with ldaps://"),
        };
        let host = rest.strip_suffix('/').unwrap_or(rest);
        if host.is_empty() || host.starts_with(':') {
            return fault("it names no host");
        }
        if host.contains(|c: char| "/?#@\\%".contains(c) || c.is_whitespace() || c.is_control()) {
            return fault("there may be a host and a port in it, and nothing else");
        }
        Ok(Self { is_secure, text: text.clone() })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_servers_are_read_and_all_else_is_refused() {
        let all = ServerUrl::parse_all("LDAPS://a.example:636, ldap://[::1]:389/").unwrap();
        let texts: Vec<_> = all.iter().map(|url| (url.as_str(), url.is_secure)).collect();
        assert_eq!(texts, [("ldaps://a.example:636", true), ("ldap://[::1]:389/", false)]);
        for text in [
            "",
            "a.example",
            "http://a",
            "ldapi:///var/run/x",
            "ldap://",
            "ldap:///x",
            "ldap://:389",
            "ldap://user:pw@h",
            "ldap://h/dc=x",
            "ldap://h?x",
            "ldap://h h",
            "ldap://a,,ldap://b",
        ] {
            assert!(ServerUrl::parse_all(text).is_err(), "{text}");
        }
    }
}
