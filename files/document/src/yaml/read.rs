use std::collections::{HashMap, HashSet};
use std::ops::Range;

use base_types::{Error, Result};
use base64::prelude::{BASE64_STANDARD, Engine};
use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, StructureStyle, Tag};

use super::{scalar, simple};
use crate::change::ANCHORED;
use crate::layout::{Kind, Layout, Part, Remark, hoist, place_comments};
use crate::place::{DEPTH_MAX, invalid, line_end, line_start, place, too_deep};
use crate::{Comment, Element, Item, Member, Scalar, Value};

/// How many values may come into a file through aliases.
const ALIASED_MAX: usize = 100_000;

const ALIASED: &str = "this value is an alias or comes from one: write it out first";

/// Reads the documents of a stream, each with where its parts stand.
pub(crate) fn read(text: &str) -> Result<Vec<(Value, Layout)>> {
    match simple::read(text) {
        Some(document) => Ok(vec![document]),
        None => parse(text),
    }
}

/// The members of a text and where they stand, if it is one mapping in the first column and nothing
/// in it can have to do with what is before or behind it.
pub(super) fn section(text: &str) -> Option<(Vec<Item>, Vec<Part>)> {
    let is_marker = |line: &str| ["---", "...", "%"].iter().any(|marker| line.starts_with(marker));
    // How far a block scalar at the end reaches depends on what follows its blank lines.
    let ends_blank = text.strip_suffix('\n').unwrap_or(text).ends_with(char::is_whitespace);
    let may_reach_on = ends_blank && text.contains(['|', '>']);
    if may_reach_on || text.contains(['#', '*']) || text.lines().any(is_marker) {
        return None;
    }
    let mut documents = parse(text).ok()?.into_iter();
    match (documents.next()?, documents.next()) {
        ((Value::Map(items), Layout { kind, .. }), None) => match kind {
            Kind::Block { indent: 0, open: None, parts, .. } => Some((items, parts)),
            Kind::Block { .. } | Kind::Flow { .. } | Kind::Whole => None,
        },
        _ => None,
    }
}

/// As [`read`], with the parser alone.
pub(super) fn parse(text: &str) -> Result<Vec<(Value, Layout)>> {
    let mut reader = Reader::new(text)?;
    let mut documents = Vec::new();
    while let Some((event, span)) = reader.next()? {
        if let Event::DocumentStart(..) = event {
            documents.push(reader.document(end(&span))?);
        }
    }
    if documents.is_empty() {
        documents.push(empty(text.len()));
    }
    reader.place_comments(&mut documents);
    Ok(documents.into_iter().map(|document| (document.value, document.layout)).collect())
}

fn events(text: &str) -> Parser<'_, StrInput<'_>> {
    let options = granit_parser::options! {
        emit_anchor_events: true,
        max_buffered_comment_events: usize::MAX,
        flow_nesting_limit: DEPTH_MAX + 1,
        block_nesting_limit: DEPTH_MAX + 1,
    };
    Parser::new_from_str_with_options(text, options)
}

/// The anchors that an alias names, which stands behind them.
fn used_anchors(text: &str) -> Result<HashSet<usize>> {
    let mut used = HashSet::new();
    for next in events(text) {
        if let (Event::Alias(id), _) = next.map_err(|error| fault(text, &error))? {
            used.insert(id);
        }
    }
    Ok(used)
}

struct Document {
    value: Value,
    layout: Layout,
}

struct Reader<'a> {
    text: &'a str,
    events: Parser<'a, StrInput<'a>>,
    remarks: Vec<Remark>,
    /// The anchors that an alias names.
    used: HashSet<usize>,
    anchors: HashMap<usize, (Value, usize)>,
    aliased: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Result<Self> {
        let used = match text.contains('*') {
            true => used_anchors(text)?,
            false => HashSet::new(),
        };
        let (events, remarks, anchors) = (events(text), Vec::new(), HashMap::new());
        Ok(Self { text, events, remarks, used, anchors, aliased: 0, depth: 0 })
    }

    /// The next event but for comments, which are put aside.
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>> {
        for next in self.events.by_ref() {
            match next.map_err(|error| fault(self.text, &error))? {
                (Event::Comment(comment, _), span) => self.remarks.push(Remark {
                    column: span.start.col(),
                    span: range(&span),
                    comment: Comment::new(comment),
                }),
                event => return Ok(Some(event)),
            }
        }
        Ok(None)
    }

    /// The next event, which the parser owes us.
    fn owed(&mut self) -> Result<(Event<'a>, Span)> {
        self.next()?.ok_or_else(|| Error::internal("the YAML parser stopped early"))
    }

    /// A document whose start ends at `start`.
    fn document(&mut self, start: usize) -> Result<Document> {
        self.anchors.clear();
        let (event, span) = self.owed()?;
        let at = begin(&span);
        let (value, layout, _) = self.node(event, &span, start)?;
        let document = match value {
            Value::Map(_) => Document { value, layout },
            Value::Scalar(Scalar::Null) if begin(&span) == end(&span) => {
                empty(line_end(self.text, start))
            }
            Value::Scalar(Scalar::Null) => Document { value: Value::Map(Vec::new()), layout },
            Value::List(_) | Value::Scalar(_) => {
                return Err(invalid(
                    self.text,
                    at,
                    "a document must be a mapping of keys and values, not a list or a scalar",
                ));
            }
        };
        let (event, span) = self.owed()?;
        match event {
            Event::DocumentEnd => Ok(document),
            _ => Err(invalid(self.text, begin(&span), "the document should have ended")),
        }
    }

    /// The node of an event and the number of values in it. What begins it may stand at `head`.
    fn node(
        &mut self,
        event: Event<'a>,
        span: &Span,
        head: usize,
    ) -> Result<(Value, Layout, usize)> {
        let anchor = match event {
            Event::Scalar(_, _, id, _)
            | Event::SequenceStart(_, id, _)
            | Event::MappingStart(_, id, _)
                if id != 0 =>
            {
                let (_, at) = self.owed()?;
                Some((id, end(&at)))
            }
            _ => None,
        };
        let tag_end = span.tag_span().map_or(head, |tag| end(&tag));
        let named = anchor.map_or(head, |(_, end)| end).max(head);
        let (value, mut layout, count) = match event {
            Event::Scalar(text, style, _, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), span)?;
                let layout = self.scalar_layout(style, tag.as_deref(), span, named);
                (value.into(), layout, 1)
            }
            Event::SequenceStart(style, ..) => {
                self.deeper(span, |reader| reader.list(style, span, named.max(tag_end)))?
            }
            Event::MappingStart(style, ..) => {
                self.deeper(span, |reader| reader.map(style, span, named.max(tag_end)))?
            }
            Event::Alias(id) => self.alias(id, span)?,
            _ => return Err(invalid(self.text, begin(span), "a value should stand here")),
        };
        if let Some((id, _)) = anchor
            && self.used.contains(&id)
        {
            layout.locked = Some(ANCHORED);
            self.anchors.insert(id, (value.clone(), count));
        }
        Ok((value, layout, count))
    }

    fn deeper<T>(&mut self, span: &Span, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEPTH_MAX {
            return Err(too_deep(self.text, begin(span)));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn alias(&mut self, id: usize, span: &Span) -> Result<(Value, Layout, usize)> {
        let Some((value, count)) = self.anchors.get(&id) else {
            return Err(invalid(self.text, begin(span), "this alias stands inside its own anchor"));
        };
        self.aliased += count;
        if self.aliased > ALIASED_MAX {
            return Err(Error::too_large(format!(
                "{}: aliases bring more than {ALIASED_MAX} values into the file",
                place(self.text, begin(span))
            )));
        }
        let layout = Layout { locked: Some(ALIASED), ..Layout::whole(range(span)) };
        Ok((value.clone(), layout, *count))
    }

    fn list(
        &mut self,
        style: StructureStyle,
        span: &Span,
        head: usize,
    ) -> Result<(Value, Layout, usize)> {
        let (mut elements, mut parts, mut count) = (Vec::new(), Vec::new(), 1);
        let mut at = head;
        let is_block = style == StructureStyle::Block;
        loop {
            let (event, next) = self.owed()?;
            if event == Event::SequenceEnd {
                let layout = self.container(style, span, &next, head, parts);
                return Ok((Value::List(elements), layout, count));
            }
            let dash = if is_block { self.find(at, b'-') } else { begin(&next) };
            let head = if is_block { dash + 1 } else { dash };
            let (value, layout, values) = self.node(event, &next, head)?;
            let start = if is_block { dash } else { first(&next, &layout) };
            at = layout.end();
            count += values;
            elements.push(Element::Value(value));
            parts.push(Part::value(start, layout));
        }
    }

    fn map(
        &mut self,
        style: StructureStyle,
        span: &Span,
        head: usize,
    ) -> Result<(Value, Layout, usize)> {
        let (mut items, mut parts, mut count) = (Vec::new(), Vec::new(), 1);
        let mut keys = HashSet::new();
        loop {
            let (event, at) = self.owed()?;
            if event == Event::MappingEnd {
                let layout = self.container(style, span, &at, head, parts);
                return Ok((Value::Map(items), layout, count));
            }
            let (key, start, key_end) = self.key(event, &at)?;
            if !keys.insert(key.clone()) {
                return Err(invalid(self.text, start, &format!("the key '{key}' is there twice")));
            }
            let (event, next) = self.owed()?;
            // In `{a, b}` a key has no colon.
            let colon = self.find(key_end, b':');
            let head = if colon < self.text.len() && colon <= first_of(&next) {
                colon + 1
            } else {
                key_end
            };
            let (value, layout, values) = self.node(event, &next, head)?;
            count += values;
            items.push(Item::Member(Member { key, value }));
            parts.push(Part::value(start, layout));
        }
    }

    /// The text of a key, where its member begins and where it ends.
    fn key(&mut self, event: Event<'a>, span: &Span) -> Result<(String, usize, usize)> {
        let start = first_of(span);
        let is_merge =
            matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, _) if text == "<<");
        let has_anchor = matches!(event, Event::Scalar(_, _, id, _) if id != 0);
        let (value, layout, _) = self.node(event, span, begin(span))?;
        let start = if has_anchor { self.anchor_start(start) } else { start };
        let before = self.text[..start].trim_end_matches([' ', '\t']);
        let start = if before.ends_with('?') { before.len() - 1 } else { start };
        match value {
            Value::Scalar(Scalar::Text(text)) if is_merge || !layout.span.is_empty() => {
                Ok((text.expose().clone(), start, layout.end()))
            }
            _ => Err(invalid(self.text, start, "a key must be a text: put it in quotes")),
        }
    }

    /// Where an anchor begins that stands before `start` on the same line.
    fn anchor_start(&self, start: usize) -> usize {
        let line = line_start(self.text, start);
        let before = self.text[line..start].trim_end_matches(' ');
        match before.rfind([' ', '\t']).map_or(0, |blank| blank + 1) {
            word if before[word..].starts_with('&') => line + word,
            _ => start,
        }
    }

    /// The next `sign` from `at`, behind white space and comments.
    fn find(&self, at: usize, sign: u8) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = at;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'#' => at = line_end(self.text, at),
                byte if *byte == sign => return at,
                b' ' | b'\t' | b'\r' | b'\n' => at += 1,
                _ => break,
            }
        }
        self.text.len()
    }

    fn container(
        &self,
        style: StructureStyle,
        start: &Span,
        close: &Span,
        head: usize,
        parts: Vec<Part>,
    ) -> Layout {
        let is_flow = style == StructureStyle::Flow && begin(start) < end(start);
        let layout = if is_flow {
            Layout::flow(begin(start)..end(close), parts)
        } else {
            // The span of a list that is not indented begins behind its first dash.
            let first = parts.first().map_or(begin(start), |part| part.span.start);
            let end = parts.last().map_or(first, |part| part.span.end);
            match style {
                StructureStyle::Block => {
                    Layout::block(first..end, first - line_start(self.text, first), parts)
                }
                // `[a: 1]` holds a mapping without brackets.
                StructureStyle::Flow => Layout::flow(first..end, parts),
            }
        };
        Layout { head, ..layout }
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<Scalar> {
        let wrong = |what: &str| invalid(self.text, begin(span), what);
        let text = if style == ScalarStyle::Plain && begin(span) == end(span) { "" } else { text };
        let resolved = || {
            scalar::plain(text).ok_or_else(|| {
                wrong("the number is too large: put it in quotes, or keep it below 2^63")
            })
        };
        let Some(tag) = tag else {
            return if style == ScalarStyle::Plain { resolved() } else { Ok(Scalar::text(text)) };
        };
        let name = tag.suffix_in_namespace("tag:yaml.org,2002:");
        match (name.as_deref(), resolved()?) {
            (Some("int"), scalar @ Scalar::Int(_))
            | (Some("float"), scalar @ Scalar::Float(_))
            | (Some("bool"), scalar @ Scalar::Bool(_))
            | (Some("null"), scalar @ Scalar::Null)
            | (Some("timestamp"), scalar @ Scalar::Time(_)) => Ok(scalar),
            // Doubles hold what integers a configuration has.
            #[allow(clippy::cast_precision_loss)]
            (Some("float"), Scalar::Int(int)) => Ok(Scalar::Float(int as f64)),
            (Some(name @ ("int" | "float" | "bool" | "null" | "timestamp")), _) => {
                Err(wrong(&format!("this is no {name}, as its tag says")))
            }
            (Some("binary"), _) => base64(text)
                .map(Scalar::text)
                .ok_or_else(|| wrong("this is no text in base64, as its tag says")),
            (None, scalar)
                if tag.handle() == "!"
                    && tag.suffix().is_empty()
                    && style == ScalarStyle::Plain =>
            {
                Ok(scalar)
            }
            _ => Ok(Scalar::text(text)),
        }
    }

    /// A tag of YAML's own is part of the value that it gives a type; a tag of somebody else stays
    /// when the value changes.
    fn scalar_layout(
        &self,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &Span,
        head: usize,
    ) -> Layout {
        let tag_span = span.tag_span().map(|tag| range(&tag));
        let is_core =
            tag.is_some_and(|tag| tag.suffix_in_namespace("tag:yaml.org,2002:").is_some());
        let own_tag = tag_span.clone().filter(|tag| is_core && tag.start >= head);
        let head = match &tag_span {
            Some(tag) if own_tag.is_none() => tag.end.max(head),
            _ => head,
        };
        if !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            // The span of a value that is not there may lie before the colon.
            let value = if begin(span) == end(span) { head..head } else { range(span) };
            let whole = match own_tag {
                Some(tag) => tag.start..tag.end.max(value.end),
                None => value,
            };
            return Layout { head, ..Layout::whole(whole) };
        }
        let sign = own_tag.as_ref().map_or(head, |tag| tag.end);
        let skipped = self.text[sign..].len() - self.text[sign..].trim_start().len();
        let sign = sign + skipped;
        let length = self.text[sign..].find(char::is_whitespace).unwrap_or(self.text.len() - sign);
        let header = own_tag.map_or(sign, |tag| tag.start)..sign + length;
        let first = line_end(self.text, header.end);
        let keeps = self.text[header.clone()].contains('+');
        let last = end(span).max(first);
        let content = &self.text[first..last];
        let last = first
            + if keeps {
                // The parser counts the blanks before a comment that follows.
                without_break(content.trim_end_matches(' ')).len()
            } else {
                clipped(content, span.start.col()).len()
            };
        Layout { head, tail: Some(first..last.max(first)), ..Layout::whole(header) }
    }

    /// Gives each document the comments from the end of the one before it to its own end.
    fn place_comments(&mut self, documents: &mut [Document]) {
        let remarks = std::mem::take(&mut self.remarks);
        let ends =
            documents.iter().map(|document| document.layout.span.clone()).collect::<Vec<_>>();
        let mut shares = ends.iter().map(|_| Vec::new()).collect::<Vec<Vec<Remark>>>();
        for remark in remarks {
            let next = ends.partition_point(|span| span.end <= remark.span.start);
            // Up to the sign that begins the next document it belongs to the one before.
            let split = next.checked_sub(1).is_some_and(|last| {
                let between = &self.text[ends[last].end..remark.span.start];
                next == ends.len() || !between.lines().any(|line| line.starts_with("---"))
            });
            shares[if split { next - 1 } else { next.min(ends.len() - 1) }].push(remark);
        }
        for (document, remarks) in documents.iter_mut().zip(shares) {
            let Document { value, layout } = document;
            let Value::Map(items) = value else { continue };
            if remarks.is_empty() {
                continue;
            }
            if items.is_empty() {
                // Without a mapping they are all there is.
                let last = remarks.last().map_or(0, |remark| remark.span.end);
                let parts = remarks.iter().map(|remark| Part::comment(remark.span.clone(), false));
                *layout = Layout::open(layout.span.clone(), last, parts.collect());
                items.extend(remarks.into_iter().map(|remark| Item::Comment(remark.comment)));
            } else {
                place_comments(self.text, value, layout, remarks);
                hoist(value, Some(layout));
            }
        }
    }
}

/// A document without a value; what comes into it follows the line that ends at `at`.
fn empty(at: usize) -> Document {
    Document { value: Value::Map(Vec::new()), layout: Layout::open(at..at, at, Vec::new()) }
}

fn without_break(text: &str) -> &str {
    let cut = text.strip_suffix('\n').unwrap_or(text);
    cut.strip_suffix('\r').unwrap_or(cut)
}

/// The lines of a block scalar without those at its end that hold no more than its indentation.
fn clipped(text: &str, indent: usize) -> &str {
    let mut text = text;
    loop {
        let cut = without_break(text);
        let line = &cut[cut.rfind('\n').map_or(0, |newline| newline + 1)..];
        let is_empty = line.len() <= indent && line.bytes().all(|byte| byte == b' ');
        if !is_empty || cut.is_empty() {
            return cut;
        }
        text = &cut[..cut.len() - line.len()];
        if text.is_empty() {
            return text;
        }
    }
}

/// Where an element between brackets begins: at its tag or anchor, if it has one.
fn first(span: &Span, layout: &Layout) -> usize {
    first_of(span).min(layout.span.start)
}

/// Where a node begins, its tag included.
fn first_of(span: &Span) -> usize {
    span.tag_span().map_or(begin(span), |tag| begin(&tag).min(begin(span)))
}

fn begin(span: &Span) -> usize {
    span.start.byte_offset().unwrap_or_default()
}

fn end(span: &Span) -> usize {
    span.end.byte_offset().unwrap_or_default()
}

fn range(span: &Span) -> Range<usize> {
    begin(span)..end(span)
}

fn fault(text: &str, error: &granit_parser::ScanError) -> Error {
    let at = error.marker().byte_offset().unwrap_or(text.len());
    invalid(text, at, &error.info())
}

/// The text that base64 with line breaks stands for.
fn base64(text: &str) -> Option<String> {
    let text = text.split_ascii_whitespace().collect::<String>();
    String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()
}
