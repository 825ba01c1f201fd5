use std::sync::Arc;

use base_types::{Error, Result};
use store_api::Revision;

use crate::database::Mark;
use crate::directory::{Directory, io_error};
use crate::segment::{Segment, Trouble, is_blank, replay};
use crate::table::Table;

/// The log of writes that are not yet in the database. A segment holds what one table holds: the
/// last one is appended to, the one before it is on its way into the database.
pub(crate) struct Log {
    dir: Arc<Directory>,
    segment: Segment,
}

/// What was in the log.
pub(crate) struct Recovered {
    pub(crate) log: Log,
    /// Of the complete segments, and how far the database is once it has them.
    pub(crate) frozen: Option<(Table, Mark)>,
    pub(crate) active: Table,
    /// The sequence of the last commit.
    pub(crate) sequence: u64,
}

impl Log {
    /// Makes the first segment of a new store.
    ///
    /// # Errors
    /// `Corrupt` if the directory holds a log already, but no database.
    pub(crate) fn create(dir: &Directory, mark: Mark, step: u64) -> Result<()> {
        for number in numbers(dir)? {
            let path = Segment::path(dir, number);
            if number != mark.segment || !is_blank(&path)? {
                let what = format!("there is a log, {}, but no data.redb", path.display());
                return Err(Error::corrupt(format!("{what}: restore it from a backup")));
            }
        }
        let created = Segment::create(dir, mark.segment, mark.applied + 1, step);
        let path = Segment::path(dir, mark.segment);
        created.map(drop).map_err(|error| io_error("create", &path, &error))
    }

    /// Reads the segments from `mark` on and gets ready to append to the last.
    ///
    /// # Errors
    /// `Corrupt` if anything in it is missing or damaged that was once safe on the disk.
    pub(crate) fn recover(dir: Arc<Directory>, mark: Mark, step: u64) -> Result<Recovered> {
        remove_before(&dir, mark.segment)?;
        let (mut frozen, mut active) = (None, Table::default());
        let Mark { applied, segment: mut number } = mark;
        let mut next = applied + 1;
        let end = loop {
            let path = Segment::path(&dir, number);
            if !path.exists() {
                let what = format!("the log {} is missing", path.display());
                return Err(Error::corrupt(format!("{what}: restore it from a backup")));
            }
            let replayed =
                replay(&path, next, |ops, sequence| active.apply(ops, Revision(sequence)))?;
            next = replayed.next;
            if !replayed.sealed {
                break replayed.end;
            }
            number += 1;
            let (table, mark) = frozen.get_or_insert((Table::default(), mark));
            table.append(std::mem::take(&mut active));
            *mark = Mark { applied: next - 1, segment: number };
        };
        remove_unstarted(&dir, number)?;
        let path = Segment::path(&dir, number);
        let segment = Segment::reopen(&dir, number, end, step)
            .map_err(|error| io_error("open", &path, &error))?;
        Ok(Recovered { log: Self { dir, segment }, frozen, active, sequence: next - 1 })
    }

    /// Appends a record; once this returns, it survives a crash.
    pub(crate) fn append(&mut self, record: &[u8]) -> Result<(), Trouble> {
        self.segment.append(record)
    }

    /// Goes on in a new segment, whose first record has the sequence `next`, and says its number.
    pub(crate) fn rotate(&mut self, next: u64) -> Result<u64, Trouble> {
        let (number, step) = (self.segment.number + 1, self.segment.step);
        // The new segment comes first: a sealed one without a successor is taken for a loss.
        let segment = Segment::create(&self.dir, number, next, step)?;
        self.segment.seal(next)?;
        self.segment = segment;
        Ok(number)
    }
}

/// Removes the segments whose writes are in the database.
pub(crate) fn remove_before(dir: &Directory, number: u64) -> Result<()> {
    for old in numbers(dir)?.into_iter().filter(|old| *old < number) {
        let path = Segment::path(dir, old);
        std::fs::remove_file(&path).map_err(|error| io_error("remove", &path, &error))?;
    }
    Ok(())
}

/// The segment `last` is not sealed, and so nothing can have been written to a later one: at most
/// a crash came between making the next one and sealing this.
fn remove_unstarted(dir: &Directory, last: u64) -> Result<()> {
    for number in numbers(dir)?.into_iter().filter(|number| *number > last) {
        let path = Segment::path(dir, number);
        if !is_blank(&path)? {
            let (this, next) = (Segment::path(dir, last), path.display());
            let what = format!("the log {} ends too early, {next} goes on", this.display());
            return Err(Error::corrupt(format!("{what}: restore it from a backup")));
        }
        std::fs::remove_file(&path).map_err(|error| io_error("remove", &path, &error))?;
    }
    Ok(())
}

/// The numbers of the segments there are, in no particular order.
fn numbers(dir: &Directory) -> Result<Vec<u64>> {
    let number = |name: &String| name.strip_prefix("wal-")?.strip_suffix(".log")?.parse().ok();
    Ok(dir.names()?.iter().filter_map(number).collect())
}
