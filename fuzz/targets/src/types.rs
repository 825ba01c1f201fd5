use std::fmt::{Debug, Display};
use std::str::FromStr;

use base_types::{Cidr, Name, Namespace, RequestPath, Timestamp, Ttl};
use core_audit::Head;

use crate::text;

/// The words of every request: a path, a name, a duration, a time, a network. What is accepted has
/// one spelling, which is accepted again.
pub fn types(data: &[u8]) {
    let text = text(data);
    request_path(&text);
    namespace(&text);
    name(&text);
    stable::<Cidr>(&text);
    stable::<Head>(&text);
    stable::<Timestamp>(&text);
    stable::<Ttl>(&text);
    ttl(&text);
    if let Some(nanos) = data.first_chunk() {
        let time = Timestamp(i64::from_le_bytes(*nanos));
        assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
    }
}

fn stable<T: FromStr + Display + Debug + PartialEq>(text: &str) {
    let Ok(value) = text.parse::<T>() else { return };
    assert_eq!(value.to_string().parse::<T>().ok(), Some(value));
}

fn request_path(text: &str) {
    let Ok(path) = RequestPath::parse(text) else { return };
    assert_eq!(path.as_str(), text);
    let mut segments: Vec<&str> = text.split('/').collect();
    if segments.last() == Some(&"") {
        segments.pop();
    }
    assert!(segments.iter().all(|segment| !["", ".", ".."].contains(segment)), "{text:?}");
    assert!(text.len() <= 4096 && !text.starts_with('/') && !text.contains(char::is_control));
}

fn namespace(text: &str) {
    let Ok(namespace) = Namespace::parse(text) else { return };
    assert_eq!(Namespace::parse(namespace.as_str()).ok().as_ref(), Some(&namespace));
    assert!(RequestPath::parse(namespace.as_str()).is_ok(), "{text:?} is no path");
    let above: Vec<Namespace> =
        std::iter::successors(namespace.parent(), Namespace::parent).collect();
    assert_eq!(above.len(), namespace.as_str().matches('/').count());
    assert!(above.iter().all(|one| one.contains(&namespace) && !namespace.contains(one)));
    assert!(above.last().is_none_or(Namespace::is_root));
}

fn name(text: &str) {
    let Ok(name) = Name::parse(text) else { return };
    let again = Name::parse(name.as_str());
    assert_eq!(again.ok().as_ref(), Some(&name), "the canonical form of {text:?}");
    if text.is_ascii() {
        let loud = format!(" {}\t", text.to_ascii_uppercase());
        assert_eq!(Name::parse(&loud).unwrap(), name);
    }
}

fn ttl(text: &str) {
    let Ok(ttl) = text.parse::<Ttl>() else { return };
    assert_eq!(Ttl::from_seconds(ttl.seconds()), ttl);
    assert_eq!(ttl.seconds().to_string().parse::<Ttl>().unwrap(), ttl);
    let json = serde_json::to_string(&ttl).unwrap();
    assert_eq!(serde_json::from_str::<Ttl>(&json).unwrap(), ttl);
    assert!(Timestamp(i64::MAX).plus(ttl) >= Timestamp(0));
}
