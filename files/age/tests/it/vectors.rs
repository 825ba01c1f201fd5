//! The vectors of C2SP, of which each tests one thing: <https://github.com/C2SP/CCTV/tree/main/age>.

use std::io::Read;

use base_crypto::{SystemRandom, hex, sha256};
use base_types::Secret;
use files_age::{Error, Form, Identity, Person, ScryptIdentity};

use crate::Check;
use crate::bench::{Bench, holds, same};

pub(crate) const CHECKS: &[Check] =
    &[("vectors: all of C2SP's", all), ("vectors: chunks of every length come back", chunks)];

/// All vectors, decompressed, in the one form that needs no reader of its own: JSON with base64.
const SCRIPT: &str = r#"
import * as vectors from "cctv-age";
import zlib from "zlib";
const all = Object.entries(vectors).map(([name, bytes]) => {
  const text = Buffer.from(bytes).toString("latin1");
  const end = text.indexOf("\n\n");
  const fields = text.slice(0, end).split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2));
  let file = Buffer.from(bytes).subarray(end + 2);
  if (fields.some(([key]) => key === "compressed")) file = zlib.inflateSync(file);
  return { name, fields, file: file.toString("base64") };
});
process.stdout.write(JSON.stringify(all));
"#;

#[derive(Clone, Copy)]
struct Nobody;

impl Person for Nobody {
    fn secret(&self, _: &str) -> Option<Secret<String>> {
        None
    }
}

/// So many vectors the package has.
const COUNT: usize = 143;

fn all(bench: &Bench) -> Result<(), String> {
    let text = bench.node(SCRIPT, &[])?;
    let vectors: serde_json::Value = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
    let vectors = vectors.as_array().unwrap();
    holds("all vectors are there", vectors.len() == COUNT)?;
    let faults: Vec<String> = vectors.iter().filter_map(|vector| check(vector).err()).collect();
    holds(&format!("all agree:\n{}", faults.join("\n")), faults.is_empty())
}

fn check(vector: &serde_json::Value) -> Result<(), String> {
    let name = vector["name"].as_str().unwrap();
    let fields: Vec<[&str; 2]> = vector["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| [0, 1].map(|at| field[at].as_str().unwrap_or_default()))
        .collect();
    let field = |key: &str| fields.iter().find(|field| field[0] == key).map(|field| field[1]);
    let file = decode(vector["file"].as_str().unwrap());
    let mut identities: Vec<Box<dyn Identity>> = Vec::new();
    for [key, value] in &fields {
        match *key {
            "identity" => identities.extend(
                files_age::identities(value.as_bytes(), "vector", &Nobody)
                    .map_err(|error| format!("{name}: {error}"))?,
            ),
            "passphrase" => {
                let passphrase = Secret::new((*value).to_owned());
                identities.push(Box::new(ScryptIdentity::new(move || Ok(passphrase.clone()))));
            }
            _ => {}
        }
    }
    let mut plain = Vec::new();
    let outcome = files_age::decrypt(file.as_slice(), &identities)
        .and_then(|mut reader| Ok(reader.read_to_end(&mut plain)?));
    let found = match &outcome {
        Ok(_) => "success",
        Err(Error::Armor(_)) => "armor failure",
        Err(Error::Header(_)) => "header failure",
        Err(Error::Mac) => "HMAC failure",
        Err(Error::NoMatch) => "no match",
        Err(Error::Payload(_)) => "payload failure",
        Err(Error::Invalid(_) | Error::Io(_) | Error::Unavailable(_)) => "something else",
    };
    let expected = field("expect").unwrap_or_default();
    // What does not begin as armor does is taken for a binary file, and is none.
    let no_armor = expected == "armor failure" && found == "header failure";
    if found != expected && !no_armor {
        return Err(format!("{name}: {found} ({:?}), expected {expected}", outcome.err()));
    }
    match field("payload") {
        Some(digest) if hex(&sha256(&plain)) != digest => Err(format!("{name}: another payload")),
        _ => Ok(()),
    }
}

fn decode(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = group.iter().fold(0, |bits, byte| bits << 6 | digit(*byte));
        let bits = bits << (6 * (4 - group.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}

fn chunks(_: &Bench) -> Result<(), String> {
    let identity = files_age::X25519Identity::generate(&SystemRandom);
    let recipients = [files_age::recipient(&identity.recipient()).unwrap()];
    let identities: [Box<dyn Identity>; 1] = [Box::new(identity)];
    const CHUNK: usize = 64 << 10;
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1] {
        let plain = vec![7; length];
        for form in [Form::Armored, Form::Binary] {
            let file = files_age::encrypt_bytes(&recipients, form, &plain, &SystemRandom).unwrap();
            let opened = files_age::decrypt_bytes(&file, &identities).unwrap();
            same(&format!("{length} bytes"), opened.expose(), &plain)?;
        }
        let file =
            files_age::encrypt_bytes(&recipients, Form::Binary, &plain, &SystemRandom).unwrap();
        for cut in [1, 16, 17, 32] {
            let cut = files_age::decrypt_bytes(&file[..file.len() - cut], &identities);
            let is_refused = matches!(cut, Err(Error::Header(_) | Error::Payload(_)));
            holds("a cut file is refused", is_refused)?;
        }
        let longer = [file.as_slice(), b"x"].concat();
        let longer = files_age::decrypt_bytes(&longer, &identities);
        holds("a longer file is refused", matches!(longer, Err(Error::Payload(_))))?;
    }
    Ok(())
}
