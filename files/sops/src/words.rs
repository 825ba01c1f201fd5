use crate::{Failure, Result};

/// The words of a command line as a POSIX shell splits them, without expanding anything: quotes of
/// both kinds and the backslash keep blanks together.
///
/// # Errors
/// `Invalid` if a quote is not closed.
pub fn words(text: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        match (next, quote) {
            (_, Some(closing)) if next == closing => quote = None,
            ('\\', None | Some('"')) => {
                let escaped = chars.next().ok_or_else(unfinished)?;
                let word = word.get_or_insert_default();
                if quote.is_some() && !matches!(escaped, '"' | '\\' | '$' | '`') {
                    word.push('\\');
                }
                word.push(escaped);
            }
            (_, Some(_)) => word.get_or_insert_default().push(next),
            ('"' | '\'', None) => {
                quote = Some(next);
                word.get_or_insert_default();
            }
            _ if next.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(next),
        }
    }
    if quote.is_some() {
        return Err(unfinished());
    }
    words.extend(word);
    Ok(words)
}

fn unfinished() -> Failure {
    Failure::invalid("the command ends within quotes or after a backslash")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_words_together() {
        for (text, expected) in [
            ("", &[][..]),
            (" a  b ", &["a", "b"]),
            (r#"a "b c" 'd "e'"#, &["a", "b c", r#"d "e"#]),
            (r#"a\ b "c\"d\e" ''"#, &["a b", r#"c"d\e"#, ""]),
        ] {
            assert_eq!(words(text).unwrap(), expected, "{text}");
        }
        for text in ["\"a", "'a", "a\\"] {
            assert!(words(text).is_err(), "{text}");
        }
    }
}
