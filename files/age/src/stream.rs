//! The payload: chunks of 64 KiB, each encrypted by itself, with their number and whether it is the
//! last one in the nonce. <https://c2sp.org/age#payload>

use std::io::{self, Read, Write};

use base_crypto::{ChaChaKey, NONCE_LENGTH, Random, TAG_LENGTH, hkdf_sha256, random_array};
use zeroize::Zeroizing;

use crate::{Error, FileKey, Result};

const CHUNK: usize = 64 << 10;
const SEALED_CHUNK: usize = CHUNK + TAG_LENGTH;
const SALT_LENGTH: usize = 16;

fn payload_key(file_key: &FileKey, salt: &[u8; SALT_LENGTH]) -> ChaChaKey {
    ChaChaKey::new(&hkdf_sha256(file_key.expose(), salt, b"payload"))
}

/// The number of a chunk.
#[derive(Default)]
struct Counter(u64);

impl Counter {
    /// The nonce of this chunk. The field has eleven bytes; eight of them count to more than anybody
    /// can write.
    fn nonce(&self, is_last: bool) -> [u8; NONCE_LENGTH] {
        let mut nonce = [0; NONCE_LENGTH];
        nonce[3..11].copy_from_slice(&self.0.to_be_bytes());
        nonce[11] = u8::from(is_last);
        nonce
    }
}

/// Encrypts what is written to it. Without [`Sealer::finish`] the file is not whole, and readers see
/// that.
pub(crate) struct Sealer<W> {
    output: W,
    key: ChaChaKey,
    counter: Counter,
    /// Less than a chunk, or a whole one of which it is not known whether it is the last.
    chunk: Zeroizing<Vec<u8>>,
}

impl<W: Write> Sealer<W> {
    /// `length` is that of the content in bytes if it is known: where the room for a chunk grows, a
    /// part of the content stays behind in memory, and all of it has to be wiped.
    pub(crate) fn new(
        mut output: W,
        file_key: &FileKey,
        length: Option<usize>,
        random: &dyn Random,
    ) -> io::Result<Self> {
        let salt = random_array(random);
        output.write_all(&salt)?;
        let room = length.map_or(CHUNK, |length| length.min(CHUNK)) + TAG_LENGTH;
        Ok(Self {
            output,
            key: payload_key(file_key, &salt),
            counter: Counter::default(),
            chunk: Zeroizing::new(Vec::with_capacity(room)),
        })
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.output)
    }

    fn seal(&mut self, is_last: bool) -> io::Result<()> {
        self.key.seal(self.counter.nonce(is_last), &mut self.chunk);
        self.counter.0 += 1;
        self.output.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() == CHUNK && !bytes.is_empty() {
            self.seal(false)?;
        }
        let length = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    /// A part of a chunk stays here: it cannot be known yet whether it is the last one.
    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Decrypts what is read through it. Nothing comes out that was not sealed, and an end that is not
/// the end is an error.
pub(crate) struct Opener<R> {
    input: R,
    key: ChaChaKey,
    counter: Counter,
    sealed: Vec<u8>,
    /// An opened chunk, of which `start` bytes were given.
    plain: Zeroizing<Vec<u8>>,
    start: usize,
    state: State,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    First,
    Middle,
    /// The last chunk is open.
    Last,
    /// Nothing followed the last chunk.
    End,
    /// Whoever reads on gets the error again and not an end.
    Broken,
}

impl<R: Read> Opener<R> {
    /// # Errors
    /// `Header` if there is no payload at all.
    pub(crate) fn new(mut input: R, file_key: &FileKey) -> Result<Self> {
        let mut salt = [0; SALT_LENGTH];
        input.read_exact(&mut salt).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::header("nothing follows it"),
            _ => error.into(),
        })?;
        Ok(Self {
            input,
            key: payload_key(file_key, &salt),
            counter: Counter::default(),
            sealed: Vec::new(),
            // As large as the first chunk. No later one is larger, so that nothing moves.
            plain: Zeroizing::default(),
            start: 0,
            state: State::First,
        })
    }

    /// Opens the next chunk, or sees that there is none.
    fn advance(&mut self) -> Result<State> {
        self.sealed.clear();
        (&mut self.input).take(SEALED_CHUNK as u64).read_to_end(&mut self.sealed)?;
        let fault = |text: &str| Err(Error::Payload(text.to_owned()));
        let opened = match (self.state, self.sealed.len()) {
            (State::Broken, _) => return fault("it was changed, or is not all there"),
            (State::Last | State::End, 0) => return Ok(State::End),
            (State::Last | State::End, _) => return fault("something follows its end"),
            // What fills a chunk may be the last one all the same.
            (State::First | State::Middle, SEALED_CHUNK) if self.open(false) => State::Middle,
            (State::First | State::Middle, _) if self.open(true) => State::Last,
            (State::First | State::Middle, _) => {
                return fault("it was changed, or is not all there");
            }
        };
        if self.plain.is_empty() && self.state == State::Middle {
            return fault("its last chunk is empty");
        }
        self.counter.0 += 1;
        Ok(opened)
    }

    fn open(&mut self, is_last: bool) -> bool {
        self.start = 0;
        self.plain.clear();
        self.plain.resize(self.sealed.len().saturating_sub(TAG_LENGTH), 0);
        let opened = self.key.open(self.counter.nonce(is_last), &self.sealed, &mut self.plain);
        if !opened {
            self.plain.clear();
        }
        opened
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.start == self.plain.len() && self.state != State::End {
            let next = self.advance();
            self.state = *next.as_ref().unwrap_or(&State::Broken);
            next?;
        }
        let rest = &self.plain[self.start..];
        let length = rest.len().min(bytes.len());
        bytes[..length].copy_from_slice(&rest[..length]);
        self.start += length;
        Ok(length)
    }
}
