use std::collections::BTreeMap;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// One of the two services that are called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Service {
    Iam,
    Sts,
}

/// A call of AWS's Query protocol: an action and its parameters, encoded as they are added, so that
/// no value can become another parameter.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/programming.html>
#[derive(Clone)]
pub(crate) struct Query {
    pub(crate) service: Service,
    action: &'static str,
    text: String,
}

/// What RFC 3986, section 2.3 leaves as it is; everything else is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Service {
    /// The name in the scope of a signature.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Iam => "2010-05-08",
            Self::Sts => "2011-06-15",
        }
    }
}

impl Query {
    pub(crate) fn iam(action: &'static str) -> Self {
        Self::new(Service::Iam, action)
    }

    pub(crate) fn sts(action: &'static str) -> Self {
        Self::new(Service::Sts, action)
    }

    fn new(service: Service, action: &'static str) -> Self {
        let text = format!("Action={action}&Version={}", service.version());
        Self { service, action, text }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.text.push('&');
        self.text.push_str(&encoded(name));
        self.text.push('=');
        self.text.push_str(&encoded(value));
        self
    }

    /// Leaves out what is empty.
    pub(crate) fn with_given(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.with(name, value) }
    }

    pub(crate) fn with_tags(self, tags: &BTreeMap<String, String>) -> Self {
        tags.iter().zip(1..).fold(self, |query, ((key, value), at)| {
            query
                .with(&format!("Tags.member.{at}.Key"), key)
                .with(&format!("Tags.member.{at}.Value"), value)
        })
    }

    pub(crate) fn with_policy_arns(self, arns: &[String]) -> Self {
        arns.iter()
            .zip(1..)
            .fold(self, |query, (arn, at)| query.with(&format!("PolicyArns.member.{at}.arn"), arn))
    }

    /// Whether a call of which nobody knows if it was carried out may be made again.
    pub(crate) fn is_repeatable(&self) -> bool {
        !matches!(self.action, "CreateAccessKey" | "CreateUser")
    }

    pub(crate) fn body(&self) -> Bytes {
        Bytes::copy_from_slice(self.text.as_bytes())
    }
}

/// <https://url.spec.whatwg.org/#application/x-www-form-urlencoded>
fn encoded(text: &str) -> String {
    // The percent sign of the text itself has become %25.
    utf8_percent_encode(text, RESERVED).to_string().replace("%20", "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(query: &Query) -> &str {
        &query.text
    }

    #[test]
    fn no_value_becomes_another_parameter() {
        let start = "Action=CreateUser&Version=2010-05-08&UserName=";
        for (value, encoded) in [
            ("plain-Name_1.~", "plain-Name_1.~"),
            ("a&Action=DeleteUser", "a%26Action%3DDeleteUser"),
            ("a b+c%20", "a+b%2Bc%2520"),
            ("100%26", "100%2526"),
            ("a;b\r\nHost: evil", "a%3Bb%0D%0AHost%3A+evil"),
            ("=,@/ä", "%3D%2C%40%2F%C3%A4"),
            ("\0", "%00"),
        ] {
            let query = Query::iam("CreateUser").with("UserName", value);
            assert_eq!(text(&query), format!("{start}{encoded}"), "{value:?}");
        }
    }

    #[test]
    fn lists_are_numbered_from_one() {
        let tags =
            BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b&".to_owned(), String::new())]);
        let query = Query::sts("AssumeRole")
            .with_given("Policy", "")
            .with_tags(&tags)
            .with_policy_arns(&["arn:x".to_owned()]);
        assert_eq!(
            text(&query),
            "Action=AssumeRole&Version=2011-06-15&Tags.member.1.Key=a&Tags.member.1.Value=1\
             &Tags.member.2.Key=b%26&Tags.member.2.Value=&PolicyArns.member.1.arn=arn%3Ax"
        );
    }
}
