use regex::{Regex, RegexBuilder};

use crate::{Failure, Result};

/// A regular expression as Go's `regexp` reads it (RE2), found anywhere in a text.
///
/// Both engines match in linear time and mostly the same; what differs is rewritten: the classes
/// `\d`, `\s`, `\w` and the word boundary are ASCII in Go, `\Q…\E` quotes, and within brackets
/// `[`, `&&`, `--` and `~~` mean only themselves.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    source: String,
    regex: Regex,
}

impl Pattern {
    /// # Errors
    /// `Invalid` if it is no regular expression.
    pub(crate) fn parse(source: &str) -> Result<Self> {
        let regex = RegexBuilder::new(&translate(source))
            .octal(true)
            .build()
            .map_err(|error| Failure::invalid(format!("'{source}' is no pattern: {error}")))?;
        Ok(Self { source: source.to_owned(), regex })
    }

    /// As it was written.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

fn translate(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix(r"\Q") {
            let (literal, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            out.push_str(&regex::escape(literal));
            rest = after;
        } else if next == '[' {
            rest = class(rest, &mut out);
        } else {
            rest = atom(rest, false, &mut out);
        }
    }
    out
}

/// Copies a class in brackets and gives what follows it.
fn class<'a>(text: &'a str, out: &mut String) -> &'a str {
    out.push('[');
    let mut rest = &text[1..];
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    // A bracket that closes in the first place is one of the characters.
    if let Some(after) = rest.strip_prefix(']') {
        out.push_str(r"\]");
        rest = after;
    }
    while let Some(next) = rest.chars().next() {
        if next == ']' {
            out.push(']');
            return &rest[1..];
        }
        let named = rest.strip_prefix("[:").and_then(|inner| inner.find(":]"));
        if let Some(length) = named {
            let (name, after) = rest.split_at(length + 4);
            out.push_str(name);
            rest = after;
        } else if next == '[' {
            out.push_str(r"\[");
            rest = &rest[1..];
        } else if ["&&", "--", "~~"].iter().any(|set| rest.starts_with(set)) {
            out.push('\\');
            out.push(next);
            rest = &rest[1..];
        } else {
            rest = atom(rest, true, out);
        }
    }
    rest
}

/// Copies a character or an escape and gives what follows it.
fn atom<'a>(text: &'a str, in_class: bool, out: &mut String) -> &'a str {
    let mut chars = text.chars();
    let first = chars.next().unwrap_or_default();
    if first != '\\' {
        out.push(first);
        return chars.as_str();
    }
    let Some(escaped) = chars.next() else {
        out.push(first);
        return "";
    };
    let ascii = match (escaped, in_class) {
        ('d', true) => "0-9",
        ('d', false) => "[0-9]",
        ('D', _) => "[^0-9]",
        ('s', true) => r"\t\n\f\r ",
        ('s', false) => r"[\t\n\f\r ]",
        ('S', _) => r"[^\t\n\f\r ]",
        ('w', true) => "0-9A-Za-z_",
        ('w', false) => "[0-9A-Za-z_]",
        ('W', _) => "[^0-9A-Za-z_]",
        ('b', false) => r"(?-u:\b)",
        ('B', false) => r"(?-u:\B)",
        _ => {
            out.push(first);
            out.push(escaped);
            return chars.as_str();
        }
    };
    out.push_str(ascii);
    chars.as_str()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        let found = Pattern::parse(pattern).unwrap().is_in(text);
        assert_eq!(found, expected, "{pattern} in {text}");
    }

    #[test]
    fn a_pattern_is_found_anywhere() {
        check("pass", "my_password", true);
        check("^(data|stringData)$", "data", true);
        check("^(data|stringData)$", "metadata", false);
        check("(?i)token", "API_TOKEN", true);
    }

    #[test]
    fn classes_are_those_of_go() {
        check(r"^\d$", "٣", false);
        check(r"^\w+$", "ä", false);
        check(r"^\W$", "ä", true);
        check(r"^[\w-]+$", "a-b", true);
        check(r"^[^\s]$", "\u{a0}", true);
        check(r"\bä", "ä", false);
        check(r"^\Qa.b[\E$", "a.b[", true);
        check("^[[a]$", "[", true);
        check("^[a&&b]$", "&", true);
        check("^[a--]$", "-", true);
        check("^[]a]$", "]", true);
        check("^[[:alpha:]_]+$", "a_b", true);
        check(r"^\pL+$", "äb", true);
        check(r"^\101$", "A", true);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in ["(", "[a", "a(?=b)", r"\", "*"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
