//! What fuzzing asks of this crate's parts.

use scan_rules::Pattern;

use crate::matcher::Matcher;
use crate::{Scanner, names};

/// Whether a path's last part has what an expression says of names; `None` if the expression does not match the path, or says
/// nothing of names.
pub fn keeps_name(expression: &str, path: &[u8]) -> Option<bool> {
    let pattern = Pattern::new(expression).ok()?;
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let names = Matcher::of_part(names::of(pattern.hir())?);
    Matcher::new(pattern).is_match(path).then(|| names.is_match(name))
}

/// The same scanner, which looks at all of a text in which something was decoded, however far that is.
pub fn looks_far_from_decoded(mut scanner: Scanner) -> Scanner {
    scanner.around_decoded = usize::MAX;
    scanner
}
