use base_crypto::{OaepPublicKey, Random};
use base_types::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use files_document::{Item, Scalar, Value, get};
use zeroize::Zeroizing;

use crate::scope::Scope;
use crate::{hybrid, manifest};

/// How secrets are sealed.
pub(crate) struct Sealer<'a> {
    pub(crate) key: &'a OaepPublicKey,
    pub(crate) random: &'a dyn Random,
    /// The scope that takes the place of what annotations name.
    pub(crate) scope: Option<Scope>,
    pub(crate) allow_empty: bool,
    /// The name that takes the place of the secret's own.
    pub(crate) name: Option<&'a str>,
    pub(crate) namespace: Namespace<'a>,
}

/// Which namespace a secret is for.
#[derive(Clone, Copy)]
pub(crate) enum Namespace<'a> {
    /// The one that the call names: another one in the secret is an error.
    Asked(&'a str),
    /// The one that secrets without one get.
    Default(&'a str),
    /// This one, whatever the secret says.
    Instead(&'a str),
}

/// Annotations in which tools keep a copy of the object, secrets and all.
const COPIES: [&str; 2] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubecfg.ksonnet.io/last-applied-configuration",
];

impl Sealer<'_> {
    /// The sealed form of a secret.
    ///
    /// # Errors
    /// `Invalid`, in the words of kubeseal, if it is no secret that can be sealed.
    pub(crate) fn seal(&self, secret: &[Item]) -> Result<Vec<Item>> {
        manifest::expect_kind(secret, "Secret")?;
        let values = values(secret)?;
        if values.is_empty() && !self.allow_empty {
            return Err(Error::invalid(
                "secret.data is empty in input Secret, assuming this is an error and aborting. To \
                 work with empty data, --allow-empty-data can be used",
            ));
        }
        let mut metadata = manifest::map(secret, "metadata").to_vec();
        let (scope, name, namespace) = self.place(&mut metadata)?;
        check_texts(&metadata)?;
        let label = scope.label(&namespace, &name);
        let mut sealed = Vec::new();
        for (key, value) in &values {
            let value = hybrid::seal(self.key, &label, value, self.random)?;
            sealed.push(Item::member(*key, Scalar::text(value)));
        }
        sealed.sort_by(|one, other| key(one).cmp(key(other)));
        Ok(object(&name, &namespace, scope, template(secret, metadata), sealed))
    }

    /// Puts scope, name and namespace into `metadata`, and gives them.
    fn place(&self, metadata: &mut Vec<Item>) -> Result<(Scope, String, String)> {
        if let Some(name) = self.name {
            manifest::set_text(metadata, "name", name);
        }
        let name = manifest::text(metadata, "name").unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(Error::invalid("missing metadata.name in input Secret"));
        }
        if let Some(scope) = self.scope {
            scope.annotate(metadata);
        }
        let scope = Scope::of(metadata);
        let own = manifest::text(metadata, "namespace").unwrap_or_default().to_owned();
        let namespace = match self.namespace {
            Namespace::Instead(namespace) => namespace.to_owned(),
            _ if scope == Scope::ClusterWide => own,
            Namespace::Asked(asked) if !own.is_empty() && own != asked => {
                return Err(Error::invalid(format!(
                    "namespace mismatch: input secret is in namespace {own:?} but {asked:?} was \
                     specified"
                )));
            }
            Namespace::Asked(other) | Namespace::Default(other) if own.is_empty() => {
                other.to_owned()
            }
            Namespace::Asked(_) | Namespace::Default(_) => own,
        };
        if namespace.is_empty() {
            if scope != Scope::ClusterWide {
                return Err(Error::invalid(
                    "secret must declare a namespace: give it in metadata.namespace or with \
                     --namespace",
                ));
            }
        } else {
            manifest::set_text(metadata, "namespace", &namespace);
        }
        Ok((scope, name, namespace))
    }
}

/// A value of a secret and its key.
pub(crate) type Entry<'a> = (&'a str, Zeroizing<Vec<u8>>);

/// The values of `data` and `stringData`, of which the latter win.
fn values(secret: &[Item]) -> Result<Vec<Entry<'_>>> {
    let mut values: Vec<Entry<'_>> = Vec::new();
    for (key, text) in manifest::texts(manifest::map(secret, "data"), "data")? {
        let text: Zeroizing<String> =
            Zeroizing::new(text.chars().filter(|next| !matches!(next, '\r' | '\n')).collect());
        let value = STANDARD.decode(text.as_bytes()).map_err(|_| {
            Error::invalid(format!(
                "data.{key} is no base64: encode it, or put the value itself under stringData"
            ))
        })?;
        values.push((key, Zeroizing::new(value)));
    }
    for (key, text) in manifest::texts(manifest::map(secret, "stringData"), "stringData")? {
        values.retain(|(other, _)| *other != key);
        values.push((key, Zeroizing::new(text.as_bytes().to_vec())));
    }
    Ok(values)
}

/// Labels and annotations are texts; what YAML takes for something else would be refused by the
/// cluster.
fn check_texts(metadata: &[Item]) -> Result<()> {
    for key in ["annotations", "labels"] {
        manifest::texts(manifest::map(metadata, key), &format!("metadata.{key}"))?;
    }
    Ok(())
}

/// What the unsealed secret will have besides its data.
fn template(secret: &[Item], mut metadata: Vec<Item>) -> Vec<Item> {
    manifest::strip_server_side(&mut metadata);
    if !manifest::map(&metadata, "annotations").is_empty() {
        let annotations = manifest::map_mut(&mut metadata, "annotations");
        COPIES.iter().for_each(|copy| manifest::remove(annotations, copy));
    }
    manifest::remove_if_empty(&mut metadata, "annotations");
    let mut template = vec![Item::member("metadata", metadata)];
    for key in ["type", "immutable"] {
        let value = get(secret, key).filter(|value| !is_nothing(value));
        template.extend(value.map(|value| Item::member(key, value.clone())));
    }
    template
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Scalar(Scalar::Null) => true,
        Value::Scalar(Scalar::Text(text)) => text.expose().is_empty(),
        Value::List(_) | Value::Map(_) | Value::Scalar(_) => false,
    }
}

fn object(
    name: &str,
    namespace: &str,
    scope: Scope,
    template: Vec<Item>,
    sealed: Vec<Item>,
) -> Vec<Item> {
    let mut metadata = vec![Item::member("name", Scalar::text(name))];
    if !namespace.is_empty() {
        metadata.push(Item::member("namespace", Scalar::text(namespace)));
    }
    scope.annotate(&mut metadata);
    let spec = vec![Item::member("template", template), Item::member("encryptedData", sealed)];
    vec![
        Item::member("kind", Scalar::text("SealedSecret")),
        Item::member("apiVersion", Scalar::text("bitnami.com/v1alpha1")),
        Item::member("metadata", metadata),
        Item::member("spec", spec),
    ]
}

pub(crate) fn key(item: &Item) -> &str {
    match item {
        Item::Comment(_) => "",
        Item::Member(member) => &member.key,
    }
}
