use base_types::{Error, Result};

use crate::function::Function;
use crate::{Command, Node, Operand, Pipeline, Value};

/// Parentheses within parentheses: it bounds the stack.
const DEPTH_MAX: usize = 32;

pub(crate) fn template(text: &str, fields: &[&str]) -> Result<Vec<Node>> {
    let mut parser = Parser { text, at: 0, trims: false, fields };
    let (nodes, end) = parser.block(0)?;
    match end {
        End::Text => Ok(nodes),
        End::Else { at } | End::ElseIf { at, .. } => Err(parser.fault(at, "unexpected {{else}}")),
        End::Tag { at } => Err(parser.fault(at, "unexpected {{end}}")),
    }
}

fn push_text(nodes: &mut Vec<Node>, text: &str) {
    if !text.is_empty() {
        nodes.push(Node::Text(text.to_owned()));
    }
}

struct Parser<'t> {
    text: &'t str,
    /// How far it has been read, in bytes.
    at: usize,
    /// The last action trims the text after it.
    trims: bool,
    fields: &'t [&'t str],
}

/// What ends a block of nodes, and where.
enum End {
    Else {
        at: usize,
    },
    ElseIf {
        at: usize,
        condition: Pipeline,
    },
    Tag {
        at: usize,
    },
    /// Of the whole template.
    Text,
}

/// What stands between braces.
enum Action {
    Comment,
    End(End),
    If(Pipeline),
    Value(Pipeline),
}

impl<'t> Parser<'t> {
    /// The nodes up to what is not theirs: the end of the text, or of the `if` around them.
    fn block(&mut self, depth: usize) -> Result<(Vec<Node>, End)> {
        let mut nodes = Vec::new();
        loop {
            let end = self.rest().find("{{").map_or(self.text.len(), |open| self.at + open);
            let literal = &self.text[self.at..end];
            let literal = if self.trims { literal.trim_start() } else { literal };
            self.at = end;
            let Some(trims) = self.open() else {
                push_text(&mut nodes, literal);
                return Ok((nodes, End::Text));
            };
            push_text(&mut nodes, if trims { literal.trim_end() } else { literal });
            let action = self.action(end)?;
            self.trims = self.close(end)?;
            match action {
                Action::Comment => {}
                Action::End(end) => return Ok((nodes, end)),
                Action::If(condition) => nodes.push(self.branches(end, condition, depth + 1)?),
                Action::Value(pipeline) => nodes.push(Node::Action(pipeline)),
            }
        }
    }

    /// The rest of an `if` that begins at `start`, up to and with its `end`.
    fn branches(&mut self, start: usize, condition: Pipeline, depth: usize) -> Result<Node> {
        if depth > DEPTH_MAX {
            return Err(self.fault(start, "nested too deeply"));
        }
        let (then, end) = self.block(depth)?;
        let otherwise = match end {
            End::Tag { .. } => Vec::new(),
            End::ElseIf { at, condition } => vec![self.branches(at, condition, depth + 1)?],
            End::Else { .. } => match self.block(depth)? {
                (nodes, End::Tag { .. }) => nodes,
                (_, End::Text) => return Err(self.fault(start, "unexpected EOF")),
                (_, End::Else { at } | End::ElseIf { at, .. }) => {
                    return Err(self.fault(at, "expected end; found {{else}}"));
                }
            },
            End::Text => return Err(self.fault(start, "unexpected EOF")),
        };
        Ok(Node::If { condition, then, otherwise })
    }

    fn action(&mut self, at: usize) -> Result<Action> {
        if self.comment()? {
            return Ok(Action::Comment);
        }
        let start = self.at;
        self.skip_spaces();
        match self.word() {
            "if" => self.pipeline(0).map(Action::If),
            "else" => {
                self.skip_spaces();
                let is_if = self.word() == "if";
                let condition = if is_if { Some(self.pipeline(0)?) } else { None };
                Ok(Action::End(match condition {
                    Some(condition) => End::ElseIf { at, condition },
                    None => End::Else { at },
                }))
            }
            "end" => Ok(Action::End(End::Tag { at })),
            _ => {
                self.at = start;
                self.pipeline(0).map(Action::Value)
            }
        }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Takes `{{`, and says whether it trims the text before it; `None` at the end of the text.
    fn open(&mut self) -> Option<bool> {
        let rest = self.rest().strip_prefix("{{")?;
        // A minus trims only before a space: `{{-3}}` is a number.
        let trims = rest.starts_with('-') && rest[1..].starts_with(char::is_whitespace);
        self.at += if trims { 3 } else { 2 };
        Some(trims)
    }

    /// Takes `}}`, and says whether it trims the text after it.
    fn close(&mut self, start: usize) -> Result<bool> {
        self.skip_spaces();
        let after_space = self.text[..self.at].ends_with(char::is_whitespace);
        let trims = after_space && self.rest().starts_with("-}}");
        if trims {
            self.at += 1;
        }
        match self.rest().chars().next() {
            _ if self.take("}}") => Ok(trims),
            None => Err(self.fault(start, "unclosed action")),
            Some(')') => Err(self.fault(self.at, "unexpected right paren")),
            Some(other) => Err(self.fault(self.at, &format!("unexpected character {other:?}"))),
        }
    }

    fn comment(&mut self) -> Result<bool> {
        let start = self.at;
        self.skip_spaces();
        if !self.take("/*") {
            self.at = start;
            return Ok(false);
        }
        let end = self.rest().find("*/").ok_or_else(|| self.fault(start, "unclosed comment"))?;
        self.at += end + 2;
        Ok(true)
    }

    fn pipeline(&mut self, depth: usize) -> Result<Pipeline> {
        if depth > DEPTH_MAX {
            return Err(self.fault(self.at - 1, "nested too deeply"));
        }
        let mut commands = vec![self.command(depth, false)?];
        while self.take_after_spaces("|") {
            commands.push(self.command(depth, true)?);
        }
        Ok(Pipeline(commands))
    }

    /// `is_piped` is given the value of the command before it.
    fn command(&mut self, depth: usize, is_piped: bool) -> Result<Command> {
        self.skip_spaces();
        let start = self.at;
        let name = self.word();
        if name.is_empty() {
            let value = self.operand(depth)?;
            let value = value.ok_or_else(|| self.absent(start))?;
            if is_piped {
                return Err(self.fault(start, "non executable command in pipeline"));
            }
            self.skip_spaces();
            let next = self.at;
            return match self.operand(depth)? {
                Some(_) => Err(self.fault(next, "can't give argument to non-function")),
                None => Ok(Command::Value(value)),
            };
        }
        let function = self.function(start, name)?;
        let mut arguments = Vec::new();
        while let Some(argument) = self.operand(depth)? {
            arguments.push(argument);
        }
        let given = arguments.len() + usize::from(is_piped);
        self.check_count(start, name, function, given)?;
        Ok(Command::Call { function, arguments })
    }

    fn function(&self, at: usize, name: &str) -> Result<Function> {
        Function::named(name)
            .ok_or_else(|| self.fault(at, &format!("function {name:?} not defined")))
    }

    fn check_count(&self, at: usize, name: &str, function: Function, given: usize) -> Result<()> {
        let wanted = function.arguments();
        if wanted.map_or(given > 0, |wanted| wanted == given) {
            return Ok(());
        }
        let wanted = wanted.map_or("at least 1".to_owned(), |wanted| wanted.to_string());
        let text = format!("wrong number of arguments for {name}: want {wanted}, got {given}");
        Err(self.fault(at, &text))
    }

    /// What is missing where a value should begin.
    fn absent(&self, at: usize) -> Error {
        match self.rest().chars().next() {
            Some(other) if !"}|)-".contains(other) => {
                self.fault(at, &format!("unexpected character {other:?}"))
            }
            None => self.fault(self.text.rfind("{{").unwrap_or(at), "unclosed action"),
            _ => self.fault(at, "missing value for command"),
        }
    }

    /// The next argument, or nothing where the command ends.
    fn operand(&mut self, depth: usize) -> Result<Option<Operand>> {
        self.skip_spaces();
        let start = self.at;
        let rest = self.rest();
        match rest.as_bytes() {
            [b'(', ..] => {
                self.at += 1;
                let pipeline = self.pipeline(depth + 1)?;
                if !self.take_after_spaces(")") {
                    return Err(self.fault(start, "unclosed left paren"));
                }
                Ok(Some(Operand::Nested(pipeline)))
            }
            [b'.', ..] => {
                self.at += 1;
                let name = self.word();
                self.known_field(start, name).map(|()| Some(Operand::Field(name.to_owned())))
            }
            [b'"', ..] => self.quoted(start).map(|text| Some(Operand::Value(Value::Text(text)))),
            [b'`', ..] => {
                let end = rest[1..].find('`');
                let end = end.ok_or_else(|| self.fault(start, "unterminated raw quoted string"))?;
                self.at += end + 2;
                Ok(Some(Operand::Value(Value::Text(rest[1..=end].to_owned()))))
            }
            [b'0'..=b'9', ..] | [b'-' | b'+', b'0'..=b'9', ..] => {
                let digits = rest[1..].find(|c: char| !c.is_ascii_digit());
                let number = &rest[..digits.map_or(rest.len(), |end| end + 1)];
                self.at += number.len();
                let number = number.parse().map_err(|_| self.fault(start, "bad number"))?;
                Ok(Some(Operand::Value(Value::Number(number))))
            }
            // A function without arguments may stand for its value.
            [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..] => {
                let name = self.word();
                let function = self.function(start, name)?;
                self.check_count(start, name, function, 0)?;
                let call = Command::Call { function, arguments: Vec::new() };
                Ok(Some(Operand::Nested(Pipeline(vec![call]))))
            }
            _ => Ok(None),
        }
    }

    fn known_field(&self, at: usize, name: &str) -> Result<()> {
        if self.fields.contains(&name) {
            return Ok(());
        }
        let known: Vec<String> = self.fields.iter().map(|name| format!(".{name}")).collect();
        let text = format!("there is no field .{name}: there are {}", known.join(", "));
        Err(self.fault(at, &text))
    }

    /// A text in double quotes with the escapes of Go that make sense in a name.
    fn quoted(&mut self, start: usize) -> Result<String> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    self.at += at + 1;
                    return Ok(text);
                }
                '\n' => break,
                '\\' => text.push(match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => escaped,
                    Some((_, 'n')) => '\n',
                    Some((_, 't')) => '\t',
                    _ => return Err(self.fault(start + at, "bad escape in a quoted string")),
                }),
                char => text.push(char),
            }
        }
        Err(self.fault(start, "unterminated quoted string"))
    }

    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let starts = rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let word = if starts { &rest[..end.unwrap_or(rest.len())] } else { "" };
        self.at += word.len();
        word
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn take_after_spaces(&mut self, what: &str) -> bool {
        let start = self.at;
        self.skip_spaces();
        let taken = self.take(what);
        if !taken {
            self.at = start;
        }
        taken
    }

    fn take(&mut self, what: &str) -> bool {
        let taken = self.rest().starts_with(what);
        if taken {
            self.at += what.len();
        }
        taken
    }

    fn fault(&self, at: usize, text: &str) -> Error {
        let before = &self.text[..at.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Error::invalid(format!("template: {line}:{column}: {text}"))
    }
}
