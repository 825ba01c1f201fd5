//! Trees encrypted and decrypted, value by value.

use std::collections::{BTreeMap, VecDeque};

use base_crypto::{Random, sha256};
use files_document::{Comment, Item, Scalar};

use crate::mac::Mac;
use crate::selector::Selector;
use crate::value::DataKey;
use crate::walk::{Leaf, Place, Visit, walk};
use crate::{Failure, FailureKind, Result, plain};

/// The name of the type under which comments are encrypted.
const COMMENT: &str = "comment";

/// A decrypted file: what it says, its code, and how each value was encrypted.
pub(crate) struct Opened {
    pub(crate) trees: Vec<Vec<Item>>,
    pub(crate) mac: String,
    pub(crate) stash: Stash,
    /// Comments that are not encrypted, or not with this key, are kept as they are.
    pub(crate) unread_comments: usize,
}

/// The encrypted forms of values by their place and plaintext. A value that has not changed gets
/// back the form that it had, so that only changed ones differ in the file.
#[derive(Default)]
pub(crate) struct Stash(BTreeMap<[u8; 32], VecDeque<Form>>);

/// How a plaintext was written.
struct Form {
    text: String,
    /// A comment that was written as an element of a list.
    as_element: bool,
}

impl Stash {
    fn keep(&mut self, place: &Place, kind: &str, plain: &[u8], form: Form) {
        self.0.entry(Self::digest(place, kind, plain)).or_default().push_back(form);
    }

    /// Equal values of one list come back in the order in which they were kept.
    fn take(&mut self, place: &Place, kind: &str, plain: &[u8]) -> Option<Form> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get_mut(&Self::digest(place, kind, plain))?.pop_front()
    }

    /// Takes up what is known here of the same data key. A value that both have keeps the form that
    /// it has in this one.
    pub(crate) fn adopt(&mut self, other: Self) {
        for (digest, forms) in other.0 {
            let own = self.0.entry(digest).or_default();
            let new = forms.into_iter().filter(|form| own.iter().all(|o| o.text != form.text));
            let new: Vec<Form> = new.collect();
            own.extend(new);
        }
    }

    /// A digest, so that no plaintext is kept here. JSON has one type of number, and versions
    /// before 3.13.2 call all of them floats: 1 is 1, whatever it was called.
    fn digest(place: &Place, kind: &str, plain: &[u8]) -> [u8; 32] {
        let kind = if kind == "float" { "int" } else { kind };
        let associated = place.associated();
        let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(
            associated.len() + kind.len() + plain.len() + 9,
        ));
        bytes.extend_from_slice(&(associated.len() as u64).to_be_bytes());
        bytes.extend_from_slice(associated.as_bytes());
        bytes.extend_from_slice(kind.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(plain);
        sha256(&bytes)
    }
}

/// The decrypted trees; `keeps_forms` says whether the stash gets what they were encrypted to.
///
/// # Errors
/// `Decrypt`, naming the place, for a value that was not encrypted with this key at its place.
pub(crate) fn open(
    trees: &[Vec<Item>],
    key: &DataKey,
    selector: &Selector,
    mac_only_encrypted: bool,
    keeps_forms: bool,
) -> Result<Opened> {
    let mut opening = Opening {
        key,
        mac: Mac::new(mac_only_encrypted),
        stash: Stash::default(),
        keeps_forms,
        unread_comments: 0,
    };
    let trees =
        trees.iter().map(|tree| walk(tree, selector, &mut opening)).collect::<Result<_>>()?;
    let Opening { mac, stash, unread_comments, .. } = opening;
    Ok(Opened { trees, mac: mac.finish(), stash, unread_comments })
}

/// The encrypted trees and the code over their values.
///
/// # Errors
/// `Encrypt` for a comment whose encrypted form would select values by chance.
pub(crate) fn seal(
    trees: &[Vec<Item>],
    key: &DataKey,
    selector: &Selector,
    mac_only_encrypted: bool,
    stash: Stash,
    random: &dyn Random,
) -> Result<(Vec<Vec<Item>>, String)> {
    let mut sealing = Sealing { key, selector, mac: Mac::new(mac_only_encrypted), stash, random };
    let trees =
        trees.iter().map(|tree| walk(tree, selector, &mut sealing)).collect::<Result<_>>()?;
    Ok((trees, sealing.mac.finish()))
}

struct Opening<'a> {
    key: &'a DataKey,
    mac: Mac,
    stash: Stash,
    keeps_forms: bool,
    unread_comments: usize,
}

impl Opening<'_> {
    fn keep(&mut self, place: &Place, kind: &str, plain: &[u8], text: &str, as_element: bool) {
        if self.keeps_forms {
            self.stash.keep(place, kind, plain, Form { text: text.to_owned(), as_element });
        }
    }

    fn value(&mut self, text: &str, place: &Place) -> Result<Leaf> {
        if text.is_empty() {
            return Ok(Leaf::Scalar(Scalar::text("")));
        }
        let (kind, plain) = self.key.open(place.associated(), text)?;
        self.keep(place, kind, &plain, text, kind == COMMENT);
        if kind == COMMENT {
            return match String::from_utf8(plain.to_vec()) {
                Ok(text) => Ok(Leaf::Comment(Comment::new(text))),
                Err(_) => Err(no_such_type(kind)),
            };
        }
        self.mac.add(&plain, true);
        plain::decode(kind, plain).map(Leaf::Scalar).ok_or_else(|| no_such_type(kind))
    }
}

impl Visit for Opening<'_> {
    fn scalar(&mut self, scalar: &Scalar, place: &Place, encrypted: bool) -> Result<Leaf> {
        match scalar {
            Scalar::Null => Ok(Leaf::Scalar(Scalar::Null)),
            Scalar::Text(text) if encrypted => self.value(text.expose(), place),
            _ if encrypted => Err(Failure::new(
                FailureKind::Decrypt,
                format!(
                    "a {} that is not encrypted stands where a value must be",
                    scalar.type_name()
                ),
            )),
            _ => {
                if let Some((_, plain)) = plain::encode(scalar) {
                    self.mac.add(&plain, false);
                }
                Ok(Leaf::Scalar(scalar.clone()))
            }
        }
    }

    fn comment(&mut self, comment: &Comment, place: &Place, encrypted: bool) -> Result<Leaf> {
        if !encrypted {
            return Ok(Leaf::Comment(comment.clone()));
        }
        // In INI files a blank follows the sign.
        let text = comment.text.expose();
        let opened = self.key.open(place.associated(), text.trim_start()).ok();
        let plain = opened.and_then(|(kind, plain)| {
            let read = String::from_utf8(plain.to_vec()).ok().filter(|_| kind == COMMENT)?;
            self.keep(place, kind, &plain, text, false);
            Some(read)
        });
        let Some(plain) = plain else {
            self.unread_comments += usize::from(!text.is_empty());
            self.keep(place, COMMENT, text.as_bytes(), text, false);
            return Ok(Leaf::Comment(comment.clone()));
        };
        Ok(Leaf::Comment(Comment { text: plain.into(), inline: comment.inline }))
    }
}

struct Sealing<'a> {
    key: &'a DataKey,
    selector: &'a Selector,
    mac: Mac,
    stash: Stash,
    random: &'a dyn Random,
}

impl Sealing<'_> {
    fn form(&mut self, place: &Place, kind: &str, plain: &[u8]) -> Form {
        self.stash.take(place, kind, plain).unwrap_or_else(|| {
            let text = self.key.seal(self.random, place.associated(), kind, plain);
            Form { text, as_element: false }
        })
    }
}

impl Visit for Sealing<'_> {
    fn scalar(&mut self, scalar: &Scalar, place: &Place, encrypted: bool) -> Result<Leaf> {
        let Some((kind, plain)) = plain::encode(scalar) else {
            return Ok(Leaf::Scalar(Scalar::Null));
        };
        self.mac.add(&plain, encrypted);
        if !encrypted || (plain.is_empty() && kind == "str") {
            return Ok(Leaf::Scalar(match scalar {
                Scalar::Bytes(bytes) if bytes.expose().is_empty() => Scalar::text(""),
                _ => scalar.clone(),
            }));
        }
        Ok(Leaf::Scalar(Scalar::text(self.form(place, kind, &plain).text)))
    }

    fn comment(&mut self, comment: &Comment, place: &Place, encrypted: bool) -> Result<Leaf> {
        let text = comment.text.expose();
        if !encrypted || text.is_empty() {
            return Ok(Leaf::Comment(comment.clone()));
        }
        let form = self.form(place, COMMENT, text.as_bytes());
        self.selector.refuse_chance_match(&form.text)?;
        Ok(match form.as_element {
            true => Leaf::Scalar(Scalar::text(form.text)),
            false => Leaf::Comment(Comment { text: form.text.into(), inline: comment.inline }),
        })
    }
}

fn no_such_type(kind: &str) -> Failure {
    Failure::new(
        FailureKind::Decrypt,
        format!("what was encrypted is no value of the type '{kind}'"),
    )
}
