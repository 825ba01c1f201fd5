use std::ops::Range;

use base_types::Result;
use toml_edit::{ArrayOfTables, Document, InlineTable, Item as Entry, Table, Value as Inline};

use crate::layout::{Kind, Layout, Part, Remark, place_comments};
use crate::place::{DEPTH_MAX, invalid, line_end, line_start, too_deep};
use crate::{Comment, Element, Item, Scalar, Value};

/// Reads a file with where its parts stand.
pub(crate) fn read(text: &str) -> Result<(Value, Layout)> {
    let shift = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let document = Document::parse(&text[shift..]).map_err(|error| {
        let at = error.span().map_or(text.len(), |span| span.start + shift);
        invalid(text, at, error.message())
    })?;
    let mut headers = Vec::new();
    collect_headers(document.as_table(), &mut headers);
    headers.sort_unstable();
    let headers = headers.into_iter().map(|at| at + shift).collect();
    let reader = Reader { text, shift, headers };
    let (value, mut layout) = reader.table(document.as_table(), shift..shift, 0)?;
    if let Kind::Block { sections, .. } = &mut layout.kind {
        *sections = true;
    }
    Ok((value, layout))
}

/// Where the headers of tables begin.
fn collect_headers(table: &Table, headers: &mut Vec<usize>) {
    for (_, entry) in table {
        match entry {
            Entry::Table(table) => {
                if let (Some(span), false) =
                    (table.span(), table.is_dotted() || table.is_implicit())
                {
                    headers.push(span.start);
                }
                collect_headers(table, headers);
            }
            Entry::ArrayOfTables(tables) => {
                for table in tables {
                    headers.extend(table.span().map(|span| span.start));
                    collect_headers(table, headers);
                }
            }
            Entry::Value(_) | Entry::None => {}
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    /// How far the parser's places are off.
    shift: usize,
    headers: Vec<usize>,
}

impl Reader<'_> {
    fn span(&self, span: Option<Range<usize>>) -> Range<usize> {
        span.map_or(self.shift..self.shift, |span| span.start + self.shift..span.end + self.shift)
    }

    /// A table whose header stands at `header`.
    fn table(&self, table: &Table, header: Range<usize>, depth: usize) -> Result<(Value, Layout)> {
        self.check_depth(header.start, depth)?;
        let (mut items, mut parts, mut below) = (Vec::new(), Vec::new(), Vec::new());
        self.lines(table, depth, &mut items, &mut parts)?;
        for (key, entry) in table {
            let (value, layout) = match entry {
                Entry::Table(table) if !table.is_dotted() => {
                    let is_written = !table.is_implicit();
                    let none = header.end..header.end;
                    let header = if is_written { self.span(table.span()) } else { none };
                    let (value, mut layout) = self.table(table, header.clone(), depth + 1)?;
                    if !is_written && let Kind::Block { open, .. } = &mut layout.kind {
                        *open = None;
                    }
                    (value, layout)
                }
                Entry::ArrayOfTables(tables) => self.tables(tables, depth + 1)?,
                Entry::Table(_) | Entry::Value(_) | Entry::None => continue,
            };
            let places = self.places(entry);
            below.push((Item::member(key, value), section(places, layout)));
        }
        let is_root = depth == 0;
        let open = if is_root { header.end } else { line_end(self.text, header.end) };
        let last = parts.last().map_or(header.end, |part: &Part| part.span.end);
        let mut layout = Layout::open(header.start..last, open, parts);
        let mut value = Value::Map(items);
        if is_root || !header.is_empty() {
            let end = self.next_header(if is_root { None } else { Some(header.start) });
            let remarks = self.remarks(&layout, header.end..end);
            place_comments(self.text, &mut value, &mut layout, remarks);
        }
        if let (Value::Map(items), Kind::Block { parts, .. }) = (&mut value, &mut layout.kind) {
            for (item, part) in below {
                items.push(item);
                parts.push(part);
            }
        }
        Ok((value, layout))
    }

    /// What the lines of a table say themselves, dotted keys as mappings.
    fn lines(
        &self,
        table: &Table,
        depth: usize,
        items: &mut Vec<Item>,
        parts: &mut Vec<Part>,
    ) -> Result<()> {
        for (key, entry) in table {
            let (value, layout) = match entry {
                Entry::Value(value) => self.value(value, depth + 1)?,
                Entry::Table(table) if table.is_dotted() => {
                    self.check_depth(self.shift, depth + 1)?;
                    let (mut inner, mut inner_parts) = (Vec::new(), Vec::new());
                    self.lines(table, depth + 1, &mut inner, &mut inner_parts)?;
                    let start = inner_parts.first().map_or(self.shift, |part| part.span.start);
                    let end = inner_parts.last().map_or(start, |part| part.span.end);
                    (Value::Map(inner), Layout::block(start..end, 0, inner_parts))
                }
                Entry::Table(_) | Entry::ArrayOfTables(_) | Entry::None => continue,
            };
            let start = self.line_lead(layout.span.start);
            items.push(Item::member(key, value));
            parts.push(Part::value(start, layout));
        }
        let mut order = items.drain(..).zip(parts.drain(..)).collect::<Vec<_>>();
        order.sort_by_key(|(_, part)| part.span.start);
        for (item, part) in order {
            items.push(item);
            parts.push(part);
        }
        Ok(())
    }

    fn tables(&self, tables: &ArrayOfTables, depth: usize) -> Result<(Value, Layout)> {
        let (mut elements, mut parts) = (Vec::new(), Vec::new());
        for table in tables {
            let header = self.span(table.span());
            let (value, layout) = self.table(table, header.clone(), depth + 1)?;
            let mut places = vec![self.section_place(header.start)];
            self.places_below(table, &mut places);
            elements.push(Element::Value(value));
            parts.push(section(places, layout));
        }
        let span = self.span(tables.iter().next().and_then(Table::span));
        Ok((Value::List(elements), Layout::block(span, 0, parts)))
    }

    /// The sections of an entry of a table, wherever they are.
    fn places(&self, entry: &Entry) -> Vec<Range<usize>> {
        let mut places = Vec::new();
        match entry {
            Entry::Table(table) => {
                if !table.is_implicit() {
                    places.push(self.section_place(self.span(table.span()).start));
                }
                self.places_below(table, &mut places);
            }
            Entry::ArrayOfTables(tables) => {
                for table in tables {
                    places.push(self.section_place(self.span(table.span()).start));
                    self.places_below(table, &mut places);
                }
            }
            Entry::Value(_) | Entry::None => {}
        }
        places.sort_unstable_by_key(|place| place.start);
        places
    }

    fn places_below(&self, table: &Table, places: &mut Vec<Range<usize>>) {
        for (_, entry) in table {
            places.extend(self.places(entry));
        }
    }

    /// From a header, with the empty lines above it, to the last line before the next.
    fn section_place(&self, start: usize) -> Range<usize> {
        let text = &self.text[start..self.next_header(Some(start))];
        let above = self.text[self.shift..start].trim_end().len();
        self.shift + above..start + text.trim_end().len()
    }

    /// Where the next header begins, or the text ends.
    fn next_header(&self, after: Option<usize>) -> usize {
        let next = self.headers.partition_point(|header| after.is_some_and(|at| *header <= at));
        self.headers.get(next).copied().unwrap_or(self.text.len())
    }

    fn value(&self, value: &Inline, depth: usize) -> Result<(Value, Layout)> {
        let span = self.span(value.span());
        let scalar = match value {
            Inline::Array(array) => {
                self.check_depth(span.start, depth)?;
                let (mut elements, mut parts) = (Vec::new(), Vec::new());
                for value in array {
                    let (value, layout) = self.value(value, depth + 1)?;
                    elements.push(Element::Value(value));
                    parts.push(Part::value(layout.span.start, layout));
                }
                return Ok((Value::List(elements), Layout::flow(span, parts)));
            }
            Inline::InlineTable(table) => return self.inline_table(table, span, depth),
            Inline::Boolean(value) => Scalar::Bool(*value.value()),
            Inline::Datetime(value) => Scalar::Time(value.value().to_string()),
            Inline::Float(value) => Scalar::Float(*value.value()),
            Inline::Integer(value) => Scalar::Int(*value.value()),
            Inline::String(value) => Scalar::text(value.value()),
        };
        Ok((scalar.into(), Layout::whole(span)))
    }

    fn inline_table(
        &self,
        table: &InlineTable,
        span: Range<usize>,
        depth: usize,
    ) -> Result<(Value, Layout)> {
        self.check_depth(span.start, depth)?;
        let (mut items, mut parts) = (Vec::new(), Vec::new());
        for (key, value) in table {
            let start = self.span(table.key(key).and_then(toml_edit::Key::span)).start;
            let (value, layout) = self.value(value, depth + 1)?;
            items.push(Item::member(key, value));
            parts.push(Part::value(start.min(layout.span.start), layout));
        }
        Ok((Value::Map(items), Layout::flow(span, parts)))
    }

    fn check_depth(&self, at: usize, depth: usize) -> Result<()> {
        if depth > DEPTH_MAX { Err(too_deep(self.text, at)) } else { Ok(()) }
    }

    /// Where the line of a key begins, behind its blanks.
    fn line_lead(&self, at: usize) -> usize {
        let start = line_start(self.text, at).max(self.shift);
        let line = &self.text[start..];
        start + (line.len() - line.trim_start_matches([' ', '\t']).len())
    }

    /// The comments of a section: what `#` begins outside of keys and values.
    fn remarks(&self, layout: &Layout, range: Range<usize>) -> Vec<Remark> {
        let mut scalars = Vec::new();
        collect_scalars(layout, &mut scalars);
        scalars.sort_unstable_by_key(|span| span.start);
        let mut remarks = Vec::new();
        let mut at = range.start;
        let mut scalars = scalars.into_iter().peekable();
        while at < range.end {
            if let Some(scalar) = scalars.next_if(|scalar| scalar.start <= at) {
                at = at.max(scalar.end);
                continue;
            }
            let stop = scalars.peek().map_or(range.end, |scalar| scalar.start).min(range.end);
            let found = sign_of_comment(&self.text[at..stop]);
            let Some(offset) = found else {
                at = stop;
                if at >= range.end {
                    break;
                }
                continue;
            };
            let start = at + offset;
            let end = line_end(self.text, start);
            remarks.push(Remark {
                span: start..end,
                column: start - line_start(self.text, start),
                comment: Comment::new(&self.text[start + 1..end]),
            });
            at = end;
        }
        remarks
    }
}

/// The first `#` outside of keys in quotes.
fn sign_of_comment(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        match (quote, byte) {
            _ if is_escaped => is_escaped = false,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'#') => return true,
            (Some(b'"'), b'\\') => is_escaped = true,
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
        false
    })
}

/// A part that is a table or several: nothing may be put behind it as if it were a line.
fn section(places: Vec<Range<usize>>, layout: Layout) -> Part {
    let mut places = places.into_iter();
    let span = places.next().unwrap_or_else(|| layout.span.clone());
    Part { span, also: places.collect(), inline: true, value: Some(layout) }
}

fn collect_scalars(layout: &Layout, scalars: &mut Vec<Range<usize>>) {
    if let Kind::Whole = layout.kind {
        scalars.push(layout.span.clone());
    }
    for part in layout.parts() {
        if let Some(value) = &part.value {
            collect_scalars(value, scalars);
        }
    }
}
