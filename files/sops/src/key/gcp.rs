//! GCP KMS: `projects/PROJECT/locations/PLACE/keyRings/RING/cryptoKeys/KEY`.

use std::collections::BTreeMap;
use std::fs;

use base_crypto::rsa_sha256_sign;
use base_types::Secret;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use files_document::{Item, Scalar};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::{KeySource, Row, Surroundings, cloud, failed, field};
use crate::{Failure, FailureKind, Result};

pub(super) struct GcpKms;

const SERVICE: &str = "https://cloudkms.googleapis.com";

impl KeySource for GcpKms {
    fn row(&self) -> &'static Row {
        &Row {
            metadata: "gcp_kms",
            flag: "gcp-kms",
            letter: None,
            variable: "SOPS_GCP_KMS_IDS",
            rule: "gcp_kms",
            group: "gcp_kms",
            order: "gcp_kms",
            options: &[],
        }
    }

    fn name(&self, fields: &[Item]) -> String {
        field(fields, "resource_id")
    }

    fn fields(&self, name: &str, surroundings: &Surroundings<'_>) -> Result<Vec<Item>> {
        let parts: Vec<&str> = name.split('/').collect();
        let words = ["projects", "locations", "keyRings", "cryptoKeys"];
        let is_name = |part: &str| {
            let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
            !part.is_empty() && part.bytes().all(is_known)
        };
        let is_key = parts.len() == 8
            && parts.chunks(2).zip(words).all(|(pair, word)| pair[0] == word && is_name(pair[1]));
        if !is_key {
            return Err(Failure::invalid(format!(
                "'{name}' is no key of GCP KMS: write projects/PROJECT/locations/PLACE/keyRings/RING/\
                 cryptoKeys/KEY"
            )));
        }
        Ok(vec![
            Item::member("resource_id", Scalar::text(name)),
            Item::member("created_at", Scalar::text(surroundings.now())),
            Item::member("enc", Scalar::text("")),
        ])
    }

    fn of_mapping(&self, mapping: &[Item], surroundings: &Surroundings<'_>) -> Result<Vec<Item>> {
        self.fields(&self.name(mapping), surroundings)
    }

    fn wrap(&self, fields: &[Item], secret: &[u8], with: &Surroundings<'_>) -> Result<String> {
        #[derive(Deserialize)]
        struct Answer {
            ciphertext: String,
        }
        let plaintext = Zeroizing::new(STANDARD.encode(secret));
        let answer: Answer = self
            .ask("encrypt", fields, [("plaintext", &plaintext)], with)
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
        let body = [("ciphertext", wrapped)];
        let answer: Answer = self.ask("decrypt", fields, body, with).map_err(failed)?;
        let plain = STANDARD.decode(answer.plaintext.expose());
        plain.map(Secret::new).map_err(|_| failed("the plaintext of GCP KMS is no base64"))
    }
}

impl GcpKms {
    /// <https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys>
    fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        verb: &str,
        fields: &[Item],
        body: [(&str, &str); 1],
        with: &Surroundings<'_>,
    ) -> Result<T, String> {
        // A file could name anything, and it becomes part of an address.
        let name = self.name(fields);
        self.fields(&name, with).map_err(|failure| failure.text)?;
        let endpoint = with.variable("SOPS_GCP_KMS_ENDPOINT").unwrap_or(SERVICE);
        let endpoint = match endpoint.contains("://") {
            true => endpoint.trim_end_matches('/').to_owned(),
            false => format!("https://{endpoint}"),
        };
        let address = format!("{endpoint}/v1/{name}:{verb}");
        cloud::ask(cloud::post_json(&address, &token(with)?, &BTreeMap::from(body))?)
    }
}

/// What Google's own tools keep of an account.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Account {
    /// A person who has logged in.
    AuthorizedUser {
        client_id: String,
        client_secret: Secret<String>,
        refresh_token: Secret<String>,
        token_uri: Option<String>,
    },
    ServiceAccount {
        client_email: String,
        private_key: Secret<String>,
        private_key_id: String,
    },
}

/// How long a token of our own is good, in seconds.
const TOKEN_SECONDS: i64 = 600;

/// The token of the environment, or one for the account whose file it names.
fn token(with: &Surroundings<'_>) -> Result<Secret<String>, String> {
    if let Some(token) = with.variable("GOOGLE_OAUTH_ACCESS_TOKEN") {
        return Ok(Secret::new(token.to_owned()));
    }
    let text = account(with)?;
    let account = serde_json::from_str(&text).map_err(
        |_| "the GCP credentials are neither those of a service account nor of a login with gcloud",
    )?;
    match account {
        Account::AuthorizedUser { client_id, client_secret, refresh_token, token_uri } => {
            #[derive(Deserialize)]
            struct Answer {
                access_token: Secret<String>,
            }
            let address = token_uri.as_deref().unwrap_or("https://oauth2.googleapis.com/token");
            let fields = [
                ("grant_type", "refresh_token"),
                ("client_id", client_id.as_str()),
                ("client_secret", client_secret.expose().as_str()),
                ("refresh_token", refresh_token.expose().as_str()),
            ];
            let answer: Answer = cloud::ask(cloud::post_form(address, &fields)?)?;
            Ok(answer.access_token)
        }
        Account::ServiceAccount { client_email, private_key, private_key_id } => {
            own_token(&client_email, &private_key, &private_key_id, with)
        }
    }
}

fn account(with: &Surroundings<'_>) -> Result<Zeroizing<String>, String> {
    let usual = with.home(".config/gcloud/application_default_credentials.json");
    let named = with.variable("GOOGLE_CREDENTIALS");
    if let Some(text) = named.filter(|text| text.trim_start().starts_with('{')) {
        return Ok(Zeroizing::new(text.to_owned()));
    }
    let path = named
        .or_else(|| with.variable("GOOGLE_APPLICATION_CREDENTIALS"))
        .map(Into::into)
        .or_else(|| usual.filter(|path| path.is_file()));
    let path: std::path::PathBuf = path.ok_or(
        "no GCP credentials were found: set GOOGLE_CREDENTIALS to the file of a service account, or \
         GOOGLE_OAUTH_ACCESS_TOKEN, or log in with gcloud auth application-default login",
    )?;
    let text = fs::read_to_string(&path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Ok(Zeroizing::new(text))
}

/// A token that a service account signs itself, for this one service (RFC 7519, RFC 7515).
/// <https://developers.google.com/identity/protocols/oauth2/service-account#jwt-auth>
fn own_token(
    email: &str,
    key: &Secret<String>,
    key_id: &str,
    with: &Surroundings<'_>,
) -> Result<Secret<String>, String> {
    let now = with.clock.now().seconds();
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": key_id });
    let claims = json!({
        "iss": email, "sub": email, "aud": format!("{SERVICE}/"),
        "iat": now, "exp": now + TOKEN_SECONDS,
    });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    // A key in PEM, without its first and last lines.
    let lines = key.expose().lines().filter(|line| !line.starts_with("-----"));
    let key = Zeroizing::new(lines.map(str::trim).collect::<String>());
    let key = STANDARD.decode(key.as_bytes()).map(Zeroizing::new).ok();
    let signature = key.and_then(|key| rsa_sha256_sign(&key, signed.as_bytes()).ok());
    let signature = signature.ok_or("the private key of the GCP service account is none")?;
    Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
}
