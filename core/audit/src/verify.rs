use std::fmt;
use std::io::{self, BufRead};

use base_types::Timestamp;

use crate::Head;
use crate::chain::{End, INTERVAL, LINES_MAX, Line, Reason, Seal, key_id};

/// What [`verify`] has found.
///
/// Signatures prove the lines up to `signed`. The lines after it are only chained: whoever can
/// write the file could have cut them off or replaced them while the server was down, and cutting
/// a log back to any earlier checkpoint leaves an intact, shorter log. Only `head`, kept where the
/// server cannot write and given to a later [`verify`], can show that.
#[derive(Debug, Default)]
pub struct Report {
    /// Requests and responses.
    pub entries: u64,
    pub checkpoints: u64,
    /// Entries that the device itself reports as not written.
    pub lost: u64,
    /// The times of the first and last line that has one.
    pub times: Option<(Timestamp, Timestamp)>,
    /// The device that wrote the log.
    pub device: Option<String>,
    /// The number of the first line. Above 1 when older files are not among those given.
    pub first_seq: u64,
    /// The last line.
    pub head: Option<Head>,
    /// The last checkpoint with a good signature.
    pub signed: Option<Head>,
    /// Entries after the last checkpoint.
    pub unsigned: u64,
    /// Entries that no checkpoint of the run that wrote them covers, because the server was killed
    /// or the device failed. The next run signed what it found.
    pub unproven: u64,
    /// How often an unfinished line was cut off when the server started again.
    pub cuts: u64,
    /// The log ends as it does when the server closes the device.
    pub closed: bool,
    /// Bytes of an unfinished line at the very end, which a running or killed server leaves. They
    /// count as nothing: the server had not acknowledged the line.
    pub torn: u64,
    /// The first 1000 problems in the order of the lines.
    pub problems: Vec<Problem>,
    /// All problems, listed or not.
    pub problem_count: u64,
}

/// More problems than this are counted and not listed.
const PROBLEMS_MAX: usize = 1000;

impl Report {
    /// Nothing is wrong, within the limits that [`Report`] states.
    pub fn is_intact(&self) -> bool {
        self.problem_count == 0
    }
}

/// Something that is wrong, and where it shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    pub file: String,
    /// Counted from 1 in its file.
    pub line: u64,
    pub kind: ProblemKind,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.kind)
    }
}

/// What can be wrong with a log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ProblemKind {
    /// The place that was kept outside is not in the log.
    AnchorMissing,
    /// The log does not begin with a signed opening checkpoint.
    BeginningMissing,
    /// The line before was changed or replaced, or this line's reference to it.
    Changed,
    /// No checkpoint was written although one was due: lines were added or replaced.
    CheckpointMissing,
    /// The log is empty.
    Empty,
    /// Another device wrote the line.
    ForeignDevice { device: String },
    /// Not a line of a chain: damaged, or written by something else.
    NotChained,
    /// The number goes back: the line or those before it were inserted, repeated or moved.
    OutOfOrder { expected: u64, found: u64 },
    /// Lines are missing before this one, or were moved.
    Removed { expected: u64, found: u64 },
    /// The chain begins anew, so nothing ties it to the lines before.
    Restarted,
    /// The signature of the checkpoint is wrong.
    SignatureWrong,
    /// The last line is not finished although the log goes on in the next file.
    Torn,
    /// None of the given keys has the id that the checkpoint names.
    UnknownKey { id: String },
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnchorMissing => f.write_str("the log does not reach the given head, or another line stands in its place"),
            Self::BeginningMissing => f.write_str("the log does not begin with a signed opening checkpoint: lines before this one are missing"),
            Self::Changed => f.write_str("does not continue the line before it: one of the two was changed"),
            Self::CheckpointMissing => write!(f, "a checkpoint was due within {LINES_MAX} lines or {INTERVAL} and is not here"),
            Self::Empty => f.write_str("there is no line"),
            Self::ForeignDevice { device } => write!(f, "was written by another device, {device:?}"),
            Self::NotChained => f.write_str("is not a line of a chain: it was damaged or added"),
            Self::OutOfOrder { expected, found } => write!(f, "has number {found} where {expected} is expected: it was inserted, repeated or moved"),
            Self::Removed { expected, found } => write!(f, "has number {found} where {expected} is expected: lines before it were removed or moved"),
            Self::Restarted => f.write_str("begins a new chain: nothing proves what stood before it"),
            Self::SignatureWrong => f.write_str("the signature of this checkpoint is wrong"),
            Self::Torn => f.write_str("the last line of the file is not finished"),
            Self::UnknownKey { id } => write!(f, "the checkpoint is signed by key {id}, which was not given"),
        }
    }
}

/// Checks the files of one device, given from the oldest to the newest with their names, against
/// the public keys of the server. With `anchor`, a head that was kept elsewhere, the log must hold
/// that line.
///
/// # Errors
/// Only when a file cannot be read.
pub fn verify<R: BufRead>(
    files: impl IntoIterator<Item = (String, R)>,
    keys: &[[u8; 32]],
    anchor: Option<Head>,
) -> io::Result<Report> {
    let mut check = Check {
        keys: keys.iter().map(|key| (key_id(key), *key)).collect(),
        anchor,
        anchored: anchor.is_none() || anchor == Some(Head::START),
        report: Report::default(),
        end: None,
        doubt: false,
        file: String::new(),
        line: 0,
    };
    for (name, reader) in files {
        check.file(name, reader)?;
    }
    Ok(check.finish())
}

struct Check {
    /// By id.
    keys: Vec<(String, [u8; 32])>,
    anchor: Option<Head>,
    anchored: bool,
    report: Report,
    /// Where the chain stands; `None` before the first line.
    end: Option<End>,
    /// A line that is none has just been reported: it may be the one that is missing next.
    doubt: bool,
    file: String,
    line: u64,
}

impl Check {
    fn file(&mut self, name: String, mut reader: impl BufRead) -> io::Result<()> {
        if self.report.torn > 0 {
            self.report.torn = 0;
            self.problem(ProblemKind::Torn);
        }
        self.file = name;
        self.line = 0;
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            if reader.read_until(b'\n', &mut bytes)? == 0 {
                return Ok(());
            }
            self.line += 1;
            match bytes.split_last() {
                Some((b'\n', line)) => self.line(line),
                _ => self.report.torn = bytes.len() as u64,
            }
        }
    }

    fn line(&mut self, bytes: &[u8]) {
        let Some(line) = Line::parse(bytes) else {
            self.problem(ProblemKind::NotChained);
            self.doubt = true;
            return;
        };
        match self.end {
            None => self.first(&line),
            Some(end) => self.continues(end, &line),
        }
        let end = self.end.unwrap_or_else(|| End::at(Head::START));
        let time = line.time.unwrap_or(Timestamp::EPOCH);
        self.end = Some(match &line.seal {
            Some(seal) => {
                if seal.reason == Reason::Open {
                    self.report.unproven += end.unsigned;
                }
                self.seal(seal, &line, bytes);
                End::at(line.head())
            }
            None => {
                self.report.entries += 1;
                self.report.closed = false;
                if end.is_due(time) {
                    self.problem(ProblemKind::CheckpointMissing);
                    End::at(line.head())
                } else {
                    end.after_entry(line.head(), time)
                }
            }
        });
        self.doubt = false;
        self.anchored |= self.anchor == Some(line.head());
        if let Some(time) = line.time {
            let first = self.report.times.map_or(time, |(first, _)| first.min(time));
            let last = self.report.times.map_or(time, |(_, last)| last.max(time));
            self.report.times = Some((first, last));
        }
    }

    fn first(&mut self, line: &Line) {
        self.report.first_seq = line.seq;
        let opens = line.seal.as_ref().is_some_and(|seal| seal.reason == Reason::Open);
        let whole = line.seq != 1 || line.prev == Head::START.hash;
        if !opens || !whole {
            self.problem(ProblemKind::BeginningMissing);
        }
    }

    fn continues(&mut self, end: End, line: &Line) {
        // No log gets that far, but whoever forges one may write any number.
        let expected = end.head.seq.saturating_add(1);
        if line.seq == expected {
            if line.prev != end.head.hash {
                self.problem(ProblemKind::Changed);
            }
        } else if line.seq == 1 && line.prev == Head::START.hash {
            self.problem(ProblemKind::Restarted);
        } else if line.seq < expected {
            self.problem(ProblemKind::OutOfOrder { expected, found: line.seq });
        } else if !(self.doubt && line.seq == expected + 1) {
            self.problem(ProblemKind::Removed { expected, found: line.seq });
        }
    }

    fn seal(&mut self, seal: &Seal, line: &Line, bytes: &[u8]) {
        self.report.checkpoints += 1;
        self.report.lost = self.report.lost.saturating_add(seal.lost);
        self.report.cuts += u64::from(seal.torn > 0);
        self.report.closed = seal.reason == Reason::Close;
        match self.keys.iter().find(|(id, _)| *id == seal.key) {
            None => self.problem(ProblemKind::UnknownKey { id: seal.key.clone() }),
            Some((_, key)) if !seal.is_signed_by(key, bytes) => {
                self.problem(ProblemKind::SignatureWrong);
            }
            Some(_) => self.report.signed = Some(line.head()),
        }
        let device = self.report.device.get_or_insert_with(|| seal.device.clone());
        if *device != seal.device {
            self.problem(ProblemKind::ForeignDevice { device: seal.device.clone() });
        }
    }

    fn finish(mut self) -> Report {
        match self.end {
            None => self.problem(ProblemKind::Empty),
            Some(end) => {
                self.report.head = Some(end.head);
                self.report.unsigned = end.unsigned;
            }
        }
        if !self.anchored {
            self.problem(ProblemKind::AnchorMissing);
        }
        self.report
    }

    fn problem(&mut self, kind: ProblemKind) {
        self.report.problem_count += 1;
        if self.report.problems.len() < PROBLEMS_MAX {
            self.report.problems.push(Problem { file: self.file.clone(), line: self.line, kind });
        }
    }
}
