use base_types::{Error, Result};
use files_document::{Document, Item, get};

use crate::manifest;
use crate::scope::Scope;

/// The one sealed secret of a file, and its place among the documents.
///
/// # Errors
/// `Invalid` if there is none, or more.
pub(crate) fn only(document: &Document) -> Result<(usize, &[Item])> {
    match manifest::objects(document).as_slice() {
        [(at, items)] => {
            manifest::expect_kind(items, "SealedSecret")?;
            Ok((*at, items))
        }
        objects => Err(Error::invalid(format!(
            "the file has {} manifests, and must have one sealed secret",
            objects.len()
        ))),
    }
}

/// Puts what `new` has sealed into `old`: its values, and the labels and annotations of its template.
///
/// # Errors
/// `Invalid` if the values were sealed for another scope.
pub(crate) fn into(old: &[Item], new: &[Item]) -> Result<Vec<Item>> {
    let scope = |object| Scope::of(manifest::map(object, "metadata"));
    if scope(old) != scope(new) {
        return Err(Error::invalid(format!(
            "the file is sealed {}, and what is to be merged {}: the controller could open only one \
             of them",
            scope(old).name(),
            scope(new).name()
        )));
    }
    let mut merged = old.to_vec();
    let spec = manifest::map_mut(&mut merged, "spec");
    let of_new = manifest::map(new, "spec");
    put(spec, "encryptedData", manifest::map(of_new, "encryptedData"));
    let of_new = manifest::map(manifest::map(of_new, "template"), "metadata");
    for key in ["annotations", "labels"] {
        if get(of_new, key).is_some() {
            let template = manifest::map_mut(spec, "template");
            let metadata = manifest::map_mut(template, "metadata");
            put(metadata, key, manifest::map(of_new, key));
        }
    }
    Ok(merged)
}

/// Puts `members` into the mapping under `key`.
pub(crate) fn put(items: &mut Vec<Item>, key: &str, members: &[Item]) {
    let mapping = manifest::map_mut(items, key);
    for (key, value) in manifest::members(members) {
        manifest::set(mapping, key, value.clone());
    }
}
