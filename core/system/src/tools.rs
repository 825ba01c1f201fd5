use std::sync::Arc;

use base_types::{Error, Result};
use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use core_engine_api::{Call, Response, Routes, Verb};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;

const BYTES_DEFAULT: usize = 32;
const BYTES_MAX: usize = 128 * 1024;

pub(crate) fn routes(table: &mut Routes<System>) {
    for pattern in ["tools/random", "tools/random/{bytes}", "tools/random/{source}/{bytes}"] {
        table.on(Verb::Write, pattern, random).summary("Give random bytes.");
    }
    for pattern in ["tools/hash", "tools/hash/{algorithm}"] {
        table.on(Verb::Write, pattern, hash).summary("Compute the digest of some bytes.");
    }
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Random {
    /// How many bytes; 32 unless given.
    bytes: Option<String>,
    /// `platform`, `seal` or `all`: there is one source, the operating system's.
    source: Option<String>,
    /// `base64` or `hex`.
    format: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Hash {
    /// `sha2-224`, `sha2-256` (the default), `sha2-384`, `sha2-512`, `sha3-256`, `sha3-384` or
    /// `sha3-512`.
    algorithm: Option<String>,
    /// The bytes in base64.
    input: base_types::Secret<String>,
    /// `hex` or `base64`.
    format: Option<String>,
}

#[derive(Serialize)]
struct RandomBytes {
    random_bytes: String,
}

#[derive(Serialize)]
struct Sum {
    sum: String,
}

async fn random(system: Arc<System>, call: Call, request: Random) -> Result<Response> {
    let core = system.core()?;
    let Random { mut bytes, mut source, format } = request;
    // A source may stand where a number usually does: `tools/random/platform`.
    if source.is_none() && bytes.as_deref().is_some_and(is_source) {
        source = bytes.take();
    }
    let source = source.unwrap_or_else(|| "platform".to_owned());
    if !is_source(&source) {
        return Err(Error::invalid(format!(
            "unsupported entropy source {source:?}; must be \"platform\" or \"seal\", or \"all\""
        )));
    }
    let place = match call.params.iter().any(|(param, _)| *param == "bytes") {
        true => "error parsing url-set byte count",
        false => "error converting input for field \"bytes\"",
    };
    let count = bytes.map_or(Ok(BYTES_DEFAULT), |text| byte_count(&text, place))?;
    let mut bytes = vec![0; count];
    core.random.fill(&mut bytes);
    let format = format.as_deref().unwrap_or("base64");
    // The two endpoints differ in the quotes.
    let random_bytes = encode(&bytes, format).ok_or_else(|| unknown(&format!("{format:?}")))?;
    let response = Response::data(&RandomBytes { random_bytes })?;
    Ok(match source.as_str() {
        "seal" => {
            response.warn("no seal/entropy augmentation available, using platform entropy source")
        }
        _ => response,
    })
}

fn is_source(text: &str) -> bool {
    matches!(text, "all" | "platform" | "seal")
}

/// `place` is where the text came from.
fn byte_count(text: &str, place: &str) -> Result<usize> {
    let expected = |_| Error::invalid("expected a number").at(place);
    let count: i64 = text.parse().map_err(expected)?;
    match usize::try_from(count) {
        Ok(0) | Err(_) => Err(Error::invalid("'bytes' cannot be less than 1")),
        Ok(count) if count > BYTES_MAX => {
            Err(Error::invalid(format!("'bytes' should be less than {BYTES_MAX}")))
        }
        Ok(count) => Ok(count),
    }
}

async fn hash(_: Arc<System>, _: Call, request: Hash) -> Result<Response> {
    let Hash { algorithm, input, format } = request;
    let bytes = STANDARD.decode(input.expose()).map_err(|fault| {
        Error::invalid(format!("unable to decode input as base64: {}", place(&fault)))
    })?;
    let algorithm = algorithm.as_deref().unwrap_or("sha2-256");
    let digest = base_crypto::digest_by_name(algorithm, &bytes);
    let digest =
        digest.ok_or_else(|| Error::invalid(format!("unsupported algorithm {algorithm}")))?;
    let format = format.as_deref().unwrap_or("hex");
    Response::data(&Sum { sum: encode(&digest, format).ok_or_else(|| unknown(format))? })
}

/// Where a text stops being base64, without what stands there.
fn place(fault: &DecodeError) -> String {
    match fault {
        DecodeError::InvalidByte(offset, _) | DecodeError::InvalidLastSymbol(offset, _) => {
            format!("illegal base64 data at input byte {offset}")
        }
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => {
            "illegal base64 data at its end".to_owned()
        }
    }
}

fn encode(bytes: &[u8], format: &str) -> Option<String> {
    match format {
        "base64" => Some(STANDARD.encode(bytes)),
        "hex" => Some(base_crypto::hex(bytes)),
        _ => None,
    }
}

fn unknown(format: &str) -> Error {
    Error::invalid(format!("unsupported encoding format {format}; must be \"hex\" or \"base64\""))
}
