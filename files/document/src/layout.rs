//! Where in the text each part of a tree stands.

use std::ops::Range;

use crate::place::{is_blank, leads_line, line_start};
use crate::tree::Entry;
use crate::{Comment, Element, Value};

/// Where a value stands. The parts of its container are in the order of the tree and as many.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct Layout {
    /// The value itself: quotes and brackets included, the name of an anchor not. A block
    /// container reaches from its first part to the end of its last.
    pub(crate) span: Range<usize>,
    /// What follows elsewhere and goes when the value is replaced: the lines of a block scalar,
    /// whose `span` is then only its sign.
    pub(crate) tail: Option<Range<usize>>,
    /// Where on the line of its key or dash a value may begin.
    pub(crate) head: usize,
    pub(crate) kind: Kind,
    /// Why nothing in it may change, if so.
    pub(crate) locked: Option<&'static str>,
}

#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) enum Kind {
    /// Lines of their own, all beginning in column `indent` (from 0).
    Block {
        indent: usize,
        /// The end of the line that opens it, if it has one even when it is empty.
        open: Option<usize>,
        /// Whether what is new and long goes to the end of the text, under headers.
        sections: bool,
        parts: Vec<Part>,
    },
    /// Between brackets, with commas.
    Flow { parts: Vec<Part> },
    /// Without parts, or with parts that have no place of their own.
    Whole,
}

/// Where an item or an element stands.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct Part {
    /// A member from its key, an element of a block list from its dash.
    pub(crate) span: Range<usize>,
    /// Further places of the same comment.
    pub(crate) also: Vec<Range<usize>>,
    /// Not a line at this place of the tree that others may follow: a comment behind a value, a
    /// table with a header.
    pub(crate) inline: bool,
    /// None for a comment.
    pub(crate) value: Option<Layout>,
}

/// A comment as a parser found it.
pub(crate) struct Remark {
    pub(crate) span: Range<usize>,
    /// From 0.
    pub(crate) column: usize,
    pub(crate) comment: Comment,
}

impl Layout {
    pub(crate) fn whole(span: Range<usize>) -> Self {
        let head = span.start;
        Self { span, tail: None, head, kind: Kind::Whole, locked: None }
    }

    pub(crate) fn flow(span: Range<usize>, parts: Vec<Part>) -> Self {
        Self { kind: Kind::Flow { parts }, ..Self::whole(span) }
    }

    pub(crate) fn block(span: Range<usize>, indent: usize, parts: Vec<Part>) -> Self {
        Self {
            kind: Kind::Block { indent, open: None, sections: false, parts },
            ..Self::whole(span)
        }
    }

    /// A block container that may be empty; what comes first in it follows the line that ends at
    /// `open`.
    pub(crate) fn open(span: Range<usize>, open: usize, parts: Vec<Part>) -> Self {
        Self {
            kind: Kind::Block { indent: 0, open: Some(open), sections: false, parts },
            ..Self::whole(span)
        }
    }

    pub(crate) fn end(&self) -> usize {
        self.tail.as_ref().map_or(self.span.end, |tail| tail.end)
    }

    fn shift(&mut self, by: usize) {
        let Self { span, tail, head, kind, locked: _ } = self;
        *head += by;
        [Some(span), tail.as_mut()].into_iter().flatten().for_each(|range| shift(range, by));
        match kind {
            Kind::Block { open, parts, .. } => {
                *open = open.map(|open| open + by);
                parts.iter_mut().for_each(|part| part.shift(by));
            }
            Kind::Flow { parts } => parts.iter_mut().for_each(|part| part.shift(by)),
            Kind::Whole => {}
        }
    }

    pub(crate) fn parts(&self) -> &[Part] {
        match &self.kind {
            Kind::Block { parts, .. } | Kind::Flow { parts } => parts,
            Kind::Whole => &[],
        }
    }
}

impl Part {
    pub(crate) fn comment(span: Range<usize>, inline: bool) -> Self {
        Self { span, also: Vec::new(), inline, value: None }
    }

    pub(crate) fn value(start: usize, layout: Layout) -> Self {
        Self { span: start..layout.end(), also: Vec::new(), inline: false, value: Some(layout) }
    }

    /// Moves it on in the text.
    pub(crate) fn shift(&mut self, by: usize) {
        let Self { span, also, inline: _, value } = self;
        shift(span, by);
        also.iter_mut().for_each(|range| shift(range, by));
        if let Some(layout) = value {
            layout.shift(by);
        }
    }
}

fn shift(range: &mut Range<usize>, by: usize) {
    *range = range.start + by..range.end + by;
}

/// Puts comments into the tree of a YAML document as sops sees them there: before the line that
/// they end, before what follows them, or, at the end of a block, into the innermost block that
/// their column belongs to. `remarks` are in the order of the text.
pub(crate) fn place_comments(
    text: &str,
    value: &mut Value,
    layout: &mut Layout,
    remarks: Vec<Remark>,
) {
    let (indent, close) = match &layout.kind {
        Kind::Block { indent, .. } => (*indent, usize::MAX),
        Kind::Flow { .. } | Kind::Whole => (0, layout.span.end),
    };
    let (Kind::Block { parts, .. } | Kind::Flow { parts }) = &mut layout.kind else { return };
    if remarks.is_empty() {
        return;
    }
    match value {
        Value::List(elements) => merge(text, elements, parts, (indent, close), remarks),
        Value::Map(items) => merge(text, items, parts, (indent, close), remarks),
        Value::Scalar(_) => {}
    }
    // What comes behind a block comes behind the comments that end it.
    if let Kind::Block { parts, .. } = &layout.kind {
        let end = parts.iter().map(|part| part.span.end).max();
        layout.span.end = layout.span.end.max(end.unwrap_or_default());
    }
}

fn merge<E: Entry>(
    text: &str,
    entries: &mut Vec<E>,
    parts: &mut Vec<Part>,
    (indent, close): (usize, usize),
    remarks: Vec<Remark>,
) {
    // For each part what goes before it (the last: after all of them), and what goes into it.
    let mut before = std::iter::repeat_with(Vec::new).take(parts.len() + 1).collect::<Vec<_>>();
    let mut within = std::iter::repeat_with(Vec::new).take(parts.len()).collect::<Vec<_>>();
    for remark in remarks {
        if remark.span.start >= close {
            before[0].push(remark);
            continue;
        }
        let next = parts.partition_point(|part| part.span.start < remark.span.start);
        let place = match next.checked_sub(1) {
            Some(last) => side::<E>(text, &parts[last], indent, &remark, next < parts.len()),
            None => Side::After,
        };
        match place {
            Side::Before => before[next - 1].push(remark),
            Side::Within => within[next - 1].push(remark),
            Side::After => before[next].push(remark),
        }
    }
    let mut old = std::mem::take(entries).into_iter().zip(std::mem::take(parts));
    for (above, inner) in before.into_iter().zip(within.into_iter().chain([Vec::new()])) {
        for remark in above {
            let inline = !leads_line(text, remark.span.start);
            parts.push(Part::comment(remark.span, inline));
            entries.push(E::of_comment(Comment { inline, ..remark.comment }));
        }
        let Some((mut entry, mut part)) = old.next() else { continue };
        if let (Some(layout), Some(value)) = (&mut part.value, entry.value_mut()) {
            place_comments(text, value, layout, inner);
            if let Kind::Block { .. } = layout.kind {
                part.span.end = part.span.end.max(layout.span.end);
            }
        }
        entries.push(entry);
        parts.push(part);
    }
}

/// Where a comment belongs that begins behind the start of a part.
enum Side {
    Before,
    Within,
    After,
}

fn side<E: Entry>(text: &str, part: &Part, indent: usize, remark: &Remark, has_next: bool) -> Side {
    let Some(value) = &part.value else { return Side::After };
    let inline = !leads_line(text, remark.span.start);
    let scalar_side = if inline { Side::Before } else { Side::After };
    match &value.kind {
        Kind::Whole if remark.span.start < value.span.start => Side::Before,
        Kind::Whole => scalar_side,
        Kind::Flow { .. } if remark.span.start < value.span.start => Side::Before,
        // Behind the bracket it still is the container's, as sops sees it.
        Kind::Flow { .. } if remark.span.start < value.span.end || inline => Side::Within,
        Kind::Flow { .. } => Side::After,
        Kind::Block { .. } if remark.span.start < value.span.start => {
            // Behind a dash it is the element's and at the end of a line the key's, unless an
            // anchor or a tag of the container stands before it.
            let follows_property = !text[..value.head].ends_with([':', '-']);
            let is_above = !E::IS_ELEMENT && !inline;
            if is_above || inline && follows_property { Side::Within } else { Side::Before }
        }
        Kind::Block { .. } if remark.span.start < value.span.end || inline => Side::Within,
        Kind::Block { .. } if !E::IS_ELEMENT && leaves_list(text, value, remark) => Side::After,
        Kind::Block { indent: inner, .. } => {
            let is_indentless = !E::IS_ELEMENT && *inner == indent && has_next;
            // Deeper than the key is within, even if it is less deep than what stands there, unless
            // another comment parts it from that.
            let start = line_start(text, remark.span.start);
            let above = text[..start].trim_end_matches(['\r', '\n']);
            let follows_comment =
                above[line_start(above, above.len())..].trim_start().starts_with('#');
            let least = if follows_comment { *inner } else { (*inner).min(indent + 1) };
            let fits = remark.column >= least && !is_indentless;
            if fits { Side::Within } else { Side::After }
        }
    }
}

/// Whether a comment at the end of a list goes with what follows the list. So sops has it right below
/// an element with lines of its own, less deep than those, and above an empty line.
fn leaves_list(text: &str, list: &Layout, remark: &Remark) -> bool {
    let last = list.parts().iter().rev().find(|part| part.value.is_some());
    let Some(Part { span, value: Some(value), .. }) = last else { return false };
    let Kind::Block { indent, .. } = value.kind else { return false };
    let is_element = text[span.start..].starts_with(['-'])
        && text[span.start + 1..].starts_with([' ', '\t', '\r', '\n']);
    is_element && remark.column < indent && parts_from_next(text, remark.span.start)
}

/// Whether the lines of comments around `at` follow something else, with no empty line between, and
/// have an empty line behind them.
fn parts_from_next(text: &str, at: usize) -> bool {
    let is_comment = |line: &&str| line.trim_start().starts_with('#');
    let mut above = text[..line_start(text, at)].lines().rev().skip_while(is_comment);
    let mut below = text[at..].lines().skip(1).skip_while(is_comment);
    above.next().is_some_and(|line| !is_blank(line)) && below.next().is_some_and(is_blank)
}

/// Takes the comments that stand first in an element of a list out of it and puts them before it.
/// There sops has them when it has written the file once, and for it both are the same path.
pub(crate) fn hoist(value: &mut Value, layout: Option<&mut Layout>) {
    let parts = layout.and_then(|layout| match &mut layout.kind {
        Kind::Block { parts, .. } | Kind::Flow { parts } => Some(parts),
        Kind::Whole => None,
    });
    match value {
        Value::Map(items) => hoist_within(items, parts),
        Value::List(elements) => {
            let mut parts = parts;
            hoist_within(elements, parts.as_deref_mut());
            hoist_out(elements, parts);
        }
        Value::Scalar(_) => {}
    }
}

fn hoist_within<E: Entry>(entries: &mut [E], parts: Option<&mut Vec<Part>>) {
    let mut layouts = parts.into_iter().flatten().map(|part| part.value.as_mut());
    for entry in entries {
        let layout = layouts.next().flatten();
        if let Some(value) = entry.value_mut() {
            hoist(value, layout);
        }
    }
}

fn hoist_out(elements: &mut Vec<Element>, mut parts: Option<&mut Vec<Part>>) {
    let mut old_parts = parts.as_mut().map(|parts| std::mem::take(*parts).into_iter());
    for mut element in std::mem::take(elements) {
        let mut part = old_parts.as_mut().and_then(Iterator::next);
        let comments = match &mut element {
            Element::Value(Value::Map(items)) => leading(items),
            Element::Value(Value::List(inner)) => leading(inner),
            Element::Value(Value::Scalar(_)) | Element::Comment(_) => Vec::new(),
        };
        let inner =
            part.as_mut().and_then(|part| part.value.as_mut()).map(|layout| &mut layout.kind);
        if let (Some(parts), Some(Kind::Block { parts: inner, .. } | Kind::Flow { parts: inner })) =
            (&mut parts, inner)
        {
            parts.extend(inner.drain(..comments.len()).map(|part| Part { inline: true, ..part }));
        }
        elements.extend(comments.into_iter().map(Element::Comment));
        elements.push(element);
        if let (Some(parts), Some(part)) = (&mut parts, part) {
            parts.push(part);
        }
    }
}

/// Takes the comments before the first value, if there is a value.
fn leading<E: Entry>(entries: &mut Vec<E>) -> Vec<Comment> {
    let first = entries.iter().position(|entry| entry.value().is_some()).unwrap_or(0);
    entries.drain(..first).filter_map(|entry| entry.comment().cloned()).collect()
}
