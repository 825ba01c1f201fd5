//! What is packed into one file, opened without touching the disk.

use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use zip::result::ZipError;

use crate::search::{Found, Searcher};
pub(crate) use crate::sniff::Archive;
use crate::sniff::{Content, sniff};

/// An archive that has its list at its end must be in memory when it comes from a stream; this is the most.
const SPOOLED_BYTES_MAX: u64 = 64 << 20;
/// More members than this are no longer an archive for people.
const MEMBERS_MAX: usize = 200_000;
/// Memory that a stream of xz may ask for, in KiB.
const XZ_KIB_MAX: u32 = 128 << 10;

/// Searches what an archive holds. Compressed data holds one text or one archive, which is no level of its own.
pub(crate) fn open(
    searcher: &mut Searcher<'_>,
    kind: Archive,
    input: &mut dyn Read,
    inner: &str,
    depth: usize,
    found: &mut Found,
) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let unpacked: Box<dyn Read + '_> = match kind {
        Archive::Zip => return spooled_zip(searcher, &mut input, inner, depth, found),
        Archive::Tar => return tar(searcher, &mut input, inner, depth, found),
        Archive::Gzip => Box::new(MultiGzDecoder::new(input)),
        Archive::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(input)),
        Archive::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(input, true, XZ_KIB_MAX)),
        Archive::Zstd => Box::new(Zstd::new(input)?),
    };
    let mut unpacked = searcher.metered(unpacked);
    unpack(searcher, &mut unpacked, inner, depth, found)
}

fn unpack(
    searcher: &mut Searcher<'_>,
    input: &mut dyn Read,
    inner: &str,
    depth: usize,
    found: &mut Found,
) -> io::Result<()> {
    let mut input = BufReader::new(input);
    // `x.tar.gz` is one archive.
    let is_tar = sniff(input.fill_buf()?) == Content::Archive(Archive::Tar);
    let depth = if is_tar { depth } else { depth + 1 };
    searcher.member(&mut input, inner, depth, found)
}

/// A file of zstd may be several streams, one after the other.
struct Zstd<R: BufRead> {
    stream: Option<StreamingDecoder<R, FrameDecoder>>,
}

impl<R: BufRead> Zstd<R> {
    fn new(input: R) -> io::Result<Self> {
        Ok(Self { stream: Some(StreamingDecoder::new(input).map_err(io::Error::other)?) })
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(stream) = &mut self.stream {
            let read = stream.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            let Some(mut input) = self.stream.take().map(StreamingDecoder::into_inner) else {
                break;
            };
            if !input.fill_buf()?.is_empty() {
                *self = Self::new(input)?;
            }
        }
        Ok(0)
    }
}

fn tar(
    searcher: &mut Searcher<'_>,
    input: &mut dyn Read,
    inner: &str,
    depth: usize,
    found: &mut Found,
) -> io::Result<()> {
    let mut archive = tar::Archive::new(input);
    for (number, entry) in archive.entries()?.enumerate() {
        refuse_too_many(number)?;
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = clean(&String::from_utf8_lossy(&entry.path_bytes()));
        if searcher.skips(&name) {
            continue;
        }
        let path = format!("{inner}!{name}");
        let outcome = searcher.member(&mut entry, &path, depth + 1, found);
        searcher.note(outcome, &path, found);
    }
    Ok(())
}

fn spooled_zip(
    searcher: &mut Searcher<'_>,
    input: &mut dyn Read,
    inner: &str,
    depth: usize,
    found: &mut Found,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    input.take(SPOOLED_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SPOOLED_BYTES_MAX {
        return Err(io::Error::other("a zip in a stream is larger than 64 MiB; give it as a file"));
    }
    zip(searcher, &mut Cursor::new(bytes), inner, depth, found)
}

/// Searches the members of a zip.
pub(crate) fn zip<R: Read + Seek>(
    searcher: &mut Searcher<'_>,
    input: &mut R,
    inner: &str,
    depth: usize,
    found: &mut Found,
) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(BufReader::new(input)).map_err(io::Error::other)?;
    for number in 0..archive.len() {
        refuse_too_many(number)?;
        let (name, member) = match archive.by_index(number) {
            Ok(member) if member.is_file() => {
                (clean(&String::from_utf8_lossy(member.name_raw())), Ok(member))
            }
            Ok(_) => continue,
            Err(e) => (format!("member {number}"), Err(unreadable(e))),
        };
        if searcher.skips(&name) {
            continue;
        }
        let path = format!("{inner}!{name}");
        let outcome = member.and_then(|member| {
            let mut member = searcher.metered(member);
            searcher.member(&mut member, &path, depth + 1, found)
        });
        searcher.note(outcome, &path, found);
    }
    Ok(())
}

fn unreadable(fault: ZipError) -> io::Error {
    match fault {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
            io::Error::other("it is encrypted")
        }
        fault => io::Error::other(fault.to_string()),
    }
}

fn refuse_too_many(number: usize) -> io::Result<()> {
    if number < MEMBERS_MAX {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "it has more than {MEMBERS_MAX} members; unpack it and scan the folder"
    )))
}

/// The name of a member without `.` and empty parts.
fn clean(name: &str) -> String {
    let parts: Vec<&str> =
        name.split(['/', '\\']).filter(|part| !matches!(*part, "" | ".")).collect();
    parts.join("/")
}
