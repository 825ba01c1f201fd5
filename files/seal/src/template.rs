use base_types::{Error, Result};
use zeroize::Zeroizing;

use crate::seal::Entry;

/// The text of a template of the secret's data, with the values of `values` where it names them:
/// `{{ .key }}` and `{{ index . "key" }}`. The controller knows all of Go's templates; of what goes
/// beyond names nothing is guessed here.
///
/// # Errors
/// `Invalid` for any other action.
pub(crate) fn render(text: &str, values: &[Entry<'_>]) -> Result<Zeroizing<Vec<u8>>> {
    let mut rendered = Zeroizing::new(Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, after) =
            after.split_once("}}").ok_or_else(|| Error::invalid("an action is not closed"))?;
        // A hyphen at an edge takes the blanks of the text next to it away.
        let start = action.strip_prefix('-').filter(|it| it.starts_with(' '));
        let inner = start.unwrap_or(action);
        let end = inner.strip_suffix('-').filter(|it| it.ends_with(' '));
        let name = name(end.unwrap_or(inner).trim()).ok_or_else(|| {
            Error::invalid(format!(
                "the template uses {{{{{action}}}}}, which is more than a value: unseal it with kubeseal"
            ))
        })?;
        rendered.extend_from_slice(match start {
            Some(_) => before.trim_end().as_bytes(),
            None => before.as_bytes(),
        });
        match values.iter().find(|(key, _)| *key == name) {
            Some((_, value)) => rendered.extend_from_slice(value),
            // As Go's templates write it.
            None => rendered.extend_from_slice(b"<no value>"),
        }
        rest = if end.is_some() { after.trim_start() } else { after };
    }
    rendered.extend_from_slice(rest.as_bytes());
    Ok(rendered)
}

/// The name of the value that an action asks for.
fn name(action: &str) -> Option<&str> {
    let is_name = |name: &&str| {
        name.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && name.chars().all(|next| next.is_alphanumeric() || next == '_')
    };
    if let Some(name) = action.strip_prefix('.') {
        return Some(name).filter(is_name);
    }
    let quoted = action.strip_prefix("index")?.trim_start().strip_prefix('.')?.trim();
    let name = quoted.strip_prefix('"')?.strip_suffix('"')?;
    Some(name).filter(|name| !name.contains(['"', '\\']))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let values =
            [("user", Zeroizing::new(b"ann".to_vec())), ("a-b", Zeroizing::new(b"x".to_vec()))];
        match render(text, &values) {
            Ok(rendered) => assert_eq!(std::str::from_utf8(&rendered).unwrap(), expected),
            Err(error) => assert!(error.public().contains(expected), "{}", error.public()),
        }
    }

    #[test]
    fn values_stand_where_they_are_named() {
        check("no actions", "no actions");
        check("u={{ .user }};", "u=ann;");
        check("{{.user}}{{ index . \"a-b\" }}", "annx");
        check("a {{- .user -}} b", "aannb");
        check("a {{- .user }} b", "aann b");
        check("a {{ .user -}}  b", "a annb");
        check("{{ .other }}", "<no value>");
        for text in ["{{ .user | upper }}", "{{ .a-b }}", "{{ if .user }}x{{ end }}", "{{ .a.b }}"]
        {
            check(text, "more than a value");
        }
        check("{{ .user", "not closed");
    }
}
