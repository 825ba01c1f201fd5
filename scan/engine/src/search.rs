use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use base_types::Secret;
use scan_rules::filter::{Term, Text};

use crate::clues::{Clues, Place};
use crate::decode::Passes;
use crate::excuse::{Texts, Verdict};
use crate::filter::{Match, Outcome, Unknown, is_too_efficient};
use crate::hits::{ExcuseId, HITS_MAX, Hit, JudgeId};
use crate::location::{Lines, Location};
use crate::plan::Method;
use crate::reach::{Before, Piece, has_gap};
use crate::scanner::{Scanner, Scratch};
use crate::{Hits, entropy, words};

/// One search through some bytes: first as they are, then once for each time that something was decoded.
pub(crate) struct Search<'s> {
    scanner: &'s Scanner,
    scratch: &'s mut Scratch,
    bytes: &'s [u8],
    passes: Passes,
    lines: Option<Lines>,
    /// The text of the present pass, for expressions that look at all of it.
    shared: OnceLock<Text>,
    hits: Hits,
}

/// The comments that excuse the line they are in.
const ALLOW_COMMENTS: [&[u8]; 3] = [b"gitleaks:allow", b"betterleaks:allow", b"strongroom:allow"];

/// Of a long line no more than this is looked at on each side of a match.
const LINE_SIDE_MAX: usize = 4 << 10;

/// Of a long line no more than this is kept on each side of a match.
const CONTEXT_SIDE_MAX: usize = 160;

impl<'s> Search<'s> {
    pub(crate) fn new(scanner: &'s Scanner, scratch: &'s mut Scratch, bytes: &'s [u8]) -> Self {
        scratch.seen.fill(false);
        Self {
            scanner,
            scratch,
            bytes,
            passes: Passes::default(),
            lines: None,
            shared: OnceLock::new(),
            hits: Hits::default(),
        }
    }

    pub(crate) fn run(mut self, clues: &Clues) -> Hits {
        self.plain(clues);
        self.decoded(clues);
        self.finish()
    }

    fn plain(&mut self, clues: &Clues) {
        let text = self.bytes;
        self.wake_all(text, &clues.literals, 0);
        self.pass(text, std::slice::from_ref(&(0..text.len())), Self::try_rule);
        self.note_path_rules();
    }

    fn decoded(&mut self, clues: &Clues) {
        let mut text = Cow::Borrowed(self.bytes);
        while self.passes.depth() < self.scanner.options.decode_depth {
            let Some(decoded) = self.passes.decode(&text, clues.encoded()) else { break };
            text = Cow::Owned(decoded);
            let regions = self.around_decoded(text.len());
            self.look(&text, &regions);
            self.pass(&text, &regions, Self::try_rule);
        }
    }

    fn finish(mut self) -> Hits {
        let is_far = self.scanner.is_far || self.has_any(&self.scanner.far);
        self.hits.reach.is_far |= is_far;
        self.scratch.trim();
        self.hits
    }

    /// Where the hits in a piece of a text are, which was changed in `core`, if none of them is there and the change has no
    /// effect elsewhere.
    pub(crate) fn settles(
        mut self,
        piece: Piece<'_>,
        core: &Range<usize>,
        Before { has_hits, reach }: Before,
    ) -> Option<Vec<Range<usize>>> {
        let around = piece.start..piece.start + piece.around;
        if !piece.clues.encoded_in(&around).is_empty() || has_gap(piece.text) {
            return None;
        }
        let mut settles = true;
        self.wake_all(piece.text, piece.clues.literals_in(&around), piece.start);
        self.pass(
            piece.text,
            std::slice::from_ref(&(0..piece.around)),
            |search, rule, _, windows| {
                settles = settles && search.leaves(rule, piece, windows, core);
                settles &= search.hits.list.iter().all(|hit| has_hits && !hit.touches(core));
            },
        );
        let opens = reach.waits && self.has_any(&self.scanner.gates);
        settles = settles && !(opens || self.has_any(&self.scanner.far));
        self.scratch.trim();
        let places = self.hits.spans().map(|span| piece.start + span.start..piece.start + span.end);
        settles.then(|| places.collect())
    }

    /// Whether all matches of a rule stand apart from those beyond the piece. What is not excused is a hit.
    fn leaves(
        &mut self,
        rule: usize,
        piece: Piece<'_>,
        windows: &[Range<usize>],
        core: &Range<usize>,
    ) -> bool {
        let plan = &self.scanner.plans[rule];
        let mut matches = Vec::new();
        if plan.is_head {
            self.each_match(rule, piece.text, windows, |_, found| matches.push(found));
            return matches.is_empty();
        }
        let reported = !self.scanner.config.rules[rule].skip_report;
        // What has a head is not in the piece if the head is not.
        if plan.has_head || (!reported && !plan.is_component) {
            return true;
        }
        self.each_match(rule, piece.text, windows, |search, found| {
            matches.push(found.clone());
            search.examine(rule, piece.text, found, reported);
        });
        plan.extent.stand_apart(piece, core, &matches)
    }

    /// What of a decoded text a match with something decoded may lie in.
    fn around_decoded(&self, length: usize) -> Vec<Range<usize>> {
        let mut regions = Vec::new();
        for segment in self.passes.last() {
            let start = segment.decoded.start.saturating_sub(self.scanner.around_decoded);
            let end = segment.decoded.end.saturating_add(self.scanner.around_decoded);
            push_merged(&mut regions, start..length.min(end));
        }
        regions
    }

    /// Searches the regions of one text by all rules that were woken up.
    fn pass(
        &mut self,
        text: &[u8],
        regions: &[Range<usize>],
        mut try_rule: impl FnMut(&mut Self, usize, &[u8], &[Range<usize>]),
    ) {
        self.shared = OnceLock::new();
        for region in regions {
            let Self { scanner, scratch, .. } = self;
            let piece = &text[region.clone()];
            scanner.keywords.each_short(piece, |literal| scratch.seen[literal] = true);
        }
        let mut woken = std::mem::take(&mut self.scratch.woken);
        for rule in woken.drain(..) {
            let mut windows = std::mem::take(&mut self.scratch.windows[rule]);
            if matches!(self.scanner.plans[rule].method, Method::At { .. }) {
                windows.sort_unstable_by_key(|window| window.start);
            }
            try_rule(self, rule, text, &windows);
            windows.clear();
            self.scratch.windows[rule] = windows;
        }
        self.scratch.woken = woken;
        for rule in &self.scanner.everywhere {
            try_rule(self, *rule, text, regions);
        }
    }

    /// Looks for all literals.
    fn look(&mut self, text: &[u8], regions: &[Range<usize>]) {
        let keywords = &self.scanner.keywords;
        for region in regions {
            keywords.each(&text[region.clone()], |literal, at| {
                self.wake(text, Place { at: region.start + at, literal });
            });
        }
    }

    /// Notes literals of which the places are known, in a text that begins at `start`.
    fn wake_all(&mut self, text: &[u8], literals: &[Place], start: usize) {
        for place in literals {
            self.wake(text, Place { at: place.at - start, ..*place });
        }
    }

    /// Notes a literal for each rule that it wakes up.
    fn wake(&mut self, text: &[u8], Place { at, literal }: Place) {
        let Self { scanner, scratch, .. } = self;
        let Scratch { windows, woken, seen, .. } = &mut **scratch;
        seen[literal] = true;
        for rule in &scanner.wakes[literal] {
            let plan = &scanner.plans[*rule];
            let Some(window) = plan.window(text, at) else { continue };
            if windows[*rule].is_empty() {
                woken.push(*rule);
            }
            match plan.method {
                Method::At { .. } => windows[*rule].push(window),
                _ => push_merged(&mut windows[*rule], window),
            }
        }
    }

    fn try_rule(&mut self, rule: usize, text: &[u8], windows: &[Range<usize>]) {
        let plan = &self.scanner.plans[rule];
        if plan.is_head {
            self.each_match(rule, text, windows, |search, _| search.hits.reach.is_far = true);
            return;
        }
        let reported = self.has_keyword(&plan.gate) && !self.scanner.config.rules[rule].skip_report;
        if !reported && !plan.is_component {
            self.hits.reach.waits |= !self.scanner.config.rules[rule].skip_report;
            return;
        }
        self.each_match(rule, text, windows, |search, found| {
            search.examine(rule, text, found, reported);
        });
    }

    /// The matches of a rule's expression, from left to right.
    fn each_match(
        &mut self,
        rule: usize,
        text: &[u8],
        windows: &[Range<usize>],
        mut each: impl FnMut(&mut Self, Range<usize>),
    ) {
        let plan = &self.scanner.plans[rule];
        let Some(matcher) = &plan.matcher else { return };
        let anchored = matches!(plan.method, Method::At { .. });
        let mut end_of_last = 0;
        for window in windows {
            let mut at = window.start.max(if anchored { window.start } else { end_of_last });
            if anchored && at < end_of_last {
                continue;
            }
            while at <= window.end {
                let Scratch { caches, stopped, .. } = &mut *self.scratch;
                let range = at..window.end;
                let Some(found) = matcher.find(&mut caches[rule], text, range, anchored, stopped)
                else {
                    break;
                };
                // An empty match would be found for ever.
                at = found.end.max(found.start + 1);
                end_of_last = found.end;
                each(self, found);
                if anchored {
                    break;
                }
            }
        }
    }

    /// Makes a hit of a match, unless something in its text excuses it.
    fn examine(&mut self, rule: usize, text: &[u8], found: Range<usize>, reported: bool) {
        if self.hits.list.len() == HITS_MAX {
            self.hits.is_cut = true;
            return;
        }
        let scanner = self.scanner;
        let matched = trim_line_breaks(&text[found.clone()]);
        let (span, tags, decoded_line) = if self.passes.depth() == 0 {
            (found.start..found.start + matched.len(), Vec::new(), None)
        } else {
            let segments = self.passes.touched(&found);
            let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return };
            let line = line_around(text, &(first.decoded.start..last.decoded.end));
            (self.passes.original(&found), self.passes.tags(segments), Some(line))
        };
        let span = span.start.min(self.bytes.len())..span.end.min(self.bytes.len());
        let location =
            self.lines.get_or_insert_with(|| Lines::of(self.bytes)).locate(self.bytes, &span);
        let lines = &self.bytes[near(&location, &span, LINE_SIDE_MAX)];
        if scanner.options.allow_comments
            && ALLOW_COMMENTS.iter().any(|c| memchr::memmem::find(lines, c).is_some())
        {
            return;
        }
        let secret = self.secret(rule, matched);
        let rules = &scanner.config.rules[rule];
        let entropy = entropy::shannon(secret);
        if (rules.entropy != 0.0 && entropy <= rules.entropy)
            || (rules.random && words::is_words(secret))
            || (rules.token_efficiency && is_too_efficient(secret))
        {
            return;
        }
        let texts = Texts { secret, matched, line: decoded_line.unwrap_or(lines) };
        let Some(excused_there) = self.weigh(rule, texts) else { return };
        let found = Match { rule: rules, texts, entropy, span: found, text, shared: &self.shared };
        let Some(open) = self.ask(rule, &found) else { return };
        let context = near(&location, &span, CONTEXT_SIDE_MAX);
        let in_line = (self.passes.depth() == 0)
            .then(|| span.start - context.start..span.end - context.start);
        self.hits.list.push(Hit {
            rule,
            depth: self.passes.depth(),
            reported,
            location,
            matched: Secret::new(matched.to_vec()),
            secret: Secret::new(secret.to_vec()),
            line: Secret::new(self.bytes[context].to_vec()),
            in_line,
            span,
            entropy: entropy as f32,
            tags,
            open,
            excused_there,
        });
    }

    /// The part of a match that is the secret. gitleaks looks for the groups in the match alone, so that what is around it
    /// does not count any more.
    fn secret<'t>(&mut self, rule: usize, matched: &'t [u8]) -> &'t [u8] {
        let Some(matcher) =
            self.scanner.plans[rule].matcher.as_ref().filter(|matcher| matcher.groups() > 0)
        else {
            return matched;
        };
        let groups = matcher.groups_of(&mut self.scratch.caches[rule], matched);
        let text = |group: &Option<Range<usize>>| {
            group.clone().map_or(&matched[..0], |group| &matched[group])
        };
        match self.scanner.config.rules[rule].secret_group {
            0 => {
                groups.iter().skip(1).map(text).find(|secret| !secret.is_empty()).unwrap_or(matched)
            }
            number => groups.get(number).map_or(matched, text),
        }
    }

    /// The allow lists that excuse a match at some places; `None` if one excuses it everywhere.
    fn weigh(&self, rule: usize, texts: Texts<'_>) -> Option<Vec<ExcuseId>> {
        let of_all =
            self.scanner.excuses.iter().enumerate().map(|(i, excuse)| (ExcuseId::OfAll(i), excuse));
        let of_rule = self.scanner.plans[rule]
            .excuses
            .iter()
            .enumerate()
            .map(|(i, excuse)| (ExcuseId::OfRule(i), excuse));
        let mut there = Vec::new();
        for (id, excuse) in of_all.chain(of_rule) {
            match excuse.weigh(texts) {
                Verdict::Excused => return None,
                Verdict::ExcusedThere => there.push(id),
                Verdict::Stands => {}
            }
        }
        Some(there)
    }

    /// Asks all expressions about a match; those that hang on the place are left open. `None` if one is true.
    fn ask(&self, rule: usize, found: &Match<'_>) -> Option<Vec<(JudgeId, Term)>> {
        let of_all = self.scanner.judges.iter().enumerate();
        let of_all = of_all.map(|(i, judge)| (JudgeId::OfAll(i), judge));
        let of_rule = self.scanner.plans[rule].judge.iter().map(|judge| (JudgeId::OfRule, judge));
        let mut open = Vec::new();
        for (id, judge) in of_all.chain(of_rule) {
            match judge.ask(found, &Unknown) {
                Outcome::Decided(true) => return None,
                Outcome::Decided(false) => {}
                Outcome::Open(term) => open.push((id, term)),
            }
        }
        Some(open)
    }

    fn has_keyword(&self, gate: &[usize]) -> bool {
        gate.is_empty() || self.has_any(gate)
    }

    fn has_any(&self, literals: &[usize]) -> bool {
        literals.iter().any(|literal| self.scratch.seen[*literal])
    }

    fn note_path_rules(&mut self) {
        for (rule, plan) in self.scanner.plans.iter().enumerate() {
            if matches!(plan.method, Method::Nowhere)
                && !plan.gate.is_empty()
                && self.has_keyword(&plan.gate)
            {
                self.hits.path_rules.push(rule);
            }
        }
    }
}

/// Adds a window behind the others, or widens those that it touches.
fn push_merged(windows: &mut Vec<Range<usize>>, mut window: Range<usize>) {
    while let Some(last) = windows.last()
        && window.start <= last.end
    {
        window = last.start.min(window.start)..last.end.max(window.end);
        windows.pop();
    }
    windows.push(window);
}

fn trim_line_breaks(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| *byte != b'\n').unwrap_or(text.len());
    let end = text.iter().rposition(|byte| *byte != b'\n').map_or(start, |last| last + 1);
    &text[start..end]
}

/// The lines of a match, but no more than `side` bytes before and after it.
fn near(location: &Location, span: &Range<usize>, side: usize) -> Range<usize> {
    let Range { start, end } = location.lines();
    start.max(span.start.saturating_sub(side)).min(span.start)
        ..end.min(span.end + side).max(span.end)
}

/// From the line break before `at` to the one behind it.
fn line_around<'t>(text: &'t [u8], at: &Range<usize>) -> &'t [u8] {
    let before = &text[at.start.saturating_sub(LINE_SIDE_MAX)..text.len().min(at.start + 1)];
    let after = &text[at.end..text.len().min(at.end + LINE_SIDE_MAX)];
    let start = memchr::memrchr(b'\n', before)
        .map_or(at.start + 1 - before.len().min(at.start + 1), |i| at.start + 1 - before.len() + i);
    let end = memchr::memchr(b'\n', after).map_or(at.end + after.len(), |i| at.end + i);
    &text[start.min(end)..end]
}
