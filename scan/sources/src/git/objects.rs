use std::collections::HashMap;
use std::sync::Arc;

use gix::ObjectId;

use crate::git::delta;
use crate::git::pack::{Inflater, Link, Pack};
use crate::git::resolve::OBJECT_BYTES_MAX;
use crate::git::store::{Place, Store};

/// Where single objects are read.
pub(crate) trait Objects {
    /// The content of an object.
    ///
    /// # Errors
    ///
    /// Why it cannot be had.
    fn read(&mut self, id: ObjectId) -> Result<Arc<Vec<u8>>, Lost>;
}

/// Why an object is not at hand.
#[derive(Debug)]
pub(crate) enum Lost {
    Broken(String),
    /// It is larger than [`OBJECT_BYTES_MAX`], so nobody holds it.
    TooLarge,
}

impl From<String> for Lost {
    fn from(reason: String) -> Self {
        Self::Broken(reason)
    }
}

impl From<&str> for Lost {
    fn from(reason: &str) -> Self {
        Self::Broken(reason.to_owned())
    }
}

impl From<Lost> for String {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Broken(reason) => reason,
            Lost::TooLarge => "it is larger than 128 MiB".into(),
        }
    }
}

/// As the library reads them: best for a few, as nothing has to be known before.
impl Objects for &gix::Repository {
    fn read(&mut self, id: ObjectId) -> Result<Arc<Vec<u8>>, Lost> {
        if self.find_header(id).map_err(|e| e.to_string())?.size() > OBJECT_BYTES_MAX {
            return Err(Lost::TooLarge);
        }
        let object = self.find_object(id).map_err(|e| e.to_string())?;
        Ok(Arc::new(object.detach().data))
    }
}

/// Reads many objects of a [`Store`], whose packs are not mapped into memory. It keeps what it has read last, in two
/// generations: when the recent one is full, what it holds and is not asked for again goes with the next time.
pub(crate) struct Reader<'a> {
    store: &'a Store,
    inflater: Inflater,
    delta: Vec<u8>,
    recent: Generation,
    before: Generation,
}

/// By the number of the pack and of the node in it.
#[derive(Default)]
struct Generation {
    objects: HashMap<(usize, u32), Arc<Vec<u8>>>,
    bytes: usize,
}

const GENERATION_BYTES_MAX: usize = 4 << 20;
/// A larger object is not kept.
const KEPT_BYTES_MAX: usize = 1 << 20;

impl Objects for Reader<'_> {
    fn read(&mut self, id: ObjectId) -> Result<Arc<Vec<u8>>, Lost> {
        match self.store.place(&id) {
            Some(Place::Packed { pack, number, node }) => self.packed(pack, number, node),
            Some(Place::Loose(loose)) => loose.read().map(Arc::new),
            None => Err(Lost::Broken(format!("object {id} is not in the repository"))),
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self {
            store,
            inflater: Inflater::new(),
            delta: Vec::new(),
            recent: Generation::default(),
            before: Generation::default(),
        }
    }

    /// Goes from delta to delta to an object that is at hand or stored whole, and back.
    fn packed(&mut self, pack: &Pack, number: usize, node: u32) -> Result<Arc<Vec<u8>>, Lost> {
        let mut deltas = Vec::new();
        let mut at = node;
        let mut bytes = loop {
            if let Some(bytes) = self.kept((number, at)) {
                break bytes;
            }
            match pack.link(at).ok_or("a delta of it is broken")? {
                Link::Whole => {
                    if self.inflater.size(pack, at)? > OBJECT_BYTES_MAX {
                        return Err(Lost::TooLarge);
                    }
                    let mut bytes = Vec::new();
                    self.inflater.read(pack, at, &mut bytes)?;
                    let bytes = Arc::new(bytes);
                    self.keep((number, at), &bytes);
                    break bytes;
                }
                Link::DeltaOf(base) => {
                    deltas.push(at);
                    at = base;
                }
            }
        };
        while let Some(node) = deltas.pop() {
            self.inflater.read(pack, node, &mut self.delta)?;
            if delta::result_size(&self.delta).is_none_or(|size| size as u64 > OBJECT_BYTES_MAX) {
                return Err(Lost::TooLarge);
            }
            let mut result = Vec::new();
            delta::apply(&bytes, &self.delta, &mut result).ok_or("its delta does not fit")?;
            bytes = Arc::new(result);
            self.keep((number, node), &bytes);
        }
        Ok(bytes)
    }

    fn kept(&mut self, key: (usize, u32)) -> Option<Arc<Vec<u8>>> {
        if let Some(bytes) = self.recent.objects.get(&key) {
            return Some(Arc::clone(bytes));
        }
        let bytes = self.before.objects.remove(&key)?;
        self.keep(key, &bytes);
        Some(bytes)
    }

    fn keep(&mut self, key: (usize, u32), bytes: &Arc<Vec<u8>>) {
        if bytes.len() > KEPT_BYTES_MAX {
            return;
        }
        self.recent.bytes += bytes.len();
        self.recent.objects.insert(key, Arc::clone(bytes));
        if self.recent.bytes > GENERATION_BYTES_MAX {
            self.before = std::mem::take(&mut self.recent);
        }
    }
}
