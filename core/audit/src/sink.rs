use std::io::{self, Write};

use base_types::Error;

use crate::Head;

mod file;
mod http;
mod socket;
mod syslog;

pub(crate) use file::{FileSink, FileTarget};
pub use http::HttpPoster;
pub(crate) use http::{HttpSink, PlainPoster};
pub(crate) use socket::{SocketKind, SocketSink};
pub(crate) use syslog::{Facility, SyslogSink};

/// Where a device's lines go. It is used by one thread only, and may block there.
pub(crate) trait Sink: Send {
    /// Opens the file or connects, again if it was open before.
    fn open(&mut self) -> Result<Tail, Error>;

    /// Writes the lines of `batch` from the first on.
    fn write(&mut self, batch: &Batch) -> Written;

    /// Makes what was written survive a crash of the machine, where that means something.
    fn sync(&mut self, _: Flush) -> Result<(), Error> {
        Ok(())
    }

    /// Lets go of the file or connection.
    fn close(&mut self);
}

/// Whether to wait for the disk.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Flush {
    /// Before going on.
    Now,
    /// In the background; a failure is reported by a later call.
    Soon,
}

/// What was found where the lines will go.
#[derive(Default)]
pub(crate) struct Tail {
    /// The last line of an earlier chain, which goes on from here.
    pub(crate) head: Option<Head>,
    /// Bytes of an unfinished line that were cut off.
    pub(crate) torn: u64,
}

/// Complete lines, each with its line end.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    /// Where each line ends.
    pub(crate) ends: Vec<usize>,
}

impl Batch {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// The lines with their line ends.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    /// How many whole lines the first `length` bytes are.
    fn lines_within(&self, length: usize) -> usize {
        self.ends.partition_point(|end| *end <= length)
    }

    fn end_of(&self, lines: usize) -> usize {
        lines.checked_sub(1).map_or(0, |last| self.ends[last])
    }
}

/// What became of a batch.
pub(crate) struct Written {
    /// Lines that were written whole, from the first on.
    pub(crate) lines: usize,
    /// Why the next one was not.
    pub(crate) fault: Option<Fault>,
}

/// Why a line was not written.
pub(crate) enum Fault {
    /// The file or connection does not work.
    Broken(Error),
    /// This one line is longer than a datagram can be; the next one may fit.
    TooLong,
}

impl Written {
    fn all(batch: &Batch) -> Self {
        Self { lines: batch.ends.len(), fault: None }
    }

    fn broken(lines: usize, error: Error) -> Self {
        Self { lines, fault: Some(Fault::Broken(error)) }
    }
}

/// Writes `batch` as a stream; returns the number of bytes that were taken.
fn write_stream(mut stream: impl Write, batch: &Batch) -> (usize, Option<io::Error>) {
    let mut done = 0;
    while done < batch.bytes.len() {
        match stream.write(&batch.bytes[done..]) {
            Ok(0) => return (done, Some(io::ErrorKind::WriteZero.into())),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done, Some(error)),
        }
    }
    (done, None)
}

/// Sends each line by itself. `send` is given the line without its end.
fn send_datagrams(
    batch: &Batch,
    place: &str,
    mut send: impl FnMut(&[u8]) -> io::Result<usize>,
) -> Written {
    for (index, line) in batch.lines().enumerate() {
        match send(line.strip_suffix(b"\n").unwrap_or(line)) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                return Written { lines: index, fault: Some(Fault::TooLong) };
            }
            Err(error) => return Written::broken(index, failed("send to", place, &error)),
        }
    }
    Written::all(batch)
}

fn failed(what: &str, place: &str, error: &io::Error) -> Error {
    Error::unavailable(format!("failed to {what} {place}: {error}"))
}
