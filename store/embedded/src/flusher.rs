use std::sync::Arc;
use std::sync::mpsc::Receiver;

use base_types::Result;

use crate::control::Control;
use crate::database::{Database, Mark};
use crate::directory::Directory;
use crate::table::Table;
use crate::view::View;
use crate::wal::remove_before;

/// The thread that moves frozen tables into the database, so that the log stays short.
pub(crate) struct Flusher {
    pub(crate) dir: Arc<Directory>,
    pub(crate) database: Database,
    pub(crate) view: Arc<View>,
    pub(crate) control: Arc<Control>,
}

/// A table that is not written to any more, and how far the database is once it has it.
pub(crate) struct Frozen {
    pub(crate) table: Arc<Table>,
    pub(crate) mark: Mark,
}

impl Flusher {
    /// Works until the writer hangs up.
    pub(crate) fn run(self, tables: &Receiver<Frozen>) {
        while let Ok(frozen) = tables.recv() {
            if let Err(error) = self.flush(frozen) {
                // The table stays where it is, in memory and in the log, so nothing is lost.
                self.control.poison(&format!("moving the log into the database: {}", error.log()));
            }
            self.control.set_flushing(false);
        }
    }

    fn flush(&self, Frozen { table, mark }: Frozen) -> Result<()> {
        self.database.apply(&table, mark)?;
        drop(table);
        self.view.settle(self.database.snapshot()?);
        if let Err(error) = remove_before(&self.dir, mark.segment) {
            // They are in nobody's way, and the next flush tries again.
            tracing::warn!(error = %error.log(), "old log segments stay behind");
        }
        Ok(())
    }
}
