use std::fmt;

use crate::{Error, Result};

/// A request path below `/v1/`, decoded and proven harmless: the same text is what policies judge,
/// what the audit log shows and what engines see.
///
/// No empty, `.` or `..` segment, no control character, no leading slash, at most 4096 bytes.
/// A trailing slash is kept: for `LIST` it means the folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestPath(Box<str>);

const LENGTH_MAX: usize = 4096;

impl RequestPath {
    /// Takes the percent-decoded path.
    ///
    /// # Errors
    /// `Invalid` for anything that two readers could take for two different places.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > LENGTH_MAX {
            return Err(Error::invalid("the path is longer than 4096 bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err(Error::invalid("the path holds a control character"));
        }
        let folders = text.strip_suffix('/').unwrap_or(text);
        if folders.split('/').any(|segment| segment == "..") {
            return Err(Error::invalid("relative paths not supported"));
        }
        if folders.split('/').any(|segment| matches!(segment, "" | ".")) && !text.is_empty() {
            return Err(Error::invalid("the path holds an empty or '.' segment"));
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path of a namespace: empty for the root, else segments that each end in a slash (`a/b/`).
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Namespace(Box<str>);

/// Names that would be taken for something else in a path (CVE-2026-55775: a namespace called
/// "root" was read as its own parent).
const RESERVED: [&str; 7] = ["root", "sys", "audit", "auth", "cubbyhole", "identity", "."];

impl Namespace {
    pub fn root() -> Self {
        Self::default()
    }

    /// Reads `a/b`, `/a/b/` or the empty string. The words `root` and `/` alone mean the root, as
    /// clients send them.
    ///
    /// # Errors
    /// `Invalid` for an empty, dotted, spaced or reserved segment.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.strip_prefix('/').unwrap_or(text);
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.is_empty() || text == "root" {
            return Ok(Self::root());
        }
        let mut namespace = Self::root();
        for segment in text.split('/') {
            namespace = namespace.child(segment)?;
        }
        Ok(namespace)
    }

    /// The namespace called `segment` directly below this one.
    ///
    /// # Errors
    /// `Invalid` if `segment` is no valid name.
    pub fn child(&self, segment: &str) -> Result<Self> {
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '@');
        if segment.is_empty()
            || segment.trim() != segment
            || segment.contains("..")
            || !segment.chars().all(fits)
        {
            let fault = if segment.contains(' ') {
                "contains space characters that cannot be used in a namespace name"
            } else {
                "cannot be the name of a namespace"
            };
            return Err(Error::invalid(format!("{segment:?} {fault}")));
        }
        if RESERVED.contains(&segment.to_lowercase().as_str()) {
            return Err(Error::invalid(format!(
                "\"{segment}/\" is a reserved path and cannot be used as a namespace name"
            )));
        }
        let path = format!("{}{segment}/", self.0);
        if path.len() > LENGTH_MAX {
            return Err(Error::invalid("the namespace path is longer than 4096 bytes"));
        }
        Ok(Self(path.into()))
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// `self` is `other` or lies above it.
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&*self.0)
    }

    pub fn parent(&self) -> Option<Self> {
        let trimmed = self.0.strip_suffix('/')?;
        Some(Self(trimmed.rfind('/').map_or("", |at| &trimmed[..=at]).into()))
    }

    /// With the trailing slash; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_reading() {
        for good in ["", "secret/data/a", "secret/metadata/", "sys/mounts", "kv/ä b", "kv/..a"] {
            assert!(RequestPath::parse(good).is_ok(), "{good:?}");
        }
        for bad in ["/secret", "a//b", "a/../b", "a/./b", "..", "a/..", "a\0b", "a\nb", "/", "a//"]
        {
            assert!(RequestPath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_namespace_has_one_reading() {
        for (text, path) in [("", ""), ("/", ""), ("root", ""), ("a", "a/"), ("/a/b/", "a/b/")] {
            assert_eq!(Namespace::parse(text).unwrap().as_str(), path);
        }
        for bad in ["a//b", "a/../b", "a/root", "ROOT", " a", "a /b", "sys", "a*", "a,b", "root/a"]
        {
            assert!(Namespace::parse(bad).is_err(), "{bad:?}");
        }
        let child = Namespace::parse("a/b").unwrap();
        assert_eq!(child.parent().unwrap().as_str(), "a/");
        assert_eq!(child.parent().unwrap().parent().unwrap(), Namespace::root());
        assert!(Namespace::root().parent().is_none());
    }
}
