//! Two ways to try the server: `dev`, which keeps its data in a folder, and Vault's `server -dev`,
//! which forgets everything.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base_crypto::{SystemRandom, hex, random_array};
use base_types::{Error, Namespace, Result, Secret, SystemClock};
use core_pipeline::{Core, Initialized, NewMount};
use core_seal::{Share, Split};

use crate::config::{Config, Environment};
use crate::listener::Address;
use crate::logging::Logging;
use crate::run::{Running, Signals};

/// The flags of `server -dev`, with Vault's names and defaults.
/// <https://openbao.org/docs/commands/server/#dev-options>
#[derive(Debug)]
pub struct DevOptions {
    pub listen_address: String,
    /// The text of the root token; a random one if there is none.
    pub root_token_id: Option<Secret<String>>,
    /// Serve TLS with a certificate made for this run, left in this folder for clients.
    pub tls_folder: Option<PathBuf>,
    /// Mount version 1 of the key-value engine at `secret/`.
    pub kv_v1: bool,
    /// Where to leave the root token for the command line.
    pub token_file: Option<PathBuf>,
    pub log_level: String,
}

/// `server -dev`: in memory, initialised and unsealed, until a signal ends it.
///
/// # Errors
/// What keeps the server from starting.
pub async fn serve_dev(
    options: DevOptions,
    environment: &Environment,
    out: &mut dyn Write,
) -> Result<()> {
    let tls = match &options.tls_folder {
        Some(folder) => make_certificate(folder, &options.listen_address)?,
        None => "tls_disable = true".to_owned(),
    };
    let text = format!(
        "listener \"tcp\" {{\n address = {:?}\n {tls}\n}}\nstorage \"inmem\" {{}}\nlog_level = {:?}\nunsafe_allow_api_audit_creation = true\n",
        options.listen_address, options.log_level
    );
    let config = Config::parse("server -dev", &text, environment)?;
    let _logging = Logging::install(&config.log, Arc::new(SystemClock::default()))?;
    let signals = Signals::new()?;
    let running = Running::start(&config, environment).await?;
    let core = running.core().clone();
    let (shares, root) = open(&core, options.root_token_id).await?;
    mount_secret(&core, if options.kv_v1 { "1" } else { "2" }).await?;
    if let Some(path) = &options.token_file {
        write_private(path, root.expose().as_bytes())?;
    }
    let shares: Vec<String> = shares.iter().map(|share| hex(share.expose())).collect();
    let address = address(&running);
    say(
        out,
        format_args!(
            "The server runs in development mode: everything is in memory and gone when it ends.\n\n\
         \x20   export VAULT_ADDR='{address}'\n{}\n\
         Unseal Key: {}\nRoot Token: {}\n\n\
         Development mode should NOT be used in production installations!\n",
            match &options.tls_folder {
                Some(folder) =>
                    format!("    export VAULT_CACERT='{}'\n", folder.join("ca.pem").display()),
                None => String::new(),
            },
            shares.join(", "),
            root.expose(),
        ),
    )?;
    signals.serve(running, || {}).await
}

/// Initialises and unseals. There is one root token afterwards, with the chosen text if there is one.
async fn open(
    core: &Arc<Core>,
    chosen: Option<Secret<String>>,
) -> Result<(Vec<Share>, Secret<String>)> {
    let Initialized { key_shares, root_token, .. } =
        core.initialize(Some(Split::new(1, 1)?)).await?;
    for share in key_shares.iter().cloned() {
        core.unseal_with(share).await?;
    }
    let Some(chosen) = chosen else { return Ok((key_shares, root_token)) };
    core.dev_root_token(chosen.clone()).await?;
    // One root token is enough, and nobody was told the other.
    if chosen != root_token {
        core.revoke_token(&core.tokens.id(root_token.expose())?).await?;
    }
    Ok((key_shares, chosen))
}

/// `dev`: durable in `folder`, unsealed by a key file beside the data, audited.
///
/// # Errors
/// What keeps the server from starting.
pub async fn dev(
    folder: &Path,
    listen_address: &str,
    environment: &Environment,
    out: &mut dyn Write,
) -> Result<()> {
    create_private_folder(folder)?;
    let folder = folder.canonicalize().map_err(|error| unusable(folder, &error))?;
    let key = folder.join("seal.key");
    if !key.exists() {
        write_private(&key, hex(&random_array::<32>(&SystemRandom)).as_bytes())?;
    }
    let text = format!(
        "listener \"tcp\" {{\n address = {listen_address:?}\n tls_disable = true\n}}\n\
         storage \"embedded\" {{\n path = {:?}\n}}\n\
         seal \"static\" {{\n current_key_id = \"dev\"\n current_key = {:?}\n}}\n\
         audit \"file\" \"file\" {{\n options {{\n file_path = {:?}\n }}\n}}\nlog_level = \"warn\"\n",
        folder.join("data"),
        format!("file://{}", key.display()),
        folder.join("audit.log"),
    );
    let config = Config::parse("dev", &text, environment)?;
    let _logging = Logging::install(&config.log, Arc::new(SystemClock::default()))?;
    let signals = Signals::new()?;
    let running = Running::start(&config, environment).await?;
    let core = running.core().clone();
    let first = match core.seals.status().await?.initialized {
        true => None,
        false => Some(core.initialize(Some(Split::new(1, 1)?)).await?),
    };
    if core.is_sealed() {
        return Err(Error::unavailable(format!(
            "the data in {} was sealed with another key than the one in {}",
            folder.display(),
            key.display()
        )));
    }
    mount_secret(&core, "2").await?;
    let program = std::env::current_exe().map(|path| path.display().to_string());
    let program = program.unwrap_or_else(|_| "strongroom".to_owned());
    let address = address(&running);
    say(
        out,
        format_args!(
            "Strongroom is running at {address}\nData, audit log and key: {}\n",
            folder.display()
        ),
    )?;
    match &first {
        Some(first) => {
            say(
                out,
                format_args!("\nRoot token, shown this once: {}\n", first.root_token.expose()),
            )?;
            for share in &first.key_shares {
                say(out, format_args!("Recovery key, shown this once: {}\n", hex(share.expose())))?;
            }
        }
        None => say(out, format_args!("\nThe root token was shown at the first start.\n"))?,
    }
    say(
        out,
        format_args!(
            "\nTry, in another terminal:\n\n\
         \x20   export VAULT_ADDR={address}; read -rs VAULT_TOKEN; export VAULT_TOKEN   # paste the root token\n\
         \x20   {program} kv put secret/hello greeting=world\n\
         \x20   {program} kv get secret/hello\n\n\
         Ctrl-C ends it; the data stays.\n"
        ),
    )?;
    signals.serve(running, || {}).await
}

async fn mount_secret(core: &Arc<Core>, version: &str) -> Result<()> {
    let root = Namespace::root();
    if core.mount_at(&root, "secret").is_some() {
        return Ok(());
    }
    let namespace = core.namespaces.find(&root).ok_or_else(Error::sealed)?;
    let new = NewMount {
        path: "secret/".to_owned(),
        kind: "kv".to_owned(),
        description: "key/value secret storage".to_owned(),
        options: [("version".to_owned(), version.to_owned())].into(),
        ..NewMount::default()
    };
    core.mount(&namespace, new).await.map(drop)
}

fn address(running: &Running) -> String {
    match running.addresses.first() {
        Some(Address::Tcp { address, tls }) => {
            format!("{}://{address}", if *tls { "https" } else { "http" })
        }
        Some(Address::Unix(path)) => format!("unix://{}", path.display()),
        None => String::new(),
    }
}

/// A certificate authority and a certificate of it for this machine, both for this run only.
fn make_certificate(folder: &Path, listen_address: &str) -> Result<String> {
    create_private_folder(folder)?;
    let failed = |error: rcgen::Error| Error::internal(error);
    let authority_key = rcgen::KeyPair::generate().map_err(failed)?;
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    authority.distinguished_name.push(rcgen::DnType::CommonName, "Strongroom development CA");
    let authority_certificate = authority.self_signed(&authority_key).map_err(failed)?;
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let host = listen_address.rsplit_once(':').map_or(listen_address, |(host, _)| host);
    let names = ["localhost", "127.0.0.1", "::1", host.trim_matches(['[', ']'])];
    let mut names: Vec<String> =
        names.iter().filter(|name| !name.is_empty()).map(|name| (*name).to_owned()).collect();
    names.sort();
    names.dedup();
    let key = rcgen::KeyPair::generate().map_err(failed)?;
    let certificate = rcgen::CertificateParams::new(names).map_err(failed)?;
    let certificate = certificate.signed_by(&key, &issuer).map_err(failed)?;
    let (certificate_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
    write_private(&folder.join("ca.pem"), authority_certificate.pem().as_bytes())?;
    write_private(&certificate_file, certificate.pem().as_bytes())?;
    write_private(&key_file, key.serialize_pem().as_bytes())?;
    Ok(format!("tls_cert_file = {certificate_file:?}\n tls_key_file = {key_file:?}"))
}

fn create_private_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| unusable(folder, &error))
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |error: std::io::Error| unusable(path, &error);
    let fresh = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&fresh).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, path).map_err(failed)
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::invalid(format!("{} cannot be written: {error}", path.display()))
}

fn say(out: &mut dyn Write, text: std::fmt::Arguments<'_>) -> Result<()> {
    out.write_fmt(text).and_then(|()| out.flush()).map_err(Error::internal)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wiring::wire;

    async fn opened(chosen: Option<&str>) -> (Arc<Core>, Secret<String>) {
        let text = "storage \"inmem\" {}\n\
                    listener \"tcp\" { address = \"127.0.0.1:0\" tls_disable = true }";
        let environment = Environment::from_fn(|_| None);
        let config = Config::parse("a.hcl", text, &environment).unwrap();
        let core = wire(&config, &environment).unwrap().core;
        let chosen = chosen.map(|text| Secret::new(text.to_owned()));
        let (_, root) = open(&core, chosen).await.unwrap();
        (core, root)
    }

    #[tokio::test]
    async fn there_is_one_root_token_chosen_or_not() {
        for chosen in [Some("dev-root"), None] {
            let (core, root) = opened(chosen).await;
            let token = core.tokens.authenticate(root.expose()).await.unwrap().unwrap();
            assert_eq!(token.policies, ["root"]);
            if let Some(chosen) = chosen {
                assert_eq!(root.expose(), chosen);
            }
            let namespace = core.namespaces.find(&Namespace::root()).unwrap();
            let accessors = core.tokens.accessors(namespace.id(), "", 0).await.unwrap();
            assert_eq!(accessors, [&*token.accessor]);
        }
    }
}
