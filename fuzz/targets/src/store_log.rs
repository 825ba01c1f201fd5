use std::path::Path;
use std::sync::OnceLock;

use base_types::ErrorKind;
use bytes::Bytes;
use store_api::{Batch, Store};
use store_embedded::{EmbeddedStore, Options};
use tempfile::TempDir;

use crate::block_on;

/// The write-ahead log: whatever is found in its file after a crash, the store opens with the
/// commits of its beginning or says that the log is damaged; and a record that has the right
/// checksum may still hold anything.
pub fn store_log(data: &[u8]) {
    let template = template();
    let mut edited = template.log.clone();
    for edit in data.chunks_exact(3).take(8) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % template.used;
        edited[at] = edit[2];
    }
    edited.truncate(template.log.len() - data.len().min(template.log.len()));
    if let Some(found) = open(template, &edited) {
        assert!(found <= COMMITS, "commits have gaps");
    }
    let begun = template.log[..HEADER].to_vec();
    open(template, &[&begun, data].concat());
    open(template, &[begun, framed(data)].concat());
}

/// Of the log's own header, and of each record's.
const HEADER: usize = 20;
const COMMITS: usize = 4;

struct Template {
    folder: TempDir,
    /// The log of [`COMMITS`] commits, and how long it is without the reserved zeros.
    log: Vec<u8>,
    used: usize,
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path(), options()).unwrap();
        for number in 0..COMMITS {
            let batch = Batch::new().put(key(number), Bytes::from_static(b"value"));
            block_on(store.commit(batch)).map(drop).unwrap_or_else(|_| panic!("a commit succeeds"));
        }
        drop(store);
        let log = std::fs::read(folder.path().join(LOG)).unwrap();
        let used = log.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        Template { folder, log, used }
    })
}

const LOG: &str = "wal-1.log";

fn key(number: usize) -> String {
    format!("key/{number}")
}

/// Small, so that little disk space is reserved for each input.
fn options() -> Options {
    Options { table_bytes: 4096, ..Options::default() }
}

/// How many of the commits, from the first on without a gap, are there; more than there are if one
/// is missing before another. `None` if the store does not open.
fn open(template: &Template, log: &[u8]) -> Option<usize> {
    let folder = tempfile::tempdir().unwrap();
    copy(template.folder.path(), folder.path());
    std::fs::write(folder.path().join(LOG), log).unwrap();
    match EmbeddedStore::open(folder.path(), options()) {
        Ok(store) => {
            let is_there = |number| block_on(store.get(&key(number))).unwrap().is_some();
            let there: Vec<bool> = (0..COMMITS).map(is_there).collect();
            let length = there.iter().take_while(|there| **there).count();
            let gap = there[length..].contains(&true);
            Some(if gap { COMMITS + 1 } else { length })
        }
        Err(error) => {
            assert!(error.is(ErrorKind::Corrupt), "{error:?}");
            None
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A record of the sequence 1 with this payload: `length u32 | crc32 u32 | sequence u64 | payload`.
fn framed(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_le_bytes();
    let checked = [&length[..], &1u64.to_le_bytes(), payload].concat();
    let crc = crc32fast::hash(&checked).to_le_bytes();
    [&length[..], &crc, &checked[4..]].concat()
}
