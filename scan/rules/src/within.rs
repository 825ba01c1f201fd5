/// How near to a finding that of a rule which it requires must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Near {
    /// In the same text.
    Anywhere,
    /// The distance of the first lines and of the first columns is at most so much, as in gitleaks.
    Starts { lines: Option<usize>, columns: Option<usize> },
    /// It begins within a window around the finding, as in betterleaks 2.
    Window(Window),
}

/// So much before and after a finding.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Window {
    /// Lines besides the finding's own; `None` means that columns count over the ends of lines.
    pub lines: Option<(usize, usize)>,
    /// Columns, or bytes where no lines are given. With lines none of either means all columns.
    pub columns: (usize, usize),
}

impl Window {
    /// Reads `5L`, `200C`, `-2L,+4L` or `7L,200C`. A number of lines counts the finding's own.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        let mut window = Self::default();
        for part in source.split(',').map(str::trim) {
            let fault =
                || format!("'{part}' is no distance; write 5L for lines or 200C for columns");
            let digits = part.trim_start_matches(['+', '-']);
            let (number, is_lines) = match digits.strip_suffix(['L', 'l']) {
                Some(number) => (number, true),
                None => (digits.strip_suffix(['C', 'c']).unwrap_or(digits), false),
            };
            if part.len() > digits.len() + 1 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(fault());
            }
            let number: usize = number.parse().map_err(|_| fault())?;
            let (number, (before, after)) = match is_lines {
                true => (number.saturating_sub(1), window.lines.get_or_insert_default()),
                false => (number, &mut window.columns),
            };
            if !part.starts_with('+') {
                *before = number.max(*before);
            }
            if !part.starts_with('-') {
                *after = number.max(*after);
            }
        }
        Ok(window)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_read() {
        let window = |lines, columns| Window { lines, columns };
        for (source, expect) in [
            ("1L", window(Some((0, 0)), (0, 0))),
            ("5l", window(Some((4, 4)), (0, 0))),
            ("200C", window(None, (200, 200))),
            ("200", window(None, (200, 200))),
            ("+3L", window(Some((0, 2)), (0, 0))),
            ("-2L, +4L,7C", window(Some((1, 3)), (7, 7))),
        ] {
            assert_eq!(Window::parse(source).unwrap(), expect, "{source}");
        }
        for source in ["", "L", "3X", "--3L", "3L,", "99999999999999999999L"] {
            assert!(Window::parse(source).is_err(), "{source}");
        }
    }
}
