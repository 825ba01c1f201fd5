//! The usual layout of a policy file.

/// `source` as it is usually laid out: two spaces for each level, one entry to a line, the equal
/// signs and comments of neighbouring lines in columns, an empty line around everything that takes
/// several. Comments and strings stay as they are; a list stays on one line if it was on one.
///
/// # Errors
/// A text with line and column for what is no HCL.
pub(crate) fn formatted(source: &str) -> Result<String, String> {
    let mut parser = Parser { tokens: tokens(source)?, at: 0 };
    let body = parser.body(None)?;
    let mut out = String::new();
    print_body(&body, 0, &mut out);
    Ok(out)
}

/// Entries and comments, in order.
type Body = Vec<Entry>;

struct Entry {
    /// Comments on the lines directly above.
    lead: Vec<String>,
    /// The words before the equal sign or the block; empty for comments that stand alone.
    head: String,
    assigned: bool,
    value: Option<Value>,
    /// The comment on the same line.
    tail: Option<String>,
    blank_before: bool,
}

enum Value {
    List { items: Vec<Item>, tall: bool },
    Object(Body),
    Scalar(String),
}

struct Item {
    lead: Vec<String>,
    value: Value,
    tail: Option<String>,
}

impl Entry {
    /// Whether it takes more than its own line.
    fn is_tall(&self) -> bool {
        !self.lead.is_empty() || self.value.as_ref().is_none_or(Value::is_tall)
    }
}

impl Value {
    fn is_tall(&self) -> bool {
        match self {
            Self::List { tall, .. } => *tall,
            Self::Object(body) => !body.is_empty(),
            Self::Scalar(text) => text.contains('\n'),
        }
    }

    fn print(&self, level: usize, out: &mut String) {
        match self {
            Self::Scalar(text) => out.push_str(text),
            Self::Object(body) if body.is_empty() => out.push_str("{}"),
            Self::Object(body) => {
                out.push_str("{\n");
                print_body(body, level + 1, out);
                out.push_str(&format!("{}}}", indent(level)));
            }
            Self::List { items, tall: false } => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { ", " });
                    item.value.print(level, out);
                }
                out.push(']');
            }
            Self::List { items, tall: true } => {
                out.push_str("[\n");
                for Item { lead, value, tail } in items {
                    print_comments(lead, level + 1, out);
                    out.push_str(&indent(level + 1));
                    value.print(level + 1, out);
                    out.push(',');
                    out.extend(tail.iter().map(|tail| format!(" {tail}")));
                    out.push('\n');
                }
                out.push_str(&format!("{}]", indent(level)));
            }
        }
    }
}

fn indent(level: usize) -> String {
    "  ".repeat(level)
}

fn print_comments(comments: &[String], level: usize, out: &mut String) {
    for comment in comments {
        out.push_str(&format!("{}{comment}\n", indent(level)));
    }
}

fn print_body(body: &[Entry], level: usize, out: &mut String) {
    let apart = |at: usize| {
        at > 0 && (body[at].blank_before || body[at].is_tall() || is_block(&body[at - 1]))
    };
    let mut start = 0;
    while start < body.len() {
        let end = (start + 1..body.len()).find(|at| apart(*at)).unwrap_or(body.len());
        if start > 0 {
            out.push('\n');
        }
        print_group(&body[start..end], level, out);
        start = end;
    }
}

/// Whether what follows is set apart.
fn is_block(entry: &Entry) -> bool {
    entry.value.as_ref().is_none_or(Value::is_tall)
}

/// Prints entries that share their columns.
fn print_group(group: &[Entry], level: usize, out: &mut String) {
    let lines = group.len() > 1 || !is_block(&group[0]);
    let widest = |width: fn(&Entry) -> usize| group.iter().map(width).max().unwrap_or(0);
    let head = if lines { widest(|entry| entry.head.chars().count()) } else { 0 };
    let value = widest(|entry| entry.one_line().chars().count());
    for entry in group {
        print_comments(&entry.lead, level, out);
        let Some(content) = &entry.value else { continue };
        let equals = if entry.assigned { "= " } else { "" };
        let head = if entry.assigned { head } else { 0 };
        out.push_str(&format!("{}{:<head$} {equals}", indent(level), entry.head));
        match &entry.tail {
            Some(tail) if lines => out.push_str(&format!("{:<value$} {tail}", entry.one_line())),
            tail => {
                content.print(level, out);
                out.extend(tail.iter().map(|tail| format!(" {tail}")));
            }
        }
        out.push('\n');
    }
}

impl Entry {
    /// The value, if it fits on the line; empty if not.
    fn one_line(&self) -> String {
        let mut text = String::new();
        if let Some(value) = self.value.as_ref().filter(|value| !value.is_tall()) {
            value.print(0, &mut text);
        }
        text
    }
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += usize::from(token.is_some());
        token
    }

    /// `why`, at the token read last.
    fn error(&self, why: &str) -> String {
        match self.tokens.get(self.at.saturating_sub(1)) {
            Some(placed) => format!("line {} column {}: {why}", placed.line, placed.column),
            None => why.to_owned(),
        }
    }

    /// Entries up to the brace that closes them, or to the end of the file.
    fn body(&mut self, opened: Option<usize>) -> Result<Body, String> {
        let mut body: Body = Vec::new();
        let mut lead: Vec<String> = Vec::new();
        let (mut newlines, mut blank) = (0, false);
        loop {
            let Some(token) = self.next() else {
                if let Some(at) = opened {
                    self.at = at;
                    return Err(self.error("this bracket is never closed"));
                }
                flush(&mut body, &mut lead, blank);
                return Ok(body);
            };
            match token {
                Token::Newline => {
                    newlines += 1;
                    if newlines == 2 {
                        // An empty line ends what belongs together; comments then stand alone.
                        flush(&mut body, &mut lead, blank);
                        blank = true;
                    }
                    continue;
                }
                Token::Comment(text) if newlines == 0 && lead.is_empty() && !body.is_empty() => {
                    if let Some(last) = body.last_mut() {
                        last.tail = Some(text);
                    }
                }
                Token::Comment(text) => lead.push(text),
                Token::Close('}') if opened.is_some() => {
                    flush(&mut body, &mut lead, blank);
                    return Ok(body);
                }
                Token::Comma => {}
                Token::Word(word) => {
                    let mut entry = self.entry(word)?;
                    entry.lead = std::mem::take(&mut lead);
                    entry.blank_before = std::mem::take(&mut blank);
                    body.push(entry);
                }
                Token::Close(_) if opened.is_some() => {
                    return Err(self.error("this bracket does not close the last one"));
                }
                Token::Close(_) => return Err(self.error("nothing is open here")),
                Token::Equals | Token::Open(_) => {
                    return Err(self.error("a name is missing before this"));
                }
            }
            newlines = 0;
        }
    }

    /// An entry that begins with `head`.
    fn entry(&mut self, mut head: String) -> Result<Entry, String> {
        loop {
            let (assigned, value) = match self.next() {
                Some(Token::Word(word)) => {
                    head = format!("{head} {word}");
                    continue;
                }
                Some(Token::Equals) => (true, self.value()?),
                Some(Token::Open('{')) => (false, Value::Object(self.body(Some(self.at))?)),
                _ => return Err(self.error("expected = or a block after the name")),
            };
            let value = Some(value);
            return Ok(Entry {
                lead: Vec::new(),
                head,
                assigned,
                value,
                tail: None,
                blank_before: false,
            });
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.next() {
            Some(Token::Word(word)) => Ok(Value::Scalar(word)),
            Some(Token::Open('{')) => Ok(Value::Object(self.body(Some(self.at))?)),
            Some(Token::Open(_)) => self.list(),
            _ => Err(self.error("expected a value")),
        }
    }

    fn list(&mut self) -> Result<Value, String> {
        let opened = self.at;
        let mut items: Vec<Item> = Vec::new();
        let mut lead = Vec::new();
        let mut tall = false;
        let mut same_line = false;
        loop {
            match self.peek() {
                Some(Token::Newline) => {
                    (tall, same_line) = (true, false);
                    self.at += 1;
                }
                Some(Token::Comma) => self.at += 1,
                Some(Token::Comment(text)) => {
                    match items.last_mut().filter(|_| same_line) {
                        Some(item) => item.tail = Some(text.clone()),
                        None => lead.push(text.clone()),
                    }
                    self.at += 1;
                }
                Some(Token::Close(']')) => {
                    self.at += 1;
                    return Ok(Value::List { tall: tall && !items.is_empty(), items });
                }
                Some(Token::Close(_)) => {
                    self.at += 1;
                    return Err(self.error("this bracket does not close the last one"));
                }
                None => {
                    self.at = opened;
                    return Err(self.error("this bracket is never closed"));
                }
                Some(_) => {
                    let value = self.value()?;
                    items.push(Item { lead: std::mem::take(&mut lead), value, tail: None });
                    same_line = true;
                }
            }
        }
    }
}

/// Turns comments that belong to no entry into one of their own.
fn flush(body: &mut Body, lead: &mut Vec<String>, blank_before: bool) {
    if !lead.is_empty() {
        let lead = std::mem::take(lead);
        let head = String::new();
        body.push(Entry { lead, head, assigned: false, value: None, tail: None, blank_before });
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Close(char),
    Comma,
    /// With its marker.
    Comment(String),
    Equals,
    Newline,
    Open(char),
    /// A name, a number, a string with its quotes, or a here-document with its lines.
    Word(String),
}

struct Placed {
    token: Token,
    line: usize,
    column: usize,
}

fn tokens(source: &str) -> Result<Vec<Placed>, String> {
    let mut tokens = Vec::new();
    let mut rest = source;
    let place = |rest: &str| {
        let before = &source[..source.len() - rest.len()];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
    };
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r']);
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let (line, column) = place(rest);
        let (token, length) =
            next(rest, first).map_err(|why| format!("line {line} column {column}: {why}"))?;
        tokens.push(Placed { token, line, column });
        rest = &rest[length..];
    }
}

fn next(rest: &str, first: char) -> Result<(Token, usize), &'static str> {
    let line_end = rest.find('\n').unwrap_or(rest.len());
    Ok(match first {
        '\n' => (Token::Newline, 1),
        '{' | '[' => (Token::Open(first), 1),
        '}' | ']' => (Token::Close(first), 1),
        ',' => (Token::Comma, 1),
        '=' | ':' => (Token::Equals, 1),
        '#' => (Token::Comment(rest[..line_end].trim_end().to_owned()), line_end),
        '/' if rest.starts_with("//") => {
            (Token::Comment(rest[..line_end].trim_end().to_owned()), line_end)
        }
        '/' if rest.starts_with("/*") => {
            let end = rest.find("*/").ok_or("the comment has no end")? + 2;
            (Token::Comment(rest[..end].to_owned()), end)
        }
        '"' => {
            let end = string_end(&rest[1..]).ok_or("the string has no end")? + 2;
            (Token::Word(rest[..end].to_owned()), end)
        }
        '<' if rest.starts_with("<<") => {
            let marker = rest[2..line_end].trim_start_matches('-').trim();
            let mut end = line_end;
            for line in rest[line_end..].split_inclusive('\n').skip(1) {
                end += line.len();
                if line.trim() == marker {
                    return Ok((
                        Token::Word(rest[..=end].trim_end().to_owned()),
                        rest[..=end].trim_end().len(),
                    ));
                }
            }
            return Err("the here-document has no end");
        }
        first if first.is_alphanumeric() || matches!(first, '_' | '-' | '.' | '+') => {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || "_-.+".contains(c)))
                .unwrap_or(rest.len());
            (Token::Word(rest[..end].to_owned()), end)
        }
        _ => return Err("unexpected character"),
    })
}

/// Where the closing quote is. Quotes inside `${…}` belong to the string.
fn string_end(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '$' if chars.peek().is_some_and(|(_, c)| *c == '{') => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '"' if depth == 0 => return Some(at),
            '\n' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_gets_its_usual_layout() {
        let source = "# read\n\n\n\npath   \"secret/*\"   {\n\n capabilities=[\"read\",   \"list\"]\n\n\
                      min_wrapping_ttl = \"1s\" # short\n  allowed_parameters = {\n\"a\"=[]\n\"long\"=[\"x=y\"]\n}\n}\n\
                      path \"b\" { policy=\"deny\" }";
        let expected = "# read\n\npath \"secret/*\" {\n  capabilities = [\"read\", \"list\"]\n\n  \
                        min_wrapping_ttl = \"1s\" # short\n\n  allowed_parameters = {\n    \"a\"    = []\n    \
                        \"long\" = [\"x=y\"]\n  }\n}\n\npath \"b\" {\n  policy = \"deny\"\n}\n";
        assert_eq!(formatted(source).unwrap(), expected);
        assert_eq!(formatted(expected).unwrap(), expected, "it is stable");
    }

    #[test]
    fn what_is_no_policy_is_refused_with_its_place() {
        for (source, error) in [
            ("path \"a\" {\n", "line 1 column 10: this bracket is never closed"),
            ("path \"a\" {\n]", "line 2 column 1: this bracket does not close the last one"),
            ("}", "line 1 column 1: nothing is open here"),
            ("path \"a", "line 1 column 6: the string has no end"),
            ("x = 1\n= 2", "line 2 column 1: a name is missing before this"),
            ("path $", "line 1 column 6: unexpected character"),
        ] {
            assert_eq!(formatted(source).unwrap_err(), error, "{source:?}");
        }
    }
}
