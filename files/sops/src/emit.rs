use files_document::{Document, Format, Item, Scalar, Value};

use crate::{Result, flat};

/// A part of a file in a format: a text as it is, a mapping as a whole file, and what else there is
/// as the format writes values.
///
/// # Errors
/// `Unreadable` if the format has no place for it.
pub fn emit_value(format: Format, value: &Value, indent: Option<usize>) -> Result<Vec<u8>> {
    match (format, value) {
        (_, Value::Map(items)) => Ok(Document::emit(format, std::slice::from_ref(items), indent)?),
        (_, Value::Scalar(Scalar::Text(text))) => Ok(text.expose().clone().into_bytes()),
        (_, Value::Scalar(Scalar::Bytes(bytes))) => Ok(bytes.expose().clone()),
        (Format::Json, _) => Ok(bare(format, value, indent, "}")?.into_bytes()),
        (Format::Yaml, _) => Ok((bare(format, value, indent, "")? + "\n").into_bytes()),
        (_, Value::Scalar(scalar)) => Ok(text(scalar).into_bytes()),
        // What these formats say of a list without a name is for them to tell.
        (_, Value::List(_)) => {
            Ok(Document::emit(format, &[vec![Item::member(NAME, value.clone())]], indent)?)
        }
    }
}

const NAME: &str = "value";

/// The value as it stands in a file in which it is the only one, one level further out.
fn bare(format: Format, value: &Value, indent: Option<usize>, end: &str) -> Result<String> {
    let file = Document::emit(format, &[vec![Item::member(NAME, value.clone())]], indent)?;
    let file = String::from_utf8_lossy(&file).into_owned();
    let start = file.find(':').map_or(0, |at| at + 1);
    let body = file[start..].trim_end().strip_suffix(end).unwrap_or_default().trim_end();
    let lines = body.trim_start_matches([' ', '\n']).lines();
    let level = match (format, indent) {
        (Format::Json, None) => "\t".to_owned(),
        (_, indent) => " ".repeat(indent.unwrap_or(4)),
    };
    let out: Vec<&str> = lines.map(|line| line.strip_prefix(&level).unwrap_or(line)).collect();
    Ok(out.join("\n"))
}

/// A scalar as it stands in formats that know texts alone; nothing for null.
pub fn text(scalar: &Scalar) -> String {
    flat::text(scalar).unwrap_or_default()
}
