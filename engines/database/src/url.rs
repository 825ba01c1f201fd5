//! Connection URLs as text: how PostgreSQL's lists of pairs are cut, and where a password stands.

use std::ops::Range;

use percent_encoding::percent_decode_str;

/// One of the `key=value` that a connection may be described by.
pub(crate) struct Pair<'t> {
    pub(crate) key: &'t str,
    /// From the key to the end of the value.
    pub(crate) place: Range<usize>,
    /// The value with its quotes.
    pub(crate) value: Range<usize>,
}

pub(crate) fn is_url(text: &str) -> bool {
    after_scheme(text).is_some()
}

/// Cuts a list as PostgreSQL does: white space is around pairs and around `=`, and a value is in
/// quotes or not, with escapes in both. Nothing if it is no such list.
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE>
pub(crate) fn pairs(text: &str) -> Option<Vec<Pair<'_>>> {
    let after_space = |at: usize| text.len() - text[at..].trim_start().len();
    let (mut pairs, mut at) = (Vec::new(), after_space(0));
    while at < text.len() {
        let length = text[at..].find(|c: char| c == '=' || c.is_whitespace())?;
        let equals = after_space(at + length);
        if length == 0 || !text[equals..].starts_with('=') {
            return None;
        }
        let start = after_space(equals + 1);
        let end = value_end(text, start)?;
        pairs.push(Pair { key: &text[at..at + length], place: at..end, value: start..end });
        at = after_space(end);
    }
    Some(pairs)
}

fn value_end(text: &str, start: usize) -> Option<usize> {
    let is_quoted = text[start..].starts_with('\'');
    let mut chars = text[start..].char_indices().skip(usize::from(is_quoted));
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => drop(chars.next()),
            '\'' if is_quoted => return Some(start + at + 1),
            _ if !is_quoted && char.is_whitespace() => return Some(start + at),
            _ => {}
        }
    }
    (!is_quoted).then_some(text.len())
}

const MASK: &str = "xxxxx";
const PLACEHOLDER: &str = "{{password}}";

/// What may be shown of a connection URL that has a password of its own; nothing if it has none.
/// One that may have a password, though nobody can say where, is not shown at all.
pub(crate) fn masked(url: &str) -> Option<String> {
    let mut places = places(url);
    if places.is_empty() {
        let is_suspect = !url.contains(PLACEHOLDER) && is_suspect(url);
        return is_suspect.then(|| MASK.to_owned());
    }
    places.retain(|place| is_literal(&url[place.clone()]));
    places.sort_by_key(|place| place.start);
    let (mut shown, mut at) = (String::new(), 0);
    for Range { start, end } in places {
        if start >= at {
            shown.push_str(&url[at..start]);
            shown.push_str(MASK);
        }
        at = at.max(end);
    }
    shown.push_str(&url[at..]);
    (at > 0).then_some(shown)
}

/// Where passwords stand, given or to be filled in; places may overlap.
fn places(url: &str) -> Vec<Range<usize>> {
    if let Some(start) = after_scheme(url) {
        let user = url.rfind('@').and_then(|end| after_colon(url, start..end));
        return user.into_iter().chain(in_query(url)).collect();
    }
    let listed = pairs(url).into_iter().flatten().filter(|pair| pair.key == "password");
    // MySQL's form has neither a scheme nor pairs.
    let user = url.rfind("@tcp(").and_then(|end| after_colon(url, 0..end));
    listed.map(|pair| pair.value).chain(user).collect()
}

fn after_colon(url: &str, Range { start, end }: Range<usize>) -> Option<Range<usize>> {
    let colon = url.get(start..end)?.find(':')?;
    Some(start + colon + 1..end)
}

fn in_query(url: &str) -> impl Iterator<Item = Range<usize>> {
    url.match_indices(['?', '&']).filter_map(move |(at, _)| {
        let start = at + 1;
        let end = url[start..].find('&').map_or(url.len(), |length| start + length);
        let (key, _) = url[start..end].split_once('=')?;
        let is_password = percent_decode_str(key).decode_utf8_lossy() == "password";
        is_password.then(|| start + key.len() + 1..end)
    })
}

fn is_literal(password: &str) -> bool {
    !password.trim_matches('\'').is_empty() && !password.contains(PLACEHOLDER)
}

/// It speaks of a password, or looks as if one followed a name.
fn is_suspect(url: &str) -> bool {
    let rest = &url[after_scheme(url).unwrap_or(0)..];
    let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
    user.contains(':') || url.to_ascii_lowercase().contains("password")
}

fn after_scheme(text: &str) -> Option<usize> {
    let schemes = ["postgres://", "postgresql://"];
    schemes.iter().find(|scheme| text.starts_with(**scheme)).map(|scheme| scheme.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_masked() {
        for (url, shown) in [
            ("postgresql://u:hunter2@h:5/db", Some("postgresql://u:xxxxx@h:5/db")),
            ("postgresql://u:a@b:c@h:5/db", Some("postgresql://u:xxxxx@h:5/db")),
            ("postgresql://{{username}}:{{password}}@h/db", None),
            ("postgresql://h/db", None),
            ("postgresql://u@h/db", None),
            (
                "postgresql://h/db?user=u&password=hunter2&port=5",
                Some("postgresql://h/db?user=u&password=xxxxx&port=5"),
            ),
            ("postgresql://h/?pass%77ord=a?b@c", Some("postgresql://h/?pass%77ord=xxxxx")),
            (
                "postgresql://{{username}}:{{password}}@h/?password=hunter2",
                Some("postgresql://{{username}}:{{password}}@h/?password=xxxxx"),
            ),
            ("postgresql://u:a@h/?password=b&x=c@d", Some("postgresql://u:xxxxx@d")),
            ("postgresql://h/?password={{password}}", None),
            ("host=h password=hunter2 user=u", Some("host=h password=xxxxx user=u")),
            ("host=h user=u password=hunter2", Some("host=h user=u password=xxxxx")),
            ("host=h password = hunter2", Some("host=h password = xxxxx")),
            ("host=h\npassword\t=\thunter2\nuser=u", Some("host=h\npassword\t=\txxxxx\nuser=u")),
            ("host=h password=ab://cd", Some("host=h password=xxxxx")),
            ("host=h password=ab@tcp(cd options=a:b", Some("host=h password=xxxxx options=a:b")),
            ("password='a b@c' host=h", Some("password=xxxxx host=h")),
            (r"password='a\'bcd' host=h", Some("password=xxxxx host=h")),
            (r"password=a\ bcd host=h", Some("password=xxxxx host=h")),
            ("host=h password={{password}}", None),
            ("host=h password='{{password}}'", None),
            ("host=h user=u", None),
            ("u:hunter2@tcp(h:3306)/", Some("u:xxxxx@tcp(h:3306)/")),
            ("u:p://w@tcp(h)/", Some("u:xxxxx@tcp(h)/")),
            ("u:mypassword@tcp(h)/?tls=true", Some("u:xxxxx@tcp(h)/?tls=true")),
            ("{{username}}:{{password}}@tcp(h:3306)/", None),
            // Nobody can say where.
            ("host=h password='hunter2", Some("xxxxx")),
            ("host=h PASSWORD=hunter2", Some("xxxxx")),
            ("u:hunter2@unix(/socket)/", Some("xxxxx")),
            ("redis://:hunter2@h", Some("xxxxx")),
        ] {
            assert_eq!(masked(url).as_deref(), shown, "{url}");
        }
    }
}
