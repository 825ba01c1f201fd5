use std::fmt::Display;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use base_types::{Error, Result};
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use redb::{ReadOnlyTable, ReadableDatabase, TableDefinition};
use store_api::{Entry, Revision};

use crate::backend::{Backend, failed_reads};
use crate::control::{Control, Failure};
use crate::directory::{Directory, io_error, open_file};
use crate::table::{Table, start};

/// The database file, in which everything ends up that is no longer in the log.
///
/// A stored value is `revision u64 | crc32 u32 | value`, little-endian, where the checksum covers
/// key, revision and value.
pub(crate) struct Database {
    redb: redb::Database,
    path: PathBuf,
    control: Arc<Control>,
}

/// How far the log has been moved into the database: all commits up to `applied`. The commits
/// after it begin with log segment number `segment`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Mark {
    pub(crate) applied: u64,
    pub(crate) segment: u64,
}

/// The database at one moment; never waits for a writer.
pub(crate) struct Snapshot {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    /// What was read of it before. It never changes, so neither does this.
    known: Cache<Box<str>, Entry, EntryBytes>,
    pub(crate) file_bytes: u64,
}

/// What an entry costs in the cache, roughly.
#[derive(Clone)]
struct EntryBytes;

impl Weighter<Box<str>, Entry> for EntryBytes {
    fn weight(&self, key: &Box<str>, entry: &Entry) -> u64 {
        (key.len() + entry.value.len() + ENTRY_BYTES) as u64
    }
}

/// How much of a database is kept at hand, and what an entry costs there beside its key and value.
const KNOWN_BYTES: u64 = 2 << 20;
const ENTRY_BYTES: usize = 128;
/// The cache makes room for so many entries at first.
const KNOWN_ENTRIES: usize = 64;

const DATA: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("data");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

const NAME: &str = "data.redb";
const FORMAT: u64 = 1;
const HEADER: usize = 12;

impl Database {
    pub(crate) fn exists(dir: &Directory) -> bool {
        dir.file(NAME).exists()
    }

    /// Makes an empty database, under another name until it is complete.
    pub(crate) fn create(dir: &Directory, control: &Arc<Control>, mark: Mark) -> Result<()> {
        let (fresh, path) = (dir.file("data.redb.new"), dir.file(NAME));
        let failed = |error| io_error("create", &path, &error);
        if fresh.exists() {
            std::fs::remove_file(&fresh).map_err(failed)?;
        }
        let database = Self::open_as(dir, "data.redb.new", control, 0)?;
        database.apply(&Table::default(), mark)?;
        drop(database);
        std::fs::rename(&fresh, &path).and_then(|()| dir.sync()).map_err(failed)
    }

    /// # Errors
    /// `Corrupt` or `Unavailable` if the file cannot be read as a database.
    pub(crate) fn open(dir: &Directory, control: &Arc<Control>, cache: usize) -> Result<Self> {
        Self::open_as(dir, NAME, control, cache)
    }

    fn open_as(dir: &Directory, name: &str, control: &Arc<Control>, cache: usize) -> Result<Self> {
        let path = dir.file(name);
        let file = open_file(&path, true).map_err(|error| io_error("open", &path, &error))?;
        let backend = Backend { file, control: Arc::clone(control) };
        let failed_before = failed_reads();
        let redb = guarded(path.display(), || {
            let redb = redb::Builder::new().set_cache_size(cache).create_with_backend(backend)?;
            if failed_reads() != failed_before {
                return Err(unreadable());
            }
            Ok(redb)
        })?;
        Ok(Self { redb, path, control: Arc::clone(control) })
    }

    /// # Errors
    /// `Corrupt` if the mark is not there; `Invalid` if a newer version wrote the file.
    pub(crate) fn mark(&self) -> Result<Mark> {
        let read = |name| -> Result<u64> {
            let value = guarded(NAME, || {
                let table = self.redb.begin_read()?.open_table(META)?;
                Ok(table.get(name)?.map(|value| value.value()))
            })?;
            value.ok_or_else(|| Error::corrupt(format!("{NAME} has no entry {name:?}")))
        };
        match read("format")? {
            FORMAT => Ok(Mark { applied: read("applied")?, segment: read("segment")? }),
            newer => Err(Error::invalid(format!(
                "{NAME} has format {newer}, this version reads {FORMAT}: use a newer version"
            ))),
        }
    }

    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        guarded(NAME, || {
            let transaction = self.redb.begin_read()?;
            let table = transaction.open_table(DATA)?;
            let known = Cache::with_weighter(KNOWN_ENTRIES, KNOWN_BYTES, EntryBytes);
            Ok(Snapshot { table, known, file_bytes: self.path.metadata()?.len() })
        })
    }

    /// Moves `table` into the database and notes how far it goes, all of it or nothing.
    pub(crate) fn apply(&self, table: &Table, mark: Mark) -> Result<()> {
        guarded(NAME, || {
            let failed_before = failed_reads();
            let mut transaction = self.redb.begin_write()?;
            // Opening after a crash must not walk through the whole file. This also selects the
            // two-phase commit, under which the state to return to is never in doubt.
            transaction.set_quick_repair(true);
            {
                let mut data = transaction.open_table(DATA)?;
                let mut buffer = Vec::new();
                for (key, slot) in table.iter() {
                    self.control.give_way();
                    match &slot.value {
                        None => drop(data.remove(key.as_bytes())?),
                        Some(value) => {
                            encode(&mut buffer, key, slot.revision, value);
                            data.insert(key.as_bytes(), &*buffer)?;
                        }
                    }
                }
                let mut meta = transaction.open_table(META)?;
                let Mark { applied, segment } = mark;
                for (name, value) in
                    [("format", FORMAT), ("applied", applied), ("segment", segment)]
                {
                    meta.insert(name, value)?;
                }
            }
            if failed_reads() != failed_before {
                return Err(unreadable());
            }
            Ok(transaction.commit()?)
        })
    }
}

impl Snapshot {
    /// # Errors
    /// `Corrupt`, naming the key, if what is stored there is damaged.
    pub(crate) fn get(&self, key: &str) -> Result<Option<Entry>> {
        if let Some(entry) = self.known.get(key) {
            return Ok(Some(entry));
        }
        let copy = |revision, value: &_| Entry { value: Bytes::copy_from_slice(value), revision };
        let found = self.read(key, copy)?;
        if let Some(entry) = &found {
            self.known.insert(key.into(), entry.clone());
        }
        Ok(found)
    }

    /// # Errors
    /// `Corrupt`, naming the key, if what is stored there is damaged.
    pub(crate) fn revision(&self, key: &str) -> Result<Option<Revision>> {
        self.read(key, |revision, _| revision)
    }

    fn read<T>(&self, key: &str, decode: impl FnOnce(Revision, &[u8]) -> T) -> Result<Option<T>> {
        let place = format_args!("the value of {key:?} in {NAME}");
        guarded(place, || {
            let Some(stored) = self.table.get(key.as_bytes())? else { return Ok(None) };
            match open(key, stored.value()) {
                Some((revision, value)) => Ok(Some(decode(revision, value))),
                None => Err(redb::Error::Corrupted("wrong checksum".into())),
            }
        })
    }

    /// The keys that start with `prefix` and sort after `after`.
    ///
    /// # Errors
    /// `Corrupt`, here and in an item, if a part of the list is damaged.
    pub(crate) fn keys(
        &self,
        prefix: &str,
        after: &str,
    ) -> Result<impl Iterator<Item = Result<String>>> {
        let place = format!("the list of {prefix:?} after {after:?} in {NAME}");
        let from = start(prefix, after).map(str::as_bytes);
        let mut range =
            guarded(&place, || Ok(self.table.range::<&[u8]>((from, Bound::Unbounded))?))?;
        let mut next = move || {
            let Some((key, _)) = range.next().transpose()? else { return Ok(None) };
            match std::str::from_utf8(key.value()) {
                Ok(key) => Ok(key.starts_with(prefix).then(|| key.to_owned())),
                Err(error) => Err(redb::Error::Corrupted(error.to_string())),
            }
        };
        Ok(std::iter::from_fn(move || guarded(&place, &mut next).transpose()).fuse())
    }
}

/// Runs redb's code, whose errors come back as `Corrupt`, naming `place`.
///
/// A page with flipped bits can send redb's page parser out of bounds, and its debug assertions
/// panic where release builds return an error. Such a panic must take down this one operation
/// only. It is safe to go on after it: a reader owns nothing that it changes, and a transaction
/// that is dropped unfinished leaves no trace.
fn guarded<T>(place: impl Display, call: impl FnOnce() -> Result<T, redb::Error>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(redb::Error::DatabaseClosed | redb::Error::PreviousIo)) => {
            Err(Error::from(&Failure::Closed))
        }
        Ok(Err(redb::Error::Io(error))) => Err(Error::unavailable(format!("{place}: {error}"))),
        Ok(Err(error)) => Err(Error::corrupt(format!("{place} is damaged")).because(error)),
        Err(_) => Err(Error::corrupt(format!("{place} is damaged"))),
    }
}

fn unreadable() -> redb::Error {
    redb::Error::Corrupted("a page could not be read".into())
}

fn encode(buffer: &mut Vec<u8>, key: &str, Revision(revision): Revision, value: &[u8]) {
    buffer.clear();
    buffer.extend(revision.to_le_bytes());
    buffer.extend(checksum(key, revision, value).to_le_bytes());
    buffer.extend(value);
}

fn open<'a>(key: &str, stored: &'a [u8]) -> Option<(Revision, &'a [u8])> {
    let (header, value) = stored.split_at_checked(HEADER)?;
    let revision = u64::from_le_bytes(*header.first_chunk()?);
    let crc = u32::from_le_bytes(*header[8..].first_chunk()?);
    (checksum(key, revision, value) == crc).then_some((Revision(revision), value))
}

fn checksum(key: &str, revision: u64, value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key.as_bytes());
    hasher.update(&revision.to_le_bytes());
    hasher.update(value);
    hasher.finalize()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// These bytes are on people's disks: a change here needs code that still reads them.
    #[test]
    fn has_stable_bytes() {
        let golden = b"\x07\x00\x00\x00\x00\x00\x00\x00s\xf3\x87\x1cvalue";
        let mut stored = Vec::new();
        encode(&mut stored, "key", Revision(7), b"value");
        assert_eq!(stored, golden);
        assert_eq!(open("key", golden), Some((Revision(7), &b"value"[..])));

        assert_eq!(open("kez", golden), None, "a value belongs to its key");
        assert_eq!(open("key", &golden[..11]), None);
        for at in 0..golden.len() {
            let mut flipped = *golden;
            flipped[at] ^= 1;
            assert_eq!(open("key", &flipped), None, "byte {at}");
        }
    }
}
