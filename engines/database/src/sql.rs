//! Scripts with placeholders. Vault's replacement of `{{name}}` is textual, so it is here that a
//! value is kept from leaving the quotes it is put in (CVE-2023-0620, CVE-2026-39946): a script is
//! cut into its quoted and unquoted parts, and each value is escaped for the part where it stands,
//! or refused where no escape can be trusted.

use base_types::{Error, Result};

/// Whose rules of quoting hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dialect {
    Mysql,
    Postgresql,
}

/// What stands for a placeholder.
#[derive(Clone, Copy)]
pub(crate) struct Value<'v> {
    pub(crate) placeholder: &'static str,
    pub(crate) text: &'v str,
    /// A caller may have had a say in it, as in a name.
    pub(crate) is_foreign: bool,
}

/// What statements about a user are told.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) username: &'a str,
    pub(crate) proof: Option<Told<'a>>,
    pub(crate) expiration: Option<&'a str>,
}

/// By what a user shows who it is, as far as the database has to know it.
#[derive(Clone, Copy)]
pub(crate) enum Told<'a> {
    Password(&'a str),
    PublicKey(&'a str),
    Subject(&'a str),
}

impl<'a> About<'a> {
    pub(crate) fn values(&self) -> Vec<Value<'a>> {
        let foreign = |placeholder, text| Value { placeholder, text, is_foreign: true };
        let own = |placeholder, text| Value { placeholder, text, is_foreign: false };
        let mut values = vec![foreign("name", self.username), foreign("username", self.username)];
        values.extend(self.proof.map(|proof| match proof {
            Told::Password(text) => own("password", text),
            Told::PublicKey(text) => own("public_key", text),
            // The caller's name may be in it.
            Told::Subject(text) => foreign("subject", text),
        }));
        values.extend(self.expiration.map(|text| own("expiration", text)));
        values
    }
}

/// A part of a script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Code,
    /// A comment, or quotes with rules of their own: `E'…'`, `$$…$$`.
    Opaque,
    /// Text between two of this character, which stands for itself when doubled.
    Quoted(char),
}

/// The script with its placeholders replaced. Those it does not know it leaves alone.
///
/// # Errors
/// `Invalid` if quotes are not closed, or a value cannot be put where the script wants it.
pub(crate) fn fill(dialect: Dialect, script: &str, values: &[Value<'_>]) -> Result<String> {
    let mut filled = String::with_capacity(script.len() + 128);
    for (part, text) in parts(dialect, script)? {
        let mut rest = text;
        while let Some(open) = rest.find("{{") {
            filled.push_str(&rest[..open]);
            rest = &rest[open + 2..];
            let found = values.iter().find_map(|value| {
                let (name, after) = rest.split_once("}}")?;
                (name.trim() == value.placeholder).then_some((value, after))
            });
            match found {
                Some((value, after)) => {
                    filled.push_str(&escaped(dialect, part, value)?);
                    rest = after;
                }
                None => filled.push_str("{{"),
            }
        }
        filled.push_str(rest);
    }
    Ok(filled)
}

/// Whether a script has a place for something.
pub(crate) fn mentions(script: &str, placeholder: &str) -> bool {
    let names = script.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
    names.into_iter().any(|(name, _)| name.trim() == placeholder)
}

/// The statements of a script, without the semicolons between them.
///
/// # Errors
/// `Invalid` if quotes are not closed.
pub(crate) fn split(dialect: Dialect, script: &str) -> Result<Vec<String>> {
    let mut statements = vec![String::new()];
    for (part, text) in parts(dialect, script)? {
        let mut pieces = if part == Part::Code { text.split(';') } else { text.split('\0') };
        if let (Some(last), Some(first)) = (statements.last_mut(), pieces.next()) {
            last.push_str(first);
        }
        statements.extend(pieces.map(str::to_owned));
    }
    statements.retain(|statement| !statement.trim().is_empty());
    Ok(statements)
}

fn escaped(dialect: Dialect, part: Part, value: &Value<'_>) -> Result<String> {
    let Value { placeholder, text, is_foreign } = *value;
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(format!("the {placeholder} holds a control character")));
    }
    match part {
        // Whether it escapes depends on settings, and in PostgreSQL on what stands a line before.
        Part::Quoted(quote)
            if text.contains('\\') && (dialect == Dialect::Mysql || quote == '\'') =>
        {
            Err(Error::invalid(format!("the {placeholder} holds a backslash")))
        }
        Part::Quoted(quote) => Ok(text.replace(quote, &format!("{quote}{quote}"))),
        Part::Code if is_plain(dialect, text) => Ok(text.to_owned()),
        Part::Code => Err(Error::invalid(format!(
            "{{{{{placeholder}}}}} stands outside of quotes, and this {placeholder} cannot: \
             write quotes around it in the statement"
        ))),
        Part::Opaque if is_harmless(text, is_foreign) => Ok(text.to_owned()),
        Part::Opaque => Err(Error::invalid(format!(
            "{{{{{placeholder}}}}} stands in a comment or in special quotes, where only plain \
             characters are safe, and this {placeholder} has others"
        ))),
    }
}

/// The database reads it as it stands: PostgreSQL makes capitals small.
fn is_plain(dialect: Dialect, text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let fits = |c: char| match dialect {
        Dialect::Mysql => c.is_ascii_alphanumeric() || c == '_',
        Dialect::Postgresql => c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_',
    };
    starts && text.chars().all(fits)
}

/// It ends no quotes of any kind, and a foreign one no statement and no line either.
fn is_harmless(text: &str, is_foreign: bool) -> bool {
    if is_foreign {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_.@+-".contains(c);
        return text.chars().all(fits) && !text.contains("--");
    }
    !text.contains(['\'', '"', '`', '\\', '$', ';', '*', '/'])
}

/// Cuts a script; quotes belong to what they enclose.
fn parts(dialect: Dialect, script: &str) -> Result<Vec<(Part, &str)>> {
    let mut parts = Vec::new();
    let (mut code, mut at) = (0, 0);
    while let Some(char) = script[at..].chars().next() {
        let before = &script[code..at];
        let Some((part, length)) = special(dialect, before, &script[at..]) else {
            at += char.len_utf8();
            continue;
        };
        let length = length.ok_or_else(|| {
            let line = script[..at].matches('\n').count() + 1;
            Error::invalid(format!(
                "what begins with {char} in line {line} of a statement has no end"
            ))
        })?;
        parts.push((Part::Code, before));
        parts.push((part, &script[at..at + length]));
        at += length;
        code = at;
    }
    parts.push((Part::Code, &script[code..]));
    Ok(parts)
}

/// What begins here, if it is not code, and its length, if it has an end.
fn special(dialect: Dialect, before: &str, rest: &str) -> Option<(Part, Option<usize>)> {
    let postgresql = dialect == Dialect::Postgresql;
    let ends: &[char] = if postgresql { &['\n', '\r'] } else { &['\n'] };
    let line = || (Part::Opaque, Some(rest.find(ends).unwrap_or(rest.len())));
    match rest.as_bytes() {
        [b'\'', ..] if postgresql && has_prefix(before, "e") => {
            Some((Part::Opaque, quoted(rest, '\'', true)))
        }
        [b'\'' | b'"', ..] if postgresql && has_prefix(before, "u&") => {
            Some((Part::Opaque, quoted(rest, char::from(rest.as_bytes()[0]), false)))
        }
        [quote @ (b'\'' | b'"'), ..] => {
            let quote = char::from(*quote);
            Some((Part::Quoted(quote), quoted(rest, quote, !postgresql)))
        }
        [b'`', ..] if !postgresql => Some((Part::Quoted('`'), quoted(rest, '`', false))),
        [b'-', b'-', ..] if postgresql => Some(line()),
        [b'-', b'-'] => Some(line()),
        [b'-', b'-', space, ..] if space.is_ascii_whitespace() => Some(line()),
        [b'#', ..] if !postgresql => Some(line()),
        [b'/', b'*', ..] => Some((Part::Opaque, comment(rest, postgresql))),
        [b'$', ..] if postgresql && !before.ends_with(is_word) => dollar(rest),
        _ => None,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The quotes that follow are of the kind that `prefix` makes them.
fn has_prefix(before: &str, prefix: &str) -> bool {
    let Some(start) = before.len().checked_sub(prefix.len()) else { return false };
    before.is_char_boundary(start)
        && before[start..].eq_ignore_ascii_case(prefix)
        && !before[..start].ends_with(is_word)
}

fn quoted(rest: &str, quote: char, has_escapes: bool) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        if char == '\\' && has_escapes {
            chars.next();
        } else if char == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

fn comment(rest: &str, nests: bool) -> Option<usize> {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") && (nests || depth == 0) {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    None
}

/// `$tag$ … $tag$`; a dollar without a second one is a parameter or part of a name.
fn dollar(rest: &str) -> Option<(Part, Option<usize>)> {
    let end = rest[1..].find('$')? + 2;
    let tag = &rest[..end];
    let name = &tag[1..end - 1];
    if !name.chars().all(|c| c.is_alphanumeric() || c == '_')
        || name.starts_with(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    let body = rest[end..].find(tag);
    Some((Part::Opaque, body.map(|body| end + body + tag.len())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn name(text: &str) -> Value<'_> {
        Value { placeholder: "name", text, is_foreign: true }
    }

    fn check(dialect: Dialect, script: &str, value: &str, expected: Option<&str>) {
        let filled = fill(dialect, script, &[name(value)]).ok();
        assert_eq!(filled.as_deref(), expected, "{script} with {value}");
    }

    #[test]
    fn a_value_stays_within_its_quotes() {
        use Dialect::{Mysql, Postgresql};
        let evil = "x\"; DROP TABLE t; --'`";
        check(
            Postgresql,
            "DROP ROLE \"{{name}}\"",
            evil,
            Some("DROP ROLE \"x\"\"; DROP TABLE t; --'`\""),
        );
        check(Postgresql, "SELECT '{{name}}'", evil, Some("SELECT 'x\"; DROP TABLE t; --''`'"));
        check(Mysql, "DROP USER `{{name}}`", evil, Some("DROP USER `x\"; DROP TABLE t; --'```"));
        check(Mysql, "DROP USER '{{name}}'", evil, Some("DROP USER 'x\"; DROP TABLE t; --''`'"));
        check(
            Mysql,
            "DROP USER \"{{name}}\"",
            evil,
            Some("DROP USER \"x\"\"; DROP TABLE t; --'`\""),
        );
        for script in [
            "DROP ROLE {{name}}",
            "SELECT E'{{name}}'",
            "SELECT U&'{{name}}'",
            "-- {{name}}",
            "DO $$ {{name}} $$",
            "DO $a$ '{{name}}' $a$",
            "/* {{name}} */ SELECT 1",
            "/* /* */ {{name}} */",
        ] {
            check(Postgresql, script, evil, None);
            check(Postgresql, script, "x\\' OR 1", None);
            check(Postgresql, script, "a -- b", None);
        }
        for script in ["DROP USER {{name}}", "# {{name}}", "-- {{name}}", "/*! {{name}} */"] {
            check(Mysql, script, evil, None);
        }
        check(Mysql, "DROP USER '{{name}}'", "a\\", None);
        check(Postgresql, "SELECT '{{name}}'", "a\\", None);
        check(Postgresql, "DROP ROLE \"{{name}}\"", "a\\", Some("DROP ROLE \"a\\\""));
        check(Postgresql, "-- a\rSELECT '{{name}}'", "a b", Some("-- a\rSELECT 'a b'"));
        check(Postgresql, "SELECT '{{name}}'", "a\nb", None);
        check(Postgresql, "SELECT '{{name}}'", "a\0b", None);
    }

    #[test]
    fn a_place_is_found_as_it_is_filled() {
        for script in ["{{password}}", "a '{{ password }}'", "{{name}} -- {{password}}"] {
            assert!(mentions(script, "password"), "{script}");
        }
        for script in ["", "password", "{{passwords}}", "{{password", "{ {password}}"] {
            assert!(!mentions(script, "password"), "{script}");
        }
    }

    #[test]
    fn plain_values_go_anywhere() {
        use Dialect::{Mysql, Postgresql};
        check(Postgresql, "DROP ROLE {{ name }}", "v_app_1", Some("DROP ROLE v_app_1"));
        // PostgreSQL would make it small, and the user would be another.
        check(Postgresql, "DROP ROLE {{name}}", "v_App", None);
        check(Mysql, "DROP ROLE {{name}}", "v_App", Some("DROP ROLE v_App"));
        check(
            Postgresql,
            "DO $$ BEGIN EXECUTE 'DROP ROLE \"{{name}}\"'; END $$",
            "v-a-1",
            Some("DO $$ BEGIN EXECUTE 'DROP ROLE \"v-a-1\"'; END $$"),
        );
        check(
            Postgresql,
            "SELECT '{{other}}' '{{name' \"{{name}}\"",
            "a",
            Some("SELECT '{{other}}' '{{name' \"a\""),
        );
        // A value is not searched for placeholders.
        check(Postgresql, "SELECT '{{name}}'", "{{name}}", Some("SELECT '{{name}}'"));
        let password = Value { placeholder: "password", text: "a--b", is_foreign: false };
        assert!(fill(Postgresql, "DO $$ '{{password}}' $$", &[password]).is_ok());
    }

    #[test]
    fn quotes_must_be_closed() {
        for script in ["'", "\"a", "$$ a", "$a$ $$", "/* a", "E'\\'", "/* /* */"] {
            assert!(fill(Dialect::Postgresql, script, &[]).is_err(), "{script}");
        }
        for script in ["'\\'", "`", "\"'", "/*"] {
            assert!(fill(Dialect::Mysql, script, &[]).is_err(), "{script}");
        }
        let error = fill(Dialect::Postgresql, "a\n 'b", &[]).unwrap_err();
        assert_eq!(error.public(), "what begins with ' in line 2 of a statement has no end");
    }

    proptest::proptest! {
        /// Whatever a value is, the script has the same parts with it as without.
        #[test]
        fn no_value_changes_what_a_script_is(
            value in "[a-z'\"`\\\\$;*/#{} \n-]{0,12}",
            script in proptest::sample::select(&[
                "'{{name}}'", "\"{{name}}\"", "`{{name}}`", "a {{name}} b", "-- {{name}}\n'x'", "# {{name}}\n'x'",
                "/* {{name}} */ 'x'", "$$ {{name}} $$ 'x'", "$t$ {{name}} $t$", "E'{{name}}'", "U&'{{name}}'",
                "'a{{name}}' \"{{name}}\" -- {{name}}", "'a''{{name}}' ; x",
            ][..]),
            dialect in proptest::sample::select(&[Dialect::Mysql, Dialect::Postgresql][..]),
        ) {
            let kinds = |script: &str| {
                let parts = parts(dialect, script).unwrap();
                parts.into_iter().map(|(part, _)| part).collect::<Vec<_>>()
            };
            if let Ok(filled) = fill(dialect, script, &[name(&value)]) {
                proptest::prop_assert_eq!(kinds(&filled), kinds(script), "{}", filled);
            }
        }
    }

    #[test]
    fn statements_end_at_semicolons_of_code() {
        let split = |script| split(Dialect::Mysql, script).unwrap();
        assert_eq!(split("a; b;"), ["a", " b"]);
        assert_eq!(split("a 'x;y' `;` /* ; */ c;; \n"), ["a 'x;y' `;` /* ; */ c"]);
        assert_eq!(split("a -- x;\n b; c # ;"), ["a -- x;\n b", " c # ;"]);
        assert_eq!(split("a--b;c"), ["a--b", "c"]);
        assert_eq!(split("'it''s;' ; '\\';'"), ["'it''s;' ", " '\\';'"]);
        assert!(split(" ; ").is_empty());
    }
}
