use scan_rules::Filter;
use scan_rules::filter::{Fault, Scope};

use crate::text;

/// An expression of betterleaks: what is wrong with it is told at a place that there is, and what may be asked before
/// anything is found may be asked of a finding too.
pub fn scan_filter(data: &[u8]) {
    let text = text(data);
    let of_finding = Filter::parse(&text, Scope::Finding);
    if let Err(Fault { offset, what }) = &of_finding {
        assert!(*offset <= text.len() && !what.is_empty(), "{offset}: {what}");
    }
    if Filter::parse(&text, Scope::Place).is_ok() {
        assert!(of_finding.is_ok());
    }
}
