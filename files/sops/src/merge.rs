//! Three versions of a file become one, value by value.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use files_document::{Element, Item, Member, Value};

use crate::Result;
use crate::file::{OpenFile, sealed};
use crate::group::KeyGroups;
use crate::key::Surroundings;
use crate::metadata::Metadata;
use crate::path::Step;
use crate::selector::Selector;

/// What two versions have in common.
pub enum Ancestor {
    Encrypted(Box<OpenFile>),
    /// A file from before it was encrypted, or no file at all.
    Plain(Vec<Vec<Item>>),
}

/// What came of a merge.
pub struct Merged {
    /// The encrypted file. Where both sides made different changes it has ours.
    pub text: Vec<u8>,
    /// Where both sides made different changes: paths of keys, or what else of the file.
    pub conflicts: Vec<String>,
}

impl OpenFile {
    /// Puts what `theirs` changed since `ancestor` into this file. Values that one side has keep the
    /// encrypted form that they have there, if both sides have the same data key; if one side has
    /// changed the data key, its key stays.
    ///
    /// # Errors
    /// As [`OpenFile::replace`].
    pub fn merge(
        self,
        ancestor: &Ancestor,
        theirs: Self,
        surroundings: &Surroundings<'_>,
    ) -> Result<Merged> {
        let (base, before) = match ancestor {
            Ancestor::Encrypted(file) => (file.trees.as_slice(), Some(file.as_ref())),
            Ancestor::Plain(trees) => (trees.as_slice(), None),
        };
        let mut merge = Merge::default();
        let trees = merge.documents(base, &self.trees, &theirs.trees);
        let is_new_key = !self.key.is(&theirs.key);
        let has_rotated = is_new_key && before.is_some_and(|before| before.key.is(&self.key));
        let versions = Versions {
            base: before.map(Self::metadata),
            ours: self.metadata().clone(),
            theirs: theirs.metadata().clone(),
        };
        let (mut file, other) = if has_rotated { (theirs, self) } else { (self, theirs) };
        let mut metadata = file.metadata().clone();
        versions.merge_into(&mut metadata, is_new_key, &mut merge.conflicts);
        if !is_new_key {
            file.stash.adopt(other.stash);
        }
        let text = file.with_metadata(metadata, trees, surroundings)?;
        Ok(Merged { text, conflicts: merge.conflicts })
    }

    /// The file with other values and metadata, or as it is if nothing of them differs.
    fn with_metadata(
        self,
        mut metadata: Metadata,
        trees: Vec<Vec<Item>>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Vec<u8>> {
        let Self { mut file, key, trees: before, stash, .. } = self;
        let same_groups = metadata.groups.names() == file.metadata.groups.names();
        let same_selector = metadata.selector.named() == file.metadata.selector.named()
            && metadata.mac_only_encrypted == file.metadata.mac_only_encrypted;
        if same_groups && same_selector && trees == before {
            return Ok(file.document.text().to_vec());
        }
        if !same_groups {
            metadata.groups.wrap_missing(&key, surroundings)?;
        }
        let trees = sealed(&trees, &key, &mut metadata, stash, surroundings)?;
        file.metadata = metadata;
        file.write(trees)
    }
}

/// The metadata of all sides.
struct Versions<'a> {
    base: Option<&'a Metadata>,
    ours: Metadata,
    theirs: Metadata,
}

impl Versions<'_> {
    /// `is_new_key` says that the two sides have different data keys, so that what one has wrapped
    /// is of no use to the other.
    fn merge_into(self, metadata: &mut Metadata, is_new_key: bool, conflicts: &mut Vec<String>) {
        let Self { base, ours, theirs } = self;
        let chosen = choose(
            base.map(|base| base.selector.named()).as_ref(),
            &ours.selector.named(),
            &theirs.selector.named(),
        );
        let selector: &Selector = match chosen {
            Some(Side::Ours) => &ours.selector,
            Some(Side::Theirs) => &theirs.selector,
            None => {
                conflicts.push("what is encrypted (the selectors in the metadata)".to_owned());
                &ours.selector
            }
        };
        metadata.selector = selector.clone();
        let chosen = choose(
            base.map(|base| base.mac_only_encrypted).as_ref(),
            &ours.mac_only_encrypted,
            &theirs.mac_only_encrypted,
        );
        metadata.mac_only_encrypted = match chosen {
            Some(Side::Theirs) => theirs.mac_only_encrypted,
            Some(Side::Ours) | None => ours.mac_only_encrypted,
        };
        let wrapped = metadata.groups.clone();
        metadata.groups =
            match KeyGroups::merge(base.map(|base| &base.groups), &ours.groups, &theirs.groups) {
                Some(groups) => groups,
                None => {
                    conflicts.push("who can read the file (the key groups)".to_owned());
                    ours.groups
                }
            };
        if is_new_key {
            metadata.groups.keep_wrapped(&wrapped);
        }
    }
}

/// Whose version stays.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Ours,
    Theirs,
}

/// The side that has changed something, ours if both made the same of it; nothing if they made
/// different things of it.
pub(crate) fn choose<T: PartialEq>(base: Option<&T>, ours: &T, theirs: &T) -> Option<Side> {
    if ours == theirs || base == Some(theirs) {
        Some(Side::Ours)
    } else if base == Some(ours) {
        Some(Side::Theirs)
    } else {
        None
    }
}

/// A merge of trees, and where it could not say which side is right.
#[derive(Default)]
struct Merge {
    place: Vec<Step>,
    conflicts: Vec<String>,
}

/// What an entry is called, so that it can be found in the other versions.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
enum Name<'a> {
    /// The element of the ancestor that it is.
    At(usize),
    /// Its text, and how many equal ones come before it.
    Comment(&'a str, usize),
    /// Its key, and how many equal ones come before it: dotenv files may repeat one.
    Key(&'a str, usize),
    /// A new element: behind which one of the ancestor, and how many new ones come between.
    New(Option<usize>, usize),
}

/// The entries of one version of a container.
struct Entries<'a, E> {
    names: Vec<Name<'a>>,
    by_name: HashMap<Name<'a>, &'a E>,
}

impl<'a, E> Entries<'a, E> {
    fn new(names: Vec<Name<'a>>, entries: &'a [E]) -> Self {
        let by_name = names.iter().copied().zip(entries).collect();
        Self { names, by_name }
    }

    fn get(&self, name: &Name<'a>) -> Option<&'a E> {
        self.by_name.get(name).copied()
    }
}

impl Merge {
    fn documents(
        &mut self,
        base: &[Vec<Item>],
        ours: &[Vec<Item>],
        theirs: &[Vec<Item>],
    ) -> Vec<Vec<Item>> {
        if ours.len() == theirs.len() {
            let pairs = ours.iter().zip(theirs).enumerate();
            let none = Vec::new();
            let merged = pairs.map(|(at, (o, t))| self.items(base.get(at).unwrap_or(&none), o, t));
            return merged.collect();
        }
        match choose(Some(&base), &ours, &theirs) {
            Some(Side::Theirs) => theirs.to_vec(),
            Some(Side::Ours) => ours.to_vec(),
            None => {
                self.conflicts.push("the number of documents".to_owned());
                ours.to_vec()
            }
        }
    }

    fn value(&mut self, base: Option<&Value>, ours: &Value, theirs: &Value) -> Value {
        match choose(base, ours, theirs) {
            Some(Side::Ours) => return ours.clone(),
            Some(Side::Theirs) => return theirs.clone(),
            None => {}
        }
        match (base, ours, theirs) {
            (Some(Value::Map(base)), Value::Map(ours), Value::Map(theirs)) => {
                self.items(base, ours, theirs).into()
            }
            (_, Value::Map(ours), Value::Map(theirs)) => self.items(&[], ours, theirs).into(),
            (Some(Value::List(base)), Value::List(ours), Value::List(theirs)) => {
                self.elements(base, ours, theirs).into()
            }
            _ => {
                self.conflict();
                ours.clone()
            }
        }
    }

    fn items(&mut self, base: &[Item], ours: &[Item], theirs: &[Item]) -> Vec<Item> {
        let [base, ours, theirs] =
            [base, ours, theirs].map(|items| Entries::new(names(items), items));
        let both = |merge: &mut Self, base: Option<&Item>, ours: &Item, theirs: &Item| match (
            ours, theirs,
        ) {
            (Item::Member(ours), Item::Member(theirs)) => {
                let base = base.and_then(|item| match item {
                    Item::Member(member) => Some(&member.value),
                    Item::Comment(_) => None,
                });
                let value = merge.value(base, &ours.value, &theirs.value);
                Item::Member(Member { key: ours.key.clone(), value })
            }
            _ => ours.clone(),
        };
        self.entries(&base, &ours, &theirs, both)
    }

    fn elements(&mut self, base: &[Element], ours: &[Element], theirs: &[Element]) -> Vec<Element> {
        let [our_names, their_names] = [ours, theirs].map(|side| aligned(base, side));
        let base = Entries::new((0..base.len()).map(Name::At).collect(), base);
        let (ours, theirs) = (Entries::new(our_names, ours), Entries::new(their_names, theirs));
        let both = |merge: &mut Self, base: Option<&Element>, ours: &Element, theirs: &Element| {
            match (base, ours, theirs) {
                (Some(Element::Value(base)), Element::Value(ours), Element::Value(theirs)) => {
                    Element::Value(merge.value(Some(base), ours, theirs))
                }
                _ => {
                    // What both add at one place is the same, or cannot be told apart.
                    if ours != theirs {
                        merge.conflict();
                    }
                    ours.clone()
                }
            }
        };
        self.entries(&base, &ours, &theirs, both)
    }

    /// The entries in the order of the side that has changed the order, and of ours if both have.
    fn entries<'a, E: Clone + PartialEq>(
        &mut self,
        base: &Entries<'a, E>,
        ours: &Entries<'a, E>,
        theirs: &Entries<'a, E>,
        both: impl Fn(&mut Self, Option<&E>, &E, &E) -> E,
    ) -> Vec<E> {
        let ours_leads = ours.names != base.names;
        let (lead, other) = if ours_leads { (ours, theirs) } else { (theirs, ours) };
        let mut merged: Vec<(Name<'a>, E)> = Vec::with_capacity(lead.names.len());
        for (at, name) in lead.names.iter().enumerate() {
            self.enter(name, at);
            let entry = match (base.get(name), ours.get(name), theirs.get(name)) {
                (base, Some(ours), Some(theirs)) => Some(both(self, base, ours, theirs)),
                (None, one, another) => one.or(another).cloned(),
                (Some(base), one, another) => {
                    self.removed(base, one.or(another), one.is_some()).cloned()
                }
            };
            self.place.pop();
            merged.extend(entry.map(|entry| (*name, entry)));
        }
        let led: HashSet<Name<'a>> = lead.names.iter().copied().collect();
        // Where the next one goes: behind what comes before it on the other side.
        let mut next = 0;
        for (at, name) in other.names.iter().enumerate() {
            if led.contains(name) {
                let found = merged.iter().position(|(merged, _)| merged == name);
                next = found.map_or(next, |found| found + 1);
                continue;
            }
            self.enter(name, at);
            let entry = match base.get(name) {
                None => other.get(name),
                Some(base) => self.removed(base, other.get(name), !ours_leads),
            };
            self.place.pop();
            let Some(entry) = entry else { continue };
            // What the leading side has added there comes first.
            let is_added = |name: &Name<'a>| base.get(name).is_none() && other.get(name).is_none();
            while merged.get(next).is_some_and(|(name, _)| is_added(name)) {
                next += 1;
            }
            merged.insert(next, (*name, entry.clone()));
            next += 1;
        }
        merged.into_iter().map(|(_, entry)| entry).collect()
    }

    /// What stays of an entry that one side has removed: nothing, or, if the other has changed it,
    /// what ours made of it.
    fn removed<'e, E: PartialEq>(
        &mut self,
        base: &E,
        kept: Option<&'e E>,
        is_ours: bool,
    ) -> Option<&'e E> {
        if kept.is_none_or(|kept| kept == base) {
            return None;
        }
        self.conflict();
        kept.filter(|_| is_ours)
    }

    fn enter(&mut self, name: &Name<'_>, at: usize) {
        self.place.push(match name {
            Name::Key(key, _) => Step::Key((*key).to_owned()),
            Name::At(_) | Name::Comment(..) | Name::New(..) => Step::At(at),
        });
    }

    fn conflict(&mut self) {
        self.conflicts.push(self.place.iter().map(Step::to_string).collect());
    }
}

fn names<'a>(items: &'a [Item]) -> Vec<Name<'a>> {
    let mut seen: HashMap<(bool, &str), usize> = HashMap::new();
    let mut count = |is_key, text: &'a str| {
        let count = seen.entry((is_key, text)).or_default();
        *count += 1;
        *count
    };
    let name = |item: &'a Item| match item {
        Item::Comment(comment) => {
            let text = comment.text.expose().as_str();
            Name::Comment(text, count(false, text))
        }
        Item::Member(member) => Name::Key(&member.key, count(true, &member.key)),
    };
    items.iter().map(name).collect()
}

/// The names of a list's elements: equal ones are those of the ancestor, and so are the others where
/// as many stand between equal ones as there.
fn aligned(base: &[Element], side: &[Element]) -> Vec<Name<'static>> {
    let mut names = Vec::with_capacity(side.len());
    let (mut old, mut new) = (0, 0);
    for (old_end, new_end) in common(base, side).into_iter().chain([(base.len(), side.len())]) {
        let same_count = old_end - old == new_end - new;
        for at in 0..new_end - new {
            names.push(match same_count {
                true => Name::At(old + at),
                false => Name::New(old.checked_sub(1), at),
            });
        }
        if old_end < base.len() {
            names.push(Name::At(old_end));
        }
        (old, new) = (old_end + 1, new_end + 1);
    }
    names
}

/// More comparisons than this are not made for one list: what is between its equal ends counts as
/// changed.
const COMPARISONS_MAX: usize = 4_000_000;

/// The longest run of pairs of equal elements that rises on both sides.
fn common<T: PartialEq>(a: &[T], b: &[T]) -> Vec<(usize, usize)> {
    let shorter = a.len().min(b.len());
    let head = (0..shorter).take_while(|at| a[*at] == b[*at]).count();
    let tail = (1..=shorter - head).take_while(|at| a[a.len() - at] == b[b.len() - at]).count();
    let (inner_a, inner_b) = (&a[head..a.len() - tail], &b[head..b.len() - tail]);
    let mut pairs: Vec<_> = (0..head).map(|at| (at, at)).collect();
    if inner_a.len() * inner_b.len() <= COMPARISONS_MAX {
        pairs.extend(longest(inner_a, inner_b).into_iter().map(|(x, y)| (head + x, head + y)));
    }
    pairs.extend((1..=tail).rev().map(|at| (a.len() - at, b.len() - at)));
    pairs
}

/// By a table with the length for every two ends.
fn longest<T: PartialEq>(a: &[T], b: &[T]) -> Vec<(usize, usize)> {
    let width = b.len() + 1;
    let mut lengths = vec![0_u32; (a.len() + 1) * width];
    for x in (0..a.len()).rev() {
        for y in (0..b.len()).rev() {
            lengths[x * width + y] = match a[x] == b[y] {
                true => lengths[(x + 1) * width + y + 1] + 1,
                false => lengths[(x + 1) * width + y].max(lengths[x * width + y + 1]),
            };
        }
    }
    let mut pairs = Vec::new();
    let (mut x, mut y) = (0, 0);
    while x < a.len() && y < b.len() {
        if a[x] == b[y] {
            pairs.push((x, y));
            (x, y) = (x + 1, y + 1);
        } else if lengths[(x + 1) * width + y] >= lengths[x * width + y + 1] {
            x += 1;
        } else {
            y += 1;
        }
    }
    pairs
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use files_document::{Document, Format};

    use super::*;

    fn trees(text: &str) -> Vec<Vec<Item>> {
        Document::parse(Format::Yaml, text.as_bytes()).unwrap().trees().to_vec()
    }

    /// What three versions give in the layout of sops, and the places of conflicts.
    fn merged([base, ours, theirs]: [&str; 3]) -> (String, Vec<String>) {
        let mut merge = Merge::default();
        let [base, ours, theirs] = [base, ours, theirs].map(trees);
        let trees = merge.documents(&base, &ours, &theirs);
        let text = Document::emit(Format::Yaml, &trees, None).unwrap();
        (String::from_utf8(text).unwrap(), merge.conflicts)
    }

    fn check(versions: [&str; 3], expect: &str) {
        let (text, conflicts) = merged(versions);
        assert_eq!((text.as_str(), conflicts), (expect, Vec::new()), "{versions:?}");
    }

    #[test]
    fn what_one_side_changes_comes_in() {
        check(["a: 1\nb: 2\n", "a: 3\nb: 2\n", "a: 1\nb: 4\n"], "a: 3\nb: 4\n");
        check(["a: 1\nb: 2\n", "b: 2\n", "a: 1\nb: 2\nc: 3\n"], "b: 2\nc: 3\n");
        check(["a: 1\n", "a: 1\nx: 1\n", "a: 1\n# why\nw: 2\n"], "a: 1\nx: 1\n# why\nw: 2\n");
        check(["a: 1\nb: 2\n", "a: 1\nb: 2\n", "b: 2\na: 1\n"], "b: 2\na: 1\n");
        check(["a: {b: 1, c: 2}\n", "a: {b: 1}\n", "a: {b: 5, c: 2}\n"], "a:\n    b: 5\n");
        check(["{}\n", "a: {b: 1}\n", "a: {c: 2}\n"], "a:\n    b: 1\n    c: 2\n");
        check(["a: 1\n", "a: 2\n", "a: 2\n"], "a: 2\n");
    }

    #[test]
    fn lists_merge_by_element() {
        let list = |items: &str| format!("l: [{items}]\n");
        for (base, ours, theirs, expect) in [
            ("1, 2, 3", "1, 2, 3, 4", "0, 2, 3", "0, 2, 3, 4"),
            ("1, 2, 3", "2, 3", "1, 2", "2"),
            ("1, 2, 3", "1, 9, 2, 3", "1, 2, 3, 8", "1, 9, 2, 3, 8"),
            ("{k: 1, v: 1}, {k: 2}", "{k: 1, v: 5}, {k: 2}", "{k: 1, v: 1}", "{k: 1, v: 5}"),
            ("{k: 1, v: 1}", "{k: 3, v: 1}", "{k: 1, v: 2}", "{k: 3, v: 2}"),
        ] {
            let (text, conflicts) = merged([&list(base), &list(ours), &list(theirs)]);
            let expect = Document::emit(Format::Yaml, &trees(&list(expect)), None).unwrap();
            assert_eq!(text.into_bytes(), expect, "{base} | {ours} | {theirs}");
            assert!(conflicts.is_empty());
        }
    }

    #[test]
    fn different_changes_of_one_thing_are_conflicts_and_ours_stays() {
        for (versions, text, place) in [
            (["a: 1\n", "a: 2\n", "a: 3\n"], "a: 2\n", r#"["a"]"#),
            (["a: 1\nb: 1\n", "b: 1\n", "a: 2\nb: 1\n"], "b: 1\n", r#"["a"]"#),
            (["a: 1\nb: 1\n", "a: 2\nb: 1\n", "b: 1\n"], "a: 2\nb: 1\n", r#"["a"]"#),
            (["b: 1\n", "a: {c: 1}\n", "a: {c: 2}\n"], "a:\n    c: 1\n", r#"["a"]["c"]"#),
            (["l: [1]\n", "l: [1, 2]\n", "l: [1, 3]\n"], "l:\n    - 1\n    - 2\n", r#"["l"][1]"#),
            (["l: [1]\n", "l: [2]\n", "l: [3]\n"], "l:\n    - 2\n", r#"["l"][0]"#),
        ] {
            let (found, conflicts) = merged(versions);
            assert_eq!((found.as_str(), conflicts), (text, vec![place.to_owned()]), "{versions:?}");
        }
    }

    #[test]
    fn documents_of_a_stream_merge_one_by_one() {
        check(["a: 1\n---\nb: 1\n", "a: 2\n---\nb: 1\n", "a: 1\n---\nb: 2\n"], "a: 2\n---\nb: 2\n");
        let (_, conflicts) = merged(["a: 1\n", "a: 1\n---\nb: 1\n", "a: 2\n"]);
        assert_eq!(conflicts, ["the number of documents"]);
    }
}
