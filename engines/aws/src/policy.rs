//! Policy documents of IAM: JSON that AWS alone understands.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use base_types::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The document without the spaces that AWS would count against its limits.
///
/// # Errors
/// `Invalid`, with the place of the fault, if it is no JSON object.
pub(crate) fn compact(document: &str) -> Result<String> {
    let object: serde_json::Map<String, Value> = serde_json::from_str(document)
        .map_err(|error| Error::invalid(format!("cannot parse policy document: {error}")))?;
    drop(object);
    let (mut in_text, mut is_escaped) = (false, false);
    let is_kept = |c: &char| {
        let keep = in_text || !c.is_ascii_whitespace();
        match (in_text, *c) {
            _ if is_escaped => is_escaped = false,
            (true, '\\') => is_escaped = true,
            (_, '"') => in_text = !in_text,
            _ => {}
        }
        keep
    };
    Ok(document.chars().filter(is_kept).collect())
}

/// One document that says what all of them say.
///
/// # Errors
/// `Invalid` if one of them is no policy document.
pub(crate) fn combine<'a>(documents: impl IntoIterator<Item = &'a str>) -> Result<String> {
    #[derive(Deserialize)]
    struct Document {
        #[serde(rename = "Statement")]
        statement: Value,
    }
    #[derive(Serialize)]
    struct Combined {
        #[serde(rename = "Version")]
        version: &'static str,
        #[serde(rename = "Statement")]
        statement: Vec<Value>,
    }
    let mut combined = Combined { version: "2012-10-17", statement: Vec::new() };
    for document in documents {
        let Document { statement } = serde_json::from_str(document)
            .map_err(|_| Error::invalid("a policy document has no Statement"))?;
        match statement {
            Value::Array(several) => combined.statement.extend(several),
            one => combined.statement.push(one),
        }
    }
    serde_json::to_string(&combined).map_err(Error::internal)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn spaces_go_and_the_rest_stays() {
        let document = "{ \"b\" : [ 1.50 , \"x \\\" y\\\\\" ] ,\n\t\"a\": \" \" }\r\n";
        assert_eq!(compact(document).unwrap(), r#"{"b":[1.50,"x \" y\\"],"a":" "}"#);
        for (text, fault) in [
            ("", "EOF while parsing"),
            ("[]", "invalid type"),
            ("{\"a\":}", "expected value at line 1 column 6"),
            ("{} x", "trailing characters"),
            (&"{\"a\":".repeat(200), "recursion limit exceeded"),
        ] {
            let error = compact(text).unwrap_err();
            let expected = format!("cannot parse policy document: {fault}");
            assert!(error.public().starts_with(&expected), "{text:.20}: {error:?}");
        }
    }

    #[test]
    fn statements_are_put_together() {
        let one = r#"{"Version":"2008-10-17","Statement":{"Effect":"Allow"}}"#;
        let two = r#"{"Statement":[{"Effect":"Deny"},{"Sid":"x"}]}"#;
        assert_eq!(
            combine([one, two]).unwrap(),
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow"},{"Effect":"Deny"},{"Sid":"x"}]}"#
        );
        assert!(combine([one, "{}"]).is_err());
        assert!(combine(["x"]).is_err());
    }
}
