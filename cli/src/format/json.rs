use crate::json::Json;

/// `value` over several lines, indented by two spaces.
pub(crate) fn pretty(value: &Json) -> String {
    let mut out = String::new();
    write(value, Some(0), &mut out);
    out
}

/// `value` without any space: what request bodies are.
pub(crate) fn compact(value: &Json) -> String {
    let mut out = String::new();
    write(value, None, &mut out);
    out
}

fn write(value: &Json, indent: Option<usize>, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(digits) => out.push_str(digits),
        Json::Text(text) => write_text(text, out),
        Json::List(items) => write_all(items, ['[', ']'], indent, out, write),
        Json::Map(members) => {
            write_all(members, ['{', '}'], indent, out, |(key, value), indent, out| {
                write_text(key, out);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write(value, indent, out);
            })
        }
    }
}

fn write_all<T>(
    items: &[T],
    [open, close]: [char; 2],
    indent: Option<usize>,
    out: &mut String,
    write_one: impl Fn(&T, Option<usize>, &mut String),
) {
    out.push(open);
    let inner = indent.map(|indent| indent + 2);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        new_line(inner, out);
        write_one(item, inner, out);
    }
    if !items.is_empty() {
        new_line(indent, out);
    }
    out.push(close);
}

fn new_line(indent: Option<usize>, out: &mut String) {
    if let Some(indent) = indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', indent));
    }
}

/// The characters that HTML would take for markup are escaped as well, as Go's encoder does: the
/// output may be compared byte for byte.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_go_does() {
        let source =
            r#"{"a":"<b>&\u2028\u0001\b\f\n\"\\é","list":[1.50,{},[],null],"m":{"x":true}}"#;
        let value = Json::parse(source).unwrap();
        assert_eq!(
            pretty(&value),
            r#"{
  "a": "\u003cb\u003e\u0026\u2028\u0001\b\f\n\"\\é",
  "list": [
    1.50,
    {},
    [],
    null
  ],
  "m": {
    "x": true
  }
}"#
        );
        assert_eq!(Json::parse(&compact(&value)).unwrap(), value);
        assert!(!compact(&value).contains(' '));
    }
}
