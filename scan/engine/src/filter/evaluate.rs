use std::sync::Arc;

use scan_rules::filter::{Quantifier, Term, Value};

use super::{Judge, Operator, Place, Subject, operation};

/// So much one expression may cost: steps, and bytes of texts that it makes.
const COST_MAX: usize = 1 << 20;

/// One time that an expression is worked out as far as it can be.
pub(super) struct Evaluation<'a> {
    pub(super) judge: &'a Judge,
    subject: Option<&'a dyn Subject>,
    place: &'a dyn Place,
    variables: Vec<Option<Value>>,
    left: usize,
}

pub(super) type Worked<T> = Result<T, Arc<str>>;

impl<'a> Evaluation<'a> {
    pub(super) fn new(
        judge: &'a Judge,
        subject: Option<&'a dyn Subject>,
        place: &'a dyn Place,
    ) -> Self {
        Self { judge, subject, place, variables: vec![None; judge.variables()], left: COST_MAX }
    }

    pub(super) fn spend(&mut self, cost: usize) -> Worked<()> {
        match self.left.checked_sub(cost) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err("the expression takes too long".into()),
        }
    }

    /// A value, or what is left to be worked out.
    pub(super) fn of(&mut self, term: &Term) -> Worked<Term> {
        self.spend(1)?;
        match term {
            Term::Value(value) => Ok(Term::Value(value.clone())),
            Term::Finding(field) => Ok(match self.subject {
                Some(subject) => Term::Value(subject.field(*field)),
                None => term.clone(),
            }),
            Term::Attribute(name) => Ok(match self.place.attribute(name) {
                Some(text) => Term::Value(Value::Text(text)),
                None => term.clone(),
            }),
            Term::Variable(slot) => Ok(match &self.variables[*slot] {
                Some(value) => Term::Value(value.clone()),
                None => term.clone(),
            }),
            Term::Let(slot, value, body) => self.binding(*slot, value, body),
            Term::And(a, b) => self.short(a, b, false),
            Term::Or(a, b) => self.short(a, b, true),
            Term::Choice(condition, yes, no) => self.choice(condition, yes, no),
            Term::Each(quantifier, slot, list, body) => self.each(*quantifier, *slot, list, body),
            Term::List(terms) => Ok(match self.all(terms)? {
                Ok(values) => Term::Value(Value::List(values)),
                Err(terms) => Term::List(terms),
            }),
            Term::Apply(operator, terms) => match self.all(terms)? {
                Ok(values) => operation::apply(self, *operator, values).map(Term::Value),
                Err(terms) => Ok(Term::Apply(*operator, terms)),
            },
            Term::Fault(what) => Err(Arc::clone(what)),
        }
    }

    /// What may turn out not to be needed: a fault in it is none yet.
    fn later(&mut self, term: &Term) -> Term {
        self.of(term).unwrap_or_else(Term::Fault)
    }

    /// `a && b` or `a || b`: the first that is `decides` decides.
    fn short(&mut self, a: &Term, b: &Term, decides: bool) -> Worked<Term> {
        let first = self.of(a)?;
        let Term::Value(Value::Truth(truth)) = first else {
            let second = self.later(b);
            return Ok(match second {
                Term::Value(Value::Truth(truth)) if truth == decides => second,
                Term::Value(Value::Truth(_)) => first,
                _ if decides => Term::Or(Box::new(first), Box::new(second)),
                _ => Term::And(Box::new(first), Box::new(second)),
            });
        };
        if truth == decides { Ok(Term::truth(truth)) } else { self.of(b) }
    }

    fn choice(&mut self, condition: &Term, yes: &Term, no: &Term) -> Worked<Term> {
        match self.of(condition)? {
            Term::Value(Value::Truth(true)) => self.of(yes),
            Term::Value(Value::Truth(false)) => self.of(no),
            open => {
                let [yes, no] = [self.later(yes), self.later(no)].map(Box::new);
                Ok(Term::Choice(Box::new(open), yes, no))
            }
        }
    }

    fn binding(&mut self, slot: usize, value: &Term, body: &Term) -> Worked<Term> {
        let value = self.of(value)?;
        self.variables[slot] = match &value {
            Term::Value(value) => Some(value.clone()),
            _ => None,
        };
        let body = self.of(body)?;
        Ok(match (&value, &body) {
            (Term::Value(_), _) | (_, Term::Value(_)) => body,
            _ => Term::Let(slot, Box::new(value), Box::new(body)),
        })
    }

    /// All of some terms, if all of them can be worked out.
    fn all(&mut self, terms: &[Term]) -> Worked<Result<Vec<Value>, Vec<Term>>> {
        let worked: Vec<Term> = terms.iter().map(|term| self.of(term)).collect::<Worked<_>>()?;
        if worked.iter().any(|term| !matches!(term, Term::Value(_))) {
            return Ok(Err(worked));
        }
        let value = |term| match term {
            Term::Value(value) => Some(value),
            _ => None,
        };
        Ok(Ok(worked.into_iter().filter_map(value).collect()))
    }

    fn each(
        &mut self,
        quantifier: Quantifier,
        slot: usize,
        list: &Term,
        body: &Term,
    ) -> Worked<Term> {
        let list = self.of(list)?;
        self.variables[slot] = None;
        let Term::Value(Value::List(elements)) = &list else {
            let body = self.later(body);
            return Ok(Term::Each(quantifier, slot, Box::new(list), Box::new(body)));
        };
        let mut answers = Vec::with_capacity(elements.len());
        for element in elements {
            self.variables[slot] = Some(element.clone());
            let Term::Value(answer) = self.of(body)? else {
                // It hangs on the place, and so may what it says of all other elements.
                self.variables[slot] = None;
                let body = self.later(body);
                return Ok(Term::Each(quantifier, slot, Box::new(list), Box::new(body)));
            };
            let decides = match quantifier {
                Quantifier::Any | Quantifier::None => answer == Value::Truth(true),
                Quantifier::All => answer == Value::Truth(false),
                _ => false,
            };
            answers.push(answer);
            if decides {
                break;
            }
        }
        Ok(Term::Value(summary(quantifier, elements, answers)))
    }

    /// Whether a text has one of the words, or a pattern matches: what the expression has by number.
    pub(super) fn search(&mut self, operator: Operator, text: &[u8]) -> Worked<bool> {
        self.spend(text.len() / 64)?;
        Ok(match operator {
            Operator::ContainsAny(number) => self.judge.has_word(number, text),
            Operator::Matches(number) => self.judge.matcher(number).is_match(text),
            _ => false,
        })
    }
}

/// What the answers about the elements of a list come to.
fn summary(quantifier: Quantifier, elements: &[Value], answers: Vec<Value>) -> Value {
    let count = answers.iter().filter(|answer| **answer == Value::Truth(true)).count();
    match quantifier {
        Quantifier::All => Value::Truth(count == answers.len()),
        Quantifier::Any => Value::Truth(count > 0),
        Quantifier::None => Value::Truth(count == 0),
        Quantifier::One => Value::Truth(count == 1),
        Quantifier::Count => Value::Integer(i64::try_from(count).unwrap_or(i64::MAX)),
        Quantifier::Map => Value::List(answers),
        Quantifier::Filter => Value::List(
            elements
                .iter()
                .zip(&answers)
                .filter(|(_, answer)| **answer == Value::Truth(true))
                .map(|(element, _)| element.clone())
                .collect(),
        ),
    }
}
