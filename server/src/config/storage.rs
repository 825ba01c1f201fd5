use std::path::PathBuf;

use base_types::Result;

use super::keys;
use super::reader::{Place, Reader};

/// Where everything is kept.
#[derive(Debug)]
pub struct Storage {
    pub place: Place,
    pub kind: StorageKind,
}

#[derive(Debug, Eq, PartialEq)]
pub enum StorageKind {
    /// A folder on a local disk.
    Embedded { path: PathBuf },
    /// Memory, gone when the process ends.
    Memory,
}

impl StorageKind {
    /// The label of its stanza.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Embedded { .. } => "embedded",
            Self::Memory => "inmem",
        }
    }
}

pub(super) const WHAT_EXISTS: &str = "add storage \"embedded\" { path = \"/var/lib/strongroom\" } \
    for a folder on this machine, or storage \"inmem\" {} for tests";

impl Storage {
    /// Reads `storage` or `backend`, whichever is there.
    pub(super) fn read(reader: &mut Reader<'_, '_>) -> Result<Option<Self>> {
        let mut blocks = reader.blocks("storage", 1)?;
        blocks.append(&mut reader.blocks("backend", 1)?);
        let [block] = blocks.as_slice() else {
            let Some(second) = blocks.get(1) else { return Ok(None) };
            let text = format!("there can be one storage; the first is at {}", blocks[0].at);
            return Err(second.at.error(text));
        };
        let place = reader.source.place(block.at);
        let kind = match block.label(0) {
            "embedded" => {
                let mut path: Option<PathBuf> = None;
                let mut inner = Reader::new(block.body, &keys::STORAGE_EMBEDDED, reader.source);
                inner.set("path", &mut path)?;
                inner.finish()?;
                let path = path.ok_or_else(|| {
                    block.at.error("\"path\" is missing: name the folder that holds the data")
                })?;
                StorageKind::Embedded { path }
            }
            "inmem" => {
                Reader::new(block.body, &keys::STORAGE_INMEM, reader.source).finish()?;
                StorageKind::Memory
            }
            other => {
                let text = format!("there is no storage {other:?} here: {WHAT_EXISTS}");
                return Err(block.at.error(text));
            }
        };
        Ok(Some(Self { place, kind }))
    }
}
