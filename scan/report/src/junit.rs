use std::io::{self, Write};

use crate::json;
use crate::row::Row;

/// Writes each finding as a test that failed, as gitleaks does.
pub(crate) fn write(rows: &[Row], tool: &str, output: &mut dyn Write) -> io::Result<()> {
    let count = rows.len();
    writeln!(output, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(output, "<testsuites>")?;
    write!(
        output,
        "\t<testsuite failures=\"{count}\" name=\"{tool}\" tests=\"{count}\" time=\"\">"
    )?;
    for row in rows {
        case(row, output)?;
    }
    if count > 0 {
        write!(output, "\n\t")?;
    }
    write!(output, "</testsuite>\n</testsuites>")
}

fn case(row: &Row, output: &mut dyn Write) -> io::Result<()> {
    let mut data = Vec::new();
    json::write(row, b"\t", &mut data)?;
    let data = escape(&String::from_utf8_lossy(&data));
    let class = escape(&row.description);
    let file = escape(&row.file);
    let name = escape(&message(row));
    write!(
        output,
        "\n\t\t<testcase classname=\"{class}\" file=\"{file}\" name=\"{name}\" time=\"\">"
    )?;
    write!(output, "\n\t\t\t<failure message=\"{name}\" type=\"{class}\">{data}</failure>")?;
    write!(output, "\n\t\t</testcase>")
}

fn message(row: &Row) -> String {
    let Row { rule_id, file, start_line, commit, .. } = row;
    let at = if commit.is_empty() { String::new() } else { format!(", at commit {commit}") };
    format!("{rule_id} has detected a secret in file {file}, line {start_line}{at}.")
}

/// Text as Go's `encoding/xml` writes it. What XML cannot hold becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' => escaped.push_str("&#x9;"),
            '\n' => escaped.push_str("&#xA;"),
            '\r' => escaped.push_str("&#xD;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            character => escaped.push(character),
        }
    }
    escaped
}
