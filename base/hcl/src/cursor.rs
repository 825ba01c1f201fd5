use base_types::{Error, Result};

use crate::{DEPTH_MAX, Position};

/// A place in a text that moves forward one character at a time and keeps count of lines.
pub(crate) struct Cursor<'a> {
    rest: &'a str,
    at: Position,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text, at: Position::default() }
    }

    pub(crate) fn at(&self) -> Position {
        self.at
    }

    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(crate) fn bump(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let char = chars.next()?;
        self.rest = chars.as_str();
        if char == '\n' {
            self.at = Position { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        Some(char)
    }

    /// Steps over `token` if it comes next.
    pub(crate) fn eat(&mut self, token: &str) -> bool {
        let found = self.rest.starts_with(token);
        if found {
            self.skip(token.len());
        }
        found
    }

    pub(crate) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|char| !fits(char)).unwrap_or(self.rest.len());
        self.skip(end)
    }

    /// The next line without its line feed; `None` at the end.
    pub(crate) fn peek_line(&self) -> Option<&'a str> {
        self.rest.split('\n').next().filter(|_| !self.rest.is_empty())
    }

    pub(crate) fn skip_line(&mut self) {
        self.take_while(|char| char != '\n');
        self.bump();
    }

    /// Steps over `length` bytes, which must end between two characters.
    pub(crate) fn skip(&mut self, length: usize) -> &'a str {
        let (taken, _) = self.rest.split_at(length);
        for _ in taken.chars() {
            self.bump();
        }
        taken
    }

    pub(crate) fn error(&self, what: &str) -> Error {
        self.at.error(what)
    }

    /// "… but found X", where X is what comes next.
    pub(crate) fn unexpected(&self, wanted: &str) -> Error {
        match self.peek() {
            None => self.error(&format!("{wanted}, but the text ends here")),
            Some(char) => self.error(&format!("{wanted}, but found {char:?}")),
        }
    }

    /// Refuses to go deeper than the stack is meant for.
    pub(crate) fn check_depth(&self, depth: usize) -> Result<()> {
        if depth > DEPTH_MAX {
            return Err(self.error(&format!("more than {DEPTH_MAX} levels deep: flatten the text")));
        }
        Ok(())
    }
}
