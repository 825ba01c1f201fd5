//! What betterleaks 1.2 to 1.5 wrote in the Common Expression Language, <https://cel.dev>: `cel.bind(NAME, VALUE, BODY)`,
//! functions after what they are about, and `.orValue(OTHER)` after what may not be known.

use super::Term;
use super::parser::{Parsed, Parser, Piece};

impl Parser {
    /// `cel.bind(NAME, VALUE, BODY)`, of which `cel.` was read.
    pub(super) fn cel_bind(&mut self) -> Parsed {
        let offset = self.offset();
        let function = self.name()?;
        if function != "bind" {
            return Self::fault(offset, format!("there is no function 'cel.{function}'"));
        }
        self.expect("(")?;
        let at = self.offset();
        let name = self.name()?;
        self.expect(",")?;
        let value = self.expression()?;
        self.expect(",")?;
        let slot = self.bind(at, name, &value)?;
        let body = self.expression()?;
        self.unbind();
        self.expect(")")?;
        let term = Term::Let(slot, Box::new(value.term), Box::new(body.term));
        Ok(Piece { term, kind: body.kind, offset })
    }

    /// `VALUE.function(MORE)`, of which the value was read.
    pub(super) fn method(&mut self, receiver: Piece) -> Parsed {
        self.expect(".")?;
        let offset = self.offset();
        let name = self.name()?;
        self.expect("(")?;
        if name == "orValue" {
            let other = self.expression()?;
            self.expect(")")?;
            return self.or_else(receiver, other);
        }
        if let Some(operator) =
            ["contains", "startsWith", "endsWith", "matches"].into_iter().find(|op| *op == name)
        {
            let argument = self.expression()?;
            self.expect(")")?;
            return self.joined(operator, receiver, argument);
        }
        self.call(&name, Some(receiver), offset)
    }
}
