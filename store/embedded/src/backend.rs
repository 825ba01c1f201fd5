use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use redb::StorageBackend;

use crate::control::Control;
use crate::directory::is_full;

/// The database file, so that trouble with it stays as small as it is. redb by itself refuses all
/// further work, reads included, after a single failed operation. Therefore:
///
/// - a write that finds the disk full waits until there is room, or until the store is closed;
/// - any other failed write, and a failed sync, poisons the store and waits until it is closed, so
///   that what was committed before can still be read;
/// - a failed read, of a bad sector or of a place that a flipped bit points to, gives zeros, which
///   are no valid page: whoever needs this page gets an error, all others do not notice.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) file: File,
    pub(crate) control: Arc<Control>,
}

thread_local! {
    static FAILED_READS: Cell<u64> = const { Cell::new(0) };
}

/// How many reads of this thread were answered with zeros. Work that changes the database must
/// not be committed when this grew meanwhile.
pub(crate) fn failed_reads() -> u64 {
    FAILED_READS.get()
}

impl Backend {
    fn insist(&self, act: impl Fn() -> io::Result<()>) -> io::Result<()> {
        let mut waited = false;
        loop {
            match act() {
                Ok(()) => break,
                Err(error) if !is_full(&error) => return self.fail(error),
                Err(error) if !self.control.await_room() => return Err(error),
                Err(_) => waited = true,
            }
        }
        if waited {
            self.control.room_found();
        }
        Ok(())
    }

    fn fail(&self, error: io::Error) -> io::Result<()> {
        self.control.poison(&format!("writing the database failed: {error}"));
        self.control.await_close();
        Err(error)
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if let Err(error) = self.file.read_exact_at(out, offset) {
            tracing::error!(offset, length = out.len(), %error, "reading the database failed");
            FAILED_READS.set(FAILED_READS.get() + 1);
            out.fill(0);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.insist(|| self.file.set_len(len))
    }

    // Even for want of room a failed sync is final: the kernel may have dropped what it could not
    // write, and the next sync would succeed without it.
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().or_else(|error| self.fail(error))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.control.give_way();
        self.insist(|| self.file.write_all_at(data, offset))
    }
}
