//! Azure Key Vault: `https://VAULT.vault.azure.net/keys/NAME/VERSION`.

use std::collections::BTreeMap;
use std::fs;

use base_types::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use files_document::{Item, Scalar};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{KeySource, Row, Surroundings, cloud, failed, field};
use crate::{Failure, FailureKind, Result};

pub(super) struct AzureKv;

/// The version of the interface, and the way in which keys wrap.
const API: &str = "api-version=7.4";
const ALGORITHM: &str = "RSA-OAEP-256";

impl KeySource for AzureKv {
    fn row(&self) -> &'static Row {
        &Row {
            metadata: "azure_kv",
            flag: "azure-kv",
            letter: None,
            variable: "SOPS_AZURE_KEYVAULT_URLS",
            rule: "azure_keyvault",
            group: "azure_keyvault",
            order: "azure_kv",
            options: &[],
        }
    }

    fn name(&self, fields: &[Item]) -> String {
        let [vault, name, version] =
            ["vault_url", "name", "version"].map(|part| field(fields, part));
        format!("{}/keys/{name}/{version}", vault.trim_end_matches('/'))
    }

    /// A key without its version is the one that is current now.
    fn fields(&self, name: &str, surroundings: &Surroundings<'_>) -> Result<Vec<Item>> {
        let other = || {
            Failure::invalid(format!(
                "'{name}' is no key of Azure Key Vault: write https://VAULT/keys/NAME/VERSION"
            ))
        };
        let (vault, path) = name.split_once("/keys/").ok_or_else(other)?;
        let (key, version) = path.split_once('/').unwrap_or((path, ""));
        let host = vault.strip_prefix("https://").or_else(|| vault.strip_prefix("http://"));
        let is_host = host.is_some_and(|host| !host.is_empty() && !host.contains('/'));
        if !is_host || !is_name(key) || !(version.is_empty() || is_name(version)) {
            return Err(other());
        }
        let version = match version {
            "" => current_version(vault, key, surroundings)
                .map_err(|text| Failure::new(FailureKind::Unavailable, text).at(name))?,
            version => version.to_owned(),
        };
        Ok(vec![
            Item::member("vault_url", Scalar::text(vault)),
            Item::member("name", Scalar::text(key)),
            Item::member("version", Scalar::text(version)),
            Item::member("created_at", Scalar::text(surroundings.now())),
            Item::member("enc", Scalar::text("")),
        ])
    }

    fn of_mapping(&self, mapping: &[Item], surroundings: &Surroundings<'_>) -> Result<Vec<Item>> {
        let [vault, key, version] = ["vaultUrl", "key", "version"].map(|part| field(mapping, part));
        let name = format!("{}/keys/{key}/{version}", vault.trim_end_matches('/'));
        self.fields(name.trim_end_matches('/'), surroundings)
    }

    fn wrap(&self, fields: &[Item], secret: &[u8], with: &Surroundings<'_>) -> Result<String> {
        let value = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret));
        let answer = self
            .ask("encrypt", fields, &value, with)
            .map_err(|text| Failure::new(FailureKind::Unavailable, text))?;
        Ok(answer.expose().clone())
    }

    fn unwrap(
        &self,
        fields: &[Item],
        wrapped: &str,
        with: &Surroundings<'_>,
    ) -> Result<Secret<Vec<u8>>> {
        let value = self.ask("decrypt", fields, wrapped, with).map_err(failed)?;
        let plain = URL_SAFE_NO_PAD.decode(value.expose());
        plain.map(Secret::new).map_err(|_| failed("the plaintext of Azure Key Vault is no base64"))
    }
}

impl AzureKv {
    /// <https://learn.microsoft.com/rest/api/keyvault/keys/encrypt/encrypt>
    fn ask(
        &self,
        verb: &str,
        fields: &[Item],
        value: &str,
        with: &Surroundings<'_>,
    ) -> Result<Secret<String>, String> {
        #[derive(Deserialize)]
        struct Answer {
            value: Secret<String>,
        }
        let vault = field(fields, "vault_url");
        let name = self.name(fields);
        // A file could name anything, and it becomes part of an address.
        let parts = [field(fields, "name"), field(fields, "version")];
        if !parts.iter().all(|part| is_name(part)) {
            return Err("the metadata name no key of Azure Key Vault".to_owned());
        }
        let body = BTreeMap::from([("alg", ALGORITHM), ("value", value)]);
        let address = format!("{name}/{verb}?{API}");
        let answer: Answer = cloud::ask(cloud::post_json(&address, &token(&vault, with)?, &body)?)?;
        Ok(answer.value)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn current_version(vault: &str, key: &str, with: &Surroundings<'_>) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Answer {
        key: Key,
    }
    #[derive(Deserialize)]
    struct Key {
        kid: String,
    }
    let address = format!("{vault}/keys/{key}?{API}");
    let answer: Answer = cloud::ask(cloud::get(&address, &token(vault, with)?)?)?;
    let version = answer.key.kid.rsplit('/').next().filter(|version| is_name(version));
    version.map(str::to_owned).ok_or_else(|| "the service names no version of the key".to_owned())
}

/// The domains under which Azure has vaults.
const DOMAINS: [&str; 4] =
    [".vault.azure.net", ".vault.azure.cn", ".vault.usgovcloudapi.net", ".managedhsm.azure.net"];

/// Addresses come out of files, and a token that opens every vault goes to them: they must be Azure's,
/// or begin as one does that the environment allows.
fn check_address(vault: &str, with: &Surroundings<'_>) -> Result<(), String> {
    let host = vault.strip_prefix("https://").unwrap_or_default();
    let allowed = with.variable("SOPS_AZURE_KEYVAULT_ALLOWLIST").unwrap_or_default();
    let mut allowed = allowed.split(',').map(str::trim).filter(|prefix| !prefix.is_empty());
    let is_host = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let is_known = is_host && DOMAINS.iter().any(|domain| host.ends_with(domain));
    match is_known || allowed.any(|prefix| vault.starts_with(prefix)) {
        true => Ok(()),
        false => Err(format!(
            "{vault} is no vault of Azure; if it is meant, list it in SOPS_AZURE_KEYVAULT_ALLOWLIST"
        )),
    }
}

/// The token of the environment, or one for the application that it names.
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
fn token(vault: &str, with: &Surroundings<'_>) -> Result<Secret<String>, String> {
    #[derive(Deserialize)]
    struct Answer {
        access_token: Secret<String>,
    }
    check_address(vault, with)?;
    if let Some(token) = with.variable("AZURE_ACCESS_TOKEN") {
        return Ok(Secret::new(token.to_owned()));
    }
    let (Some(tenant), Some(client)) =
        (with.variable("AZURE_TENANT_ID"), with.variable("AZURE_CLIENT_ID"))
    else {
        return Err("no Azure credentials were found: set AZURE_TENANT_ID, AZURE_CLIENT_ID and \
                    AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE; or AZURE_ACCESS_TOKEN, as az \
                    account get-access-token --resource https://vault.azure.net gives it"
            .to_owned());
    };
    let authority =
        with.variable("AZURE_AUTHORITY_HOST").unwrap_or("https://login.microsoftonline.com");
    let address = format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/'));
    let scope = format!("https://{}/.default", resource(vault));
    let mut fields =
        vec![("grant_type", "client_credentials"), ("client_id", client), ("scope", &scope)];
    let assertion;
    match (with.variable("AZURE_CLIENT_SECRET"), with.variable("AZURE_FEDERATED_TOKEN_FILE")) {
        (Some(secret), _) => fields.push(("client_secret", secret)),
        (None, Some(file)) => {
            let text = fs::read_to_string(file)
                .map_err(|error| format!("{file} cannot be read: {error}"))?;
            assertion = Zeroizing::new(text.trim().to_owned());
            fields.push((
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ));
            fields.push(("client_assertion", &assertion));
        }
        (None, None) => {
            return Err("AZURE_CLIENT_ID is set, but neither AZURE_CLIENT_SECRET nor \
                        AZURE_FEDERATED_TOKEN_FILE"
                .to_owned());
        }
    }
    let answer: Answer = cloud::ask(cloud::post_form(&address, &fields)?)?;
    Ok(answer.access_token)
}

/// For what a token is asked: the service of the cloud in which the vault is.
fn resource(vault: &str) -> &str {
    let host = vault.rsplit("://").next().unwrap_or_default();
    match host.split_once('.') {
        Some((_, service)) if service.starts_with("vault.") => service,
        _ => "vault.azure.net",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_crypto::SystemRandom;
    use base_types::SystemClock;

    use super::*;
    use crate::key::{Identities, Unwrapped};
    use crate::keyservice::KeyServices;

    #[test]
    fn tokens_go_to_azure_and_to_what_is_allowed() {
        let check = |allowed: &str, vault: &str| {
            let variable = ("SOPS_AZURE_KEYVAULT_ALLOWLIST".to_owned(), allowed.to_owned());
            let with = Surroundings {
                variables: BTreeMap::from([variable]),
                clock: &SystemClock::default(),
                random: &SystemRandom,
                person: &|_: &str| None,
                services: KeyServices::default(),
                unwrapped: Unwrapped::default(),
                identities: Identities::default(),
            };
            check_address(vault, &with).is_ok()
        };
        assert!(check("", "https://team.vault.azure.net"));
        assert!(check("x, http://127.0.0.1:", "http://127.0.0.1:80"));
        for vault in [
            "http://team.vault.azure.net",
            "https://evil.example",
            "https://evilvault.azure.net",
            "https://team.vault.azure.net.evil.example",
            "https://evil.example/x.vault.azure.net",
            "https://evil.example?x.vault.azure.net",
            "https://evil.example#x.vault.azure.net",
            "https://x@evil.example.vault.azure.net",
            "https://127.0.0.1",
        ] {
            assert!(!check("", vault), "{vault}");
        }
    }

    #[test]
    fn each_cloud_has_its_own_service() {
        assert_eq!(resource("https://team.vault.azure.cn"), "vault.azure.cn");
        assert_eq!(resource("http://127.0.0.1:80"), "vault.azure.net");
    }
}
