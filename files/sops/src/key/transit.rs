//! The transit engine of a Vault, an OpenBao or a Strongroom.

use base_types::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::Request;
use files_document::{Item, Scalar};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::{KeySource, Row, Surroundings, failed, field};
use crate::{Failure, FailureKind, Result, vault};

pub(super) struct Transit;

impl KeySource for Transit {
    fn row(&self) -> &'static Row {
        &Row {
            metadata: "hc_vault",
            flag: "hc-vault-transit",
            letter: None,
            variable: "SOPS_VAULT_URIS",
            rule: "hc_vault_transit_uri",
            group: "hc_vault",
            order: "hc_vault",
            options: &[],
        }
    }

    fn name(&self, fields: &[Item]) -> String {
        let [address, engine, key] =
            ["vault_address", "engine_path", "key_name"].map(|name| field(fields, name));
        format!("{}/v1/{engine}/keys/{key}", address.trim_end_matches('/'))
    }

    fn fields(&self, name: &str, surroundings: &Surroundings<'_>) -> Result<Vec<Item>> {
        let parts = name
            .split_once("/v1/")
            .and_then(|(address, path)| Some((address, path.rsplit_once("/keys/")?)));
        let Some((address, (engine, key))) = parts.filter(|(address, (engine, key))| {
            address.contains("://") && !engine.is_empty() && !key.is_empty() && !key.contains('/')
        }) else {
            return Err(Failure::invalid(format!(
                "'{name}' is no transit key: write https://HOST:PORT/v1/ENGINE/keys/NAME"
            )));
        };
        Ok(vec![
            Item::member("vault_address", Scalar::text(address)),
            Item::member("engine_path", Scalar::text(engine)),
            Item::member("key_name", Scalar::text(key)),
            Item::member("created_at", Scalar::text(surroundings.now())),
        ])
    }

    fn wrap(&self, fields: &[Item], secret: &[u8], with: &Surroundings<'_>) -> Result<String> {
        #[derive(Deserialize)]
        struct Answer {
            ciphertext: String,
        }
        let plaintext = Zeroizing::new(STANDARD.encode(secret));
        let body = json!({ "plaintext": *plaintext });
        let answer: Answer = self
            .ask("encrypt", fields, &body, with)
            .map_err(|text| Failure::new(FailureKind::Unavailable, text))?;
        Ok(answer.ciphertext)
    }

    fn unwrap(
        &self,
        fields: &[Item],
        wrapped: &str,
        with: &Surroundings<'_>,
    ) -> Result<Secret<Vec<u8>>> {
        #[derive(Deserialize)]
        struct Answer {
            plaintext: Secret<String>,
        }
        let body = json!({ "ciphertext": wrapped });
        let answer: Answer = self.ask("decrypt", fields, &body, with).map_err(failed)?;
        let plain = STANDARD.decode(answer.plaintext.expose());
        plain.map(Secret::new).map_err(|_| failed("the server's plaintext is not base64"))
    }
}

impl Transit {
    fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        verb: &str,
        fields: &[Item],
        body: &serde_json::Value,
        with: &Surroundings<'_>,
    ) -> Result<T, String> {
        let [engine, key] = ["engine_path", "key_name"].map(|name| field(fields, name));
        if !is_allowed(&self.name(fields), with) {
            return Err("SOPS_HC_VAULT_ALLOWLIST does not allow this server".to_owned());
        }
        let request = Request::put(format!("{engine}/{verb}/{key}"))
            .json(body)
            .map_err(|error| error.to_string())?;
        let answer = vault::ask(field(fields, "vault_address"), &request, with)
            .map_err(|error| error.to_string())?;
        let answer = answer.ok_or("the server gave no answer")?;
        answer.data().map_err(|error| error.to_string())
    }
}

/// Addresses come out of files, and the token goes to them: a list of prefixes can say which.
fn is_allowed(name: &str, with: &Surroundings<'_>) -> bool {
    match with.variable("SOPS_HC_VAULT_ALLOWLIST") {
        None | Some("all") => true,
        Some("none") => false,
        Some(list) => list
            .split(',')
            .map(str::trim)
            .any(|prefix| !prefix.is_empty() && name.starts_with(prefix)),
    }
}
