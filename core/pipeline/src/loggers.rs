use std::collections::BTreeMap;
use std::fmt::Debug;

use base_types::Result;

/// The levels at which the parts of the server log, for `sys/loggers`. They last until the server
/// ends.
pub trait Loggers: Debug + Send + Sync {
    /// By the name of the logger.
    fn levels(&self) -> BTreeMap<&'static str, &'static str>;

    /// Sets one logger, or all of them.
    ///
    /// # Errors
    /// `Invalid` for a level or a logger that is not known.
    fn set(&self, logger: Option<&str>, level: &str) -> Result<()>;

    /// Gives one logger, or all of them, the level of the configuration back.
    ///
    /// # Errors
    /// `Invalid` for a logger that is not known.
    fn revert(&self, logger: Option<&str>) -> Result<()>;
}
