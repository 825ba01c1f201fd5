use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use base_types::{Error, Result};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::directory::{Directory, io_error, is_full, open_file};
use crate::record::{Found, Ops, Record, find_later};

/// One file of the log, open for appending.
///
/// `"wal\0\0\0\0\x01" | first sequence u64 | crc32 u32`, then records, then zeros or nothing.
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) file: File,
    /// Where the next record goes.
    end: u64,
    allocated: u64,
    /// The disk space is reserved in steps of this many bytes. That spares the file system from
    /// writing a new file length with each sync (59 against 110 µs on ext4), and a full disk is
    /// met here rather than in the middle of a record.
    pub(crate) step: u64,
}

/// Why a record was not appended. In either case the segment is as it was before.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// There is no room; later there may be.
    Full,
    /// Nothing about the disk can be relied on any more.
    Broken(io::Error),
}

/// What reading a segment found.
pub(crate) struct Replayed {
    /// The sequence that the next record has.
    pub(crate) next: u64,
    /// Where the valid records end.
    pub(crate) end: u64,
    /// The segment is complete, and another one goes on.
    pub(crate) sealed: bool,
}

const MAGIC: [u8; 8] = *b"wal\0\0\0\0\x01";
const HEADER: usize = 20;

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::Full } else { Self::Broken(error) }
    }
}

impl Segment {
    pub(crate) fn path(dir: &Directory, number: u64) -> PathBuf {
        dir.file(&format!("wal-{number}.log"))
    }

    /// A new segment, for records from the sequence `first`.
    pub(crate) fn create(dir: &Directory, number: u64, first: u64, step: u64) -> io::Result<Self> {
        let file = open_file(&Self::path(dir, number), true)?;
        file.set_len(0)?;
        file.write_all_at(&header(first), 0)?;
        file.sync_all()?;
        dir.sync()?;
        let end = HEADER as u64;
        Ok(Self { number, file, end, allocated: end, step })
    }

    /// Opens a segment again, cutting off what lies behind `end`.
    pub(crate) fn reopen(dir: &Directory, number: u64, end: u64, step: u64) -> io::Result<Self> {
        let file = open_file(&Self::path(dir, number), false)?;
        file.set_len(end)?;
        file.sync_all()?;
        Ok(Self { number, file, end, allocated: end, step })
    }

    /// Writes a record and waits until it is safe from a crash.
    pub(crate) fn append(&mut self, record: &[u8]) -> Result<(), Trouble> {
        let end = self.end + record.len() as u64;
        if let Err(error) =
            self.reserve(end).and_then(|()| self.file.write_all_at(record, self.end))
        {
            self.cut().map_err(Trouble::Broken)?;
            return Err(Trouble::from(error));
        }
        if let Err(error) = self.file.sync_data() {
            // Whether the record is on the disk is unknown; nobody was told that it is.
            let _ = self.cut();
            return Err(Trouble::Broken(error));
        }
        self.end = end;
        Ok(())
    }

    /// Marks the segment as complete, so that the lack of the next one is noticed.
    pub(crate) fn seal(&mut self, next: u64) -> Result<(), Trouble> {
        let mut record = Record::default();
        record.start(next);
        self.append(record.seal())?;
        self.cut().map_err(Trouble::Broken)
    }

    fn reserve(&mut self, end: u64) -> io::Result<()> {
        if end > self.allocated {
            let length = self.step.max(end - self.allocated);
            match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), self.allocated, length)
            {
                Ok(()) => self.allocated += length,
                // Not every file system knows this; on such the file grows as it is written.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.allocated = u64::MAX,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        self.allocated = self.end;
        self.file.set_len(self.end)
    }
}

/// Nothing was ever written to the segment: at most its header is there.
pub(crate) fn is_blank(path: &Path) -> Result<bool> {
    let metadata = path.metadata().map_err(|error| io_error("read", path, &error))?;
    Ok(metadata.len() <= HEADER as u64)
}

/// Reads a segment whose first record must have the sequence `next`, handing each batch and its
/// sequence to `apply`.
///
/// # Errors
/// `Corrupt`, naming file and offset, if a record is missing or damaged. Only at the very end a
/// damaged record is what a crash in the middle of a write leaves behind; it was never
/// acknowledged and is left out.
pub(crate) fn replay(
    path: &Path,
    mut next: u64,
    mut apply: impl FnMut(Ops, u64),
) -> Result<Replayed> {
    let corrupt = |at: usize, what: &str| {
        let file = path.display();
        Error::corrupt(format!("the log {file} {what} at offset {at}: restore it from a backup"))
    };
    let bytes = std::fs::read(path).map_err(|error| io_error("read", path, &error))?;
    match bytes.get(..HEADER).and_then(first_sequence) {
        None => return Err(corrupt(0, "is damaged")),
        Some(first) if first != next => return Err(corrupt(8, "does not continue the one before")),
        Some(_) => {}
    }
    let mut at = HEADER;
    while let Some(found) = Found::read(&bytes[at..]) {
        if found.sequence != next {
            return Err(corrupt(at, "lacks records"));
        }
        let batches = found.batches().ok_or_else(|| corrupt(at, "is damaged"))?;
        at += found.len();
        if batches.is_empty() {
            return Ok(Replayed { next, end: at as u64, sealed: true });
        }
        for batch in batches {
            apply(batch, next);
            next += 1;
        }
    }
    let rest = &bytes[at..];
    if rest.iter().any(|byte| *byte != 0) {
        if let Some(later) = find_later(rest, next) {
            let what = format!("is damaged before the valid record at {}", at + later);
            return Err(corrupt(at, &what));
        }
        tracing::warn!(path = %path.display(), offset = at, "cut off a write that a crash interrupted");
    }
    Ok(Replayed { next, end: at as u64, sealed: false })
}

fn header(first: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..16].copy_from_slice(&first.to_le_bytes());
    let crc = crc32fast::hash(&header[..16]);
    header[16..].copy_from_slice(&crc.to_le_bytes());
    header
}

fn first_sequence(bytes: &[u8]) -> Option<u64> {
    let first = u64::from_le_bytes(*bytes.get(8..)?.first_chunk()?);
    (bytes == header(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These bytes are on people's disks: a change here needs code that still reads them.
    #[test]
    fn has_a_stable_header() {
        let golden = *b"wal\0\0\0\0\x01\x07\0\0\0\0\0\0\0\x6c\x9d\x77\x8e";
        assert_eq!(header(7), golden);
        assert_eq!(first_sequence(&golden), Some(7));
    }
}
