//! What the log is made of.
//!
//! ```text
//! record  := length u32 | crc32 u32 | sequence u64 | payload        all numbers little-endian
//! payload := batch*                                                  `length` bytes
//! batch   := ops u32 | op*
//! op      := key length u32 | value length u32, or 0xffffffff to delete | key | value
//! ```
//!
//! A record is what was written and synced at once: a group of batches, of which the first has
//! the revision `sequence` and each further one the next. It is valid as a whole or not at all, so
//! that after a crash only the very last record can be damaged. A record without payload says
//! that the segment ends here and the log goes on in the next one.

use bytes::Bytes;
use store_api::Op;

pub(crate) type Ops = Vec<(String, Op)>;

const HEADER: usize = 16;
const DELETE: u32 = u32::MAX;

/// A record that is being put together.
#[derive(Default)]
pub(crate) struct Record(Vec<u8>);

impl Record {
    pub(crate) fn start(&mut self, sequence: u64) {
        self.0.clear();
        // One commit of many megabytes must not keep its memory for good.
        self.0.shrink_to(1 << 20);
        self.0.extend([0; 8]);
        self.0.extend(sequence.to_le_bytes());
    }

    pub(crate) fn push(&mut self, ops: &[(String, Op)]) {
        // Lengths fit: a batch is at most `BATCH_BYTES_MAX` long.
        self.0.extend((ops.len() as u32).to_le_bytes());
        for (key, op) in ops {
            let (length, value) = match op {
                Op::Delete => (DELETE, &[] as &[u8]),
                Op::Put(value) => (value.len() as u32, value.as_ref()),
            };
            self.0.extend((key.len() as u32).to_le_bytes());
            self.0.extend(length.to_le_bytes());
            self.0.extend(key.as_bytes());
            self.0.extend(value);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.len() <= HEADER
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// The finished record.
    pub(crate) fn seal(&mut self) -> &[u8] {
        let length = (self.0.len() - HEADER) as u32;
        self.0[..4].copy_from_slice(&length.to_le_bytes());
        let crc = checksum(&self.0);
        self.0[4..8].copy_from_slice(&crc.to_le_bytes());
        &self.0
    }
}

/// A valid record in a segment.
pub(crate) struct Found<'a> {
    pub(crate) sequence: u64,
    pub(crate) payload: &'a [u8],
}

impl<'a> Found<'a> {
    /// The record that `bytes` start with, if there is a whole and undamaged one.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        let end = HEADER.checked_add(number(header, 0)? as usize)?;
        let record = bytes.get(..end)?;
        // The sequence starts at one, and so an all-zero header is none.
        let sequence = u64::from_le_bytes(*header[8..].first_chunk()?);
        let valid = sequence != 0 && checksum(record) == number(header, 4)?;
        valid.then_some(Self { sequence, payload: &record[HEADER..] })
    }

    pub(crate) fn len(&self) -> usize {
        HEADER + self.payload.len()
    }

    /// The batches; `None` if the payload is not made of such.
    pub(crate) fn batches(&self) -> Option<Vec<Ops>> {
        let mut rest = self.payload;
        let mut batches = Vec::new();
        while !rest.is_empty() {
            let count = number(take(&mut rest, 4)?, 0)?;
            batches.push((0..count).map(|_| read_op(&mut rest)).collect::<Option<_>>()?);
        }
        Some(batches)
    }
}

/// Where after its damaged start `bytes` hold a valid record of this or a later sequence.
pub(crate) fn find_later(bytes: &[u8], sequence: u64) -> Option<usize> {
    // Looking at the sequence first spares nearly all checksums.
    let possible = sequence..=sequence.saturating_add(bytes.len() as u64);
    let at_sequence = |at: &usize| {
        let found = bytes.get(at + 8..).and_then(|rest| rest.first_chunk());
        found.is_some_and(|found| possible.contains(&u64::from_le_bytes(*found)))
    };
    (1..bytes.len()).filter(at_sequence).find(|at| Found::read(&bytes[*at..]).is_some())
}

fn read_op(rest: &mut &[u8]) -> Option<(String, Op)> {
    let lengths = take(rest, 8)?;
    let (key_length, value_length) = (number(lengths, 0)?, number(lengths, 4)?);
    let key = String::from_utf8(take(rest, key_length as usize)?.to_vec()).ok()?;
    let op = match value_length {
        DELETE => Op::Delete,
        length => Op::Put(Bytes::copy_from_slice(take(rest, length as usize)?)),
    };
    Some((key, op))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The CRC-32 of everything but the checksum itself.
fn checksum(record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&record[..4]);
    hasher.update(&record[8..]);
    hasher.finalize()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sample() -> Record {
        let mut record = Record::default();
        record.start(7);
        record.push(&[("a".into(), Op::Put("xy".into())), ("é".into(), Op::Delete)]);
        record.push(&[("b".into(), Op::Put("".into()))]);
        record
    }

    /// These bytes are on people's disks: a change here needs code that still reads them.
    #[test]
    fn has_stable_bytes() {
        let golden = "26000000877d80260700000000000000\
                      02000000\
                      0100000002000000617879\
                      02000000ffffffffc3a9\
                      01000000\
                      010000000000000062";
        let hex: String = sample().seal().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, golden);
    }

    #[test]
    fn reads_what_it_wrote_and_nothing_else() {
        let mut record = sample();
        let bytes = record.seal();
        let found = Found::read(bytes).unwrap();
        assert_eq!((found.sequence, found.len()), (7, bytes.len()));
        let batches = found.batches().unwrap();
        assert_eq!(batches[0], [("a".into(), Op::Put("xy".into())), ("é".into(), Op::Delete)]);
        assert_eq!(batches[1], [("b".into(), Op::Put("".into()))]);

        for end in 0..bytes.len() {
            assert!(Found::read(&bytes[..end]).is_none(), "cut to {end}");
            for bit in 0..8 {
                let mut flipped = bytes.to_vec();
                flipped[end] ^= 1 << bit;
                assert!(Found::read(&flipped).is_none(), "bit {bit} of byte {end}");
            }
        }
        assert!(Found::read(&[0; 64]).is_none(), "zeros are no record");
    }

    #[test]
    fn finds_a_record_behind_damage() {
        let bytes = [&[0xee; 37], sample().seal(), &[0; 50]].concat();
        assert_eq!(find_later(&bytes, 5), Some(37));
        assert_eq!(find_later(&bytes, 8), None, "an older record is no later one");
        assert_eq!(find_later(&bytes[..80], 5), None, "a cut record is none");
    }
}
