use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base_types::Result;

use crate::Database;
use crate::connection::Connection;
use crate::driver::Driver;

/// The databases that are in use, by the name of their connection. Each is opened when it is first
/// needed and closed when its configuration changes.
#[derive(Default)]
pub(crate) struct Connections(Mutex<HashMap<String, Open>>);

struct Open {
    revision: String,
    driver: Arc<dyn Driver>,
}

impl Connections {
    pub(crate) fn close(&self, name: &str) {
        if let Some(open) = self.all().remove(name) {
            open.driver.close();
        }
    }

    /// The driver of just this configuration.
    fn driver(&self, name: &str, connection: &Connection) -> Result<Arc<dyn Driver>> {
        let mut all = self.all();
        if let Some(open) = all.get(name)
            && open.revision == connection.revision
        {
            return Ok(open.driver.clone());
        }
        let (revision, driver) = (connection.revision.clone(), connection.open()?);
        if let Some(old) = all.insert(name.to_owned(), Open { revision, driver: driver.clone() }) {
            old.driver.close();
        }
        Ok(driver)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        for open in self.all().values() {
            open.driver.close();
        }
    }
}

impl Database {
    /// A connection with its driver, ready for work.
    ///
    /// # Errors
    /// `Invalid` if there is no such connection; `Unavailable` if it is not known with which
    /// password the database can be reached.
    pub(crate) async fn driver(&self, name: &str) -> Result<(Connection, Arc<dyn Driver>)> {
        let mut connection = self.connection(name).await?;
        if connection.pending_password.is_some() {
            connection = self.settle_root(name).await?;
        }
        let driver = self.driver_of(name, &connection)?;
        Ok((connection, driver))
    }

    pub(crate) fn driver_of(&self, name: &str, connection: &Connection) -> Result<Arc<dyn Driver>> {
        self.connections.driver(name, connection)
    }
}
