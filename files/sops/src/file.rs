use base_types::Timestamp;
use files_document::{Document, Element, Format, Item, Scalar, Value};

use crate::crypt::{self, Opened, Stash};
use crate::group::KeyGroups;
use crate::key::Surroundings;
use crate::mac;
use crate::metadata::Metadata;
use crate::selector::Selector;
use crate::value::DataKey;
use crate::{Failure, FailureKind, Result, place};

/// How a new file is to be encrypted.
#[derive(Clone, Debug)]
pub struct Protection {
    pub groups: KeyGroups,
    pub selector: Selector,
    pub mac_only_encrypted: bool,
}

/// How a text is to be laid out.
pub struct Layout<Indent: FnOnce() -> Option<usize>> {
    /// Blanks for a level, asked for where there is no layout to keep; nothing for what sops does.
    pub indent: Indent,
    /// Whether even a layout that could be kept is made anew.
    pub anew: bool,
}

/// A file that was made from another one.
pub struct Written {
    pub text: Vec<u8>,
    /// Why it could not have the layout of the other one, if so.
    pub new_layout: Option<String>,
}

/// A file whose values are encrypted.
pub struct EncryptedFile {
    pub(crate) document: Document,
    /// What the document says but for the metadata.
    pub(crate) trees: Vec<Vec<Item>>,
    pub(crate) metadata: Metadata,
}

/// A file whose values have been decrypted, and how to put them back.
pub struct OpenFile {
    pub(crate) file: EncryptedFile,
    pub(crate) key: DataKey,
    pub(crate) trees: Vec<Vec<Item>>,
    pub(crate) stash: Stash,
    /// How many comments could not be decrypted. They are kept as they are.
    pub unread_comments: usize,
}

/// The form in which an encrypted file of `format` is written: encrypted bytes are JSON.
fn carrier(format: Format) -> Format {
    match format {
        Format::Binary => Format::Json,
        Format::Dotenv | Format::Ini | Format::Json | Format::Toml | Format::Yaml => format,
    }
}

/// Encrypts a plain file. `output` is the format to write; the same one keeps the layout of the
/// file unless `layout` wants another, a different one gets that of sops. So does a file with an
/// alias for what is now encrypted at two places, where each gets the value written out; the answer
/// says so.
///
/// # Errors
/// `AlreadyEncrypted`, `NoMasterKey`, what key sources say, and `Unreadable` for a text that is not
/// of its format or has no place in the other one.
pub fn encrypt(
    format: Format,
    text: &[u8],
    output: Format,
    layout: Layout<impl FnOnce() -> Option<usize>>,
    protection: Protection,
    surroundings: &Surroundings<'_>,
) -> Result<Written> {
    let mut document = Document::parse(format, text)?;
    let is_empty = format == Format::Yaml && text.trim_ascii().is_empty();
    if is_empty || document.trees().is_empty() {
        return Err(Failure::new(
            FailureKind::Empty,
            "File cannot be completely empty, it must contain at least one document",
        ));
    }
    if format != Format::Binary && place::is_taken(format, document.trees()) {
        return Err(Failure::new(FailureKind::AlreadyEncrypted, ALREADY_ENCRYPTED));
    }
    let Protection { mut groups, selector, mac_only_encrypted } = protection;
    let key = DataKey::generate(surroundings.random);
    groups.wrap(&key, surroundings)?;
    let is_binary = format == Format::Binary;
    // A binary file is one value; to leave it as it is cannot be meant.
    let selector = if is_binary { Selector::default() } else { selector };
    let mut metadata = Metadata::new(groups, selector, mac_only_encrypted && !is_binary);
    let mut trees = sealed(document.trees(), &key, &mut metadata, Stash::default(), surroundings)?;
    let mut items = metadata.to_items();
    if is_binary {
        items = metadata.without_selector(items);
    }
    place::put(carrier(output), &mut trees, &items, None);
    let mut new_layout = None;
    if format == output && !is_binary && !layout.anew {
        match document.update(trees.as_slice()) {
            Ok(()) => return Ok(Written { text: document.text().to_vec(), new_layout }),
            Err(error) => new_layout = Some(error.log().to_string()),
        }
    }
    let text = Document::emit(carrier(output), &trees, (layout.indent)())?;
    Ok(Written { text, new_layout })
}

const ALREADY_ENCRYPTED: &str = "\
The file has a top-level entry called 'sops' (in dotenv files: one that begins with 'sops_'). This \
is where the metadata of an encrypted file stands, so the file seems to be encrypted already. If it \
is not, rename the entry; if it is, use the edit or set command to change it.";

/// The trees with encrypted values; time and code in the metadata become those of now.
pub(crate) fn sealed(
    trees: &[Vec<Item>],
    key: &DataKey,
    metadata: &mut Metadata,
    stash: Stash,
    surroundings: &Surroundings<'_>,
) -> Result<Vec<Vec<Item>>> {
    let Metadata { selector, mac_only_encrypted, .. } = &*metadata;
    let random = surroundings.random;
    let (trees, code) = crypt::seal(trees, key, selector, *mac_only_encrypted, stash, random)?;
    metadata.last_modified =
        Timestamp::from_seconds(surroundings.clock.now().seconds()).to_string();
    metadata.mac = key.seal(random, &metadata.last_modified, "str", code.as_bytes());
    Ok(trees)
}

impl EncryptedFile {
    /// Reads an encrypted file of `format`; that of a binary file is the one that its plaintext
    /// has.
    ///
    /// # Errors
    /// `NotEncrypted` if it has no metadata, `Unreadable` if it or they cannot be read.
    pub fn parse(format: Format, text: &[u8]) -> Result<Self> {
        let document = Document::parse(carrier(format), text)?;
        let mut trees = document.trees().to_vec();
        let items = place::take(carrier(format), &mut trees)?
            .ok_or_else(|| Failure::new(FailureKind::NotEncrypted, "sops metadata not found"))?;
        Ok(Self { document, trees, metadata: Metadata::parse(items)? })
    }

    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Decrypts all values and checks the code over them.
    ///
    /// # Errors
    /// `Decrypt`, naming the place, or `MacMismatch`.
    pub fn open(self, key: DataKey, ignore_mac: bool) -> Result<OpenFile> {
        self.opened(key, ignore_mac, true)
    }

    /// As [`EncryptedFile::open`], in less time, for what is only read or gets a new data key: values
    /// that are put back would all be encrypted anew.
    ///
    /// # Errors
    /// As [`EncryptedFile::open`].
    pub fn open_to_read(self, key: DataKey, ignore_mac: bool) -> Result<OpenFile> {
        self.opened(key, ignore_mac, false)
    }

    fn opened(self, key: DataKey, ignore_mac: bool, keeps_forms: bool) -> Result<OpenFile> {
        let Metadata { selector, mac_only_encrypted, .. } = &self.metadata;
        let Opened { mut trees, mac, stash, unread_comments } =
            crypt::open(&self.trees, &key, selector, *mac_only_encrypted, keeps_forms)?;
        if self.document.format() == Format::Json {
            trees.iter_mut().for_each(|tree| numbers(tree));
        }
        if !ignore_mac {
            self.check(&key, &mac)?;
        }
        Ok(OpenFile { file: self, key, trees, stash, unread_comments })
    }

    fn check(&self, key: &DataKey, computed: &str) -> Result<()> {
        let mismatch = |text: &str| Failure::new(FailureKind::MacMismatch, text);
        let Metadata { mac, last_modified, .. } = &self.metadata;
        if mac.is_empty() {
            return Err(mismatch(
                "MAC mismatch. The file has no MAC; --ignore-mac reads it nevertheless",
            ));
        }
        let (_, stored) = key
            .open(last_modified, mac)
            .map_err(|failure| mismatch(&format!("Cannot decrypt MAC: {}", failure.text)))?;
        let equal = std::str::from_utf8(&stored).is_ok_and(|stored| mac::equal(stored, computed));
        if equal {
            return Ok(());
        }
        Err(mismatch(
            "MAC mismatch. A value was added, removed, moved or changed without the data key; \
             --ignore-mac reads the file nevertheless",
        ))
    }

    /// The file with other master keys for the same data key. Values, time and code stay.
    ///
    /// # Errors
    /// What key sources say.
    pub fn with_groups(
        mut self,
        mut groups: KeyGroups,
        key: &DataKey,
        surroundings: &Surroundings<'_>,
    ) -> Result<Vec<u8>> {
        groups.wrap_missing(key, surroundings)?;
        self.metadata.groups = groups;
        let trees = std::mem::take(&mut self.trees);
        self.write(trees)
    }

    /// The text with these encrypted trees and the metadata as they are now.
    pub(crate) fn write(mut self, mut trees: Vec<Vec<Item>>) -> Result<Vec<u8>> {
        let format = self.document.format();
        place::put(format, &mut trees, &self.metadata.to_items(), Some(self.document.trees()));
        if trees.len() != self.document.trees().len() {
            return Ok(Document::emit(format, &trees, None)?);
        }
        self.document.update(trees)?;
        Ok(self.document.text().to_vec())
    }
}

impl OpenFile {
    /// What the file says.
    pub fn trees(&self) -> &[Vec<Item>] {
        &self.trees
    }

    pub fn metadata(&self) -> &Metadata {
        &self.file.metadata
    }

    /// The plain file: in the layout of the encrypted one if the format is the same, `layout` does
    /// not want another, and the text can be changed in its place; else in that of sops.
    ///
    /// # Errors
    /// `Unreadable` if the other format has no place for what the file says.
    pub fn plain(
        mut self,
        output: Format,
        layout: Layout<impl FnOnce() -> Option<usize>>,
    ) -> Result<Written> {
        let mut new_layout = None;
        if output == self.file.document.format() && !layout.anew {
            match self.decrypt_text() {
                Ok(()) => {
                    let text = without_gap(output, self.file.document.text()).to_vec();
                    return Ok(Written { text, new_layout });
                }
                Err(error) => new_layout = Some(error.log().to_string()),
            }
        }
        let text = Document::emit(output, &self.trees, (layout.indent)())?;
        Ok(Written { text, new_layout })
    }

    /// Makes the text that of the plain file: first the comments that are elements of lists, since
    /// what changes altogether cannot be matched with what it was; then everything else.
    fn decrypt_text(&mut self) -> base_types::Result<()> {
        let EncryptedFile { document, trees, .. } = &mut self.file;
        let mut trees = std::mem::take(trees);
        let mut found = 0;
        for (sealed, plain) in trees.iter_mut().zip(&self.trees) {
            found += items_with_comments(sealed, plain);
        }
        if found > 0 {
            document.update(trees)?;
        }
        document.update(self.trees.as_slice())
    }

    /// The file with other values. Those that have not changed keep their encrypted form; nothing
    /// comes back if none has.
    ///
    /// # Errors
    /// As [`encrypt`].
    pub fn replace(
        self,
        trees: Vec<Vec<Item>>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Option<Vec<u8>>> {
        if trees == self.trees {
            return Ok(None);
        }
        let Self { mut file, key, stash, .. } = self;
        let trees = sealed(&trees, &key, &mut file.metadata, stash, surroundings)?;
        file.write(trees).map(Some)
    }

    /// The file with the same values under a new data key, which `groups` can open.
    ///
    /// # Errors
    /// As [`encrypt`].
    pub fn rotate(self, mut groups: KeyGroups, surroundings: &Surroundings<'_>) -> Result<Vec<u8>> {
        let Self { mut file, trees, .. } = self;
        let key = DataKey::generate(surroundings.random);
        groups.wrap(&key, surroundings)?;
        file.metadata.groups = groups;
        let trees = sealed(&trees, &key, &mut file.metadata, Stash::default(), surroundings)?;
        file.write(trees)
    }
}

/// Makes integers of whole numbers that an older version calls floats, as it does with all numbers
/// of JSON files: they are to be written as they were.
fn numbers(items: &mut [Item]) {
    for item in items {
        if let Item::Member(member) = item {
            number(&mut member.value);
        }
    }
}

fn number(value: &mut Value) {
    /// Up to here every whole number is a float.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::List(elements) => elements.iter_mut().for_each(|element| match element {
            Element::Comment(_) => {}
            Element::Value(value) => number(value),
        }),
        Value::Map(items) => numbers(items),
        Value::Scalar(Scalar::Float(float)) if float.fract() == 0.0 && float.abs() <= EXACT_MAX => {
            *value = Scalar::Int(*float as i64).into();
        }
        Value::Scalar(_) => {}
    }
}

/// Turns what is an element in an encrypted tree and a comment in the plain one into a comment, and
/// says how many there are.
fn items_with_comments(sealed: &mut [Item], plain: &[Item]) -> usize {
    let pairs = sealed.iter_mut().zip(plain).map(|pair| match pair {
        (Item::Member(sealed), Item::Member(plain)) => {
            value_with_comments(&mut sealed.value, &plain.value)
        }
        _ => 0,
    });
    pairs.sum()
}

fn value_with_comments(sealed: &mut Value, plain: &Value) -> usize {
    match (sealed, plain) {
        (Value::Map(sealed), Value::Map(plain)) => items_with_comments(sealed, plain),
        (Value::List(sealed), Value::List(plain)) => {
            let pairs = sealed.iter_mut().zip(plain).map(|pair| match pair {
                (Element::Value(sealed), Element::Value(plain)) => {
                    value_with_comments(sealed, plain)
                }
                (sealed @ Element::Value(_), plain @ Element::Comment(_)) => {
                    *sealed = plain.clone();
                    1
                }
                (Element::Comment(_), _) => 0,
            });
            pairs.sum()
        }
        _ => 0,
    }
}

/// Sections are written after empty lines: an INI file has one for the metadata, a TOML file one for
/// each of their tables.
fn without_gap(format: Format, text: &[u8]) -> &[u8] {
    let line: &[u8] = if text.ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
    let gaps = match format {
        Format::Ini => 1,
        Format::Toml => usize::MAX,
        Format::Binary | Format::Dotenv | Format::Json | Format::Yaml => 0,
    };
    let mut rest = text;
    let mut left = gaps;
    while left > 0 && rest.ends_with(&line.repeat(2)) {
        rest = &rest[..rest.len() - line.len()];
        left -= 1;
    }
    rest
}

/// Whether the file has metadata of sops.
///
/// # Errors
/// `Unreadable` if it is not of its format.
pub fn is_encrypted(format: Format, text: &[u8]) -> Result<bool> {
    match EncryptedFile::parse(format, text) {
        Ok(_) => Ok(true),
        Err(failure) if failure.kind == FailureKind::NotEncrypted => Ok(false),
        Err(failure) => Err(failure),
    }
}
