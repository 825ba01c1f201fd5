use scan_engine::Scanner;

use crate::progress::Progress;

/// What every kind of source needs to be told.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    pub scanner: &'a Scanner,
    pub limits: Limits,
    pub progress: &'a Progress,
}

/// How far a scan goes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How deep archives are opened within archives; 0 opens none.
    pub archive_depth: usize,
    /// What is larger is passed over, in bytes. The caller asked for it, so it is no [`Gap`](crate::Gap).
    pub file_bytes: Option<u64>,
    pub threads: usize,
    /// Whether every text of a history is searched as a whole, also where it is known as what differs from another one. It
    /// finds the same and takes longer: for tests of exactly that.
    pub searches_all: bool,
}

impl Default for Limits {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { archive_depth: 8, file_bytes: None, threads, searches_all: false }
    }
}
