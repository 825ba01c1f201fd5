//! Changes of a text, collected by place and made at once.

use std::ops::Range;

use base_types::{Error, Result};

use crate::place::{is_blank, line_start};

/// Changes of a text that do not overlap. Those at one place are made in the order of the calls.
pub(crate) struct Edits<'a> {
    text: &'a str,
    newline: &'static str,
    list: Vec<Edit>,
}

struct Edit {
    range: Range<usize>,
    with: String,
    /// Whether a line that it leaves blank goes too.
    whole_lines: bool,
}

impl<'a> Edits<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, newline: crate::place::newline(text), list: Vec::new() }
    }

    pub(crate) fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    pub(crate) fn replace(&mut self, range: Range<usize>, with: impl Into<String>) {
        self.list.push(Edit { range, with: with.into(), whole_lines: false });
    }

    /// Takes out exactly this.
    pub(crate) fn cut(&mut self, range: Range<usize>) {
        self.replace(range, "");
    }

    /// Takes this out, with the blanks before it and with the lines that become blank.
    pub(crate) fn remove(&mut self, range: Range<usize>) {
        self.list.push(Edit { range, with: String::new(), whole_lines: true });
    }

    /// Whether something new has more than one line.
    pub(crate) fn adds_lines(&self) -> bool {
        self.list.iter().any(|edit| edit.with.contains('\n'))
    }

    /// The text with all changes, whose line breaks become those of the text.
    ///
    /// # Errors
    /// `Internal` if two changes overlap.
    pub(crate) fn apply(mut self) -> Result<String> {
        self.list.sort_by_key(|edit| (edit.range.start, edit.range.end));
        self.merge_removals();
        // The end of what goes from the top of the text.
        let mut top = 0;
        for edit in self.list.iter_mut().filter(|edit| edit.whole_lines) {
            edit.range = widened(self.text, edit.range.clone(), top);
            if edit.range.start == top {
                top = edit.range.end;
            }
        }
        self.list.sort_by_key(|edit| (edit.range.start, edit.range.end));
        let mut out = String::with_capacity(self.text.len() + 1024);
        let mut done = 0;
        for edit in &self.list {
            let kept = self
                .text
                .get(done..edit.range.start)
                .ok_or_else(|| Error::internal("two changes of a file overlap"))?;
            out.push_str(kept);
            if self.newline == "\n" {
                out.push_str(&edit.with);
            } else {
                out.push_str(&edit.with.replace("\r\n", "\n").replace('\n', self.newline));
            }
            done = edit.range.end;
        }
        out.push_str(&self.text[done..]);
        Ok(out)
    }

    /// A removal that follows another with only blanks between is one with it: a member and the
    /// comment behind it.
    fn merge_removals(&mut self) {
        let mut merged: Vec<Edit> = Vec::with_capacity(self.list.len());
        for edit in self.list.drain(..) {
            if let Some(last) = merged.last_mut()
                && last.whole_lines
                && edit.whole_lines
                && (edit.range.start <= last.range.end
                    || is_blank(&self.text[last.range.end..edit.range.start]))
            {
                last.range.end = last.range.end.max(edit.range.end);
                continue;
            }
            merged.push(edit);
        }
        self.list = merged;
    }
}

/// The range and what must go with it: the break before a line that it empties (after it, if all
/// lines above are gone, up to `top`), else the blanks before it if nothing follows on the line.
fn widened(text: &str, range: Range<usize>, top: usize) -> Range<usize> {
    let rest = &text[range.end..];
    let to_break = rest.find('\n').unwrap_or(rest.len());
    if !is_blank(&rest[..to_break]) {
        return range;
    }
    let end = range.end + rest[..to_break].trim_end_matches('\r').len();
    let start = line_start(text, range.start);
    if !is_blank(&text[start..range.start]) {
        return start + text[start..range.start].trim_end_matches([' ', '\t']).len()..end;
    }
    if start == top {
        return top..(range.end + to_break + 1).min(text.len());
    }
    let newline = start - 1;
    newline - usize::from(text[..newline].ends_with('\r'))..end
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(text: &str, remove: &[&str], expect: &str) {
        let mut edits = Edits::new(text);
        for part in remove {
            let at = text.find(part).unwrap();
            edits.remove(at..at + part.len());
        }
        assert_eq!(edits.apply().unwrap(), expect);
    }

    #[test]
    fn a_removal_takes_its_line_along() {
        check("a\n  b\nc\n", &["b"], "a\nc\n");
        check("a\nb\nc\n", &["a"], "b\nc\n");
        check("a\nb\nc\n", &["a", "b"], "c\n");
        check("a\nb\nc\n", &["b", "c"], "a\n");
        check("a\r\n b  \r\nc", &["b"], "a\r\nc");
        check("a\nb", &["b"], "a");
        check("a", &["a"], "");
    }

    #[test]
    fn what_else_is_on_the_line_stays() {
        check("a: b # c\nd\n", &["# c"], "a: b\nd\n");
        check("a: b # c\nd\n", &["a: b"], " # c\nd\n");
        check("a: b # c\nd\n", &["a: b", "# c"], "d\n");
    }

    #[test]
    fn changes_that_overlap_are_refused() {
        let mut edits = Edits::new("abc");
        edits.replace(0..2, "x");
        edits.replace(1..3, "y");
        assert!(edits.apply().is_err());
    }
}
