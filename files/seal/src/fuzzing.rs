//! What fuzzing asks of this crate's parsers.

use std::collections::HashMap;
use std::path::Path;

use base_types::Result;

use crate::flags::Flags;
use crate::kubeconfig::Kubeconfig;
use crate::{manifest, unseal};

/// Reads a stream of manifests and opens each with no keys. The errors that opening gave.
///
/// # Errors
/// `Invalid` if it is no manifest.
pub fn open_manifests(text: &[u8]) -> Result<Vec<String>> {
    let document = manifest::read(text)?;
    let opened = manifest::objects(&document)
        .into_iter()
        .map(|(_, items)| unseal::unseal(items, &[]).err().map(|error| error.public().to_owned()));
    Ok(opened.flatten().collect())
}

/// Reads a file of kubectl, and which namespace it names.
///
/// # Errors
/// `Invalid` if it is none.
pub fn namespace_of_kubeconfig(path: &Path) -> Result<Option<String>> {
    let variable = ("KUBECONFIG".to_owned(), path.to_string_lossy().into_owned());
    let environment = HashMap::from([variable]);
    let flags = Flags::default();
    Kubeconfig::load(&flags, &environment).map(|config| config.namespace())
}
