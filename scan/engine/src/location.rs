use std::ops::Range;

/// The lines of a text, found once when the first match is to be located.
pub(crate) struct Lines {
    /// Where each line break is.
    breaks: Vec<usize>,
    length: usize,
}

/// Where a match is, in gitleaks' counting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Location {
    pub(crate) start_line: usize,
    pub(crate) end_line: usize,
    pub(crate) start_column: usize,
    pub(crate) end_column: usize,
    /// The bytes of the lines that hold the match; from the second line on with the line break before them.
    line_start: usize,
    line_end: usize,
}

impl Location {
    pub(crate) fn lines(&self) -> Range<usize> {
        self.line_start..self.line_end
    }
}

impl Lines {
    pub(crate) fn of(text: &[u8]) -> Self {
        Self { breaks: memchr::memchr_iter(b'\n', text).collect(), length: text.len() }
    }

    /// Locates a match as gitleaks does. Its line begins at the line break before it, so that columns count
    /// from 1 in the first line and from 2 in all others.
    pub(crate) fn locate(&self, text: &[u8], span: &Range<usize>) -> Location {
        let only = [self.length];
        let breaks = if self.breaks.is_empty() { &only[..] } else { &self.breaks[..] };
        let before = |line: usize| if line == 0 { 0 } else { breaks[line - 1] };
        // The line whose break is the first one after the start.
        let line = breaks.partition_point(|at| *at <= span.start);
        let mut location = if line < breaks.len() {
            Location {
                start_line: line,
                end_line: line,
                start_column: span.start - before(line) + 1,
                end_column: 0,
                line_start: before(line),
                line_end: breaks[line],
            }
        } else {
            self.in_last_line(text, span, breaks)
        };
        let end = breaks.partition_point(|at| *at < span.end);
        if end < breaks.len() && before(end) < span.end {
            location.end_line = end;
            location.end_column = span.end - before(end);
            location.line_end = breaks[end];
        }
        location.start_line += 1;
        location.end_line += 1;
        location.line_end = location.line_end.max(span.end).min(text.len());
        location
    }

    /// Behind the last line break.
    fn in_last_line(&self, text: &[u8], span: &Range<usize>, breaks: &[usize]) -> Location {
        let last = breaks[breaks.len() - 1];
        let rest = text.get(span.end..).unwrap_or_default();
        let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        Location {
            start_line: breaks.len(),
            end_line: breaks.len(),
            start_column: span.start - last + 1,
            end_column: span.end - last,
            // gitleaks takes all of the text for the line here, so that a comment in the first excuses the last.
            line_start: last,
            line_end: span.end + length,
        }
    }
}
