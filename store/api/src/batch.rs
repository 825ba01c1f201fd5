use bytes::Bytes;

use crate::Revision;

/// Writes that happen together, and the conditions under which they may.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub expects: Vec<(String, Expect)>,
    pub ops: Vec<(String, Op)>,
}

/// What must be true of a key at the moment of the commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expect {
    Absent,
    At(Revision),
}

/// What happens to a key. Deleting a key that is not there is no error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Op {
    Delete,
    Put(Bytes),
}

impl Batch {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn delete(mut self, key: impl Into<String>) -> Self {
        self.ops.push((key.into(), Op::Delete));
        self
    }

    pub fn expect(mut self, key: impl Into<String>, expect: Expect) -> Self {
        self.expects.push((key.into(), expect));
        self
    }

    pub fn put(mut self, key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.ops.push((key.into(), Op::Put(value.into())));
        self
    }

    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// The bytes of all keys and values, for limits on memory and log size.
    pub fn size(&self) -> usize {
        let op_size = |op: &Op| match op {
            Op::Delete => 0,
            Op::Put(value) => value.len(),
        };
        self.ops.iter().map(|(key, op)| key.len() + op_size(op)).sum()
    }
}
