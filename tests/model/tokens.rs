//! Tokens: a forest, each with an end.

use std::collections::BTreeSet;

use crate::machine::START;

/// The longest that a token may live, in seconds.
pub(crate) const LIFE_MAX: i64 = 32 * 24 * 3600;

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) accessor: String,
    pub(crate) parent: Option<usize>,
    pub(crate) policies: BTreeSet<String>,
    pub(crate) created: i64,
    /// `None` for the root token.
    pub(crate) expires: Option<i64>,
    pub(crate) uses: Option<u64>,
    pub(crate) alive: bool,
}

/// All tokens that ever were; the first is the root token.
pub(crate) struct Tokens {
    pub(crate) all: Vec<Token>,
    pub(crate) now: i64,
}

impl Tokens {
    pub(crate) fn new(root: &str) -> Self {
        let root = Token {
            text: root.to_owned(),
            accessor: String::new(),
            parent: None,
            policies: ["root".to_owned()].into(),
            created: START,
            expires: None,
            uses: None,
            alive: true,
        };
        Self { all: vec![root], now: START }
    }

    pub(crate) fn is_root(&self, at: usize) -> bool {
        at == 0
    }

    /// Takes a use for one request; `false` if the token is no good.
    pub(crate) fn begin(&mut self, at: usize) -> bool {
        let token = &mut self.all[at];
        if token.alive
            && let Some(uses) = &mut token.uses
        {
            *uses -= 1;
        }
        token.alive
    }

    /// After a request: the last use ends the token.
    pub(crate) fn end(&mut self, at: usize) {
        if self.all[at].uses == Some(0) {
            self.revoke(at);
        }
    }

    pub(crate) fn revoke(&mut self, at: usize) {
        self.all[at].alive = false;
        for child in self.children(at) {
            self.revoke(child);
        }
    }

    pub(crate) fn revoke_orphan(&mut self, at: usize) {
        for child in self.children(at) {
            self.all[child].parent = None;
        }
        self.revoke(at);
    }

    pub(crate) fn advance(&mut self, seconds: u64) {
        self.now += seconds as i64;
        let ended = |token: &Token| token.expires.is_some_and(|at| at <= self.now);
        let ended: Vec<usize> = (0..self.all.len()).filter(|at| ended(&self.all[*at])).collect();
        for at in ended {
            self.revoke(at);
        }
    }

    /// Until when a token may live that was made at `created` and asks for `seconds` now.
    pub(crate) fn limit(&self, created: i64, seconds: u64) -> i64 {
        (self.now + seconds as i64).min(created + LIFE_MAX)
    }

    fn children(&self, at: usize) -> Vec<usize> {
        (0..self.all.len()).filter(|child| self.all[*child].parent == Some(at)).collect()
    }
}
