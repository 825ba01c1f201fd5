//! What the transit engine and publishing have in common: a Vault, an OpenBao or a Strongroom, spoken
//! to as Vault's command line does.

use std::fs;
use std::path::PathBuf;

use base_types::Secret;
use client::{Client, Config, Request, SecretResponse, Tls};

use crate::key::Surroundings;
use crate::plain;

/// The server's answer to one request, if it has one.
///
/// # Errors
/// What the client says.
pub(crate) fn ask(
    address: String,
    request: &Request,
    with: &Surroundings<'_>,
) -> Result<Option<SecretResponse>, client::Error> {
    let client = Client::new(config(address, with))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| client::Error::Connection(format!("cannot start: {error}")))?;
    runtime.block_on(client.secret(request))
}

/// The file says where the server is; how to speak to it is said as for Vault's command line.
fn config(address: String, with: &Surroundings<'_>) -> Config {
    let path = |name| with.variable(name).map(PathBuf::from);
    let token = with.variable("VAULT_TOKEN").map(|token| Secret::new(token.to_owned()));
    let token = token.or_else(|| {
        let text = fs::read_to_string(with.home(".vault-token")?).ok()?;
        Some(Secret::new(text.trim().to_owned()))
    });
    Config {
        address,
        token,
        namespace: with.variable("VAULT_NAMESPACE").unwrap_or_default().to_owned(),
        tls: Tls {
            ca_cert: path("VAULT_CACERT"),
            ca_path: path("VAULT_CAPATH"),
            client_cert: path("VAULT_CLIENT_CERT"),
            client_key: path("VAULT_CLIENT_KEY"),
            server_name: with.variable("VAULT_TLS_SERVER_NAME").map(str::to_owned),
            danger_skip_verify: with
                .variable("VAULT_SKIP_VERIFY")
                .and_then(plain::boolean)
                .unwrap_or(false),
        },
        ..Config::default()
    }
}
