use std::ops::Range;

use base_types::Secret;

/// A secret in a text, at one place. The names and meanings are those of gitleaks' JSON.
///
/// `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Finding {
    pub rule_id: String,
    pub description: String,
    /// Counted from 1; 0 where a rule looks at paths alone. The place is that of the match, not of the secret.
    pub start_line: usize,
    pub end_line: usize,
    /// As gitleaks counts: from 1 in the first line of a text, from 2 in all others. [`Finding::column`] counts from 1.
    pub start_column: usize,
    pub end_column: usize,
    /// All that the rule's expression matched, or `file detected: ` and the path.
    pub matched: Secret<Vec<u8>>,
    pub secret: Secret<Vec<u8>>,
    /// The lines that hold the match, but of a long one no more than some bytes around it.
    pub line: Secret<Vec<u8>>,
    /// Where the match is in the bytes that were searched; of a decoded one, what was decoded.
    pub span: Range<usize>,
    /// Where `matched` is in `line`; `None` for what was found after decoding, and in paths.
    pub in_line: Option<Range<usize>>,
    /// Shannon entropy of the secret in bits a character.
    pub entropy: f32,
    /// The rule's, and for what was found after decoding `decoded:KIND` and `decode-depth:N`.
    pub tags: Vec<String>,
    /// What rules named in `required` found near by.
    pub required: Vec<Component>,
}

/// The finding of a rule that another one requires.
#[derive(Clone, Debug)]
pub struct Component {
    pub rule_id: String,
    pub start_line: usize,
    pub end_line: usize,
    pub start_column: usize,
    pub end_column: usize,
    pub matched: Secret<Vec<u8>>,
    pub secret: Secret<Vec<u8>>,
}

impl Finding {
    /// The column as people count it, from 1 in every line.
    pub fn column(&self) -> usize {
        if self.start_line > 1 { self.start_column.saturating_sub(1) } else { self.start_column }
    }
}
