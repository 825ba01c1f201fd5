use files_document::{Comment, Element, Item, Member, Scalar, Value};

use crate::path::Step;
use crate::selector::Selector;
use crate::{Failure, FailureKind, Result};

/// What becomes of each value and comment of a tree.
pub(crate) trait Visit {
    fn scalar(&mut self, scalar: &Scalar, place: &Place, encrypted: bool) -> Result<Leaf>;
    fn comment(&mut self, comment: &Comment, place: &Place, encrypted: bool) -> Result<Leaf>;
}

/// A comment may come out of a value, and the other way round: in YAML lists sops writes an
/// encrypted comment as an element.
pub(crate) enum Leaf {
    Comment(Comment),
    Scalar(Scalar),
}

/// Where a value is.
#[derive(Default)]
pub(crate) struct Place {
    steps: Vec<Step>,
    /// The keys, each followed by a colon. Positions in lists are no part of it.
    associated: String,
}

impl Place {
    /// What binds an encrypted value to its place.
    pub(crate) fn associated(&self) -> &str {
        if self.steps.is_empty() { ":" } else { &self.associated }
    }

    /// The steps on the way; a comment takes up a position in a list.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    fn enter(&mut self, key: &str) {
        self.steps.push(Step::Key(key.to_owned()));
        self.associated.push_str(key);
        self.associated.push(':');
    }

    fn enter_element(&mut self, at: usize) {
        self.steps.push(Step::At(at));
    }

    fn leave(&mut self) {
        let length = match self.steps.pop() {
            Some(Step::Key(key)) => key.len() + 1,
            Some(Step::At(_)) | None => 0,
        };
        self.associated.truncate(self.associated.len() - length);
    }

    /// As paths are written on the command line: `["a"][0]["b"]`.
    fn shown(&self) -> String {
        self.steps.iter().map(Step::to_string).collect()
    }
}

/// The tree in which `visit` has replaced every scalar and comment. `selector` says which of them
/// are encrypted.
///
/// # Errors
/// Those of `visit`, with the place before the text.
pub(crate) fn walk(
    items: &[Item],
    selector: &Selector,
    visit: &mut dyn Visit,
) -> Result<Vec<Item>> {
    let mut walk = Walk { selector, visit, place: Place::default() };
    walk.items(items, false).map_err(|failure| match walk.place.shown() {
        // The place was not left when the walk broke off.
        shown if shown.is_empty() => failure,
        shown => failure.at(shown),
    })
}

struct Walk<'a> {
    selector: &'a Selector,
    visit: &'a mut dyn Visit,
    place: Place,
}

impl Walk<'_> {
    /// `selected` is what the keys and comments around this mapping decided.
    fn items(&mut self, items: &[Item], selected: bool) -> Result<Vec<Item>> {
        let mut new = Vec::with_capacity(items.len());
        let mut above = false;
        for item in items {
            match item {
                Item::Comment(comment) => match self.comment(comment, selected, &mut above)? {
                    Leaf::Comment(comment) => new.push(Item::Comment(comment)),
                    // A list with the same keys around it holds the same comment as an element.
                    Leaf::Scalar(Scalar::Text(text)) => {
                        new.push(Item::Comment(Comment { text, inline: comment.inline }));
                    }
                    Leaf::Scalar(_) => {}
                },
                Item::Member(Member { key, value }) => {
                    self.place.enter(key);
                    let selected = selected || above || self.selector.by_key(key);
                    let Element::Value(value) = self.value(value, selected)? else {
                        return Err(Failure::new(
                            FailureKind::Decrypt,
                            "a comment stands where a value must be",
                        ));
                    };
                    self.place.leave();
                    new.push(Item::Member(Member { key: key.clone(), value }));
                    above = false;
                }
            }
        }
        Ok(new)
    }

    fn elements(&mut self, elements: &[Element], selected: bool) -> Result<Vec<Element>> {
        let mut new = Vec::with_capacity(elements.len());
        let mut above = false;
        for (at, element) in elements.iter().enumerate() {
            self.place.enter_element(at);
            new.push(match element {
                Element::Comment(comment) => match self.comment(comment, selected, &mut above)? {
                    Leaf::Comment(comment) => Element::Comment(comment),
                    Leaf::Scalar(scalar) => Element::Value(scalar.into()),
                },
                Element::Value(value) => {
                    let new = self.value(value, selected || above)?;
                    above = false;
                    new
                }
            });
            self.place.leave();
        }
        Ok(new)
    }

    fn value(&mut self, value: &Value, selected: bool) -> Result<Element> {
        Ok(Element::Value(match value {
            Value::List(elements) => self.elements(elements, selected)?.into(),
            Value::Map(items) => self.items(items, selected)?.into(),
            Value::Scalar(scalar) => {
                let encrypted = self.selector.encrypts(selected);
                match self.visit.scalar(scalar, &self.place, encrypted)? {
                    Leaf::Comment(comment) => return Ok(Element::Comment(comment)),
                    Leaf::Scalar(scalar) => scalar.into(),
                }
            }
        }))
    }

    /// A comment that matches stays readable itself, whatever it selects.
    fn comment(&mut self, comment: &Comment, selected: bool, above: &mut bool) -> Result<Leaf> {
        if self.selector.by_comment(comment.text.expose()) {
            *above = true;
            return Ok(Leaf::Comment(comment.clone()));
        }
        let encrypted = self.selector.encrypts(selected || *above);
        self.visit.comment(comment, &self.place, encrypted)
    }
}
