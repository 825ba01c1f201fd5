use base_crypto::{hex, sha256};
use base_types::Secret;
use files_document::{Comment, Scalar};

use crate::file::EncryptedFile;
use crate::path::Step;
use crate::value::Sealed;
use crate::walk::{Leaf, Place, Visit, walk};
use crate::{Result, flat};

/// One value or comment of an encrypted file, told without its key.
pub struct Outlined {
    /// `["a"]["b"][]`: positions in lists are left out, so that a new element renames no other.
    pub path: String,
    /// The innermost key.
    pub key: String,
    pub content: Content,
}

/// What a file without its key shows of a value.
pub enum Content {
    /// In clear, as text; `forgotten` if it stands where values are encrypted.
    Clear { text: Secret<String>, forgotten: bool },
    /// A comment that is not encrypted.
    Comment(Secret<String>),
    /// Encrypted: the name of its type, and a few digits that differ for every encryption.
    Sealed { kind: String, tag: String },
}

/// Digits of a tag: enough that two encryptions of a file hardly have the same.
const TAG_DIGITS: usize = 10;

impl EncryptedFile {
    /// The values and comments in their order; nulls and empty texts, which are never encrypted, as
    /// empty texts.
    ///
    /// # Errors
    /// None that a file which could be parsed gives.
    pub fn outline(&self) -> Result<Vec<Outlined>> {
        let mut outline = Outline(Vec::new());
        for tree in &self.trees {
            walk(tree, &self.metadata.selector, &mut outline)?;
        }
        Ok(outline.0)
    }
}

struct Outline(Vec<Outlined>);

impl Outline {
    fn add(&mut self, place: &Place, content: Content) {
        let path = place.steps().iter().map(|step| match step {
            Step::At(_) => "[]".to_owned(),
            Step::Key(_) => step.to_string(),
        });
        let key = place.steps().iter().rev().find_map(|step| match step {
            Step::At(_) => None,
            Step::Key(key) => Some(key.clone()),
        });
        self.0.push(Outlined { path: path.collect(), key: key.unwrap_or_default(), content });
    }
}

fn sealed(text: &str) -> Option<Content> {
    let kind = Sealed::parse(text)?.kind.to_owned();
    let mut tag = hex(&sha256(text.as_bytes()));
    tag.truncate(TAG_DIGITS);
    Some(Content::Sealed { kind, tag })
}

impl Visit for Outline {
    fn scalar(&mut self, scalar: &Scalar, place: &Place, encrypted: bool) -> Result<Leaf> {
        let text = flat::text(scalar).unwrap_or_default();
        let content = sealed(&text).filter(|_| encrypted).unwrap_or_else(|| Content::Clear {
            forgotten: encrypted && !text.is_empty(),
            text: Secret::new(text),
        });
        self.add(place, content);
        Ok(Leaf::Scalar(scalar.clone()))
    }

    fn comment(&mut self, comment: &Comment, place: &Place, _: bool) -> Result<Leaf> {
        let content = sealed(comment.text.expose().trim())
            .unwrap_or_else(|| Content::Comment(comment.text.clone()));
        self.add(place, content);
        Ok(Leaf::Comment(comment.clone()))
    }
}
