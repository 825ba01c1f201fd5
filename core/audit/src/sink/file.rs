use std::fs::{File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use base_types::Error;

use super::{Batch, Flush, Sink, Tail, Written, failed, write_stream};
use crate::chain::Line;

/// What `file_path` names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum FileTarget {
    Discard,
    Path(PathBuf),
    Stdout,
}

/// A file, a named pipe, a terminal: what can be opened and appended to.
///
/// A regular file is locked against a second writer, so that no two chains get mixed, and keeps
/// only whole lines: what was written of a line when the disk was full is cut off again, and so is,
/// when the file is opened, the line that a killed machine left unfinished. Nobody was told that
/// such a line had been recorded.
pub(crate) struct FileSink {
    target: FileTarget,
    /// Permission bits to set; `None` leaves those of the file alone.
    mode: Option<u32>,
    open: Option<OpenFile>,
}

struct OpenFile {
    file: Arc<File>,
    /// Only regular files have one.
    syncer: Option<Syncer>,
}

const MODE_DEFAULT: u32 = 0o600;

impl FileSink {
    pub(crate) fn new(target: FileTarget, mode: Option<u32>) -> Self {
        Self { target, mode, open: None }
    }

    fn place(&self) -> String {
        match &self.target {
            FileTarget::Discard => "discard".into(),
            FileTarget::Path(path) => path.display().to_string(),
            FileTarget::Stdout => "stdout".into(),
        }
    }

    fn open_path(&self, path: &PathBuf) -> Result<(OpenFile, Tail), Error> {
        let special = std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
        let mode = self.mode.unwrap_or(MODE_DEFAULT);
        let mut options = OpenOptions::new();
        // A pipe that is opened for reading too would never report that its reader is gone.
        options.append(true).read(!special).create(!special).mode(mode);
        let fail = |error: &io::Error| failed("open", &self.place(), error);
        let file = options.open(path).map_err(|error| fail(&error))?;
        let metadata = file.metadata().map_err(|error| fail(&error))?;
        if !metadata.is_file() {
            return Ok((OpenFile { file: Arc::new(file), syncer: None }, Tail::default()));
        }
        self.lock(&file)?;
        self.set_mode(&file, &metadata)?;
        let tail = self.tail(&file, metadata.len())?;
        let file = Arc::new(file);
        let syncer = Syncer::start(Arc::clone(&file)).map_err(|error| fail(&error))?;
        Ok((OpenFile { file, syncer: Some(syncer) }, tail))
    }

    fn lock(&self, file: &File) -> Result<(), Error> {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Error::unavailable(format!(
                "{} is being written by another audit device or process: give each its own file",
                self.place()
            ))),
            // A file system without locks is no reason not to write.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        }
    }

    fn set_mode(&self, file: &File, metadata: &Metadata) -> Result<(), Error> {
        match self.mode {
            Some(mode) if metadata.permissions().mode() & 0o7777 != mode => file
                .set_permissions(Permissions::from_mode(mode))
                .map_err(|error| failed("set the mode of", &self.place(), &error)),
            _ => Ok(()),
        }
    }

    /// Finds the last whole line and cuts off what follows it.
    fn tail(&self, file: &File, length: u64) -> Result<Tail, Error> {
        let (last, torn) =
            read_tail(file, length).map_err(|error| failed("read", &self.place(), &error))?;
        let line = last.as_deref().and_then(Line::parse);
        if last.is_some() && line.is_none() {
            tracing::warn!(
                file = self.place(),
                "the last line of the audit log is not one of this server: a new chain begins after it"
            );
        }
        if !torn.is_empty() {
            // Only what a device can have left behind: never empty a file that was named by mistake.
            if line.is_none() && !looks_like_ours(&torn) {
                return Err(Error::unavailable(format!(
                    "{} is not an audit log: choose another file or move it away",
                    self.place()
                )));
            }
            file.set_len(length - torn.len() as u64).map_err(|error| {
                failed("cut the unfinished last line of", &self.place(), &error)
            })?;
        }
        Ok(Tail { head: line.map(|line| line.head()), torn: torn.len() as u64 })
    }
}

impl Sink for FileSink {
    fn open(&mut self) -> Result<Tail, Error> {
        self.close();
        let (open, tail) = match &self.target {
            FileTarget::Discard => return Ok(Tail::default()),
            FileTarget::Path(path) => self.open_path(path)?,
            FileTarget::Stdout => {
                let handle = io::stdout().as_fd().try_clone_to_owned();
                let handle = handle.map_err(|error| failed("open", &self.place(), &error))?;
                (OpenFile { file: Arc::new(handle.into()), syncer: None }, Tail::default())
            }
        };
        self.open = Some(open);
        Ok(tail)
    }

    fn write(&mut self, batch: &Batch) -> Written {
        let Some(open) = &self.open else {
            return match self.target {
                FileTarget::Discard => Written::all(batch),
                _ => Written::broken(0, Error::unavailable(format!("{} is closed", self.place()))),
            };
        };
        let (done, error) = write_stream(&*open.file, batch);
        let Some(error) = error else {
            return Written::all(batch);
        };
        let lines = batch.lines_within(done);
        let surplus = done - batch.end_of(lines);
        if surplus > 0 && open.syncer.is_some() {
            let cut = open.file.metadata().and_then(|metadata| {
                open.file.set_len(metadata.len().saturating_sub(surplus as u64))
            });
            if let Err(error) = cut {
                // Opening the file again repeats the attempt.
                tracing::warn!(file = self.place(), %error, "failed to cut off half a line");
            }
        }
        Written::broken(lines, failed("write", &self.place(), &error))
    }

    fn sync(&mut self, flush: Flush) -> Result<(), Error> {
        let Some(OpenFile { file, syncer: Some(syncer) }) = &self.open else {
            return Ok(());
        };
        let synced = match flush {
            Flush::Now => file.sync_data(),
            Flush::Soon => syncer.request(),
        };
        synced.map_err(|error| failed("sync", &self.place(), &error))
    }

    fn close(&mut self) {
        self.open = None;
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // The syncer may hold the file for a moment longer; the lock must not wait for it.
        if self.syncer.is_some()
            && let Err(error) = self.file.unlock()
        {
            tracing::debug!(%error, "failed to unlock an audit log");
        }
    }
}

/// Calls `fdatasync` on a thread of its own, because the writer must not wait for the disk at
/// every checkpoint. Requests that arrive during a sync become one.
struct Syncer {
    requests: SyncSender<()>,
    failed: Arc<AtomicBool>,
}

impl Syncer {
    fn start(file: Arc<File>) -> io::Result<Self> {
        let (requests, received) = sync_channel(1);
        let failed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&failed);
        thread::Builder::new().name("audit-sync".into()).spawn(move || {
            for () in received {
                if file.sync_data().is_err() {
                    flag.store(true, Ordering::Release);
                }
            }
        })?;
        Ok(Self { requests, failed })
    }

    fn request(&self) -> io::Result<()> {
        // A full channel already holds a request that comes after what was written.
        let _ = self.requests.try_send(());
        if self.failed.swap(false, Ordering::AcqRel) {
            return Err(io::Error::other("the disk reported a failed write"));
        }
        Ok(())
    }
}

const TAIL_LENGTH: u64 = 64 * 1024;
const TAIL_LENGTH_MAX: u64 = 1024 * 1024 * 1024;

/// The last whole line without its end, if there is one, and the bytes after it.
fn read_tail(file: &File, length: u64) -> io::Result<(Option<Vec<u8>>, Vec<u8>)> {
    let mut window = TAIL_LENGTH;
    loop {
        let start = length.saturating_sub(window);
        let mut bytes = vec![0; usize::try_from(length - start).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, start)?;
        let line_end = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'\n');
        let last = line_end(&bytes);
        let before = last.and_then(|last| line_end(&bytes[..last]));
        if start > 0 && before.is_none() {
            if window >= TAIL_LENGTH_MAX {
                return Err(io::Error::other("its last line is longer than 1 GiB"));
            }
            window *= 8;
            continue;
        }
        let torn = bytes.split_off(last.map_or(0, |last| last + 1));
        let line = last.map(|last| bytes[before.map_or(0, |before| before + 1)..last].to_vec());
        return Ok((line, torn));
    }
}

/// Whether `torn` is the beginning of a log's first line, or zeros that a file system left.
fn looks_like_ours(torn: &[u8]) -> bool {
    const START: &[u8] = br#"{"time":""#;
    let json = torn.iter().position(|byte| *byte == b'{').map_or(torn, |at| &torn[at..]);
    torn.iter().all(|byte| *byte == 0) || json.starts_with(&START[..json.len().min(START.len())])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sink(path: &std::path::Path, mode: Option<u32>) -> FileSink {
        FileSink::new(FileTarget::Path(path.into()), mode)
    }

    fn batch(lines: &[&str]) -> Batch {
        let mut batch = Batch::default();
        for line in lines {
            batch.bytes.extend_from_slice(line.as_bytes());
            batch.bytes.push(b'\n');
            batch.ends.push(batch.bytes.len());
        }
        batch
    }

    #[test]
    fn a_second_writer_is_refused_until_the_first_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (mut first, mut second) = (sink(&path, None), sink(&path, None));
        first.open().unwrap();
        let refusal = second.open().err().unwrap();
        assert!(refusal.public().contains("another audit device"), "{refusal:?}");
        first.open().unwrap();
        first.close();
        second.open().unwrap();
    }

    #[test]
    fn the_mode_is_set_on_new_and_old_files_and_left_alone_when_zero() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        sink(&path, Some(0o600)).open().unwrap();
        assert_eq!(mode(), 0o600);
        sink(&path, Some(0o640)).open().unwrap();
        assert_eq!(mode(), 0o640);
        sink(&path, None).open().unwrap();
        assert_eq!(mode(), 0o640);
    }

    #[test]
    fn lines_of_any_length_are_found_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let check = |content: &str, line: Option<&str>, torn: &str| {
            std::fs::write(&path, content).unwrap();
            let file = File::open(&path).unwrap();
            let (found, rest) = read_tail(&file, content.len() as u64).unwrap();
            assert_eq!(found.as_deref(), line.map(str::as_bytes));
            assert_eq!(rest, torn.as_bytes());
        };
        check("", None, "");
        check("a", None, "a");
        check("a\n", Some("a"), "");
        check("a\nb\n", Some("b"), "");
        check("a\nb\nc", Some("b"), "c");
        let long = "x".repeat(200_000);
        check(&format!("a\n{long}\n"), Some(&long), "");
        check(&format!("a\nb\n{long}"), Some("b"), &long);
    }

    #[test]
    fn a_file_that_is_no_log_is_not_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        std::fs::write(&path, "precious").unwrap();
        assert!(sink(&path, None).open().is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        for torn in ["{", "{\"time\":\"2026", "{\"ti", "\0\0\0\0"] {
            std::fs::write(&path, torn).unwrap();
            assert_eq!(sink(&path, None).open().unwrap().torn, torn.len() as u64);
            assert_eq!(std::fs::read(&path).unwrap(), b"");
        }
    }

    #[test]
    fn special_names_and_devices_are_written_without_a_tail() {
        let mut discard = FileSink::new(FileTarget::Discard, None);
        discard.open().unwrap();
        assert_eq!(discard.write(&batch(&["a", "b"])).lines, 2);
        let mut full = sink("/dev/full".as_ref(), Some(0o600));
        full.open().unwrap();
        let written = full.write(&batch(&["a"]));
        assert!(written.lines == 0 && written.fault.is_some());
    }
}
