use super::lexer::{Kind, Token, tokens};
use super::types::Type;
use super::{Fault, Filter, Operator, Scope, Term, Value};
use crate::Pattern;

/// A piece of an expression, what kind of value it comes to, and where it begins.
#[derive(Clone)]
pub(super) struct Piece {
    pub(super) term: Term,
    pub(super) kind: Type,
    pub(super) offset: usize,
}

pub(super) type Parsed = Result<Piece, Fault>;

/// So deep expressions may be nested.
const NESTING_MAX: usize = 100;

/// Binding powers of what stands between two values, those of Expr.
const PIPE: u8 = 1;
const OR: u8 = 10;
const AND: u8 = 15;
const COMPARE: u8 = 20;
const NOT: u8 = 50;
const NEGATE: u8 = 90;

pub(super) fn parse(source: &str, scope: Scope) -> Result<Filter, Fault> {
    let mut parser = Parser {
        tokens: tokens(source)?,
        at: 0,
        scope,
        depth: 0,
        names: Vec::new(),
        elements: Vec::new(),
        variables: 0,
        patterns: Vec::new(),
        words: Vec::new(),
    };
    let whole = parser.sequence()?;
    parser.expect_end()?;
    let Piece { term, .. } = parser.of_type(whole, &Type::Truth)?;
    let Parser { patterns, words, variables, .. } = parser;
    Ok(Filter { term, patterns, words, variables })
}

pub(super) struct Parser {
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    pub(super) scope: Scope,
    depth: usize,
    /// What `let` has named so far; what is written out keeps its term, so that it may serve as a pattern.
    pub(super) names: Vec<(String, Type, usize, Option<Term>)>,
    /// What `#` stands for, the innermost last.
    pub(super) elements: Vec<(usize, Type)>,
    variables: usize,
    pub(super) patterns: Vec<Pattern>,
    pub(super) words: Vec<Vec<String>>,
}

impl Parser {
    pub(super) fn token(&self) -> &Token {
        // The last one is the end, which nothing steps over.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub(super) fn offset(&self) -> usize {
        self.token().offset
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(self.token().kind, Kind::Sign(found) if found == sign)
    }

    pub(super) fn eat(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    pub(super) fn eat_name(&mut self, name: &str) -> bool {
        let found = matches!(&self.token().kind, Kind::Name(found) if found == name);
        self.at += usize::from(found);
        found
    }

    pub(super) fn fault<T>(offset: usize, what: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { offset, what: what.into() })
    }

    /// What was expected is not what comes.
    pub(super) fn unexpected<T>(&self, expected: &str) -> Result<T, Fault> {
        let found = match &self.token().kind {
            Kind::Name(name) => format!("'{name}'"),
            Kind::Text(_) => "a text".into(),
            Kind::Integer(_) | Kind::Float(_) => "a number".into(),
            Kind::Sign(sign) => format!("'{sign}'"),
            Kind::End => "the end".into(),
        };
        Self::fault(self.offset(), format!("expected {expected}, found {found}"))
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<(), Fault> {
        if self.eat(sign) { Ok(()) } else { self.unexpected(&format!("'{sign}'")) }
    }

    fn expect_end(&self) -> Result<(), Fault> {
        if self.token().kind == Kind::End { Ok(()) } else { self.unexpected("the end") }
    }

    pub(super) fn name(&mut self) -> Result<String, Fault> {
        match self.token().kind.clone() {
            Kind::Name(name) => {
                self.at += 1;
                Ok(name)
            }
            _ => self.unexpected("a name"),
        }
    }

    pub(super) fn of_type(&self, piece: Piece, wanted: &Type) -> Parsed {
        if piece.kind.fits(wanted) {
            Ok(piece)
        } else {
            Self::fault(piece.offset, format!("expected {wanted}, found {}", piece.kind))
        }
    }

    pub(super) fn nested(&mut self, parse: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        if self.depth >= NESTING_MAX {
            return Self::fault(self.offset(), "it is nested too deeply");
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// `let NAME = VALUE;` any number of times, then an expression.
    pub(super) fn sequence(&mut self) -> Parsed {
        let mut bound = Vec::new();
        let offset = self.offset();
        let names = self.names.len();
        while self.eat_name("let") {
            let at = self.offset();
            let name = self.name()?;
            self.expect("=")?;
            let value = self.expression()?;
            self.expect(";")?;
            bound.push((self.bind(at, name, &value)?, value.term));
        }
        let body = self.expression()?;
        self.names.truncate(names);
        let wrap = |body, (slot, value)| Term::Let(slot, Box::new(value), Box::new(body));
        let term = bound.into_iter().rev().fold(body.term, wrap);
        Ok(Piece { term, kind: body.kind, offset })
    }

    /// Names a value for what follows.
    pub(super) fn bind(&mut self, at: usize, name: String, value: &Piece) -> Result<usize, Fault> {
        if self.names.iter().any(|(other, ..)| *other == name) {
            return Self::fault(at, format!("'{name}' is there already"));
        }
        let slot = self.variable();
        let written_out = is_written_out(&value.term).then(|| value.term.clone());
        self.names.push((name, value.kind.clone(), slot, written_out));
        Ok(slot)
    }

    pub(super) fn unbind(&mut self) {
        self.names.pop();
    }

    pub(super) fn variable(&mut self) -> usize {
        self.variables += 1;
        self.variables - 1
    }

    pub(super) fn expression(&mut self) -> Parsed {
        self.nested(|parser| {
            let condition = parser.binary(0)?;
            if !parser.eat("?") {
                return Ok(condition);
            }
            let yes = parser.expression()?;
            parser.expect(":")?;
            let no = parser.expression()?;
            parser.choice(condition, yes, no)
        })
    }

    pub(super) fn choice(&self, condition: Piece, yes: Piece, no: Piece) -> Parsed {
        let condition = self.of_type(condition, &Type::Truth)?;
        let kind = if yes.kind == Type::Nil { no.kind.clone() } else { yes.kind.clone() };
        let no = if no.kind == Type::Nil { no } else { self.of_type(no, &kind)? };
        let [c, y, n] = [condition.term, yes.term, no.term].map(Box::new);
        Ok(Piece { term: Term::Choice(c, y, n), kind, offset: condition.offset })
    }

    /// Values with what binds them at least as strongly as `power`.
    fn binary(&mut self, power: u8) -> Parsed {
        let mut left = self.nested(Self::unary)?;
        loop {
            let start = self.at;
            let negated = self.eat_name("not");
            let Some((sign, binds)) = self.operator().filter(|(_, binds)| *binds >= power.max(1))
            else {
                self.at = start;
                return Ok(left);
            };
            if negated && !NEGATABLE.contains(&sign) {
                return self.unexpected("one of contains, matches, startsWith, endsWith, in");
            }
            self.at += 1;
            if sign == "|" {
                left = self.piped(left)?;
                continue;
            }
            if sign == "in" && self.is_map_next() {
                left = self.in_map(left)?;
            } else {
                let right_associative = matches!(sign, "**" | "^");
                let right = self.binary(if right_associative { binds } else { binds + 1 })?;
                left = self.joined(sign, left, right)?;
            }
            if negated {
                left.term = Term::Apply(Operator::Not, vec![left.term]);
            }
        }
    }

    fn operator(&self) -> Option<(&'static str, u8)> {
        let word = match &self.token().kind {
            Kind::Sign(sign) => *sign,
            Kind::Name(name) => name.as_str(),
            _ => return None,
        };
        OPERATORS.iter().copied().find(|(sign, _)| *sign == word)
    }

    pub(super) fn joined(&mut self, sign: &'static str, left: Piece, right: Piece) -> Parsed {
        let offset = right.offset;
        let start = left.offset;
        let of = |kind, term| Ok(Piece { term, kind, offset: start });
        let truth = |term| of(Type::Truth, term);
        match sign {
            "&&" | "and" | "||" | "or" => {
                let a = Box::new(self.of_type(left, &Type::Truth)?.term);
                let b = Box::new(self.of_type(right, &Type::Truth)?.term);
                truth(if matches!(sign, "&&" | "and") { Term::And(a, b) } else { Term::Or(a, b) })
            }
            "==" | "!=" => {
                let is_nil = left.kind == Type::Nil || right.kind == Type::Nil;
                if !is_nil && !left.kind.fits(&right.kind) {
                    let what = format!("{} and {} are never equal", left.kind, right.kind);
                    return Self::fault(self.sign_before(offset), what);
                }
                let equal = Term::Apply(Operator::Equal, vec![left.term, right.term]);
                truth(if sign == "==" { equal } else { Term::Apply(Operator::Not, vec![equal]) })
            }
            "in" => {
                let list = self.of_type(right, &Type::list_of(left.kind.clone()))?;
                truth(Term::Apply(Operator::In, vec![left.term, list.term]))
            }
            "matches" => {
                let text = self.of_type(left, &Type::Text)?;
                let number = self.pattern(&right)?;
                truth(Term::Apply(Operator::Matches(number), vec![text.term]))
            }
            // All that is not nil already is there.
            "??" => Ok(if left.kind == Type::Nil { right } else { left }),
            "contains" | "startsWith" | "endsWith" => {
                let operator = match sign {
                    "contains" => Operator::Contains,
                    "startsWith" => Operator::StartsWith,
                    _ => Operator::EndsWith,
                };
                let a = self.of_type(left, &Type::Text)?.term;
                let b = self.of_type(right, &Type::Text)?.term;
                truth(Term::Apply(operator, vec![a, b]))
            }
            "<" | "<=" | ">" | ">=" => {
                let wanted = if left.kind == Type::Text { Type::Text } else { Type::Number };
                let a = self.of_type(left, &wanted)?.term;
                let b = self.of_type(right, &wanted)?.term;
                let operator =
                    if matches!(sign, "<" | ">") { Operator::Less } else { Operator::LessOrEqual };
                let pair = if matches!(sign, "<" | "<=") { vec![a, b] } else { vec![b, a] };
                truth(Term::Apply(operator, pair))
            }
            "+" if left.kind == Type::Text => {
                let b = self.of_type(right, &Type::Text)?.term;
                of(Type::Text, Term::Apply(Operator::Add, vec![left.term, b]))
            }
            arithmetic => {
                let a = self.of_type(left, &Type::Number)?.term;
                let b = self.of_type(right, &Type::Number)?.term;
                let (operator, kind) = match arithmetic {
                    "+" => (Operator::Add, Type::Number),
                    "-" => (Operator::Subtract, Type::Number),
                    "*" => (Operator::Multiply, Type::Number),
                    "/" => (Operator::Divide, Type::Number),
                    "%" => (Operator::Remainder, Type::Number),
                    ".." => (Operator::Range, Type::list_of(Type::Number)),
                    _ => (Operator::Power, Type::Number),
                };
                of(kind, Term::Apply(operator, vec![a, b]))
            }
        }
    }

    /// The place of the sign before what begins at `offset`.
    fn sign_before(&self, offset: usize) -> usize {
        let before =
            self.tokens.iter().rev().find(|token| {
                token.offset < offset && matches!(token.kind, Kind::Sign("==" | "!="))
            });
        before.map_or(offset, |token| token.offset)
    }

    fn unary(&mut self) -> Parsed {
        let offset = self.offset();
        let term = if self.eat("!") || self.eat_name("not") {
            let operand = self.binary(NOT)?;
            let operand = self.of_type(operand, &Type::Truth)?;
            (Term::Apply(Operator::Not, vec![operand.term]), Type::Truth)
        } else if self.eat("-") {
            let operand = self.binary(NEGATE)?;
            let operand = self.of_type(operand, &Type::Number)?;
            (Term::Apply(Operator::Negate, vec![operand.term]), Type::Number)
        } else if self.eat("+") {
            let operand = self.binary(NEGATE)?;
            (self.of_type(operand, &Type::Number)?.term, Type::Number)
        } else {
            let primary = self.primary()?;
            return self.postfix(primary);
        };
        Ok(Piece { term: term.0, kind: term.1, offset })
    }

    fn primary(&mut self) -> Parsed {
        let Token { kind, offset } = self.token().clone();
        let piece = |value, kind| Ok(Piece { term: Term::Value(value), kind, offset });
        self.at += 1;
        match kind {
            Kind::Integer(number) => piece(Value::Integer(number), Type::Number),
            Kind::Float(number) => piece(Value::Float(number), Type::Number),
            Kind::Text(text) => piece(Value::text(text.into_bytes()), Type::Text),
            Kind::Sign("(") => {
                let inner = self.sequence()?;
                self.expect(")")?;
                Ok(Piece { offset, ..inner })
            }
            Kind::Sign("[") => self.list(offset),
            Kind::Sign("#") => match self.elements.last() {
                Some((slot, kind)) => {
                    Ok(Piece { term: Term::Variable(*slot), kind: kind.clone(), offset })
                }
                None => Self::fault(offset, "'#' stands for nothing here"),
            },
            Kind::Name(name) => match name.as_str() {
                "true" => piece(Value::Truth(true), Type::Truth),
                "false" => piece(Value::Truth(false), Type::Truth),
                "nil" | "null" => piece(Value::Nil, Type::Nil),
                "if" => self.if_else(),
                "finding" | "attributes" => self.known(&name, offset),
                _ if self.is_sign("(") || self.is_sign(".") => self.named_call(name, offset),
                _ => self.named(&name, offset),
            },
            _ => {
                self.at -= 1;
                self.unexpected("a value")
            }
        }
    }

    pub(super) fn named(&self, name: &str, offset: usize) -> Parsed {
        match self.names.iter().rev().find(|(other, ..)| other == name) {
            Some((_, kind, slot, _)) => {
                Ok(Piece { term: Term::Variable(*slot), kind: kind.clone(), offset })
            }
            None => Self::fault(offset, format!("there is no variable '{name}'")),
        }
    }

    fn list(&mut self, offset: usize) -> Parsed {
        let mut terms = Vec::new();
        let mut kind = Type::Any;
        while !self.eat("]") {
            let element = self.expression()?;
            let element = self.of_type(element, &kind)?;
            kind = element.kind;
            terms.push(element.term);
            if !self.eat(",") {
                self.expect("]")?;
                break;
            }
        }
        Ok(Piece { term: Term::List(terms), kind: Type::list_of(kind), offset })
    }

    fn if_else(&mut self) -> Parsed {
        let condition = self.expression()?;
        let yes = self.block()?;
        if !self.eat_name("else") {
            return self.unexpected("'else'");
        }
        let no = if self.eat_name("if") { self.nested(Self::if_else)? } else { self.block()? };
        self.choice(condition, yes, no)
    }

    pub(super) fn block(&mut self) -> Parsed {
        self.expect("{")?;
        let inner = self.sequence()?;
        self.expect("}")?;
        Ok(inner)
    }
}

/// What needs nothing to be known.
fn is_written_out(term: &Term) -> bool {
    match term {
        Term::Value(_) => true,
        Term::List(terms) => terms.iter().all(is_written_out),
        _ => false,
    }
}

/// All that stands between two values, with its binding power.
const OPERATORS: [(&str, u8); 25] = [
    ("|", PIPE),
    ("or", OR),
    ("||", OR),
    ("and", AND),
    ("&&", AND),
    ("==", COMPARE),
    ("!=", COMPARE),
    ("<", COMPARE),
    (">", COMPARE),
    ("<=", COMPARE),
    (">=", COMPARE),
    ("in", COMPARE),
    ("matches", COMPARE),
    ("contains", COMPARE),
    ("startsWith", COMPARE),
    ("endsWith", COMPARE),
    ("..", 25),
    ("+", 30),
    ("-", 30),
    ("*", 60),
    ("/", 60),
    ("%", 60),
    ("**", 100),
    ("^", 100),
    ("??", 200),
];

/// What may have `not` before it.
const NEGATABLE: [&str; 5] = ["contains", "matches", "startsWith", "endsWith", "in"];
