use std::path::PathBuf;
use std::time::Duration;

use base_types::Result;

use super::reader::Reader;

/// How and where the server logs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
    /// A file that gets the log as well as standard error.
    pub file: Option<PathBuf>,
    pub rotation: Rotation,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogLevel {
    Debug,
    Error,
    #[default]
    Info,
    Trace,
    Warn,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogFormat {
    Json,
    #[default]
    Standard,
}

/// When the log file is set aside, and how many of those stay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rotation {
    /// `None` for any size.
    pub bytes: Option<u64>,
    pub age: Duration,
    /// `None` keeps all.
    pub files: Option<usize>,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { bytes: None, age: Duration::from_secs(24 * 3600), files: None }
    }
}

impl LogLevel {
    pub(super) const NAMES: [(&str, Self); 7] = [
        ("trace", Self::Trace),
        ("debug", Self::Debug),
        ("info", Self::Info),
        ("notice", Self::Info),
        ("warn", Self::Warn),
        ("error", Self::Error),
        ("err", Self::Error),
    ];
}

impl LogFormat {
    pub(super) const NAMES: [(&str, Self); 2] =
        [("standard", Self::Standard), ("json", Self::Json)];
}

impl Log {
    pub(super) fn read(&mut self, reader: &mut Reader<'_, '_>) -> Result<()> {
        reader.choose("log_level", &LogLevel::NAMES, &mut self.level)?;
        reader.choose("log_format", &LogFormat::NAMES, &mut self.format)?;
        reader.set("log_file", &mut self.file)?;
        let (mut bytes, mut files) = (None::<u32>, None::<i64>);
        reader.set("log_rotate_bytes", &mut bytes)?;
        reader.set("log_rotate_max_files", &mut files)?;
        reader.set("log_rotate_duration", &mut self.rotation.age)?;
        if let Some(bytes) = bytes {
            self.rotation.bytes = (bytes > 0).then_some(u64::from(bytes));
        }
        match files {
            None => {}
            Some(0) => self.rotation.files = None,
            Some(count) => self.rotation.files = Some(usize::try_from(count).unwrap_or(0)),
        }
        if self.rotation.age.is_zero() {
            return Err(
                reader.invalid("log_rotate_duration", "cannot be 0: write for example \"24h\"")
            );
        }
        Ok(())
    }
}
