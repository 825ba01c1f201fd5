//! The server's log: lines for people or JSON for collectors, to standard error and, if wanted, to
//! a file that is set aside by size or age.
//!
//! The field names are those of Vault's log (`@level`, `@message`, `@module`, `@timestamp`).

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base_types::{Clock, Error, Result, Timestamp, Ttl};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, reload};

use crate::config::{Log, LogFormat, Rotation};
use crate::loggers::{self, Levels};

/// The log of the process. It can be reloaded on SIGHUP.
pub struct Logging {
    output: Output,
    levels: Arc<Levels>,
}

impl Logging {
    /// Makes this the log of the process.
    ///
    /// # Errors
    /// `Invalid` if the log file cannot be opened, or there is a log already.
    pub fn install(log: &Log, clock: Arc<dyn Clock>) -> Result<Self> {
        let (logging, subscriber) = Self::build(log, clock, Box::new(io::stderr()))?;
        tracing::subscriber::set_global_default(subscriber)
            .map_err(|_| Error::invalid("the process has a log already"))?;
        logging.levels.install();
        Ok(logging)
    }

    /// Takes over a new level, and opens the log file anew, for tools that move it away. The
    /// format stays.
    pub fn reload(&self, log: &Log) {
        self.levels.configure(log.level);
        if let Err(error) = self.output.lock().reopen() {
            tracing::error!(%error, "the log file was not opened anew");
        }
    }

    fn build(
        log: &Log,
        clock: Arc<dyn Clock>,
        console: Box<dyn Write + Send>,
    ) -> Result<(Self, impl Subscriber + Send + Sync)> {
        let file = log.file.as_deref().map(|path| LogFile::open(path, log.rotation, &*clock));
        let file = file.transpose().map_err(|(path, error)| {
            Error::invalid(format!("the log file {} cannot be opened: {error}", path.display()))
        })?;
        let output = Output(Arc::new(Mutex::new(Sinks { console, file, clock: clock.clone() })));
        let (filter, handle) = reload::Layer::new(loggers::targets(log.level));
        let layer = tracing_subscriber::fmt::layer()
            .event_format(Lines { format: log.format, clock })
            .with_writer(output.clone())
            .with_filter(filter);
        let levels = Levels::new(log.level, move |targets| {
            // It fails only when the subscriber is gone, and nothing is logged any more.
            let _ = handle.reload(targets);
        });
        let subscriber = tracing_subscriber::registry().with(layer);
        Ok((Self { output, levels: Arc::new(levels) }, subscriber))
    }
}

/// Writes one event as one line.
struct Lines {
    format: LogFormat,
    clock: Arc<dyn Clock>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut parts = Parts::default();
        event.record(&mut parts);
        let meta = event.metadata();
        let module = meta.target().replace("::", ".");
        match self.format {
            LogFormat::Json => {
                let mut line = parts.fields;
                line.insert("@level".to_owned(), meta.level().as_str().to_lowercase().into());
                line.insert("@message".to_owned(), parts.message.into());
                line.insert("@module".to_owned(), module.into());
                line.insert("@timestamp".to_owned(), self.clock.now().to_string().into());
                writeln!(writer, "{}", Value::Object(line))
            }
            LogFormat::Standard => {
                let level = bracketed(*meta.level());
                write!(writer, "{} {level} {module}: ", self.clock.now())?;
                write_plain(&mut writer, &parts.message)?;
                for (index, (key, value)) in parts.fields.iter().enumerate() {
                    write!(writer, "{} {key}=", if index == 0 { ":" } else { "" })?;
                    match value {
                        Value::String(text) if text.contains([' ', '"', '=']) => {
                            write!(writer, "{text:?}")?;
                        }
                        Value::String(text) => write_plain(&mut writer, text)?,
                        other => write!(writer, "{other}")?,
                    }
                }
                writeln!(writer)
            }
        }
    }
}

fn bracketed(level: Level) -> &'static str {
    match level {
        Level::TRACE => "[TRACE]",
        Level::DEBUG => "[DEBUG]",
        Level::INFO => "[INFO] ",
        Level::WARN => "[WARN] ",
        Level::ERROR => "[ERROR]",
    }
}

/// Control characters are escaped, so that what came from outside cannot make up lines.
fn write_plain(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    text.chars().try_for_each(|char| {
        if char.is_control() {
            write!(writer, "{}", char.escape_default())
        } else {
            write!(writer, "{char}")
        }
    })
}

/// The message and the fields of an event.
#[derive(Default)]
struct Parts {
    message: String,
    fields: Map<String, Value>,
}

impl Parts {
    fn insert(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => {
                self.fields.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Parts {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}").into());
    }
}

/// Where lines go. A clone writes to the same place.
#[derive(Clone)]
struct Output(Arc<Mutex<Sinks>>);

struct Sinks {
    console: Box<dyn Write + Send>,
    file: Option<LogFile>,
    clock: Arc<dyn Clock>,
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Sinks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self.lock())
    }
}

/// The right to write one line.
struct Line<'a>(MutexGuard<'a, Sinks>);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Sinks { console, file, clock } = &mut *self.0;
        // A log that cannot be written, on a full disk or a closed terminal, stops nothing.
        let _ = console.write_all(bytes);
        if let Some(file) = file
            && let Err(error) = file.write(bytes, clock.now())
        {
            let _ = writeln!(console, "{} cannot be written: {error}", file.path.display());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.console.flush()
    }
}

impl Sinks {
    fn reopen(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.reopen(self.clock.now()),
            None => Ok(()),
        }
    }
}

/// A file that is set aside when it is too large or too old.
struct LogFile {
    path: PathBuf,
    file: File,
    rotation: Rotation,
    size: u64,
    opened: Timestamp,
}

const NAME_DEFAULT: &str = "strongroom.log";

impl LogFile {
    fn open(
        path: &Path,
        rotation: Rotation,
        clock: &dyn Clock,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let path = file_path(path);
        let opened = append(&path);
        let (file, size) = opened.map_err(|error| (path.clone(), error))?;
        Ok(Self { path, file, rotation, size, opened: clock.now() })
    }

    fn write(&mut self, bytes: &[u8], now: Timestamp) -> io::Result<()> {
        let added = bytes.len() as u64;
        let too_large = self.rotation.bytes.is_some_and(|most| self.size + added > most);
        let too_old = now >= self.opened.plus(Ttl::from_seconds(self.rotation.age.as_secs()));
        if self.size > 0 && (too_large || too_old) {
            self.set_aside(now)?;
        }
        self.size += added;
        self.file.write_all(bytes)
    }

    fn reopen(&mut self, now: Timestamp) -> io::Result<()> {
        (self.file, self.size) = append(&self.path)?;
        self.opened = now;
        Ok(())
    }

    fn set_aside(&mut self, now: Timestamp) -> io::Result<()> {
        let (stem, ending) = self.name_parts();
        // The nanoseconds have the same number of digits until 2286, so names sort by age.
        let aside = self.path.with_file_name(format!("{stem}-{}{ending}", now.0));
        std::fs::rename(&self.path, aside)?;
        self.reopen(now)?;
        self.remove_old()
    }

    fn remove_old(&self) -> io::Result<()> {
        let Some(kept) = self.rotation.files else { return Ok(()) };
        let (stem, ending) = self.name_parts();
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut old: Vec<PathBuf> = std::fs::read_dir(folder.unwrap_or(Path::new(".")))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| is_set_aside(path, &stem, &ending))
            .collect();
        old.sort();
        let surplus = old.len().saturating_sub(kept);
        old[..surplus].iter().try_for_each(std::fs::remove_file)
    }

    /// The name up to its ending, and the ending with its dot.
    fn name_parts(&self) -> (String, String) {
        let text = |part: Option<&std::ffi::OsStr>| {
            part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default()
        };
        (text(self.path.file_stem()), format!(".{}", text(self.path.extension())))
    }
}

fn is_set_aside(path: &Path, stem: &str, ending: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let middle = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(ending));
    let digits = middle.and_then(|middle| middle.strip_prefix('-'));
    digits.is_some_and(|digits| digits.len() >= 19 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The file that `path` means: a folder gets a default name, a bare name the ending `.log`.
pub(crate) fn file_path(path: &Path) -> PathBuf {
    if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        path.join(NAME_DEFAULT)
    } else if path.extension().is_none() {
        path.with_extension("log")
    } else {
        path.to_owned()
    }
}

/// Only its owner may read a log: it names paths, users and addresses.
fn append(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use base_types::ManualClock;

    use super::*;
    use crate::config::LogLevel;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).unwrap()
        }
    }

    fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::at(Timestamp::from_seconds(1_700_000_000)))
    }

    fn with_log(log: &Log, work: impl FnOnce(&Logging, &Shared)) {
        let console = Shared::default();
        let (logging, subscriber) =
            Logging::build(log, clock(), Box::new(console.clone())).unwrap();
        tracing::subscriber::with_default(subscriber, || work(&logging, &console));
    }

    #[test]
    fn a_line_for_people() {
        with_log(&Log::default(), |_, console| {
            tracing::info!(count = 3, path = "secret/a b", ok = true, "it\nbegan");
            assert_eq!(
                console.take(),
                "2023-11-14T22:13:20Z [INFO]  server.logging.tests: it\\nbegan: count=3 ok=true \
                 path=\"secret/a b\"\n"
            );
            tracing::debug!("too low");
            assert_eq!(console.take(), "");
        });
    }

    #[test]
    fn a_line_for_collectors() {
        let log = Log { format: LogFormat::Json, ..Log::default() };
        with_log(&log, |_, console| {
            tracing::warn!(count = 3, "it began");
            assert_eq!(
                console.take(),
                "{\"@level\":\"warn\",\"@message\":\"it began\",\"@module\":\"server.logging.tests\",\
                 \"@timestamp\":\"2023-11-14T22:13:20Z\",\"count\":3}\n"
            );
        });
    }

    #[test]
    fn the_level_can_change_and_libraries_only_warn() {
        with_log(&Log::default(), |logging, console| {
            logging.reload(&Log { level: LogLevel::Trace, ..Log::default() });
            tracing::trace!("seen");
            assert!(console.take().contains("[TRACE] server.logging.tests: seen"));
            tracing::debug!(target: "hyper::proto", "hidden");
            tracing::warn!(target: "hyper::proto", "seen");
            assert!(console.take().ends_with("[WARN]  hyper.proto: seen\n"));
            logging.reload(&Log { level: LogLevel::Error, ..Log::default() });
            tracing::warn!(target: "hyper::proto", "hidden");
            tracing::warn!("hidden");
            assert_eq!(console.take(), "");
        });
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_file_is_set_aside_by_size_and_age_and_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let rotation = Rotation { bytes: Some(10), age: Duration::from_secs(60), files: Some(2) };
        let clock = clock();
        let path = folder.path().join("server");
        let mut file = LogFile::open(&path, rotation, &*clock).ok().unwrap();
        std::fs::write(folder.path().join("server-notes.log"), "mine").unwrap();
        file.write(b"12345\n", clock.now()).unwrap();
        file.write(b"1234", clock.now()).unwrap();
        assert_eq!(names(folder.path()), ["server-notes.log", "server.log"]);
        for _ in 0..4 {
            clock.advance(Ttl::from_seconds(1));
            file.write(b"123456\n", clock.now()).unwrap();
        }
        // Two set aside are kept, and what is not ours stays.
        assert_eq!(names(folder.path()).len(), 4);
        clock.advance(Ttl::from_seconds(60));
        file.write(b"x\n", clock.now()).unwrap();
        assert_eq!(std::fs::read(folder.path().join("server.log")).unwrap(), b"x\n");
        assert!(folder.path().join("server-notes.log").exists());
    }

    #[test]
    fn reload_opens_the_file_anew() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log { file: Some(folder.path().to_owned()), ..Log::default() };
        with_log(&log, |logging, _| {
            let path = folder.path().join("strongroom.log");
            tracing::info!("one");
            std::fs::rename(&path, folder.path().join("moved")).unwrap();
            logging.reload(&log);
            tracing::info!("two");
            assert!(std::fs::read_to_string(&path).unwrap().contains("two"));
            let moved = std::fs::read_to_string(folder.path().join("moved")).unwrap();
            assert!(moved.contains("one") && !moved.contains("two"));
        });
        let wrong = Log { file: Some(folder.path().join("none/a.log")), ..Log::default() };
        let error = Logging::build(&wrong, clock(), Box::new(io::sink())).err().unwrap();
        assert!(error.public().contains("cannot be opened"), "{error:?}");
    }
}
