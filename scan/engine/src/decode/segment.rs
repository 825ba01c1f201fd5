use std::ops::Range;

use super::{Encoding, encodings};
use crate::reach::lines_of;

/// A piece of text that a pass decoded.
pub(crate) struct Segment {
    /// Where it was in the text that was searched first.
    original: Range<usize>,
    /// Where it was in the text of the pass before.
    encoded: Range<usize>,
    /// Where it is in the text of its own pass.
    pub(crate) decoded: Range<usize>,
    /// One bit for each [`Encoding`] that it went through.
    encodings: u8,
}

/// The segments of all passes so far, the last one at the end.
#[derive(Default)]
pub(crate) struct Passes {
    list: Vec<Vec<Segment>>,
    /// Where in the text of the last pass something may be decoded that was not, or not yet.
    regions: Vec<Range<usize>>,
}

impl Passes {
    /// Decodes `text`, the result of the pass before; `None` if there is nothing to decode. All that can be decoded in the
    /// first pass is in `lines`.
    pub(crate) fn decode(&mut self, text: &[u8], lines: &[Range<usize>]) -> Option<Vec<u8>> {
        let mut segments = Vec::new();
        let mut result = Vec::new();
        let mut copied = 0;
        let mut regions = regions(text, if self.list.is_empty() { lines } else { &self.regions });
        for region in &mut regions {
            let start = result.len() + region.start - copied;
            for encoded in encodings::find(text, region.clone()) {
                let Some(value) = encoded.decode(text) else { continue };
                result.extend_from_slice(&text[copied..encoded.at.start]);
                let start = result.len();
                result.extend_from_slice(&value);
                copied = encoded.at.end;
                segments.push(Segment {
                    original: self.original(&encoded.at),
                    decoded: start..result.len(),
                    encodings: self.encodings(&encoded.at) | 1 << encoded.encoding as u8,
                    encoded: encoded.at,
                });
            }
            *region = start..result.len() + region.end - copied;
        }
        if segments.is_empty() {
            return None;
        }
        result.extend_from_slice(&text[copied..]);
        self.list.push(segments);
        self.regions = regions;
        Some(result)
    }

    pub(crate) fn depth(&self) -> usize {
        self.list.len()
    }

    /// The segments of the last pass.
    pub(crate) fn last(&self) -> &[Segment] {
        self.list.last().map_or(&[], Vec::as_slice)
    }

    /// Those of the last pass that `at`, a place in its text, touches.
    pub(crate) fn touched(&self, at: &Range<usize>) -> &[Segment] {
        let last = self.last();
        let first = last.partition_point(|segment| segment.decoded.end < at.start);
        let end = last.partition_point(|segment| segment.decoded.start <= at.end);
        &last[first..end.max(first)]
    }

    /// Where `at`, a place in the text of the last pass, comes from.
    pub(crate) fn original(&self, at: &Range<usize>) -> Range<usize> {
        let mut at = at.clone();
        for segments in self.list.iter().rev() {
            match one_up(segments, &at) {
                Up::Original(original) => return original,
                Up::Encoded(encoded) => at = encoded,
                Up::Outside => return at,
            }
        }
        at
    }

    /// The tags of a finding that touches `segments`.
    pub(crate) fn tags(&self, segments: &[Segment]) -> Vec<String> {
        let bits = segments.iter().fold(0, |bits, segment| bits | segment.encodings);
        let mut tags: Vec<String> = Encoding::ALL
            .into_iter()
            .filter(|encoding| bits & 1 << *encoding as u8 != 0)
            .map(|encoding| format!("decoded:{}", encoding.name()))
            .collect();
        tags.push(format!("decode-depth:{}", self.depth()));
        tags
    }

    /// What a place in the text of the last pass went through already.
    fn encodings(&self, at: &Range<usize>) -> u8 {
        self.touched(at).iter().fold(0, |bits, segment| bits | segment.encodings)
    }
}

/// The whole lines that `ranges` are in, with their breaks; neighbours are one.
fn regions(text: &[u8], ranges: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut regions: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        let lines = lines_of(text, range);
        let end = text.len().min(lines.end + 1);
        match regions.last_mut() {
            Some(last) if lines.start <= last.end => last.end = last.end.max(end),
            _ => regions.push(lines.start..end),
        }
    }
    regions
}

enum Up {
    Original(Range<usize>),
    Encoded(Range<usize>),
    Outside,
}

/// Where `at` was one pass before: what lies within one segment is all of it.
fn one_up(segments: &[Segment], at: &Range<usize>) -> Up {
    let mut whole: Option<Range<usize>> = None;
    let first = segments.partition_point(|segment| segment.decoded.end < at.start);
    for segment in &segments[first..] {
        let Segment { original, encoded, decoded, .. } = segment;
        if decoded.start > at.end {
            break;
        }
        if decoded.start <= at.start && at.end <= decoded.end {
            return Up::Original(original.clone());
        }
        let before = decoded.start.saturating_sub(at.start);
        let after = at.end.saturating_sub(decoded.end);
        let part = encoded.start.saturating_sub(before)..encoded.end + after;
        whole = Some(match whole {
            Some(whole) => whole.start.min(part.start)..whole.end.max(part.end),
            None => part,
        });
    }
    whole.map_or(Up::Outside, Up::Encoded)
}

#[cfg(test)]
mod tests {
    use scan_corpus::Draw;

    use super::*;
    use crate::decode::lines;

    const FRAGMENTS: &[&str] = &[
        "dGt0X2FhYWFhYWFhYWFhYQ==",
        "ZEd0MFgyRmhZV0ZoWVdGaFlXRmhZUT09",
        "%74kt_%",
        "%64Gt0X2FhYWFhYWFhYWFhYQ",
        "6d792d7365637265742d76616c75652d31",
        "U+0041",
        "U+0041\n",
        "U+0064\nU+0047 ",
        "\\u0041\\u0042",
        "some words ",
        "aVeryLongNameOfSomething",
        " ",
        "\n",
    ];

    /// To decode some lines alone comes to the same as to decode all of the text.
    #[test]
    fn what_is_encoded_is_found_line_by_line() {
        let mut draw = Draw::new(1);
        let mut decoded = [0; 3];
        for _ in 0..3000 {
            let text: String =
                (0..draw.below(12)).map(|_| FRAGMENTS[draw.below(FRAGMENTS.len())]).collect();
            let lines = lines(text.as_bytes());
            let mut passes = Passes::default();
            let (mut some, mut all) = (text.clone().into_bytes(), text.clone().into_bytes());
            for count in &mut decoded {
                let everything = 0..all.len();
                let whole = Passes::default().decode(&all, std::slice::from_ref(&everything));
                let part = passes.decode(&some, &lines);
                assert_eq!(part, whole, "{text}");
                let (Some(part), Some(whole)) = (part, whole) else { break };
                (some, all) = (part, whole);
                *count += 1;
            }
        }
        assert!(decoded.iter().all(|count| *count > 30), "{decoded:?}");
    }
}
