use base_crypto::OaepPrivateKey;
use base_types::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use files_document::{Element, Item, Value, get};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use crate::certificate::read_file;
use crate::manifest;

/// The private keys of all files: each holds one in PEM, or secrets of the controller as a backup
/// of them has them, one by one or in a list.
///
/// # Errors
/// `Invalid`, naming the file.
pub(crate) fn read(paths: &[String]) -> Result<Vec<OaepPrivateKey>> {
    let mut keys = Vec::new();
    for path in paths {
        let text = Zeroizing::new(read_file(path)?);
        let found = parse(&text).map_err(|error| error.at(path))?;
        if found.is_empty() {
            return Err(Error::invalid(format!("{path} holds no private key")));
        }
        keys.extend(found);
    }
    Ok(keys)
}

fn parse(text: &[u8]) -> Result<Vec<OaepPrivateKey>> {
    if text.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Ok(vec![of_pem(text)?]);
    }
    let document = manifest::read(text).map_err(|_| {
        Error::invalid("this is neither a private key in PEM nor a backup of the controller's keys")
    })?;
    let mut keys = Vec::new();
    for items in document.trees() {
        collect(items, &mut keys)?;
    }
    Ok(keys)
}

fn collect(items: &[Item], keys: &mut Vec<OaepPrivateKey>) -> Result<()> {
    if let Some(Value::List(elements)) = get(items, "items") {
        for element in elements {
            if let Element::Value(Value::Map(secret)) = element {
                keys.push(of_secret(secret)?);
            }
        }
        return Ok(());
    }
    keys.push(of_secret(items)?);
    Ok(())
}

fn of_secret(secret: &[Item]) -> Result<OaepPrivateKey> {
    let data = manifest::map(secret, "data");
    let text = manifest::text(data, "tls.key")
        .ok_or_else(|| Error::invalid("secret must contain a 'tls.key' key under data"))?;
    let pem = STANDARD
        .decode(text.trim())
        .map_err(|_| Error::invalid("data of the secret's 'tls.key' is no base64"))?;
    of_pem(&Zeroizing::new(pem))
}

fn of_pem(pem: &[u8]) -> Result<OaepPrivateKey> {
    let key = PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| Error::invalid("this holds no private key in PEM (PKCS #1 or PKCS #8)"))?;
    match &key {
        PrivateKeyDer::Pkcs1(der) => OaepPrivateKey::from_pkcs1(der.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(der) => OaepPrivateKey::from_pkcs8(der.secret_pkcs8_der()),
        _ => Err(Error::invalid("the private key is no RSA key")),
    }
}
