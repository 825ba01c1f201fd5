use std::io::{self, BufRead, BufReader, Cursor, Read, Write};

use base_crypto::{Random, random_array};
use base_types::Secret;
use zeroize::Zeroizing;

use crate::armor::{ArmorReader, ArmorWriter};
use crate::header::Header;
use crate::stream::{Opener, Sealer};
use crate::{Error, FileKey, Identity, Recipient, Result, armor, header};

/// How a file is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// As text.
    Armored,
    Binary,
}

/// Begins a file for all of `recipients`: what is written to the answer is encrypted.
///
/// # Errors
/// `Invalid` if there are no recipients or they do not go together, and what they say; `Io`.
pub fn encrypt<W: Write>(
    recipients: &[Box<dyn Recipient>],
    form: Form,
    output: W,
    random: &dyn Random,
) -> Result<Encrypting<W>> {
    begin(recipients, form, output, None, random)
}

/// As [`encrypt`], for a content whose length in bytes may be known.
fn begin<W: Write>(
    recipients: &[Box<dyn Recipient>],
    form: Form,
    output: W,
    length: Option<usize>,
    random: &dyn Random,
) -> Result<Encrypting<W>> {
    let file_key = FileKey::new(random_array(random));
    let mut stanzas = Vec::new();
    let mut labels = None;
    for recipient in recipients {
        let wrapped = recipient.wrap(&file_key, random)?;
        if *labels.get_or_insert_with(|| wrapped.labels.clone()) != wrapped.labels {
            return Err(Error::invalid(
                "the recipients do not go together: a passphrase must be the only one, and \
                 post-quantum ones are worth nothing beside others",
            ));
        }
        stanzas.extend(wrapped.stanzas);
    }
    if stanzas.is_empty() {
        return Err(Error::invalid("there is no recipient"));
    }
    let mut body = match form {
        Form::Armored => Body::Armored(ArmorWriter::new(output)?),
        Form::Binary => Body::Binary(output),
    };
    body.write_all(Header::text(&stanzas, &file_key).as_bytes())?;
    Ok(Encrypting(Sealer::new(body, &file_key, length, random)?))
}

/// A file that is being written. It is whole only after [`Encrypting::finish`].
pub struct Encrypting<W: Write>(Sealer<Body<W>>);

impl<W: Write> Encrypting<W> {
    /// # Errors
    /// What the output says.
    pub fn finish(self) -> io::Result<W> {
        match self.0.finish()? {
            Body::Armored(armor) => armor.finish(),
            Body::Binary(output) => Ok(output),
        }
    }
}

impl<W: Write> Write for Encrypting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

enum Body<W> {
    Armored(ArmorWriter<W>),
    Binary(W),
}

impl<W: Write> Write for Body<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Armored(armor) => armor.write(bytes),
            Self::Binary(output) => output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Armored(armor) => armor.flush(),
            Self::Binary(output) => output.flush(),
        }
    }
}

/// Opens a file, armored or not, with the first of `identities` that it was encrypted for: what is
/// read from the answer is decrypted. What comes out is authentic even if an error follows, but not
/// all there.
///
/// # Errors
/// `Armor`, `Header`, `Mac`, `NoMatch` or `Payload`, and what identities say; `Io`.
pub fn decrypt<'a, R: Read + 'a>(
    mut input: R,
    identities: &[Box<dyn Identity + '_>],
) -> Result<Box<dyn Read + 'a>> {
    let start = start_of(&mut input)?;
    let is_armored = is_armored(&start);
    let input = BufReader::with_capacity(CHUNK_BUFFER, Cursor::new(start).chain(input));
    open_in(is_armored, input, identities)
}

fn open_in<'a, R: BufRead + 'a>(
    is_armored: bool,
    input: R,
    identities: &[Box<dyn Identity + '_>],
) -> Result<Box<dyn Read + 'a>> {
    match is_armored {
        true => open(BufReader::new(ArmorReader::new(input)), identities),
        false => open(input, identities),
    }
}

/// Large enough that reading a chunk takes few calls.
const CHUNK_BUFFER: usize = 64 << 10;

fn open<'a, R: BufRead + 'a>(
    input: R,
    identities: &[Box<dyn Identity + '_>],
) -> Result<Box<dyn Read + 'a>> {
    let (header, input) = Header::read(input)?;
    let file_key = header.unwrap(identities)?;
    Ok(Box::new(Opener::new(input, &file_key)?))
}

/// So much white space may stand before armor.
const BLANKS_MAX: usize = 1024;

/// As much of the input as tells whether it is armored.
fn start_of(input: &mut impl Read) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    loop {
        let before = start.len();
        input.by_ref().take(64).read_to_end(&mut start)?;
        let is_known = start.trim_ascii_start().len() >= armor::BEGIN.len();
        if is_known || start.len() == before || start.len() > BLANKS_MAX {
            return Ok(start);
        }
    }
}

pub(crate) fn is_armored(start: &[u8]) -> bool {
    start.trim_ascii_start().starts_with(armor::BEGIN.as_bytes())
}

/// Whether a text is a file of age, by how it begins.
pub(crate) fn is_file(start: &[u8]) -> bool {
    is_armored(start) || start.starts_with(header::VERSION.as_bytes())
}

/// A whole file at once.
///
/// # Errors
/// As [`encrypt`].
pub fn encrypt_bytes(
    recipients: &[Box<dyn Recipient>],
    form: Form,
    plain: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>> {
    let mut writer = begin(recipients, form, Vec::new(), Some(plain.len()), random)?;
    writer.write_all(plain)?;
    Ok(writer.finish()?)
}

/// The content of a whole file at once.
///
/// # Errors
/// As [`decrypt`].
pub fn decrypt_bytes(
    file: &[u8],
    identities: &[Box<dyn Identity + '_>],
) -> Result<Secret<Vec<u8>>> {
    // No file is shorter than its content, so that nothing moves and leaves a copy.
    let mut plain = Zeroizing::new(Vec::with_capacity(file.len()));
    let is_armored = is_armored(&start_of(&mut &*file)?);
    open_in(is_armored, file, identities)?.read_to_end(&mut plain)?;
    Ok(Secret::new(std::mem::take(&mut *plain)))
}
