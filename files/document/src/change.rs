//! From two trees to the changes of a text: what is equal in both is never touched.

use std::collections::HashMap;
use std::ops::Range;

use base_types::{Error, Result};

use crate::edits::Edits;
use crate::layout::{Kind, Layout, Part};
use crate::place::{invalid, is_blank, leads_line, line_end, line_start};
use crate::tree::Entry;
use crate::{Comment, Item, Scalar, Value};

/// How a format spells what is new.
pub(crate) trait Syntax {
    /// A scalar that takes the place of `old`, whose quotes it keeps where it can. `alone` says
    /// that nothing else follows on the line.
    fn scalar(&self, scalar: &Scalar, old: &str, spot: Spot, alone: bool) -> Result<String>;

    /// A value that takes the place of one of another kind; `indent` is the column of its lines, if
    /// it has lines and the column is given.
    fn value(&self, value: &Value, spot: Spot, indent: Option<usize>) -> Result<Fresh>;

    /// A new member or element: at a block spot as lines, the first without its indentation.
    fn entry(&self, key: Option<&str>, value: &Value, spot: Spot) -> Result<String>;

    /// Whether a new value goes to the end of the text, under a header.
    fn is_section(&self, _value: &Value) -> bool {
        false
    }

    /// A comment that takes the place of `old` (empty: of none), with its sign.
    fn comment(&self, comment: &Comment, old: &str) -> Result<String>;
}

/// Where something new goes.
#[derive(Clone, Copy)]
pub(crate) struct Spot {
    /// Between brackets rather than on lines of its own.
    pub(crate) flow: bool,
    /// Between brackets, whether the entries have a line each.
    pub(crate) spread: bool,
    /// The column of the container's entries, from 0.
    pub(crate) indent: usize,
    /// Whether a new entry may be a section with a header.
    pub(crate) sections: bool,
}

impl Spot {
    /// On lines of their own that begin in column `indent`.
    pub(crate) fn block(indent: usize) -> Self {
        Self { flow: false, spread: false, indent, sections: false }
    }
}

/// A value that is new.
pub(crate) enum Fresh {
    /// It begins on the line of its key.
    Inline(String),
    /// It follows on lines of its own, indented as far as their number says.
    Lines(String, usize),
}

/// The text of a file with what spells its changes.
pub(crate) struct Change<'a, 't, S> {
    pub(crate) text: &'t str,
    pub(crate) syntax: &'a S,
    pub(crate) edits: &'a mut Edits<'t>,
}

impl<S: Syntax> Change<'_, '_, S> {
    /// Collects what makes the whole of a document into `new`.
    ///
    /// # Errors
    /// `Invalid`, naming the place, where the text cannot say it.
    pub(crate) fn root(
        &mut self,
        layout: &Layout,
        old: &[Item],
        new: &[Item],
        spot: Spot,
    ) -> Result<()> {
        if old == new {
            return Ok(());
        }
        if let Some(reason) = layout.locked {
            return Err(invalid(self.text, layout.span.start, reason));
        }
        self.container(layout, old, new, &same_keys(old, new), spot)
    }

    /// Collects what makes `old`, which stands at `layout`, into `new`.
    ///
    /// # Errors
    /// `Invalid`, naming the place, where the text cannot say it.
    fn value(&mut self, layout: &Layout, old: &Value, new: &Value, spot: Spot) -> Result<()> {
        if old == new {
            return Ok(());
        }
        if let Some(reason) = layout.locked {
            return Err(invalid(self.text, layout.span.start, reason));
        }
        match (old, new) {
            (Value::Map(old), Value::Map(new)) => {
                self.container(layout, old, new, &same_keys(old, new), spot)
            }
            (Value::List(old), Value::List(new)) => {
                self.container(layout, old, new, &same_places(old, new), spot)
            }
            (Value::Scalar(_), Value::Scalar(scalar)) => {
                let alone = !spot.flow && self.is_alone(layout);
                let old = &self.text[layout.span.clone()];
                let text = self.syntax.scalar(scalar, old, spot, alone)?;
                self.edits.replace(layout.span.clone(), text);
                self.cut_tail(layout);
                Ok(())
            }
            _ => {
                let indent = block_indent(layout).filter(|indent| *indent > spot.indent);
                self.replace(layout, &self.syntax.value(new, spot, indent)?)
            }
        }
    }

    /// Puts a value in the place of one that shares nothing with it.
    fn replace(&mut self, layout: &Layout, fresh: &Fresh) -> Result<()> {
        let is_block = matches!(layout.kind, Kind::Block { .. });
        let is_section = matches!(layout.kind, Kind::Block { open: Some(_), .. })
            || layout.parts().iter().any(|part| part.inline && part.value.is_some());
        if is_section {
            return Err(invalid(self.text, layout.span.start, NO_ROOM));
        }
        if is_block {
            self.remove_comments(layout, &layout.span);
        }
        match fresh {
            // Behind the line of its key, where a comment would become the new container's.
            Fresh::Inline(text)
                if is_block && text.starts_with(['{', '[']) && self.is_remarked(layout) =>
            {
                self.edits.replace(layout.span.clone(), text);
            }
            Fresh::Inline(text) if is_block => {
                self.edits.insert(layout.head, format!(" {text}"));
                self.edits.remove(layout.span.clone());
            }
            Fresh::Inline(text) => {
                let gap = if layout.span.is_empty() { " " } else { "" };
                self.edits.replace(layout.span.clone(), format!("{gap}{text}"));
                self.cut_tail(layout);
            }
            Fresh::Lines(text, indent) if is_block => {
                let deeper = indent - block_indent(layout).unwrap_or_default();
                self.edits.replace(layout.span.clone(), format!("{}{text}", " ".repeat(deeper)));
            }
            Fresh::Lines(text, indent) => {
                self.edits.cut(layout.head..layout.span.end);
                self.cut_tail(layout);
                let at = line_end(self.text, layout.end());
                self.edits.insert(at, format!("\n{}{text}", " ".repeat(*indent)));
            }
        }
        Ok(())
    }

    /// Whether nothing else stands behind a scalar on its first line and on its last.
    fn is_alone(&self, layout: &Layout) -> bool {
        let end = layout.end();
        let behind_sign = layout.tail.as_ref().map_or("", |tail| {
            let sign = layout.span.end;
            &self.text[sign..tail.start.max(sign)]
        });
        let behind = &self.text[end..line_end(self.text, end)];
        behind_sign.trim().is_empty() && behind.trim().is_empty()
    }

    /// Whether something stands on the line of the key behind which a block begins.
    fn is_remarked(&self, layout: &Layout) -> bool {
        let end = line_end(self.text, layout.head);
        end < layout.span.start && !self.text[layout.head..end].trim().is_empty()
    }

    /// Takes out the comments of a container that stand outside of its span: above its first part
    /// and below or behind its last.
    fn remove_comments(&mut self, layout: &Layout, span: &Range<usize>) {
        for part in layout.parts() {
            match &part.value {
                None if !span.contains(&part.span.start) => self.edits.remove(part.span.clone()),
                None => {}
                Some(value) => self.remove_comments(value, span),
            }
        }
    }

    fn cut_tail(&mut self, layout: &Layout) {
        if let Some(tail) = &layout.tail {
            self.edits.cut(tail.clone());
        }
    }

    /// Collects what makes the entries `old` of a container into `new`, `pairs` of which are the
    /// same: within the container if any are, or if it is there even without entries.
    fn container<E: Entry>(
        &mut self,
        layout: &Layout,
        old: &[E],
        new: &[E],
        pairs: &[(usize, usize)],
        spot: Spot,
    ) -> Result<()> {
        let has_values = |entries: &[E]| entries.iter().any(|entry| entry.value().is_some());
        let stays = match &layout.kind {
            Kind::Block { open: Some(_), .. } => true,
            Kind::Block { .. } | Kind::Flow { .. } => {
                !pairs.is_empty() || !has_values(old) && !has_values(new) && old.len() == new.len()
            }
            Kind::Whole => false,
        };
        if stays {
            return self.entries(layout, old, new, pairs);
        }
        let value = E::container(new.to_vec());
        let fresh = self.syntax.value(&value, spot, block_indent(layout))?;
        self.replace(layout, &fresh)
    }

    /// Collects the changes within a container whose entries correspond as `pairs` says.
    fn entries<E: Entry>(
        &mut self,
        layout: &Layout,
        old: &[E],
        new: &[E],
        pairs: &[(usize, usize)],
    ) -> Result<()> {
        let spot = spot_of(layout, self.text);
        let plan = plan(old, new, pairs);
        for &fresh in &plan.after[0] {
            self.insert(layout, &plan.kept, 0, &new[fresh], spot)?;
        }
        for (index, part) in layout.parts().iter().enumerate() {
            match plan.kept[index] {
                Some(with) => self.entry(part, &old[index], &new[with], spot)?,
                None => self.remove(layout, &plan.kept, index)?,
            }
            for &fresh in &plan.after[index + 1] {
                self.insert(layout, &plan.kept, index + 1, &new[fresh], spot)?;
            }
        }
        Ok(())
    }

    fn entry<E: Entry>(&mut self, part: &Part, old: &E, new: &E, spot: Spot) -> Result<()> {
        if let (Some(layout), Some(before), Some(after)) = (&part.value, old.value(), new.value()) {
            return self
                .value(layout, before, after, spot)
                .map_err(|error| named(error, new.key()));
        }
        if let (Some(before), Some(after)) = (old.comment(), new.comment())
            && before != after
        {
            let old = &self.text[part.span.clone()];
            let text = self.syntax.comment(after, old)?;
            self.edits.replace(part.span.clone(), text);
            for more in &part.also {
                self.edits.remove(more.clone());
            }
        }
        Ok(())
    }

    fn remove(&mut self, layout: &Layout, kept: &[Option<usize>], index: usize) -> Result<()> {
        let parts = layout.parts();
        let part = &parts[index];
        if part.value.as_ref().is_some_and(|value| value.locked == Some(ANCHORED)) {
            return Err(invalid(self.text, part.span.start, ANCHORED));
        }
        if part.value.is_none() || matches!(layout.kind, Kind::Block { .. }) {
            self.remove_lines(parts, kept, index);
            return Ok(());
        }
        // Between brackets a value goes with the comma before it, or behind it if it is the first.
        let values =
            |range: Range<usize>| range.filter(|at| parts[*at].value.is_some()).collect::<Vec<_>>();
        let is_kept = |at: &usize| kept[*at].is_some();
        let range = match values(0..index).into_iter().rev().find(is_kept) {
            Some(_) => {
                let previous =
                    values(0..index).pop().map_or(layout.span.start, |at| parts[at].span.end);
                previous..part.span.end
            }
            None => {
                let next = values(index + 1..parts.len()).into_iter().next();
                part.span.start..next.map_or(part.span.end, |at| parts[at].span.start)
            }
        };
        let hit = parts.iter().any(|other| {
            other.value.is_none() && range.start <= other.span.start && other.span.end <= range.end
        });
        if hit {
            return Err(invalid(self.text, part.span.start, COMMENTED));
        }
        self.edits.cut(range);
        Ok(())
    }

    fn remove_lines(&mut self, parts: &[Part], kept: &[Option<usize>], index: usize) {
        let part = &parts[index];
        let next = (index + 1..parts.len())
            .find(|at| kept[*at].is_some() && !parts[*at].inline)
            .map(|at| parts[at].span.start);
        match next {
            // The first member of a list's element shares its line with the dash.
            Some(next) if part.value.is_some() && !leads_line(self.text, part.span.start) => {
                self.edits.cut(part.span.start..next);
            }
            _ => self.edits.remove(part.span.clone()),
        }
        for more in &part.also {
            self.edits.remove(more.clone());
        }
    }

    /// Adds an entry before the part at `index` of those that were there.
    fn insert<E: Entry>(
        &mut self,
        layout: &Layout,
        kept: &[Option<usize>],
        index: usize,
        entry: &E,
        spot: Spot,
    ) -> Result<()> {
        let parts = layout.parts();
        let is_anchor = |at: &usize| {
            kept[*at].is_some() && !parts[*at].inline && (parts[*at].value.is_some() || !spot.flow)
        };
        let text = match (entry.value(), entry.comment()) {
            (Some(value), _) => self
                .syntax
                .entry(entry.key(), value, spot)
                .map_err(|error| named(error, entry.key()))?,
            (None, Some(_)) if spot.flow => {
                return Err(invalid(self.text, layout.span.start, NO_COMMENT));
            }
            (None, Some(comment)) => self.syntax.comment(comment, "")?,
            (None, None) => return Ok(()),
        };
        let previous = (0..index).rev().find(is_anchor).map(|at| &parts[at]);
        let next = (index..parts.len()).find(is_anchor).map(|at| &parts[at]);
        if spot.sections && entry.value().is_some_and(|value| self.syntax.is_section(value)) {
            let gap = match self.text {
                "" => "",
                text if text.ends_with('\n') => "\n",
                _ => "\n\n",
            };
            self.edits.insert(self.text.len(), format!("{gap}{text}\n"));
            return Ok(());
        }
        if spot.flow {
            self.insert_between(&text, previous, next, spot);
            return Ok(());
        }
        let lead = " ".repeat(spot.indent);
        let open = match &layout.kind {
            Kind::Block { open, .. } => *open,
            Kind::Flow { .. } | Kind::Whole => None,
        };
        let after = previous.map(|part| line_end(self.text, part.span.end));
        match (after.or(open), next) {
            (Some(at), _) if after.is_none() && line_start(self.text, at) == at => {
                self.edits.insert(at, format!("{lead}{text}\n"));
            }
            (Some(at), _) => self.edits.insert(at, format!("\n{lead}{text}")),
            (None, Some(next)) => self.edits.insert(next.span.start, format!("{text}\n{lead}")),
            (None, None) => return Err(invalid(self.text, layout.span.start, NO_ROOM)),
        }
        Ok(())
    }

    fn insert_between(
        &mut self,
        text: &str,
        previous: Option<&Part>,
        next: Option<&Part>,
        spot: Spot,
    ) {
        let gap = match previous.or(next) {
            Some(part) if spot.spread => {
                let start = line_start(self.text, part.span.start);
                format!("\n{}", &self.text[start..part.span.start])
            }
            _ => " ".to_owned(),
        };
        if let Some(previous) = previous {
            self.edits.insert(previous.span.end, format!(",{gap}{text}"));
        } else if let Some(next) = next {
            self.edits.insert(next.span.start, format!("{text},{gap}"));
        }
    }
}

pub(crate) const ANCHORED: &str = "aliases point to this value, and to change it would change them: \
     write it out where it is used";
const COMMENTED: &str = "a comment stands between this and its neighbour: take it out by hand";
const NO_ROOM: &str = "this cannot change in its place: take the section out and put it in anew";
const NO_COMMENT: &str = "no comment can be added between brackets";

/// Says in which key it happened, unless the text names the line already.
fn named(error: Error, key: Option<&str>) -> Error {
    match key {
        Some(key) if !error.public().starts_with("line ") => error.at(key),
        _ => error,
    }
}

fn block_indent(layout: &Layout) -> Option<usize> {
    match &layout.kind {
        Kind::Block { indent, .. } => Some(*indent),
        Kind::Flow { .. } | Kind::Whole => None,
    }
}

fn spot_of(layout: &Layout, text: &str) -> Spot {
    match &layout.kind {
        Kind::Block { indent, sections, .. } => {
            Spot { sections: *sections, ..Spot::block(*indent) }
        }
        Kind::Flow { parts } => {
            let first = parts.iter().find(|part| part.value.is_some());
            let start = first.map_or(layout.span.start, |part| part.span.start);
            // Not beyond the bracket: all of a file may be one line.
            let before = text.get(layout.span.start..start).unwrap_or_default();
            let lead = before.rfind('\n').map(|newline| &before[newline + 1..]);
            let lead = lead.filter(|lead| is_blank(lead));
            Spot { flow: true, spread: lead.is_some(), ..Spot::block(lead.map_or(0, str::len)) }
        }
        Kind::Whole => Spot { flow: true, ..Spot::block(0) },
    }
}

/// What becomes of the entries of a container.
struct Plan {
    /// For each old entry the new one that takes its place.
    kept: Vec<Option<usize>>,
    /// For each place between old entries (0: before all) the new ones that go there.
    after: Vec<Vec<usize>>,
}

/// Completes the pairs of values by pairing the comments between them.
fn plan<E: Entry>(old: &[E], new: &[E], pairs: &[(usize, usize)]) -> Plan {
    let mut plan = Plan { kept: vec![None; old.len()], after: vec![Vec::new(); old.len() + 1] };
    let (mut old_from, mut new_from) = (0, 0);
    for &(old_to, new_to) in pairs.iter().chain([&(old.len(), new.len())]) {
        plan.gap(old, new, old_from..old_to, new_from..new_to);
        if old_to < old.len() {
            plan.kept[old_to] = Some(new_to);
        }
        (old_from, new_from) = (old_to + 1, new_to + 1);
    }
    plan
}

impl Plan {
    /// Pairs the comments between two pairs of values. What else is old goes, what else is new comes.
    fn gap<E: Entry>(
        &mut self,
        old: &[E],
        new: &[E],
        mut was: Range<usize>,
        mut now: Range<usize>,
    ) {
        let mut equal_end = Vec::new();
        while !was.is_empty() && !now.is_empty() && old[was.start] == new[now.start] {
            self.kept[was.start] = Some(now.start);
            (was.start, now.start) = (was.start + 1, now.start + 1);
        }
        while !was.is_empty() && !now.is_empty() && old[was.end - 1] == new[now.end - 1] {
            (was.end, now.end) = (was.end - 1, now.end - 1);
            equal_end.push((was.end, now.end));
        }
        for (was, now) in equal_end {
            self.kept[was] = Some(now);
        }
        while !now.is_empty() {
            let is_comment = new[now.start].comment().is_some();
            while is_comment && !was.is_empty() && old[was.start].comment().is_none() {
                was.start += 1;
            }
            if is_comment && !was.is_empty() {
                self.kept[was.start] = Some(now.start);
                was.start += 1;
            } else {
                self.after[was.start].push(now.start);
            }
            now.start += 1;
        }
    }
}

/// The members that both have and that stand in the same order in both: as many as can be.
fn same_keys<E: Entry>(old: &[E], new: &[E]) -> Vec<(usize, usize)> {
    // Where both begin alike, mostly all the way, nothing could be matched better.
    let alike = old.iter().zip(new).take_while(|(old, new)| old.key() == new.key()).count();
    let front = (0..alike).filter(|at| old[*at].key().is_some()).map(|at| (at, at));
    let back = same_keys_anywhere(&old[alike..], &new[alike..]);
    front.chain(back.into_iter().map(|(was, now)| (was + alike, now + alike))).collect()
}

fn same_keys_anywhere<E: Entry>(old: &[E], new: &[E]) -> Vec<(usize, usize)> {
    let mut places: HashMap<(&str, usize), usize> = HashMap::new();
    for (index, key) in numbered_keys(old) {
        places.insert(key, index);
    }
    let both = numbered_keys(new)
        .into_iter()
        .filter_map(|(index, key)| places.get(&key).map(|place| (*place, index)))
        .collect::<Vec<_>>();
    longest_rise(&both)
}

/// Each key with how many of its name were before it: dotenv files may repeat one.
fn numbered_keys<E: Entry>(entries: &[E]) -> Vec<(usize, (&str, usize))> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let keys = entries.iter().enumerate().filter_map(|(index, entry)| Some((index, entry.key()?)));
    keys.map(|(index, key)| {
        let count = seen.entry(key).or_default();
        *count += 1;
        (index, (key, *count))
    })
    .collect()
}

/// The longest part of the pairs, which rise in the second number, that rises in the first too.
fn longest_rise(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // For each length the index of the pair that ends the lowest run of that length.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (index, pair) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].0 < pair.0);
        previous.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        ends.truncate(ends.len().max(length));
        match ends.get_mut(length) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut at = ends.last().copied();
    while let Some(index) = at {
        run.push(pairs[index]);
        at = previous[index];
    }
    run.reverse();
    run
}

/// The elements that are equal from the start and from the end, and those between by their place.
fn same_places<E: Entry>(old: &[E], new: &[E]) -> Vec<(usize, usize)> {
    let values = |entries: &[E]| {
        let all = entries.iter().enumerate();
        all.filter(|(_, entry)| entry.value().is_some()).map(|(index, _)| index).collect::<Vec<_>>()
    };
    let (was, now) = (values(old), values(new));
    let shorter = was.len().min(now.len());
    let head = (0..shorter).take_while(|at| old[was[*at]] == new[now[*at]]).count();
    let tail = (1..=shorter - head)
        .take_while(|at| old[was[was.len() - at]] == new[now[now.len() - at]])
        .count();
    let front = (0..shorter - tail).map(|at| (was[at], now[at]));
    let back = (1..=tail).rev().map(|at| (was[was.len() - at], now[now.len() - at]));
    front.chain(back).collect()
}
