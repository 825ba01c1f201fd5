use base_types::Secret;
use files_document::{Item, Scalar};
use zeroize::Zeroizing;

use crate::key::{KeySource, SOURCES, Surroundings};
use crate::metadata::text_of;
use crate::{Failure, FailureKind, Result};

/// What is asked of a key service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    Decrypt,
    Encrypt,
}

impl Verb {
    pub(super) const ALL: [Self; 2] = [Self::Decrypt, Self::Encrypt];

    /// The path of the call.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Decrypt => "/KeyService/Decrypt",
            Self::Encrypt => "/KeyService/Encrypt",
        }
    }
}

/// What somebody asks of a key: to wrap a data key, or to unwrap it.
pub struct Question {
    pub verb: Verb,
    source: &'static dyn KeySource,
    fields: Vec<Item>,
    payload: Secret<Vec<u8>>,
}

/// For each source its number in the message `Key` and the members of its own message in their order;
/// a map among them is left out.
const KEYS: [(&str, u64, &[&str]); 7] = [
    ("kms", 1, &["arn", "role", "", "aws_profile"]),
    ("pgp", 2, &["fp"]),
    ("gcp_kms", 3, &["resource_id"]),
    ("azure_kv", 4, &["vault_url", "name", "version"]),
    ("hc_vault", 5, &["vault_address", "engine_path", "key_name"]),
    ("age", 6, &["recipient"]),
    ("hckms", 7, &["key_id"]),
];

impl Question {
    /// The message that asks it.
    ///
    /// # Errors
    /// `Invalid` for a key that the messages cannot name.
    pub(crate) fn encode(
        source: &dyn KeySource,
        fields: &[Item],
        payload: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let name = source.row().metadata;
        let (_, number, members) =
            KEYS.iter().find(|(known, ..)| *known == name).ok_or_else(|| {
                Failure::invalid(format!("a key service knows no keys of the source '{name}'"))
            })?;
        let mut key = Vec::new();
        for (member, number) in members.iter().zip(1..) {
            if let Some(text) = text_of(fields, member).filter(|text| !text.is_empty()) {
                field(&mut key, number, text.as_bytes());
            }
        }
        let mut outer = Vec::new();
        field(&mut outer, *number, &key);
        let mut message = Zeroizing::new(Vec::with_capacity(outer.len() + payload.len() + 16));
        field(&mut message, 1, &outer);
        field(&mut message, 2, payload);
        Ok(message)
    }

    /// The question of a message; nothing if it is none, or asks for a key that is not known here.
    pub fn decode(verb: Verb, message: &[u8]) -> Option<Self> {
        let (mut key, mut payload) = (None, Vec::new());
        for (number, bytes) in fields(message)? {
            match number {
                1 => key = fields(bytes)?.pop(),
                2 => payload = bytes.to_vec(),
                _ => {}
            }
        }
        let (number, inner) = key?;
        let (name, _, members) = KEYS.iter().find(|(_, known, _)| *known == number)?;
        let source = SOURCES.into_iter().find(|source| source.row().metadata == *name)?;
        let mut items = Vec::new();
        for (number, bytes) in fields(inner)? {
            let member =
                usize::try_from(number).ok()?.checked_sub(1).and_then(|at| members.get(at));
            if let Some(member) = member.filter(|member| !member.is_empty()) {
                items.push(Item::member(*member, Scalar::text(std::str::from_utf8(bytes).ok()?)));
            }
        }
        Some(Self { verb, source, fields: items, payload: Secret::new(payload) })
    }

    /// What people call the key.
    pub fn key(&self) -> String {
        format!("{} {}", self.source.row().metadata, self.source.name(&self.fields))
    }

    /// What the key makes of it.
    ///
    /// # Errors
    /// What the source says.
    pub fn answer(&self, with: &Surroundings<'_>) -> Result<Secret<Vec<u8>>> {
        let payload = self.payload.expose();
        match self.verb {
            Verb::Decrypt => {
                let wrapped = std::str::from_utf8(payload).map_err(|_| {
                    Failure::new(FailureKind::DataKey, "what is wrapped is no text")
                })?;
                self.source.unwrap(&self.fields, wrapped, with)
            }
            Verb::Encrypt => {
                let wrapped = self.source.wrap(&self.fields, payload, with)?;
                Ok(Secret::new(wrapped.into_bytes()))
            }
        }
    }
}

/// The message that answers with `payload`.
pub(super) fn answer(payload: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut message = Zeroizing::new(Vec::with_capacity(payload.len() + 8));
    field(&mut message, 1, payload);
    message
}

/// What a message answers.
pub(super) fn answered(message: &[u8]) -> Option<&[u8]> {
    let fields = fields(message)?;
    Some(fields.into_iter().rev().find(|(number, _)| *number == 1).map_or(&[], |(_, bytes)| bytes))
}

/// The type of members that have a length and bytes. All members here are of it.
/// <https://protobuf.dev/programming-guides/encoding/#structure>
const WITH_LENGTH: u64 = 2;

fn field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | WITH_LENGTH);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The members of a message with their numbers; nothing if it is none.
fn fields(mut message: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = take_varint(&mut message)?;
        match tag & 7 {
            0 => drop(take_varint(&mut message)?),
            1 => drop(take(&mut message, 8)?),
            WITH_LENGTH => {
                let length = usize::try_from(take_varint(&mut message)?).ok()?;
                fields.push((tag >> 3, take(&mut message, length)?));
            }
            5 => drop(take(&mut message, 4)?),
            _ => return None,
        }
    }
    Some(fields)
}

fn take<'a>(message: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some(taken)
}

fn take_varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(message, 1)? else { return None };
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_question_arrives_as_it_was_asked() {
        let source =
            SOURCES.into_iter().find(|source| source.row().metadata == "hc_vault").unwrap();
        let fields = ["vault_address", "engine_path", "key_name", "enc"]
            .map(|name| Item::member(name, Scalar::text(name.repeat(40))));
        let message = Question::encode(source, &fields, b"payload").unwrap();
        let question = Question::decode(Verb::Encrypt, &message).unwrap();
        assert_eq!(question.payload.expose(), b"payload");
        assert!(question.fields == fields[..3]);
        for end in 1..message.len() {
            // Cut off, it is no question or one without its end, and never more.
            let cut = Question::decode(Verb::Encrypt, &message[..end]);
            assert!(cut.is_none_or(|cut| cut.payload.expose().is_empty()), "{end}");
        }
    }

    /// The bytes are those of the reference implementation of protocol buffers.
    #[test]
    fn messages_have_the_bytes_of_the_protocol() {
        let age = SOURCES.into_iter().find(|source| source.row().metadata == "age").unwrap();
        let fields = [Item::member("recipient", Scalar::text("age1x"))];
        let message = Question::encode(age, &fields, b"k").unwrap();
        assert_eq!(message.as_slice(), b"\x0a\x09\x32\x07\x0a\x05age1x\x12\x01k");
        assert_eq!(answer(b"w").as_slice(), b"\x0a\x01w");
        assert_eq!(answered(b""), Some(&b""[..]));
        for broken in
            [&b"\x0a"[..], b"\x0a\x05x", b"\x0b", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"]
        {
            assert!(answered(broken).is_none());
        }
    }
}
