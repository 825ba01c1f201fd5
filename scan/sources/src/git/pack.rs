use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use flate2::read::ZlibDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use gix::ObjectId;
use gix::hash::oid;
use gix::odb::pack::data::{Entry, entry::Header};
use gix::odb::pack::index;

use super::resolve::OBJECT_BYTES_MAX;

/// "No object", as the number of one.
const NONE: u32 = u32::MAX;
/// More than the longest head of an entry: its size in seven-bit groups and the name of its base.
const HEAD_BYTES: usize = 64;
/// How deep chains of deltas go; git itself stops at 4095 and makes them 50 long.
const DEPTH_MAX: usize = 4096;

/// A pack of objects, read without mapping it into memory: its pages would count as memory of the process.
pub(crate) struct Pack {
    pub(crate) path: PathBuf,
    file: File,
    index: index::File<gix::odb::pack::MMap>,
    /// In the order of their place in the file.
    nodes: Vec<Node>,
    /// Where the last entry ends.
    end: u64,
}

/// An object and its place among those that are stored as what differs from it.
struct Node {
    offset: u64,
    /// Its number in the index, for its name.
    position: u32,
    base: u32,
    first_child: u32,
    next_sibling: u32,
    stored: Stored,
}

/// How an entry is stored, in the words of the pack format.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Stored {
    Whole(gix::object::Kind),
    Delta,
    Broken,
}

/// Where an object comes from, by the numbers of nodes.
pub(crate) enum Link {
    Whole,
    DeltaOf(u32),
}

/// The root of a tree of deltas, by the number of its node.
#[derive(Clone, Copy)]
pub(crate) struct Tree {
    pub(crate) root: u32,
    /// Compressed bytes of all objects in it.
    pub(crate) weight: u64,
    pub(crate) objects: u64,
}

impl Pack {
    /// Opens the pack that belongs to an index and reads where each object is and of what it is a delta.
    pub(crate) fn open(index_path: &Path, hash: gix::hash::Kind) -> Result<Self, String> {
        let fault = |e: &dyn std::fmt::Display| e.to_string();
        let index = index::File::at(index_path, hash).map_err(|e| fault(&e))?;
        let path = index_path.with_extension("pack");
        let file = File::open(&path).map_err(|e| fault(&e))?;
        let length = file.metadata().map_err(|e| fault(&e))?.len();
        // What comes last is the checksum of the pack.
        let end = length.saturating_sub(hash.len_in_bytes() as u64);
        let mut nodes: Vec<Node> = (0..index.num_objects())
            .map(|position| Node {
                offset: index.pack_offset_at_index(position),
                position,
                base: NONE,
                first_child: NONE,
                next_sibling: NONE,
                stored: Stored::Broken,
            })
            .collect();
        nodes.sort_unstable_by_key(|node| node.offset);
        let mut pack = Self { path, file, index, nodes, end };
        pack.read_heads();
        Ok(pack)
    }

    /// The node of an object, if it is in this pack.
    pub(crate) fn node(&self, id: &oid) -> Option<u32> {
        let offset = self.index.pack_offset_at_index(self.index.lookup(id)?);
        let find = self.nodes.binary_search_by_key(&offset, |node| node.offset);
        find.ok().and_then(|node| u32::try_from(node).ok())
    }

    /// How an object is stored. `None` if that cannot be read, or it is a delta of what is not there.
    pub(crate) fn link(&self, node: u32) -> Option<Link> {
        let Node { stored, base, .. } = self.nodes[node as usize];
        match stored {
            Stored::Whole(_) => Some(Link::Whole),
            // A base comes to an end in what is whole, or it is a loop.
            Stored::Delta if self.root(node as usize).is_some() => Some(Link::DeltaOf(base)),
            Stored::Delta | Stored::Broken => None,
        }
    }

    /// The place of an object in the index, if it is in this pack.
    pub(crate) fn position(&self, id: &oid) -> Option<usize> {
        self.index.lookup(id).map(|position| position as usize)
    }

    pub(crate) fn position_of(&self, node: u32) -> usize {
        self.nodes[node as usize].position as usize
    }

    /// The name of the object at a place in the index.
    pub(crate) fn id_at(&self, position: usize) -> ObjectId {
        self.index.oid_at_index(position as u32).to_owned()
    }

    /// How many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn id(&self, node: u32) -> &oid {
        self.index.oid_at_index(self.nodes[node as usize].position)
    }

    pub(crate) fn children(&self, node: u32) -> impl Iterator<Item = u32> {
        let mut next = self.nodes[node as usize].first_child;
        std::iter::from_fn(move || {
            let child = next;
            next = self.nodes.get(child as usize)?.next_sibling;
            Some(child)
        })
    }

    pub(crate) fn is_leaf(&self, node: u32) -> bool {
        self.nodes[node as usize].first_child == NONE
    }

    /// The trees of deltas whose objects are of a kind, in the order of the file.
    pub(crate) fn trees(&self, kind: gix::object::Kind) -> Vec<Tree> {
        let mut sums = vec![(0, 0); self.nodes.len()];
        for number in 0..self.nodes.len() {
            if let Some(root) = self.root(number) {
                sums[root].0 += self.stored_bytes(number);
                sums[root].1 += 1;
            }
        }
        let roots = self.nodes.iter().zip(sums).enumerate();
        roots
            .filter(|(_, (node, _))| node.stored == Stored::Whole(kind))
            .map(|(root, (_, (weight, objects)))| Tree { root: root as u32, weight, objects })
            .collect()
    }

    /// How many objects are a delta of nothing, or have a head that cannot be read.
    pub(crate) fn broken(&self) -> usize {
        (0..self.nodes.len()).filter(|number| self.root(*number).is_none()).count()
    }

    /// From an object to what it is a delta of, and so on to one that is stored whole: that one first.
    pub(crate) fn chain(&self, node: u32) -> Vec<u32> {
        let mut chain = vec![node];
        let mut at = self.nodes[node as usize].base;
        while at != NONE && chain.len() < DEPTH_MAX {
            chain.push(at);
            at = self.nodes[at as usize].base;
        }
        chain.reverse();
        chain
    }

    fn root(&self, mut number: usize) -> Option<usize> {
        for _ in 0..DEPTH_MAX {
            match self.nodes[number].stored {
                Stored::Whole(_) => return Some(number),
                Stored::Broken => return None,
                Stored::Delta if self.nodes[number].base == NONE => return None,
                Stored::Delta => number = self.nodes[number].base as usize,
            }
        }
        None
    }

    fn stored_bytes(&self, number: usize) -> u64 {
        // An index that is broken names places beyond the end.
        let next = self.nodes.get(number + 1).map_or(self.end, |next| next.offset.min(self.end));
        next.saturating_sub(self.nodes[number].offset)
    }

    fn read_heads(&mut self) {
        let hash = self.index.object_hash();
        let mut heads = Heads { file: &self.file, hash, start: 0, bytes: Vec::new() };
        let mut bases = vec![NONE; self.nodes.len()];
        let mut stored = vec![Stored::Broken; self.nodes.len()];
        for (number, node) in self.nodes.iter().enumerate() {
            let Some(entry) = heads.at(node.offset) else { continue };
            let base = match entry.header {
                Header::OfsDelta { base_distance } => entry.checked_base_pack_offset(base_distance),
                Header::RefDelta { base_id } => {
                    self.index.lookup(base_id).map(|at| self.index.pack_offset_at_index(at))
                }
                Header::Blob | Header::Tree | Header::Commit | Header::Tag => None,
            };
            stored[number] = entry.header.as_kind().map_or(Stored::Delta, Stored::Whole);
            let find =
                |offset| self.nodes.binary_search_by_key(&offset, |node: &Node| node.offset).ok();
            if let Some(base) = base.and_then(find) {
                bases[number] = base as u32;
            }
        }
        // Backwards, so that the children of a node are in the order of the file.
        for number in (0..self.nodes.len()).rev() {
            self.nodes[number].stored = stored[number];
            let base = bases[number];
            if base != NONE {
                self.nodes[number].base = base;
                self.nodes[number].next_sibling = self.nodes[base as usize].first_child;
                self.nodes[base as usize].first_child = number as u32;
            }
        }
    }
}

/// The heads of all entries, read in the order of the file.
struct Heads<'a> {
    file: &'a File,
    hash: gix::hash::Kind,
    start: u64,
    bytes: Vec<u8>,
}

impl Heads<'_> {
    const STEP: usize = 256 * 1024;

    fn at(&mut self, offset: u64) -> Option<Entry> {
        let within = |heads: &Self| {
            let from = usize::try_from(offset.checked_sub(heads.start)?).ok()?;
            heads.bytes.get(from..).filter(|rest| rest.len() >= HEAD_BYTES).map(<[u8]>::len)
        };
        if within(self).is_none() {
            self.bytes.resize(Self::STEP, 0);
            self.start = offset;
            let read = read_up_to(self.file, &mut self.bytes, offset).ok()?;
            self.bytes.truncate(read);
        }
        let from = (offset - self.start) as usize;
        Entry::from_bytes(self.bytes.get(from..)?, offset, self.hash).ok()
    }
}

/// Reads objects as they are stored, with buffers that are used again.
pub(crate) struct Inflater {
    state: Decompress,
    compressed: Vec<u8>,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self { state: Decompress::new(true), compressed: Vec::new() }
    }

    /// The size of what is stored: of the object, or of the delta.
    pub(crate) fn size(&mut self, pack: &Pack, node: u32) -> Result<u64, String> {
        self.head(pack, node).map(|entry| entry.decompressed_size)
    }

    /// What is stored, decompressed: the object, or the delta.
    pub(crate) fn read(
        &mut self,
        pack: &Pack,
        node: u32,
        into: &mut Vec<u8>,
    ) -> Result<(), String> {
        // Deflate makes nothing twice as large; more is no object that is held in memory.
        if pack.stored_bytes(node as usize) > 2 * OBJECT_BYTES_MAX {
            return Err("it takes more than 256 MiB of its pack".into());
        }
        let entry = self.entry(pack, node)?;
        if entry.decompressed_size > OBJECT_BYTES_MAX {
            return Err("it is larger than 128 MiB".into());
        }
        let size = usize::try_from(entry.decompressed_size).map_err(|e| e.to_string())?;
        let data = &self.compressed[entry.header_size()..];
        // No stream of deflate grows to more than 1032 times its size.
        if size / 1032 > data.len() {
            return Err("its size is not what it says".into());
        }
        into.clear();
        // One more byte than needed, so that a stream that is too long shows.
        into.reserve(size + 1);
        self.state.reset(true);
        match self.state.decompress_vec(data, into, FlushDecompress::Finish) {
            Ok(Status::StreamEnd) if into.len() == size => Ok(()),
            Ok(_) => Err("its size is not what it says".into()),
            Err(e) => Err(e.to_string()),
        }
    }

    /// The object, for one that is stored whole and too large to be held.
    pub(crate) fn stream<'p>(
        &mut self,
        pack: &'p Pack,
        node: u32,
    ) -> Result<impl Read + use<'p>, String> {
        let entry = self.head(pack, node)?;
        let start = pack.nodes[node as usize].offset;
        let at = start + entry.header_size() as u64;
        let end = start + pack.stored_bytes(node as usize);
        Ok(ZlibDecoder::new(Extract { file: &pack.file, at, end }).take(entry.decompressed_size))
    }

    fn head(&mut self, pack: &Pack, node: u32) -> Result<Entry, String> {
        self.entry_up_to(pack, node, HEAD_BYTES)
    }

    fn entry(&mut self, pack: &Pack, node: u32) -> Result<Entry, String> {
        self.entry_up_to(pack, node, usize::MAX)
    }

    fn entry_up_to(&mut self, pack: &Pack, node: u32, most: usize) -> Result<Entry, String> {
        let offset = pack.nodes[node as usize].offset;
        let length =
            usize::try_from(pack.stored_bytes(node as usize)).unwrap_or(usize::MAX).min(most);
        self.compressed.resize(length, 0);
        pack.file.read_exact_at(&mut self.compressed, offset).map_err(|e| e.to_string())?;
        Entry::from_bytes(&self.compressed, offset, pack.index.object_hash())
            .map_err(|e| e.to_string())
    }
}

/// A part of a file.
struct Extract<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Extract<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = into.len().min(left);
        let read = self.file.read_at(&mut into[..length], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

fn read_up_to(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
