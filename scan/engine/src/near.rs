use scan_rules::{Near, Window};

use crate::hits::Hit;

/// Whether another rule's hit is as near as a rule requires it to be.
pub(crate) fn is_near(hit: &Hit, other: &Hit, near: &Near) -> bool {
    let within = |a: usize, b: usize, distance: &Option<usize>| {
        distance.is_none_or(|max| a.abs_diff(b) <= max)
    };
    match near {
        Near::Anywhere => true,
        Near::Starts { lines, columns } => {
            within(hit.location.start_line, other.location.start_line, lines)
                && within(hit.location.start_column, other.location.start_column, columns)
        }
        Near::Window(window) => begins_within(hit, other, window),
    }
}

/// Whether `other` begins within the window around `hit`.
fn begins_within(hit: &Hit, other: &Hit, window: &Window) -> bool {
    let Window { lines, columns: (before, after) } = *window;
    let Some((lines_before, lines_after)) = lines else {
        let start = hit.span.start.saturating_sub(before);
        return (start..hit.span.end + after).contains(&other.span.start);
    };
    let lines =
        hit.location.start_line.saturating_sub(lines_before)..=hit.location.end_line + lines_after;
    if !lines.contains(&other.location.start_line) {
        return false;
    }
    let ((start, end), (other, _)) = (columns(hit), columns(other));
    (before, after) == (0, 0) || (start.saturating_sub(before)..=end + after).contains(&other)
}

/// The first and last column, counted from 1 in every line.
fn columns(hit: &Hit) -> (usize, usize) {
    let from_1 = |column: usize, line| if line > 1 { column.saturating_sub(1) } else { column };
    let location = &hit.location;
    (
        from_1(location.start_column, location.start_line),
        from_1(location.end_column, location.end_line),
    )
}
