use scan_sources::Leak;
use serde::Serialize;

use crate::redact::Redaction;

/// A leak as reports write it: the fields of gitleaks' JSON, in their order.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Row {
    #[serde(rename = "RuleID")]
    pub(crate) rule_id: String,
    pub(crate) description: String,
    pub(crate) start_line: usize,
    pub(crate) end_line: usize,
    pub(crate) start_column: usize,
    pub(crate) end_column: usize,
    #[serde(rename = "Match")]
    pub(crate) matched: String,
    pub(crate) secret: String,
    pub(crate) file: String,
    pub(crate) symlink_file: String,
    pub(crate) commit: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) link: String,
    pub(crate) entropy: f32,
    pub(crate) author: String,
    pub(crate) email: String,
    pub(crate) date: String,
    pub(crate) message: String,
    pub(crate) tags: Vec<String>,
    pub(crate) fingerprint: String,
}

impl Row {
    pub(crate) fn of(leak: &Leak, redaction: Redaction) -> Self {
        let finding = &leak.finding;
        let secret = finding.secret.expose();
        let commit = leak.commit.as_deref().cloned().unwrap_or_default();
        Self {
            rule_id: finding.rule_id.clone(),
            description: finding.description.clone(),
            start_line: finding.start_line,
            end_line: finding.end_line,
            start_column: finding.start_column,
            end_column: finding.end_column,
            matched: text(&redaction.within(finding.matched.expose(), secret)),
            // What has no secret, as a file that is found by its name, has nothing to hide.
            secret: if secret.is_empty() { String::new() } else { text(&redaction.secret(secret)) },
            file: leak.file.clone(),
            symlink_file: leak.symlink.clone(),
            commit: commit.id,
            link: leak.link.clone(),
            entropy: finding.entropy,
            author: commit.author,
            email: commit.email,
            date: commit.date,
            message: commit.message,
            tags: finding.tags.clone(),
            fingerprint: leak.fingerprint(),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
