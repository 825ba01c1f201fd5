//! The syntax of Go's regular expressions as that of `regex-syntax`.
//!
//! Both have the same meaning of alternation and greed; they differ in what `\w`, `\d`, `\s` and `\b` are (in Go:
//! ASCII), in braces that repeat nothing (in Go: themselves), in what a class may hold, and in a few
//! escapes. <https://github.com/google/re2/wiki/Syntax>

use std::fmt::Write;

/// A sentence that says what is wrong, with the place as a count of characters.
type Result<T> = std::result::Result<T, String>;

/// Rewrites an expression of Go's.
pub(crate) fn translate(source: &str) -> Result<String> {
    let mut translator = Translator {
        rest: source.chars().collect(),
        at: 0,
        out: String::with_capacity(source.len() + 16),
    };
    translator.expression()?;
    Ok(translator.out)
}

struct Translator {
    rest: Vec<char>,
    at: usize,
    out: String,
}

/// One member of a class: a character, which may begin a range, or something that may not.
enum Member {
    Character(char),
    Class(String),
}

impl Translator {
    fn expression(&mut self) -> Result<()> {
        while let Some(c) = self.next() {
            match c {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                '{' if !self.repetition_follows() => self.out.push_str(r"\{"),
                other => self.out.push(other),
            }
        }
        Ok(())
    }

    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn eat(&mut self, expected: &str) -> bool {
        let follows =
            expected.chars().enumerate().all(|(i, c)| self.rest.get(self.at + i) == Some(&c));
        if follows {
            self.at += expected.chars().count();
        }
        follows
    }

    fn fault<T>(&self, what: impl std::fmt::Display) -> Result<T> {
        Err(format!("{what}, at character {}", self.at))
    }

    /// Whether `n}`, `n,}` or `n,m}` is next.
    fn repetition_follows(&self) -> bool {
        let digits = |from: usize| {
            self.rest[from.min(self.rest.len())..].iter().take_while(|c| c.is_ascii_digit()).count()
        };
        let first = digits(self.at);
        let mut end = self.at + first;
        if first > 0 && self.rest.get(end) == Some(&',') {
            end += 1;
            end += digits(end);
        }
        first > 0 && self.rest.get(end) == Some(&'}')
    }

    fn group(&mut self) -> Result<()> {
        self.out.push('(');
        if self.peek() != Some('?') {
            return Ok(());
        }
        for (kind, what) in [
            ("?=", "look-ahead"),
            ("?!", "look-ahead"),
            ("?<=", "look-behind"),
            ("?<!", "look-behind"),
        ] {
            if self.eat(kind) {
                return self.fault(format!(
                    "{what} ({kind}) is not in RE2; use a group for the secret, or an allow list"
                ));
            }
        }
        if self.eat("?P<") || self.eat("?<") {
            self.out.push_str("?P<");
            return Ok(());
        }
        self.next();
        self.out.push('?');
        while let Some(c) = self.next() {
            match c {
                'i' | 'm' | 's' | 'U' | '-' => self.out.push(c),
                ':' | ')' => {
                    self.out.push(c);
                    return Ok(());
                }
                other => return self.fault(format!("unknown flag '{other}' in a group")),
            }
        }
        self.fault("a group does not end")
    }

    /// What follows a backslash outside of a class.
    fn escape(&mut self) -> Result<()> {
        if self.eat("Q") {
            while self.peek().is_some() && !self.eat(r"\E") {
                let Some(c) = self.next() else { break };
                self.literal(c);
            }
            return Ok(());
        }
        match self.peek() {
            Some('b') => self.out.push_str(r"(?-u:\b)"),
            Some('B') => self.out.push_str(r"(?-u:\B)"),
            Some('A') => self.out.push_str(r"\A"),
            Some('z') => self.out.push_str(r"\z"),
            Some('C') => return self.fault(r"\C (a single byte) is not supported"),
            _ => {
                match self.escaped()? {
                    Member::Character(c) => self.literal(c),
                    Member::Class(class) => self.out.push_str(&class),
                }
                return Ok(());
            }
        }
        self.at += 1;
        Ok(())
    }

    /// What follows a backslash and means one character or a class, in a class or outside.
    fn escaped(&mut self) -> Result<Member> {
        let Some(c) = self.next() else { return self.fault("a backslash at the end") };
        let class = |text: &str| Ok(Member::Class(text.to_owned()));
        match c {
            'd' => class("[0-9]"),
            'D' => class("[^0-9]"),
            's' => class(r"[\t\n\x0C\r ]"),
            'S' => class(r"[^\t\n\x0C\r ]"),
            'w' => class("[0-9A-Za-z_]"),
            'W' => class("[^0-9A-Za-z_]"),
            'p' | 'P' => self.property(c).map(Member::Class),
            'a' => Ok(Member::Character('\x07')),
            'f' => Ok(Member::Character('\x0C')),
            'n' => Ok(Member::Character('\n')),
            'r' => Ok(Member::Character('\r')),
            't' => Ok(Member::Character('\t')),
            'v' => Ok(Member::Character('\x0B')),
            'x' => self.hexadecimal().map(Member::Character),
            '0'..='7' => self.octal(c).map(Member::Character),
            other if other.is_ascii_alphanumeric() => {
                self.fault(format!(r"unknown escape \{other}"))
            }
            other => Ok(Member::Character(other)),
        }
    }

    fn property(&mut self, kind: char) -> Result<String> {
        let mut name = String::new();
        if self.eat("{") {
            loop {
                match self.next() {
                    Some('}') => break,
                    Some(c) => name.push(c),
                    None => return self.fault(r"\p{ does not end"),
                }
            }
            return Ok(format!(r"\{kind}{{{name}}}"));
        }
        match self.next() {
            Some(c) => Ok(format!(r"\{kind}{{{c}}}")),
            None => self.fault(r"\p without a name"),
        }
    }

    fn hexadecimal(&mut self) -> Result<char> {
        let mut digits = String::new();
        if self.eat("{") {
            while let Some(c) = self.next().filter(|c| *c != '}') {
                digits.push(c);
            }
        } else {
            digits.extend(self.next());
            digits.extend(self.next());
        }
        match u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32) {
            Some(c) => Ok(c),
            None => self.fault(format!(r"\x{digits} is no character")),
        }
    }

    /// `\0` with up to two more digits, or `\12` and the like; one digit alone would be a back reference.
    fn octal(&mut self, first: char) -> Result<char> {
        let mut value = first.to_digit(8).unwrap_or_default();
        let more = |c: Option<char>| c.and_then(|c| c.to_digit(8));
        if first != '0' && more(self.peek()).is_none() {
            return self.fault(format!(r"the back reference \{first} is not in RE2"));
        }
        for _ in 0..2 {
            if let Some(digit) = more(self.peek()) {
                value = value * 8 + digit;
                self.at += 1;
            }
        }
        match char::from_u32(value) {
            Some(c) => Ok(c),
            None => self.fault("an octal escape is no character"),
        }
    }

    fn class(&mut self) -> Result<()> {
        self.out.push('[');
        if self.eat("^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            match self.peek() {
                None => return self.fault("a class does not end"),
                Some(']') if !first => {
                    self.at += 1;
                    self.out.push(']');
                    return Ok(());
                }
                Some(_) => self.member()?,
            }
            first = false;
        }
    }

    /// One member of a class, or a range of them.
    fn member(&mut self) -> Result<()> {
        let low = match self.bound()? {
            Member::Class(class) => {
                self.out.push_str(&class);
                return Ok(());
            }
            Member::Character(c) => c,
        };
        let range =
            self.peek() == Some('-') && self.rest.get(self.at + 1).is_some_and(|c| *c != ']');
        if !range {
            self.literal(low);
            return Ok(());
        }
        self.at += 1;
        let Member::Character(high) = self.bound()? else {
            return self.fault("a range ends in a class");
        };
        if high < low {
            return self.fault(format!("the range {low}-{high} is empty"));
        }
        self.literal(low);
        self.out.push('-');
        self.literal(high);
        Ok(())
    }

    fn bound(&mut self) -> Result<Member> {
        match self.next() {
            Some('\\') => self.escaped(),
            Some('[') if self.peek() == Some(':') => Ok(self.named_class()),
            Some(c) => Ok(Member::Character(c)),
            None => self.fault("a class does not end"),
        }
    }

    /// `[:alpha:]` after its bracket; anything else there is a bracket.
    fn named_class(&mut self) -> Member {
        let name: String = self.rest[self.at..].iter().take_while(|c| **c != ']').collect();
        let known = name.len() > 2
            && name.ends_with(':')
            && name[1..name.len() - 1]
                .trim_start_matches('^')
                .bytes()
                .all(|b| b.is_ascii_lowercase());
        if !known {
            return Member::Character('[');
        }
        self.at += name.chars().count() + 1;
        Member::Class(format!("[{name}]"))
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii() {
            self.out.push(c);
        } else {
            // Whatever has a meaning somewhere has none in this form.
            write!(self.out, r"\x{:02X}", u32::from(c))
                .expect("a string takes all that is written to it");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Pattern;

    fn check(source: &str, expect: &str) {
        assert_eq!(translate(source).unwrap(), expect, "{source}");
        Pattern::new(source).unwrap_or_else(|e| panic!("{source}: {e}"));
    }

    #[test]
    fn classes_are_those_of_ascii() {
        check(r"\w\d\b", r"[0-9A-Za-z_][0-9](?-u:\b)");
        check(r"[\w.-]{0,50}?", r"[[0-9A-Za-z_]\x2E\x2D]{0,50}?");
        check(r"[\s'\x60]", r"[[\t\n\x0C\r ]\x27\x60]");
        check(r"[^\W_]", r"[^[^0-9A-Za-z_]_]");
        check(r"[[:alnum:]_]", r"[[:alnum:]_]");
    }

    #[test]
    fn braces_that_repeat_nothing_are_themselves() {
        check(r"^\$(?:\d+|{\d+})$", r"^\x24(?:[0-9]+|\{[0-9]+})$");
        check(r"\{\{[ \t]*}}", r"\x7B\x7B[\x20\x09]*}}");
        check(r"a{2}b{2,}c{2,3}", r"a{2}b{2,}c{2,3}");
        check(r"a{,2}", r"a\{,2}");
    }

    #[test]
    fn what_only_one_of_both_knows_in_classes_is_a_character() {
        check(r"[a&&b]", r"[a\x26\x26b]");
        check(r"[[]", r"[\x5B]");
        check(r"[]a]", r"[\x5Da]");
        check(r"[a-]", r"[a\x2D]");
        check(r"[+--]", r"[\x2B-\x2D]");
        check(r"[~~]", r"[\x7E\x7E]");
    }

    #[test]
    fn escapes_of_go_become_characters() {
        check(r"\<a\>", r"\x3Ca\x3E");
        check(r"\Qa.b\E.", r"a\x2Eb.");
        check(r"\012\0", r"\x0A\x00");
        check(r"\x{1F600}\pL\P{Greek}", "\u{1F600}\\p{L}\\P{Greek}");
        check(r"(?i)a(?P<x>b)(?<y>c)(?s:.)(?m-i)d", r"(?i)a(?P<x>b)(?P<y>c)(?s:.)(?m-i)d");
    }

    #[test]
    fn what_is_not_in_re2_is_refused_with_its_place() {
        for (source, word) in [
            (r"foo(?=bar)", "look-ahead"),
            (r"foo(?!bar)", "look-ahead"),
            (r"(?<!a)b", "look-behind"),
            (r"(a)\1", "back reference"),
            (r"\Ca", r"\C"),
            (r"\e", r"\e"),
            (r"(?x)a", "flag 'x'"),
            (r"[z-a]", "empty"),
            (r"[abc", "does not end"),
            (r"a\", "backslash"),
        ] {
            let fault = translate(source).unwrap_err();
            assert!(fault.contains(word) && fault.contains("at character"), "{source}: {fault}");
        }
    }
}
