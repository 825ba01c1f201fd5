use super::Fault;

/// A word of an expression with its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// In bytes, from the start of the expression.
    pub(super) offset: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Name(String),
    Text(String),
    Integer(i64),
    Float(f64),
    Sign(&'static str),
    End,
}

/// The longer ones first.
const SIGNS: [&str; 36] = [
    "&&", "||", "==", "!=", "<=", ">=", "**", "..", "??", "?.", ".?", "[?", "+", "-", "*", "/",
    "%", "^", "<", ">", "!", "?", ":", "|", "(", ")", "[", "]", "{", "}", ",", ";", ".", "=", "#",
    "$",
];

/// All words of an expression; the last one is its end.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, Fault> {
    let mut lexer = Lexer { source, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank()?;
        let offset = lexer.at;
        let kind = lexer.next()?;
        let is_end = kind == Kind::End;
        tokens.push(Token { kind, offset });
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn fault<T>(offset: usize, what: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { offset, what: what.into() })
    }

    /// Skips spaces and comments.
    fn skip_blank(&mut self) -> Result<(), Fault> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                match trimmed.find("*/") {
                    Some(end) => self.at += end + 2,
                    None => return Self::fault(self.at, "a comment without its closing */"),
                }
            } else {
                return Ok(());
            }
        }
    }

    fn next(&mut self) -> Result<Kind, Fault> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Kind::End) };
        if let Some(raw) = rest.strip_prefix("r\"\"\"") {
            return self.until(raw, 4, "\"\"\"");
        }
        if let Some(raw) = rest.strip_prefix('`') {
            return self.until(raw, 1, "`");
        }
        if first == '"' || first == '\'' {
            return self.quoted(first);
        }
        let is_fraction = first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit());
        if first.is_ascii_digit() || is_fraction {
            return self.number();
        }
        if first.is_alphabetic() || first == '_' {
            let is_part = |c: char| c.is_alphanumeric() || c == '_';
            let name = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
            self.at += name.len();
            return Ok(Kind::Name(name.to_owned()));
        }
        match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            Some(sign) => {
                self.at += sign.len();
                Ok(Kind::Sign(sign))
            }
            None => Self::fault(self.at, format!("'{first}' means nothing here")),
        }
    }

    /// A text without escapes up to `closing`; `opening` bytes stand before `raw`.
    fn until(&mut self, raw: &'s str, opening: usize, closing: &str) -> Result<Kind, Fault> {
        let Some(end) = raw.find(closing) else {
            return Self::fault(self.at, format!("a text without its closing {closing}"));
        };
        self.at += opening + end + closing.len();
        Ok(Kind::Text(raw[..end].to_owned()))
    }

    fn quoted(&mut self, quote: char) -> Result<Kind, Fault> {
        let start = self.at;
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((i, c)) = characters.next() {
            match c {
                c if c == quote => {
                    self.at = start + i + 1;
                    return Ok(Kind::Text(text));
                }
                '\\' => {
                    let after = &self.source[start + i + 1..];
                    let Some((unescaped, length)) = escape(after) else {
                        return Self::fault(start + i, "an escape that does not exist");
                    };
                    text.push(unescaped);
                    // All characters of an escape but the backslash.
                    (0..length).for_each(|_| {
                        characters.next();
                    });
                }
                c => text.push(c),
            }
        }
        Self::fault(start, format!("a text without its closing {quote}"))
    }

    fn number(&mut self) -> Result<Kind, Fault> {
        let rest = self.rest();
        let radix = match rest.get(..2).map(str::to_ascii_lowercase).as_deref() {
            Some("0x") => 16,
            Some("0o") => 8,
            Some("0b") => 2,
            _ => return self.decimal(),
        };
        let digits = &rest[2..];
        let length =
            digits.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(digits.len());
        match i64::from_str_radix(&digits[..length].replace('_', ""), radix) {
            Ok(number) => {
                self.at += 2 + length;
                Ok(Kind::Integer(number))
            }
            Err(_) => Self::fault(self.at, format!("'{}' is no number", &rest[..2 + length])),
        }
    }

    fn decimal(&mut self) -> Result<Kind, Fault> {
        let bytes = self.rest().as_bytes();
        let mut end = 0;
        let mut is_float = false;
        while let Some(byte) = bytes.get(end) {
            match byte {
                b'0'..=b'9' | b'_' => {}
                // Two dots are a range.
                b'.' if !is_float && bytes.get(end + 1) != Some(&b'.') => is_float = true,
                b'e' | b'E' => {
                    is_float = true;
                    end += usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
                }
                _ => break,
            }
            end += 1;
        }
        let written = &self.rest()[..end];
        let digits = written.replace('_', "");
        let kind = match is_float {
            true => digits.parse().ok().filter(|n: &f64| n.is_finite()).map(Kind::Float),
            false => digits.parse().ok().map(Kind::Integer),
        };
        let Some(kind) = kind else {
            return Self::fault(self.at, format!("'{written}' is no number"));
        };
        self.at += end;
        Ok(kind)
    }
}

/// What an escape stands for, and how many characters follow its backslash.
fn escape(after: &str) -> Option<(char, usize)> {
    let simple = |c| Some((c, 1));
    let code = |start: usize, length: usize, radix| {
        let code = u32::from_str_radix(after.get(start..start + length)?, radix).ok()?;
        Some((char::from_u32(code)?, start + length))
    };
    match after.chars().next()? {
        'a' => simple('\x07'),
        'b' => simple('\x08'),
        'f' => simple('\x0c'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        'v' => simple('\x0b'),
        c @ ('\\' | '\'' | '"' | '`' | '?') => simple(c),
        'x' | 'X' => code(1, 2, 16),
        'u' => code(1, 4, 16),
        'U' => code(1, 8, 16),
        '0'..='3' => code(0, 3, 8),
        _ => None,
    }
}
