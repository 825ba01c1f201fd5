use std::io::{self, Write};

use crate::row::Row;

const COLUMNS: [&str; 16] = [
    "RuleID",
    "Commit",
    "File",
    "SymlinkFile",
    "Secret",
    "Match",
    "StartLine",
    "EndLine",
    "StartColumn",
    "EndColumn",
    "Author",
    "Message",
    "Date",
    "Email",
    "Fingerprint",
    "Tags",
];

/// Writes rows as gitleaks does: nothing for none, and links only if the first has one.
pub(crate) fn write(rows: &[Row], output: &mut dyn Write) -> io::Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    let links = !first.link.is_empty();
    let mut head: Vec<String> = COLUMNS.map(String::from).to_vec();
    head.extend(links.then(|| "Link".into()));
    line(&head, output)?;
    rows.iter().try_for_each(|row| line(&fields(row, links), output))
}

fn fields(row: &Row, links: bool) -> Vec<String> {
    let mut fields = vec![
        row.rule_id.clone(),
        row.commit.clone(),
        row.file.clone(),
        row.symlink_file.clone(),
        row.secret.clone(),
        row.matched.clone(),
        row.start_line.to_string(),
        row.end_line.to_string(),
        row.start_column.to_string(),
        row.end_column.to_string(),
        row.author.clone(),
        row.message.clone(),
        row.date.clone(),
        row.email.clone(),
        row.fingerprint.clone(),
        row.tags.join(" "),
    ];
    fields.extend(links.then(|| row.link.clone()));
    fields
}

fn line(fields: &[String], output: &mut dyn Write) -> io::Result<()> {
    let quoted: Vec<String> = fields.iter().map(|field| quote(field)).collect();
    writeln!(output, "{}", quoted.join(","))
}

/// A field as Go's `encoding/csv` writes it.
fn quote(field: &str) -> String {
    let special = field.contains([',', '"', '\r', '\n'])
        || field.starts_with(char::is_whitespace)
        || field == "\\.";
    if special { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_when_they_must_be() {
        for (field, expected) in [
            ("a", "a"),
            ("", ""),
            ("a b", "a b"),
            (" a", "\" a\""),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
        ] {
            assert_eq!(quote(field), expected);
        }
    }
}
