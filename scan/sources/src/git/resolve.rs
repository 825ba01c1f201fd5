use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};

use gix::hash::oid;
use gix::object::Kind;

use crate::git::delta::{self, Edit};
use crate::git::pack::{Inflater, Pack, Tree};
use crate::progress::Progress;

/// What is held of one object at most. An object that is stored whole is streamed beyond it.
pub(crate) const OBJECT_BYTES_MAX: u64 = 128 << 20;
/// What one thread holds of the objects above the one that it looks at. More of them is made again when it is needed.
const HELD_BYTES_MAX: usize = 16 << 20;

/// Who looks at objects. Each thread has its own.
pub(crate) trait Visit: Send {
    /// What is kept of an object as long as deltas of it are to come.
    type Memory: Default;

    /// Looks at an object.
    fn object(
        &mut self,
        id: &oid,
        bytes: &[u8],
        relation: Relation<'_, Self::Memory>,
    ) -> Self::Memory;

    /// Lets go of what is large in a memory, and can be made again from the bytes.
    fn shorten(_: &mut Self::Memory) {}

    /// Makes that again.
    fn restore(&self, _: &mut Self::Memory, _bytes: &[u8]) {}

    /// Looks at an object that is too large to be held.
    fn stream(&mut self, id: &oid, bytes: &mut dyn Read);

    /// An object that could not be had, and why.
    fn lost(&mut self, id: &oid, reason: &str);
}

/// What an object has to do with one that was looked at before.
#[derive(Clone, Copy)]
pub(crate) enum Relation<'a, M> {
    None,
    /// It is the same as another one but for some ranges.
    Delta {
        parent: &'a M,
        base: &'a [u8],
        edit: &'a Edit,
    },
}

/// Shows every object of a kind in `pack` to a visitor, each decompressed once: from an object that is stored whole
/// to what is a delta of it, and so on. Shown is what `is_first` says was not shown before.
pub(crate) fn resolve<V: Visit>(
    pack: &Pack,
    kind: Kind,
    visitors: &mut [V],
    is_first: &(dyn Fn(u32) -> bool + Sync),
    progress: &Progress,
) {
    let mut trees = pack.trees(kind);
    progress.expect(trees.iter().map(|tree| tree.objects).sum());
    // The heaviest first, so that no thread has one of them left when the others are done.
    trees.sort_by_key(|tree| std::cmp::Reverse(tree.weight));
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for visitor in visitors {
            scope.spawn(|| {
                let mut walk = Walk::new(pack, visitor, is_first, progress);
                while let Some(tree) = trees.get(next.fetch_add(1, Ordering::Relaxed))
                    && !progress.is_stopped()
                {
                    walk.tree(tree);
                }
            });
        }
    });
}

struct Walk<'a, V: Visit> {
    pack: &'a Pack,
    visitor: &'a mut V,
    is_first: &'a (dyn Fn(u32) -> bool + Sync),
    progress: &'a Progress,
    inflater: Inflater,
    delta: Vec<u8>,
    path: Vec<Step<V::Memory>>,
    held: usize,
    spare: Vec<Vec<u8>>,
}

/// An object whose deltas are being looked at.
struct Step<M> {
    node: u32,
    /// `None` if it was let go to save memory.
    bytes: Option<Vec<u8>>,
    memory: M,
    children: Vec<u32>,
}

impl<'a, V: Visit> Walk<'a, V> {
    fn new(
        pack: &'a Pack,
        visitor: &'a mut V,
        is_first: &'a (dyn Fn(u32) -> bool + Sync),
        progress: &'a Progress,
    ) -> Self {
        Self {
            pack,
            visitor,
            is_first,
            progress,
            inflater: Inflater::new(),
            delta: Vec::new(),
            path: Vec::new(),
            held: 0,
            spare: Vec::new(),
        }
    }

    fn tree(&mut self, tree: &Tree) {
        self.root(tree.root);
        while let Some(step) = self.path.last_mut() {
            if self.progress.is_stopped() {
                return;
            }
            match step.children.pop() {
                Some(child) => self.child(child),
                None => self.leave(),
            }
        }
    }

    fn root(&mut self, node: u32) {
        match self.inflater.size(self.pack, node) {
            Ok(size) if size > OBJECT_BYTES_MAX => return self.large(node),
            Ok(_) => {}
            Err(reason) => return self.lose(node, &reason),
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        if let Err(reason) = self.inflater.read(self.pack, node, &mut bytes) {
            return self.lose(node, &reason);
        }
        let id = self.pack.id(node);
        let memory = match (self.is_first)(node) {
            true => self.visitor.object(id, &bytes, Relation::None),
            false => V::Memory::default(),
        };
        self.enter(node, bytes, memory);
    }

    fn child(&mut self, node: u32) {
        if let Err(reason) = self.inflater.read(self.pack, node, &mut self.delta) {
            return self.lose(node, &reason);
        }
        if delta::result_size(&self.delta).is_none_or(|size| size as u64 > OBJECT_BYTES_MAX) {
            return self.lose(node, "it is a delta and larger than 128 MiB");
        }
        if self.path.last().is_some_and(|step| step.bytes.is_none()) {
            // This also reads into `delta`, so what was read above has to be read again.
            if let Err(reason) = self.restore() {
                return self.lose(node, &reason);
            }
            if let Err(reason) = self.inflater.read(self.pack, node, &mut self.delta) {
                return self.lose(node, &reason);
            }
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        let Some(parent) = self.path.last() else { return };
        let Some(base) = &parent.bytes else { return };
        match delta::apply(base, &self.delta, &mut bytes) {
            Some(edit) => {
                let id = self.pack.id(node);
                let relation = Relation::Delta { parent: &parent.memory, base, edit: &edit };
                let memory = match (self.is_first)(node) {
                    true => self.visitor.object(id, &bytes, relation),
                    false => V::Memory::default(),
                };
                self.enter(node, bytes, memory);
            }
            None => self.lose(node, "its delta does not fit"),
        }
    }

    fn enter(&mut self, node: u32, bytes: Vec<u8>, memory: V::Memory) {
        self.progress.step(1);
        if self.pack.is_leaf(node) {
            return self.keep_spare(bytes);
        }
        self.held += bytes.len();
        let mut children: Vec<u32> = self.pack.children(node).collect();
        children.reverse();
        self.path.push(Step { node, bytes: Some(bytes), memory, children });
        self.let_go();
    }

    fn leave(&mut self) {
        if let Some(bytes) = self.path.pop().and_then(|step| step.bytes) {
            self.held -= bytes.len();
            self.keep_spare(bytes);
        }
    }

    /// Lets go of what is furthest from the present object, which is needed again last.
    fn let_go(&mut self) {
        let Some(above) = self.path.len().checked_sub(1) else { return };
        for step in &mut self.path[..above] {
            if self.held <= HELD_BYTES_MAX {
                return;
            }
            self.held -= step.bytes.take().map_or(0, |bytes| bytes.len());
            V::shorten(&mut step.memory);
        }
    }

    /// Makes the last object of the path again.
    fn restore(&mut self) -> Result<(), String> {
        let Some(step) = self.path.last_mut() else { return Ok(()) };
        let chain = self.pack.chain(step.node);
        let (mut bytes, mut result) = (Vec::new(), Vec::new());
        self.inflater.read(self.pack, chain[0], &mut bytes)?;
        for node in &chain[1..] {
            self.inflater.read(self.pack, *node, &mut self.delta)?;
            delta::apply(&bytes, &self.delta, &mut result).ok_or("its delta does not fit")?;
            std::mem::swap(&mut bytes, &mut result);
        }
        self.held += bytes.len();
        self.visitor.restore(&mut step.memory, &bytes);
        step.bytes = Some(bytes);
        Ok(())
    }

    fn large(&mut self, node: u32) {
        let id = self.pack.id(node);
        match self.inflater.stream(self.pack, node) {
            Ok(mut bytes) if (self.is_first)(node) => self.visitor.stream(id, &mut bytes),
            Ok(_) => {}
            Err(reason) => self.visitor.lost(id, &reason),
        }
        self.progress.step(1);
        for child in self.pack.children(node) {
            self.lose(child, "it is a delta of an object larger than 128 MiB");
        }
    }

    /// Neither the object nor what is a delta of it can be had.
    fn lose(&mut self, node: u32, reason: &str) {
        let mut lost = vec![node];
        while let Some(node) = lost.pop() {
            self.visitor.lost(self.pack.id(node), reason);
            self.progress.step(1);
            lost.extend(self.pack.children(node));
        }
    }

    fn keep_spare(&mut self, bytes: Vec<u8>) {
        // Large buffers are given back, so that one large object does not stay for the rest of the scan.
        if bytes.capacity() <= 256 << 10 && self.spare.len() < 16 {
            self.spare.push(bytes);
        }
    }
}
