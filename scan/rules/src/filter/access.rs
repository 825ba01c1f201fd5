//! What is known of a finding and of a place, and the parts of texts and lists.

use super::lexer::Kind;
use super::parser::{Parsed, Parser, Piece};
use super::types::Type;
use super::{Fault, Field, Operator, Scope, Term, Value};

impl Parser {
    pub(super) fn is_map_next(&self) -> bool {
        matches!(&self.token().kind, Kind::Name(name) if name == "finding" || name == "attributes")
            && !matches!(
                self.tokens.get(self.at + 1).map(|token| &token.kind),
                Some(Kind::Sign("[" | "." | "?." | "[?" | ".?"))
            )
    }

    /// Whether something is known by a name, as in `"path" in attributes`.
    pub(super) fn in_map(&mut self, key: Piece) -> Parsed {
        let map = self.name()?;
        let name = self.written_text(&key)?;
        let term = match map.as_str() {
            "finding" => Term::truth(Field::ALL.iter().any(|(field, _)| *field == name)),
            _ => {
                let empty = Term::Value(Value::text(*b""));
                let attribute = Term::Attribute(name.as_str().into());
                let is_empty = Term::Apply(Operator::Equal, vec![attribute, empty]);
                Term::Apply(Operator::Not, vec![is_empty])
            }
        };
        Ok(Piece { term, kind: Type::Truth, offset: key.offset })
    }

    /// `finding["KEY"]` or `attributes["KEY"]`, in all the ways that it may be written.
    pub(super) fn known(&mut self, map: &str, offset: usize) -> Parsed {
        self.check_scope(map, offset)?;
        // Faults of a key are told where it begins.
        let at = self.offset() + 1;
        let key = if self.eat("[") || self.eat("[?") {
            let key = self.expression()?;
            self.expect("]")?;
            self.written_text(&key)?
        } else if self.eat(".") || self.eat("?.") || self.eat(".?") {
            self.name()?
        } else {
            return self.unexpected(&format!("the key of what is asked for, as in {map}[\"…\"]"));
        };
        self.lookup(map, &key, offset).map_err(|fault| Fault { offset: at, ..fault })
    }

    pub(super) fn check_scope(&self, map: &str, offset: usize) -> Result<(), Fault> {
        if map == "finding" && self.scope == Scope::Place {
            let what = "a prefilter is asked before anything is found; it has attributes alone";
            return Self::fault(offset, what);
        }
        Ok(())
    }

    pub(super) fn lookup(&self, map: &str, key: &str, offset: usize) -> Parsed {
        if map == "attributes" {
            return Ok(Piece { term: Term::Attribute(key.into()), kind: Type::Text, offset });
        }
        let Some((_, field)) = Field::ALL.iter().find(|(name, _)| *name == key) else {
            let all: Vec<&str> = Field::ALL.iter().map(|(name, _)| *name).collect();
            return Self::fault(
                offset,
                format!("finding has no '{key}'; it has {}", all.join(", ")),
            );
        };
        let kind = match field {
            Field::MatchStart | Field::MatchEnd | Field::MatchLineStart | Field::MatchLineEnd => {
                Type::Number
            }
            _ => Type::Text,
        };
        Ok(Piece { term: Term::Finding(*field), kind, offset })
    }

    /// What follows a value: an index, a slice, or a call of a function on it.
    pub(super) fn postfix(&mut self, mut piece: Piece) -> Parsed {
        loop {
            if self.eat("[") {
                piece = self.nested(|parser| parser.bracket(piece))?;
            } else if self.is_sign(".") {
                piece = self.nested(|parser| parser.method(piece))?;
            } else {
                return Ok(piece);
            }
        }
    }

    fn bracket(&mut self, of: Piece) -> Parsed {
        if !matches!(of.kind, Type::Text | Type::List(_) | Type::Any) {
            let what = format!("expected a text or a list before '[', found {}", of.kind);
            return Self::fault(of.offset, what);
        }
        let zero = Term::Value(Value::Integer(0));
        let from = if self.is_sign(":") { zero } else { self.number()? };
        if !self.eat(":") {
            self.expect("]")?;
            let Type::List(element) = of.kind else {
                return Self::fault(of.offset, "a text has no elements; take a part, as in [0:1]");
            };
            let term = Term::Apply(Operator::Index, vec![of.term, from]);
            return Ok(Piece { term, kind: *element, offset: of.offset });
        }
        let mut terms = vec![of.term, from];
        if !self.is_sign("]") {
            terms.push(self.number()?);
        }
        self.expect("]")?;
        Ok(Piece { term: Term::Apply(Operator::Slice, terms), ..of })
    }

    fn number(&mut self) -> Result<Term, Fault> {
        let number = self.expression()?;
        Ok(self.of_type(number, &Type::Number)?.term)
    }
}
