/// The expression for a token that looks like nothing else, and so may stand anywhere but within a word. The token is the
/// first group.
pub(crate) fn alone(token: &str) -> String {
    format!(r"\b({token})(?:[^\w\-]|$)")
}

/// The expression for a `value` that is assigned to something whose name has one of `names` in it, as
/// source code, configuration, shells and JSON write it. The value is the first group.
///
/// All pieces are bounded, so that a search looks at some hundred bytes after a name and no further.
pub(crate) fn assigned(names: &[String], value: &str) -> String {
    let names = names.join("|");
    format!("(?i:{names}){REST_OF_NAME}{OPERATOR}{BEFORE_VALUE}({value}){AFTER_VALUE}")
}

/// `_API_KEY`, ` secret key`, `"]`, and a type between a colon and what is assigned.
const REST_OF_NAME: &str =
    r#"[\w.\- \t]{0,30}\\?['"`\]]{0,2}[ \t]{0,8}(?:: ?[A-Za-z&'<>]{2,20} {0,2})?"#;

/// What stands between a name and a value, `", "` of a list of pairs among it.
const OPERATOR: &str = r"(?:=>|:=|\?=|={1,3}|:{1,2}|\|\||>|,)";

/// Spaces, a quote, and the call that wraps many a value.
const BEFORE_VALUE: &str = r#"[ \t]{0,8}(?:[A-Za-z_.]{2,24}\()?\\?['"`]{0,3}"#;

const AFTER_VALUE: &str = r"(?:[^\w+/=\-]|$)";
