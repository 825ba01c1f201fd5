use std::ops::Range;

use scan_engine::{Finding, Hits, Occurrence, Scanner};

/// What was found in a text, or in a window of a large one, before anybody asked for its path and commit.
pub(crate) struct Part {
    /// The path within archives, each name with a `!` before it; empty for the input itself.
    pub(crate) inner: String,
    pub(crate) hits: Hits,
    /// The findings that are this part's by where they start. What else it sees is of the window before or after.
    pub(crate) own: Range<usize>,
    /// Newlines before the window, and bytes after the last one of them.
    pub(crate) lines_before: usize,
    pub(crate) columns_before: usize,
}

impl Part {
    /// The path alone, for rules that look at nothing else.
    pub(crate) fn path_alone(inner: &str) -> Self {
        Self {
            inner: inner.into(),
            hits: Hits::default(),
            own: 0..usize::MAX,
            lines_before: 0,
            columns_before: 0,
        }
    }

    /// What counts at a place, each with its full path.
    pub(crate) fn judge(&self, scanner: &Scanner, at: &Occurrence<'_>) -> Vec<(String, Finding)> {
        let file = format!("{}{}", at.path, self.inner);
        let at = Occurrence { path: &file, ..*at };
        let findings = scanner.judge(&self.hits, &at);
        let own = findings.into_iter().filter(|finding| self.owns(finding));
        own.map(|finding| (file.clone(), self.place(finding))).collect()
    }

    fn owns(&self, finding: &Finding) -> bool {
        // A finding of the path is told once, by the first window.
        if finding.start_line == 0 {
            self.own.start == 0
        } else {
            self.own.contains(&finding.span.start)
        }
    }

    fn place(&self, mut finding: Finding) -> Finding {
        if finding.start_line == 0 {
            return finding;
        }
        // Columns count from 2 in all lines but the first of an input, as gitleaks counts them.
        let more = self.columns_before + usize::from(self.lines_before > 0);
        if finding.start_line == 1 {
            finding.start_column += more;
        }
        if finding.end_line == 1 {
            finding.end_column += more;
        }
        finding.start_line += self.lines_before;
        finding.end_line += self.lines_before;
        finding
    }
}
