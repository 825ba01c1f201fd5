use client::Request;
use files_document::{Document, Format, Item};
use serde_json::{Value, json};

use crate::key::Surroundings;
use crate::metadata::text_of;
use crate::{Failure, FailureKind, Result, plain, vault};

/// Where the values of files go: an engine for keys and values of a Vault-API server.
#[derive(Clone, Debug)]
pub struct Destination {
    address: String,
    mount: String,
    version: Version,
    /// What comes before the name of the file.
    path: String,
    /// Whether names go there without what follows their last dot.
    pub omit_extensions: bool,
}

#[derive(Clone, Copy, Debug)]
enum Version {
    One,
    Two,
}

impl Destination {
    /// The destination of a rule.
    ///
    /// # Errors
    /// `Config` for a rule that is wrong, and for the stores of clouds, which only sops can use.
    pub(crate) fn parse(rule: &[Item], with: &Surroundings<'_>) -> Result<Self> {
        let text = |key: &str| text_of(rule, key).unwrap_or_default();
        let wrong = |text: &str| Failure::new(FailureKind::Config, text);
        let foreign = ["s3_bucket", "gcs_bucket"].into_iter().find(|key| !text(key).is_empty());
        if let Some(key) = foreign {
            return Err(wrong(&format!(
                "the rule publishes to '{key}', which this version cannot; use sops for it, or a rule \
                 with vault_path"
            )));
        }
        if text("vault_path").is_empty() {
            return Err(wrong("a destination rule must say where to: it needs vault_path"));
        }
        let version = match text("vault_kv_version").as_str() {
            "" | "0" | "2" => Version::Two,
            "1" => Version::One,
            _ => return Err(wrong("vault_kv_version must be 1 or 2")),
        };
        let given =
            [text("vault_address"), with.variable("VAULT_ADDR").unwrap_or_default().to_owned()];
        let address = given.into_iter().find(|address| !address.is_empty()).ok_or_else(|| {
            wrong("the address of the server is missing: set vault_address in the rule, or VAULT_ADDR")
        })?;
        let mount = Some(text("vault_kv_mount_name")).filter(|mount| !mount.is_empty());
        let omit_extensions = match text("omit_extensions").as_str() {
            "" => false,
            word => plain::boolean(word)
                .ok_or_else(|| wrong("omit_extensions must be true or false"))?,
        };
        Ok(Self {
            address: address.trim_end_matches('/').to_owned(),
            mount: mount.unwrap_or_else(|| "secret".to_owned()).trim_matches('/').to_owned(),
            version,
            path: text("vault_path").trim_matches('/').to_owned(),
            omit_extensions,
        })
    }

    /// Where the values of a file with this name go, for people.
    pub fn place(&self, name: &str) -> String {
        format!("{}/v1/{}", self.address, self.api_path(name))
    }

    fn api_path(&self, name: &str) -> String {
        let Self { mount, path, .. } = self;
        match self.version {
            Version::One => format!("{mount}/{path}/{name}"),
            Version::Two => format!("{mount}/data/{path}/{name}"),
        }
    }

    /// Writes the values of a file there. `false` if they are there already.
    ///
    /// # Errors
    /// `Unreadable` for values that JSON cannot hold, `Unavailable` for what the server says.
    pub fn publish(&self, name: &str, tree: &[Item], with: &Surroundings<'_>) -> Result<bool> {
        let file = Document::emit(Format::Json, &[tree.to_vec()], None)?;
        let values: Value = serde_json::from_slice(&zeroize::Zeroizing::new(file))
            .map_err(|_| Failure::new(FailureKind::Unreadable, "the values are no JSON"))?;
        let path = self.api_path(name);
        // Who may write but not read writes.
        let there = vault::ask(self.address.clone(), &Request::read(&path), with).ok().flatten();
        let there = there.and_then(|answer| answer.data::<Value>().ok());
        let is_there = there.is_some_and(|there| match self.version {
            Version::One => there == values,
            Version::Two => there["data"] == values,
        });
        if is_there {
            return Ok(false);
        }
        let body = match self.version {
            Version::One => values,
            Version::Two => json!({ "data": values }),
        };
        let unavailable = |error: client::Error| {
            Failure::new(FailureKind::Unavailable, format!("{}: {error}", self.place(name)))
        };
        let request = Request::put(&path).json(&body).map_err(unavailable)?;
        vault::ask(self.address.clone(), &request, with).map_err(unavailable)?;
        Ok(true)
    }
}
