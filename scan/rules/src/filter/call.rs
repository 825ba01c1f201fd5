//! Calls of functions, and what must be written out because it is needed beforehand.

use super::function::Signature;
use super::parser::{Parsed, Parser, Piece};
use super::types::Type;
use super::{Fault, Operator, Quantifier, Term, Value};
use crate::Pattern;

impl Parser {
    /// `VALUE | function(MORE)`.
    pub(super) fn piped(&mut self, first: Piece) -> Parsed {
        let offset = self.offset();
        let name = self.name()?;
        self.expect("(")?;
        self.call(&name, Some(first), offset)
    }

    /// A function by its name, which may have `filter.` before it.
    pub(super) fn named_call(&mut self, name: String, offset: usize) -> Parsed {
        if name == "cel" && self.eat(".") {
            return self.cel_bind();
        }
        if self.names.iter().any(|(other, ..)| *other == name) && !self.is_sign("(") {
            return self.named(&name, offset);
        }
        let mut name = name;
        if self.eat(".") {
            let inner = self.name()?;
            if name == "filter" && OWN.contains(&inner.as_str()) {
                name = inner;
            } else {
                return Self::fault(offset, format!("there is no function '{name}.{inner}'"));
            }
        }
        self.expect("(")?;
        self.call(&name, None, offset)
    }

    /// The call of a function after its `(`; `first` goes before what is in the parentheses.
    pub(super) fn call(&mut self, name: &str, first: Option<Piece>, offset: usize) -> Parsed {
        if name == "get" {
            return self.get(offset);
        }
        if let Some((_, quantifier)) = QUANTIFIERS.iter().find(|(other, _)| *other == name) {
            return self.each(*quantifier, first, offset);
        }
        let mut arguments: Vec<Piece> = first.into_iter().collect();
        while !self.eat(")") {
            arguments.push(self.expression()?);
            if !self.eat(",") {
                self.expect(")")?;
                break;
            }
        }
        match name {
            "matchesAny" | "findMatch" | "containsAny" => self.search(name, arguments, offset),
            _ => self.plain_call(name, arguments, offset),
        }
    }

    fn plain_call(&self, name: &str, arguments: Vec<Piece>, offset: usize) -> Parsed {
        let Some(signature) = Signature::named(name) else {
            return Self::fault(offset, format!("there is no function '{name}'"));
        };
        let most = signature.arguments_max();
        if arguments.len() > most || arguments.len() < most - signature.optional {
            return Self::count_fault(name, most, arguments.len(), offset);
        }
        let kind = signature.gives(arguments.first().map_or(&Type::Any, |first| &first.kind));
        let mut terms = Vec::with_capacity(arguments.len());
        for (number, argument) in arguments.into_iter().enumerate() {
            if let Some(wanted) = signature.refuses(number, &argument.kind) {
                let what = format!("expected {wanted}, found {}", argument.kind);
                return Self::fault(argument.offset, what);
            }
            terms.push(argument.term);
        }
        let term = Term::Apply(Operator::Call(signature.function), terms);
        Ok(Piece { term, kind, offset })
    }

    fn count_fault<T>(name: &str, most: usize, found: usize, offset: usize) -> Result<T, Fault> {
        let s = if most == 1 { "" } else { "s" };
        Self::fault(offset, format!("{name} takes {most} argument{s}, found {found}"))
    }

    /// What looks for patterns or words, which must be known beforehand.
    fn search(&mut self, name: &str, arguments: Vec<Piece>, offset: usize) -> Parsed {
        let found = arguments.len();
        let Ok([text, what]) = <[Piece; 2]>::try_from(arguments) else {
            return Self::count_fault(name, 2, found, offset);
        };
        let text = self.of_type(text, &Type::Text)?;
        let (operator, kind) = match name {
            "findMatch" => (Operator::FindMatch(self.pattern(&what)?), Type::Text),
            "matchesAny" => {
                let sources = self.written_texts(&what)?;
                if sources.is_empty() {
                    return Ok(Piece { term: Term::truth(false), kind: Type::Truth, offset });
                }
                let pattern = Pattern::any_apart(sources.iter().map(String::as_str));
                (Operator::Matches(self.keep_pattern(pattern, what.offset)?), Type::Truth)
            }
            _ => {
                let words = self.written_texts(&what)?;
                self.words.push(words.iter().map(|word| word.to_lowercase()).collect());
                (Operator::ContainsAny(self.words.len() - 1), Type::Truth)
            }
        };
        Ok(Piece { term: Term::Apply(operator, vec![text.term]), kind, offset })
    }

    pub(super) fn pattern(&mut self, source: &Piece) -> Result<usize, Fault> {
        let text = self.written_text(source)?;
        self.keep_pattern(Pattern::new(text), source.offset)
    }

    fn keep_pattern(
        &mut self,
        pattern: Result<Pattern, String>,
        at: usize,
    ) -> Result<usize, Fault> {
        self.patterns.push(pattern.map_err(|what| Fault { offset: at, what })?);
        Ok(self.patterns.len() - 1)
    }

    /// A text that is known without evaluating anything.
    pub(super) fn written_text(&self, piece: &Piece) -> Result<String, Fault> {
        match self.written_out(&piece.term) {
            Some(Term::Value(Value::Text(text))) => {
                Ok(String::from_utf8_lossy(text.as_bytes()).into_owned())
            }
            _ => Self::fault(piece.offset, "expected a text that is written out"),
        }
    }

    fn written_texts(&self, piece: &Piece) -> Result<Vec<String>, Fault> {
        let texts = match self.written_out(&piece.term) {
            Some(Term::List(terms)) => terms.iter().map(|term| {
                let term = term.clone();
                self.written_text(&Piece { term, kind: Type::Text, offset: piece.offset })
            }),
            _ => return Self::fault(piece.offset, "expected a list of texts that is written out"),
        };
        texts.collect()
    }

    /// A term, or what a variable was given when it was named.
    fn written_out<'t>(&'t self, term: &'t Term) -> Option<&'t Term> {
        match term {
            Term::Variable(slot) => {
                let named = self.names.iter().find(|(_, _, other, _)| other == slot);
                named.and_then(|(.., written)| written.as_ref())
            }
            other => Some(other),
        }
    }

    /// `get(attributes, "KEY")` with or without what holds if nothing is known by it.
    fn get(&mut self, offset: usize) -> Parsed {
        let at = self.offset();
        let map = self.name()?;
        if map != "attributes" && map != "finding" {
            return Self::fault(at, "get takes attributes or finding");
        }
        self.check_scope(&map, at)?;
        self.expect(",")?;
        let key = self.expression()?;
        let found = self.lookup(&map, &self.written_text(&key)?, key.offset)?;
        let found = if self.eat(",") {
            let other = self.expression()?;
            self.or_else(found, other)?
        } else {
            found
        };
        self.expect(")")?;
        Ok(Piece { offset, ..found })
    }

    /// A text, or something else where it is empty.
    pub(super) fn or_else(&self, piece: Piece, other: Piece) -> Parsed {
        if !matches!(piece.term, Term::Attribute(_)) {
            return Ok(piece);
        }
        let other = self.of_type(other, &Type::Text)?;
        let empty = Term::Value(Value::text(*b""));
        let is_empty = Term::Apply(Operator::Equal, vec![piece.term.clone(), empty]);
        let [condition, yes, no] = [is_empty, other.term, piece.term].map(Box::new);
        let term = Term::Choice(condition, yes, no);
        Ok(Piece { term, ..piece })
    }

    /// `any(LIST, PREDICATE)` and its like, in which `#` is the element.
    fn each(&mut self, quantifier: Quantifier, first: Option<Piece>, offset: usize) -> Parsed {
        let list = match first {
            Some(list) => list,
            None => {
                let list = self.expression()?;
                self.expect(",")?;
                list
            }
        };
        let list = self.of_type(list, &Type::list_of(Type::Any))?;
        let element = match &list.kind {
            Type::List(element) => (**element).clone(),
            _ => Type::Any,
        };
        let slot = self.variable();
        self.elements.push((slot, element.clone()));
        let body = if self.is_sign("{") { self.block()? } else { self.expression()? };
        self.elements.pop();
        self.expect(")")?;
        let kind = match quantifier {
            Quantifier::Map => Type::list_of(body.kind.clone()),
            Quantifier::Filter => Type::list_of(element),
            Quantifier::Count => Type::Number,
            Quantifier::All | Quantifier::Any | Quantifier::None | Quantifier::One => Type::Truth,
        };
        let wanted = if quantifier == Quantifier::Map { Type::Any } else { Type::Truth };
        let body = self.of_type(body, &wanted)?;
        let term = Term::Each(quantifier, slot, Box::new(list.term), Box::new(body.term));
        Ok(Piece { term, kind, offset })
    }
}

const QUANTIFIERS: [(&str, Quantifier); 7] = [
    ("all", Quantifier::All),
    ("any", Quantifier::Any),
    ("count", Quantifier::Count),
    ("filter", Quantifier::Filter),
    ("map", Quantifier::Map),
    ("none", Quantifier::None),
    ("one", Quantifier::One),
];

/// What betterleaks 1 has under `filter.` too.
const OWN: [&str; 6] =
    ["containsAny", "entropy", "failsTokenEfficiency", "findMatch", "matchesAny", "tokenRatio"];
