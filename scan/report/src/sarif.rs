use std::io::{self, Write};

use scan_rules::Rule;
use serde::Serialize;

use crate::json;
use crate::row::Row;
use crate::tool::Tool;

/// Writes SARIF 2.1.0: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.
pub(crate) fn write(
    rows: &[Row],
    rules: &[Rule],
    tool: &Tool,
    output: &mut dyn Write,
) -> io::Result<()> {
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Described { driver: driver(rules, tool) },
            results: rows.iter().map(result).collect(),
        }],
    };
    json::write(&log, b" ", output)?;
    writeln!(output)
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'a str,
    version: &'a str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
struct Run<'a> {
    tool: Described<'a>,
    results: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Described<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'a str,
    semantic_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    information_uri: Option<&'a str>,
    rules: Vec<Descriptor<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    id: &'a str,
    short_description: Text<'a>,
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    message: Message,
    rule_id: &'a str,
    locations: [Location<'a>; 1],
    partial_fingerprints: Fingerprints<'a>,
    properties: Properties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    physical_location: Place<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Place<'a> {
    artifact_location: Artifact,
    region: Region<'a>,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region<'a> {
    start_line: usize,
    start_column: usize,
    end_line: usize,
    end_column: usize,
    snippet: Text<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fingerprints<'a> {
    commit_sha: &'a str,
    email: &'a str,
    author: &'a str,
    date: &'a str,
    commit_message: &'a str,
}

#[derive(Serialize)]
struct Properties<'a> {
    tags: &'a [String],
}

fn driver<'a>(rules: &'a [Rule], tool: &'a Tool) -> Driver<'a> {
    let describe = |rule: &'a Rule| Descriptor {
        id: &rule.id,
        short_description: Text { text: &rule.description },
    };
    Driver {
        name: tool.name,
        semantic_version: tool.version,
        information_uri: tool.uri,
        rules: rules.iter().map(describe).collect(),
    }
}

fn result(row: &Row) -> Entry<'_> {
    let at =
        if row.commit.is_empty() { String::new() } else { format!(" at commit {}", row.commit) };
    Entry {
        message: Message {
            text: format!("{} has detected secret for file {}{at}.", row.rule_id, row.file),
        },
        rule_id: &row.rule_id,
        locations: [Location {
            physical_location: Place {
                artifact_location: Artifact { uri: reference(&row.file) },
                // What is found by its name alone has no line, and the schema knows no line 0.
                region: Region {
                    start_line: row.start_line.max(1),
                    start_column: row.start_column.max(1),
                    end_line: row.end_line.max(1),
                    end_column: row.end_column.max(1),
                    snippet: Text { text: &row.secret },
                },
            },
        }],
        partial_fingerprints: Fingerprints {
            commit_sha: &row.commit,
            email: &row.email,
            author: &row.author,
            date: &row.date,
            commit_message: &row.message,
        },
        properties: Properties { tags: &row.tags },
    }
}

/// A path as a reference of RFC 3986. Of an ordinary one nothing changes.
fn reference(path: &str) -> String {
    let mut reference = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(&byte) {
            reference.push(char::from(byte));
        } else {
            reference.push_str(&format!("%{byte:02X}"));
        }
    }
    reference
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_references() {
        assert_eq!(reference("src/a-b.tar.gz!x_1.txt"), "src/a-b.tar.gz!x_1.txt");
        assert_eq!(reference("a b/é%.txt"), "a%20b/%C3%A9%25.txt");
    }
}
