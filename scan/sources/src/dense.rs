use std::fs::File;
use std::io::{self, Read, Seek};

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

/// A file without its holes, in the place of each of which stands one zero byte: a sparse file of terabytes has
/// little to read.
pub(crate) struct Dense {
    file: File,
    at: u64,
    data_end: u64,
}

impl Dense {
    pub(crate) fn new(file: File) -> Self {
        Self { file, at: 0, data_end: 0 }
    }

    /// Goes to where the next data is. `false` at the end of the file.
    fn next_data(&mut self) -> io::Result<bool> {
        match seek(&self.file, SeekFrom::Data(self.at)) {
            Ok(start) => {
                self.at = start;
                self.data_end = seek(&self.file, SeekFrom::Hole(start))?;
                self.file.seek(io::SeekFrom::Start(start))?;
                Ok(true)
            }
            Err(Errno::NXIO) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }
}

impl Read for Dense {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if self.at >= self.data_end {
            let before = self.at;
            if !self.next_data()? {
                return Ok(0);
            }
            if self.at > before {
                into[0] = 0;
                return Ok(1);
            }
        }
        let left = usize::try_from(self.data_end - self.at).unwrap_or(usize::MAX);
        let length = into.len().min(left);
        let read = self.file.read(&mut into[..length])?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    use std::os::unix::fs::FileExt;

    #[test]
    fn holes_are_passed_over() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all_at(b"start", 0).unwrap();
        file.write_all_at(b"end", 1 << 40).unwrap();
        file.rewind().unwrap();
        let mut bytes = Vec::new();
        Dense::new(file).read_to_end(&mut bytes).unwrap();
        // What is between the data and the border of its block is there as zeros.
        bytes.retain(|byte| *byte != 0);
        assert_eq!(bytes, b"startend");
    }
}
