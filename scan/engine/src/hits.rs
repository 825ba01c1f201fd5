use std::ops::Range;

use base_types::Secret;
use scan_rules::filter::Term;

use crate::Reach;
use crate::location::Location;

/// What [`Scanner::search`](crate::Scanner::search) found in some bytes, before anybody asked where they are.
///
/// It holds what a finding needs, so that the bytes themselves may be dropped. Small: most texts have none.
#[derive(Default)]
pub struct Hits {
    pub(crate) list: Vec<Hit>,
    /// The rules for paths alone whose keywords the text has.
    pub(crate) path_rules: Vec<usize>,
    pub(crate) reach: Reach,
    pub(crate) is_cut: bool,
}

/// So many matches of one text are kept. Nobody reads more, and a small archive may hold a thousand times as many.
pub const HITS_MAX: usize = 100_000;

impl Hits {
    /// Whether [`Scanner::judge`](crate::Scanner::judge) can have nothing to say but by rules for paths without keywords.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.path_rules.is_empty()
    }

    /// What changed versions of the text have to be searched for.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Whether there are more than [`HITS_MAX`], which are not kept.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    pub fn len(&self) -> usize {
        self.list.len() + self.path_rules.len()
    }

    /// About how many bytes of memory they take up.
    pub fn size(&self) -> usize {
        let texts = |hit: &Hit| {
            hit.matched.expose().len() + hit.secret.expose().len() + hit.line.expose().len()
        };
        self.list.iter().map(|hit| size_of::<Hit>() + texts(hit)).sum()
    }

    /// Where the matches are in the bytes that were searched, in no order.
    pub fn spans(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.list.iter().map(|hit| hit.span.clone())
    }
}

/// A match that its text alone does not excuse.
pub(crate) struct Hit {
    pub(crate) rule: usize,
    /// 0 in the text itself, then the number of times it was decoded.
    pub(crate) depth: usize,
    /// Whether the text has one of the rule's keywords; if not, the match counts for other rules alone.
    pub(crate) reported: bool,
    pub(crate) span: Range<usize>,
    pub(crate) location: Location,
    pub(crate) matched: Secret<Vec<u8>>,
    pub(crate) secret: Secret<Vec<u8>>,
    pub(crate) line: Secret<Vec<u8>>,
    pub(crate) in_line: Option<Range<usize>>,
    pub(crate) entropy: f32,
    /// Those of decoding.
    pub(crate) tags: Vec<String>,
    /// What is left of expressions that hang on the place, with the one that it is of.
    pub(crate) open: Vec<(JudgeId, Term)>,
    /// Allow lists that excuse it if the place is one that they name.
    pub(crate) excused_there: Vec<ExcuseId>,
}

/// An expression by its place in the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) enum JudgeId {
    OfAll(usize),
    OfRule,
}

impl Hit {
    pub(crate) fn touches(&self, range: &Range<usize>) -> bool {
        self.span.start <= range.end && range.start <= self.span.end
    }
}

/// An allow list by its place in the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ExcuseId {
    OfAll(usize),
    OfRule(usize),
}
