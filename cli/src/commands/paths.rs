/// `path` without slashes and spaces at its ends.
pub(crate) fn trimmed(path: &str) -> &str {
    path.trim().trim_matches('/')
}

/// `path` with one slash at its end; empty stays empty.
pub(crate) fn folder(path: &str) -> String {
    match path.trim() {
        "" => String::new(),
        path if path.ends_with('/') => path.to_owned(),
        path => format!("{path}/"),
    }
}

/// The parts with single slashes between them; empty parts leave no trace.
pub(crate) fn join(parts: &[&str]) -> String {
    let segments =
        parts.iter().flat_map(|part| part.split('/')).filter(|segment| !segment.is_empty());
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_are_put_right() {
        assert_eq!(trimmed(" /a/b/ "), "a/b");
        assert_eq!(folder("a"), "a/");
        assert_eq!(folder("a/"), "a/");
        assert_eq!(folder(" "), "");
        assert_eq!(join(&["a/", "/b", "", "c/"]), "a/b/c");
        assert_eq!(join(&["", "data"]), "data");
        // What a path trick means is for the server to say.
        assert_eq!(join(&["a", "../b"]), "a/../b");
    }
}
