use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use flate2::bufread::ZlibDecoder;
use gix::ObjectId;
use gix::hash::oid;
use gix::object::Kind;

use crate::git::objects::Lost;
use crate::git::pack::{Inflater, Link, Pack};
use crate::git::resolve::{OBJECT_BYTES_MAX, Relation, Visit, resolve};
use crate::outcome::Gap;
use crate::progress::Progress;

/// All objects of a repository, also of those that it borrows from.
pub(crate) struct Store {
    hash: gix::hash::Kind,
    packs: Vec<Pack>,
    loose: HashMap<ObjectId, Loose>,
    /// By the number of an object: whether it was shown to a visitor.
    shown: Vec<AtomicBool>,
}

/// An object in a file of its own.
pub(crate) struct Loose {
    path: PathBuf,
    /// Its place among the loose ones.
    number: usize,
}

/// Where an object is.
pub(crate) enum Place<'a> {
    /// By the number of the pack and of the node in it.
    Packed {
        pack: &'a Pack,
        number: usize,
        node: u32,
    },
    Loose(&'a Loose),
}

impl Store {
    /// Opens all packs and lists all loose objects. What is broken becomes a gap.
    pub(crate) fn open(repository: &gix::Repository, gaps: &mut Vec<Gap>) -> Self {
        let objects = repository.objects.store_ref();
        let mut folders = vec![objects.path().to_path_buf()];
        match objects.alternate_db_paths() {
            Ok(more) => folders.extend(more),
            Err(e) => gaps.push(Gap::fault("objects/info/alternates", e.to_string())),
        }
        let mut store = Self {
            hash: repository.object_hash(),
            packs: Vec::new(),
            loose: HashMap::new(),
            shown: Vec::new(),
        };
        for folder in folders {
            store.add_packs(&folder.join("pack"), gaps);
            store.add_loose(&folder);
        }
        let numbers = store.packs.iter().map(Pack::len).sum::<usize>() + store.loose.len();
        store.shown.resize_with(numbers, AtomicBool::default);
        store
    }

    /// A number for an object that is here, the same for every copy of it, and below [`Store::numbers`].
    pub(crate) fn number(&self, id: &oid) -> Option<usize> {
        let mut before = 0;
        for pack in &self.packs {
            if let Some(position) = pack.position(id) {
                return Some(before + position);
            }
            before += pack.len();
        }
        self.loose.get(id).map(|loose| before + loose.number)
    }

    /// Where an object is.
    pub(crate) fn place(&self, id: &oid) -> Option<Place<'_>> {
        let mut packs = self.packs.iter().enumerate();
        let packed = packs
            .find_map(|(number, pack)| Some(Place::Packed { pack, number, node: pack.node(id)? }));
        packed.or_else(|| self.loose.get(id).map(Place::Loose))
    }

    /// The name of an object by its number.
    pub(crate) fn id(&self, number: usize) -> ObjectId {
        let mut below = number;
        for pack in &self.packs {
            if below < pack.len() {
                return pack.id_at(below);
            }
            below -= pack.len();
        }
        let loose = self.loose.iter().find(|(_, loose)| loose.number == below);
        loose.map_or_else(|| ObjectId::null(self.hash), |(id, _)| *id)
    }

    pub(crate) fn numbers(&self) -> usize {
        self.shown.len()
    }

    /// Whether an object was shown to a visitor. One that never is was lost, or is not of the kind that others say.
    pub(crate) fn was_shown(&self, number: usize) -> bool {
        self.shown[number].load(Ordering::Relaxed)
    }

    /// Shows every object of a kind to one of the visitors, once. An object that is in several packs is shown
    /// from the first alone, but the deltas of it from all.
    pub(crate) fn visit<V: Visit>(&self, kind: Kind, visitors: &mut [V], progress: &Progress) {
        // Where a tree names a commit as a file, there is none.
        let asked = kind != Kind::Commit;
        let mut before = 0;
        for (number, pack) in self.packs.iter().enumerate() {
            let earlier = &self.packs[..number];
            let is_first = |node| {
                let is_first = !earlier.iter().any(|other| other.position(pack.id(node)).is_some());
                if is_first && asked {
                    self.shown[before + pack.position_of(node)].store(true, Ordering::Relaxed);
                }
                is_first
            };
            resolve(pack, kind, visitors, &is_first, progress);
            before += pack.len();
        }
        let loose: Vec<(&ObjectId, &Loose)> = self.loose.iter().collect();
        progress.expect(loose.len() as u64);
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for visitor in visitors {
                scope.spawn(|| {
                    while let Some((id, loose)) = loose.get(next.fetch_add(1, Ordering::Relaxed))
                        && !progress.is_stopped()
                    {
                        match loose.show(kind, id, visitor) {
                            Ok(is_shown) => {
                                if is_shown && asked {
                                    self.shown[before + loose.number]
                                        .store(true, Ordering::Relaxed);
                                }
                            }
                            Err(e) => visitor.lost(id, &e.to_string()),
                        }
                        progress.step(1);
                    }
                });
            }
        });
    }

    /// Shows one object, however large, to a visitor.
    pub(crate) fn show(&self, id: &oid, visitor: &mut impl Visit) {
        let shown = match self.place(id) {
            Some(Place::Packed { pack, node, .. }) => match pack.link(node) {
                Some(Link::Whole) => Inflater::new()
                    .stream(pack, node)
                    .map(|mut bytes| visitor.stream(id, &mut bytes)),
                Some(Link::DeltaOf(_)) => Err("it is a delta and larger than 128 MiB".into()),
                None => Err("a delta of it is broken".into()),
            },
            Some(Place::Loose(loose)) => {
                loose.show(Kind::Blob, id, visitor).map(drop).map_err(|e| e.to_string())
            }
            None => Err("it is not in the repository".into()),
        };
        if let Err(reason) = shown {
            visitor.lost(id, &reason);
        }
    }

    fn add_packs(&mut self, folder: &Path, gaps: &mut Vec<Gap>) {
        // A repository without packs has no folder for them either.
        let Ok(entries) = fs::read_dir(folder) else { return };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let is = |extension| path.extension().is_some_and(|this| this == extension);
            if is("pack") && !path.with_extension("idx").exists() {
                gaps.push(Gap::fault(
                    path.display().to_string(),
                    "it has no index: run git index-pack on it",
                ));
            }
            if !is("idx") {
                continue;
            }
            match Pack::open(&path, self.hash) {
                Ok(pack) => {
                    let broken = pack.broken();
                    if broken > 0 {
                        let reason =
                            format!("{broken} of its objects cannot be read: run git fsck");
                        gaps.push(Gap::fault(pack.path.display().to_string(), reason));
                    }
                    self.packs.push(pack);
                }
                Err(e) => {
                    gaps.push(Gap::fault(path.display().to_string(), format!("{e}: run git fsck")));
                }
            }
        }
    }

    fn add_loose(&mut self, folder: &Path) {
        for first in 0..=255u8 {
            let start = format!("{first:02x}");
            let Ok(entries) = fs::read_dir(folder.join(&start)) else { continue };
            for entry in entries.flatten() {
                let name = format!("{start}{}", entry.file_name().to_string_lossy());
                if let Ok(id) = ObjectId::from_hex(name.as_bytes())
                    && id.kind() == self.hash
                    && self.number(&id).is_none()
                {
                    let number = self.loose.len();
                    self.loose.insert(id, Loose { path: entry.path(), number });
                }
            }
        }
    }
}

impl Loose {
    /// Shows an object if it is of `kind`, and says whether it is.
    fn show(&self, kind: Kind, id: &oid, visitor: &mut impl Visit) -> io::Result<bool> {
        let (name, size, content) = self.open()?;
        if name.as_bytes() != kind.as_bytes() {
            return Ok(false);
        }
        if size > OBJECT_BYTES_MAX {
            visitor.stream(id, &mut content.take(size));
            return Ok(true);
        }
        visitor.object(id, &whole(content, size)?, Relation::None);
        Ok(true)
    }

    /// The content, of whatever kind.
    pub(crate) fn read(&self) -> Result<Vec<u8>, Lost> {
        let (_, size, content) = self.open().map_err(|e| e.to_string())?;
        if size > OBJECT_BYTES_MAX {
            return Err(Lost::TooLarge);
        }
        Ok(whole(content, size).map_err(|e| e.to_string())?)
    }

    /// Its kind, its size, and what follows: <https://git-scm.com/docs/gitformat-loose>.
    fn open(&self) -> io::Result<(String, u64, impl Read + use<>)> {
        let mut content = BufReader::new(ZlibDecoder::new(BufReader::new(File::open(&self.path)?)));
        let mut head = Vec::new();
        (&mut content).take(64).read_until(0, &mut head)?;
        let head = String::from_utf8(head).ok();
        let head = head.as_deref().and_then(|head| head.strip_suffix('\0'));
        let (name, size) = head.and_then(|head| head.split_once(' ')).ok_or_else(broken)?;
        Ok((name.to_owned(), size.parse().map_err(|_| broken())?, content))
    }
}

fn whole(content: impl Read, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.take(size + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == size { Ok(bytes) } else { Err(broken()) }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is not an object")
}
