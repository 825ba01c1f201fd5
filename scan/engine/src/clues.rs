use std::ops::Range;

use crate::decode;
use crate::keywords::Keywords;

/// What a text has that rules wait for: their literals, and lines of which something can be decoded.
///
/// Each of them lies in one line, so a changed text has those of the lines that are as they were; only the others are
/// looked through again.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Clues {
    /// In the order of their places.
    pub(crate) literals: Vec<Place>,
    /// Whole lines, without their breaks.
    encoded: Vec<Range<usize>>,
}

/// Where a literal begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) at: usize,
    pub(crate) literal: usize,
}

/// What a changed text has as it was in the one before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Copied {
    /// Where it was in the text before.
    pub from: usize,
    /// Where it is in the changed one.
    pub at: Range<usize>,
}

impl Clues {
    /// Looks through `lines` of a text, which lie behind what was looked through before.
    pub(crate) fn look(
        &mut self,
        keywords: &Keywords,
        decodes: bool,
        text: &[u8],
        lines: Range<usize>,
    ) {
        let start = lines.start;
        let text = &text[lines];
        keywords.each(text, |literal, at| self.push(Place { at: start + at, literal }));
        if decodes {
            let encoded = decode::lines(text).into_iter();
            self.encoded.extend(encoded.map(|line| start + line.start..start + line.end));
        }
    }

    /// Takes over what another text has in a range of whole lines, which begins at `start` here.
    fn take(&mut self, before: &Self, range: &Range<usize>, start: usize) {
        let literals = &before.literals;
        let first = literals.partition_point(|place| place.at < range.start);
        let of_range = literals[first..].iter().take_while(|place| place.at < range.end);
        self.literals.extend(
            of_range
                .map(|place| Place { at: place.at - range.start + start, literal: place.literal }),
        );
        let encoded = before.encoded_in(range).iter();
        self.encoded.extend(
            encoded.map(|line| line.start - range.start + start..line.end - range.start + start),
        );
    }

    /// Those of a changed text that has whole lines `copied`, in their order; the rest is given to `look`.
    pub(crate) fn of_change(
        before: &Self,
        copied: &[Copied],
        length: usize,
        mut look: impl FnMut(&mut Self, Range<usize>),
    ) -> Self {
        let mut clues = Self::default();
        clues.literals.reserve(before.literals.len());
        let mut done = 0;
        for Copied { from, at } in copied {
            if done < at.start {
                look(&mut clues, done..at.start);
            }
            clues.take(before, &(*from..from + at.len()), at.start);
            done = at.end;
        }
        if done < length {
            look(&mut clues, done..length);
        }
        clues
    }

    /// The literals that begin in a part of the text.
    pub(crate) fn literals_in(&self, range: &Range<usize>) -> &[Place] {
        let first = self.literals.partition_point(|place| place.at < range.start);
        let end = self.literals.partition_point(|place| place.at < range.end);
        &self.literals[first..end.max(first)]
    }

    /// The lines in a part of the text of which something can be decoded.
    pub(crate) fn encoded_in(&self, range: &Range<usize>) -> &[Range<usize>] {
        let first = self.encoded.partition_point(|line| line.end <= range.start);
        let end = self.encoded.partition_point(|line| line.start < range.end);
        &self.encoded[first..end.max(first)]
    }

    pub(crate) fn encoded(&self) -> &[Range<usize>] {
        &self.encoded
    }

    /// Neighbours come in any order.
    fn push(&mut self, place: Place) {
        let behind = self.literals.iter().rev().take_while(|other| other.at > place.at).count();
        self.literals.insert(self.literals.len() - behind, place);
    }
}
