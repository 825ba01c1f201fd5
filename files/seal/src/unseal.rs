use base_crypto::OaepPrivateKey;
use base_types::{Error, Result, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use files_document::{Element, Item, Scalar, Value, get};

use crate::scope::Scope;
use crate::seal::Entry;
use crate::{hybrid, manifest, seal, template};

/// The annotation of a template that keeps the secret apart from its sealed form.
const NO_OWNER: &str = "sealedsecrets.bitnami.com/skip-set-owner-references";

/// The secret that the controller would make of a sealed one.
///
/// # Errors
/// `Invalid`, naming every value that none of `keys` opens.
pub(crate) fn unseal(sealed: &[Item], keys: &[OaepPrivateKey]) -> Result<Vec<Item>> {
    manifest::expect_kind(sealed, "SealedSecret")?;
    let spec = manifest::map(sealed, "spec");
    if get(spec, "data").is_some() {
        return Err(Error::invalid("using deprecated 'data' field, use 'encryptedData'"));
    }
    let outer = manifest::map(sealed, "metadata");
    let name = manifest::text(outer, "name").unwrap_or_default();
    let namespace = manifest::text(outer, "namespace").unwrap_or_default();
    let label = Scope::of(outer).label(namespace, name);
    let data = values(spec, keys, &label)?;
    let inner = manifest::map(spec, "template");
    let mut metadata = manifest::map(inner, "metadata").to_vec();
    manifest::remove(&mut metadata, "creationTimestamp");
    manifest::set_text(&mut metadata, "name", name);
    if !namespace.is_empty() {
        manifest::set_text(&mut metadata, "namespace", namespace);
    }
    let stays_alone = manifest::text(manifest::map(&metadata, "annotations"), NO_OWNER);
    if stays_alone != Some("true") {
        manifest::set(&mut metadata, "ownerReferences", vec![owner(sealed, outer, name)]);
    }
    let mut secret = vec![
        Item::member("kind", Scalar::text("Secret")),
        Item::member("apiVersion", Scalar::text("v1")),
        Item::member("metadata", metadata),
    ];
    secret.extend(get(inner, "immutable").map(|it| Item::member("immutable", it.clone())));
    secret.push(Item::member("data", data));
    secret.extend(get(inner, "type").map(|it| Item::member("type", it.clone())));
    Ok(secret)
}

/// The values in base64, those of templates among them.
fn values(spec: &[Item], keys: &[OaepPrivateKey], label: &str) -> Result<Vec<Item>> {
    let mut plain: Vec<Entry<'_>> = Vec::new();
    let mut faults = Vec::new();
    let encrypted = manifest::map(spec, "encryptedData");
    for (key, text) in manifest::texts(encrypted, "spec.encryptedData")? {
        match hybrid::open(keys, label, text) {
            Ok(value) => plain.push((key, value)),
            Err(error) => faults.push(format!("{key}: {}", error.public())),
        }
    }
    if !faults.is_empty() {
        return Err(Error::invalid(faults.join("; ")));
    }
    let mut data = plain.clone();
    let templates = manifest::map(manifest::map(spec, "template"), "data");
    for (key, text) in manifest::texts(templates, "spec.template.data")? {
        let value = template::render(text, &plain)
            .map_err(|error| Error::invalid(format!("{key}: {}", error.public())))?;
        data.retain(|(other, _)| *other != key);
        data.push((key, value));
    }
    let item = |(key, value): &Entry<'_>| {
        Item::member(*key, Scalar::Text(Secret::new(STANDARD.encode(value))))
    };
    let mut items: Vec<Item> = data.iter().map(item).collect();
    items.sort_by(|one, other| seal::key(one).cmp(seal::key(other)));
    Ok(items)
}

/// The reference by which the cluster removes the secret along with its sealed form.
fn owner(sealed: &[Item], metadata: &[Item], name: &str) -> Element {
    let version = manifest::text(sealed, "apiVersion").unwrap_or_default();
    let uid = manifest::text(metadata, "uid").unwrap_or_default();
    let items = vec![
        Item::member("apiVersion", Scalar::text(version)),
        Item::member("kind", Scalar::text("SealedSecret")),
        Item::member("name", Scalar::text(name)),
        Item::member("uid", Scalar::text(uid)),
        Item::member("controller", Scalar::Bool(true)),
    ];
    Element::Value(Value::Map(items))
}
