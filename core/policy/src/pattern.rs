use std::cmp::Reverse;
use std::fmt;

use base_types::Namespace;

/// The paths that a rule is about, with the namespace in front.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Pattern {
    /// Without the `*` at the end.
    text: Box<str>,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Shape {
    /// One path.
    Exact,
    /// `secret/*`: every path that begins with the text, which may end within a segment.
    Prefix,
    /// `secret/+/x`: `+` stands for one whole segment.
    Segments,
    /// `secret/+/x*`: as before, and the end is free.
    SegmentsPrefix,
}

/// What makes one pattern more specific than another; the greater one decides.
pub(crate) type Priority<'a> = (usize, bool, Reverse<usize>, usize, &'a str);

impl Pattern {
    /// `path` is a rule's path with templates expanded and no leading slash.
    pub(crate) fn new(namespace: &Namespace, path: &str) -> Self {
        let full = format!("{namespace}{path}");
        let has_segments = full == "+" || full.starts_with("+/") || full.contains("/+");
        let (text, shape) = match (full.strip_suffix('*'), has_segments) {
            (None, false) => (full.as_str(), Shape::Exact),
            (None, true) => (full.as_str(), Shape::Segments),
            (Some(text), false) => (text, Shape::Prefix),
            (Some(text), true) => (text, Shape::SegmentsPrefix),
        };
        Self { text: text.into(), shape }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        match self.shape {
            Shape::Exact => path == &*self.text,
            Shape::Prefix => path.starts_with(&*self.text),
            Shape::Segments | Shape::SegmentsPrefix => self.segments_match(path),
        }
    }

    /// Some path below `folder`, which ends in a slash, or the folder itself could match.
    pub(crate) fn reaches(&self, folder: &str) -> bool {
        match self.shape {
            Shape::Exact => self.text.starts_with(folder),
            Shape::Prefix => self.text.starts_with(folder) || folder.starts_with(&*self.text),
            Shape::Segments | Shape::SegmentsPrefix => {
                let open = self.shape == Shape::SegmentsPrefix;
                let mut wanted = self.text.split('/').peekable();
                for have in folder.strip_suffix('/').unwrap_or(folder).split('/') {
                    let Some(want) = wanted.next() else { return open };
                    let is_open_end = open && wanted.peek().is_none();
                    if !(want == "+" || want == have || is_open_end && have.starts_with(want)) {
                        return false;
                    }
                }
                true
            }
        }
    }

    /// Only patterns with wildcards are compared.
    ///
    /// <https://developer.hashicorp.com/vault/docs/concepts/policies#priority-matching>
    pub(crate) fn priority(&self) -> Priority<'_> {
        let (first_wildcard, has_star) = match self.shape {
            Shape::Exact | Shape::Prefix => (self.text.len(), self.shape == Shape::Prefix),
            Shape::Segments => (self.first_plus(), false),
            Shape::SegmentsPrefix => (self.first_plus(), true),
        };
        (first_wildcard, !has_star, Reverse(self.wildcards()), self.text.len(), &self.text)
    }

    fn first_plus(&self) -> usize {
        self.text.find('+').unwrap_or(self.text.len())
    }

    fn wildcards(&self) -> usize {
        match self.shape {
            Shape::Exact | Shape::Prefix => 0,
            Shape::Segments | Shape::SegmentsPrefix => {
                self.text.split('/').filter(|segment| *segment == "+").count()
            }
        }
    }

    fn segments_match(&self, path: &str) -> bool {
        let fits = |want: &str, have: &str, is_open_end: bool| {
            want == "+" || want == have || is_open_end && have.starts_with(want)
        };
        self.walk(path, fits)
    }

    /// Compares segment by segment. `fits` is told what the pattern wants, what the path has, and
    /// whether the segment may go on after what is wanted.
    pub(crate) fn walk(&self, path: &str, fits: impl Fn(&str, &str, bool) -> bool) -> bool {
        let open = matches!(self.shape, Shape::Prefix | Shape::SegmentsPrefix);
        let mut given = path.split('/');
        let mut wanted = self.text.split('/').peekable();
        while let Some(want) = wanted.next() {
            let Some(have) = given.next() else { return false };
            if !fits(want, have, open && wanted.peek().is_none()) {
                return false;
            }
        }
        open || given.next().is_none()
    }
}

/// As a policy would write it, with the namespace.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match self.shape {
            Shape::Exact | Shape::Segments => Ok(()),
            Shape::Prefix | Shape::SegmentsPrefix => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(&Namespace::root(), text)
    }

    #[test]
    fn a_plus_is_one_segment_and_a_star_the_rest() {
        for (text, path, matches) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/", false),
            ("a*", "a", true),
            ("a*", "abc/d", true),
            ("*", "", true),
            ("a/+", "a/b", true),
            ("a/+", "a/", true),
            ("a/+", "a/b/c", false),
            ("a/+", "a", false),
            ("+", "a", true),
            ("+/b", "a/b", true),
            ("a/+/c", "a/b/c", true),
            ("a/+/c", "a/b/d", false),
            ("a/+/c*", "a/b/cd/e", true),
            ("a/+/c*", "a/b/c", true),
            ("a/+/c*", "a/b", false),
            ("a/+/*", "a/b", false),
            ("a/+/*", "a/b/", true),
            ("a/+/*", "a/b/c/d", true),
            ("a/b+", "a/b+", true),
            ("a/b+", "a/bc", false),
            ("a/+b", "a/xb", false),
            ("a/+b", "a/+b", true),
            ("a*b", "axb", false),
            ("a*b", "a*b", true),
        ] {
            assert_eq!(pattern(text).matches(path), matches, "{text} {path}");
            assert_eq!(pattern(text).to_string(), text);
        }
    }

    #[test]
    fn the_documented_order_of_specificity() {
        let documented = ["s/+/+/x", "s/+/b/x", "s/a/+/x"];
        for pair in documented.windows(2) {
            assert!(pattern(pair[0]).priority() < pattern(pair[1]).priority(), "{pair:?}");
        }
        for (low, high) in [
            ("s/+", "s/a*"),
            ("s/+/ba*", "s/+/bar"),
            ("s/*", "s/+"),
            ("s/+/b*", "s/+/ba*"),
            ("s/+/*", "s/+/b*"),
            ("*", "+"),
        ] {
            assert!(pattern(low).priority() < pattern(high).priority(), "{low} {high}");
        }
    }

    #[test]
    fn reaching_a_folder() {
        for (text, folder, reaches) in [
            ("s/a", "s/", true),
            ("s", "s/", false),
            ("t/a", "s/", false),
            ("*", "s/", true),
            ("s*", "s/", true),
            ("s/a/b*", "s/", true),
            ("t*", "s/", false),
            ("+/a", "s/", true),
            ("+/*", "s/", true),
            ("s/+/x", "s/a/", true),
            ("s/+/x", "s/a/x/", true),
            ("s/+/x", "s/a/y/", false),
            ("s/+", "s/a/b/", false),
            ("s/+/x*", "s/a/xy/z/", true),
        ] {
            assert_eq!(pattern(text).reaches(folder), reaches, "{text} {folder}");
        }
    }
}
