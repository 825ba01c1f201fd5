use std::fmt;
use std::sync::Arc;

use base_crypto::{SigningKey, hex, sha256, unhex, verify_signature};
use base_types::{Timestamp, Ttl};
use serde::Deserialize;

use crate::Head;
use crate::redact::{push_hex, push_text};

/// At most this many lines stand between two checkpoints.
pub const LINES_MAX: u64 = 10_000;

/// At most this much time, by the lines' own clock, lies between the first line after a checkpoint
/// and the next checkpoint.
pub const INTERVAL: Ttl = Ttl::from_seconds(5);

/// What makes a signature one of ours and no other.
const CONTEXT: &[u8] = b"strongroom audit checkpoint v1\n";

/// Why a checkpoint was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// The device is closed; nothing follows in this run of the server.
    Close,
    /// Lines were lost because the device failed or was too slow.
    Gap,
    /// The last checkpoint was [`LINES_MAX`] lines or [`INTERVAL`] ago.
    Interval,
    /// The device begins to write to this file or connection.
    Open,
    /// The device goes on in another file.
    Rotate,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Gap => "gap",
            Self::Interval => "interval",
            Self::Open => "open",
            Self::Rotate => "rotate",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Close, Self::Gap, Self::Interval, Self::Open, Self::Rotate]
            .into_iter()
            .find(|reason| reason.as_str() == text)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The server's key for checkpoints with the name by which they refer to it.
pub(crate) struct Signer {
    key: SigningKey,
    id: String,
}

impl Signer {
    pub(crate) fn new(key: SigningKey) -> Self {
        let id = key_id(&key.public());
        Self { key, id }
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of a public key.
pub(crate) fn key_id(public: &[u8; 32]) -> String {
    hex(&sha256(public)[..8])
}

/// The growing end of one device's stream.
///
/// An entry's line is `PREFIX{…,"chain":{"seq":N,"prev":"HASH"}}`, where `HASH` is the SHA-256 of
/// the bytes of line `N`-1, line end excluded. A checkpoint's line is
/// `PREFIX{"time":…,"type":"checkpoint","chain":{"seq":N,"prev":"HASH","reason":…,"device":…,`
/// `"lost":N,"torn":N,"key":"ID","signature":"SIGNATURE"}}`; the Ed25519 signature covers
/// [`CONTEXT`] and every byte of the line before `,"signature"`. `lost` and `torn` are left out
/// when zero.
pub(crate) struct Chain {
    signer: Arc<Signer>,
    device: String,
    prefix: String,
    pub(crate) end: End,
}

/// Where a stream stands after a line.
#[derive(Clone, Copy)]
pub(crate) struct End {
    pub(crate) head: Head,
    /// Lines since the last checkpoint.
    pub(crate) unsigned: u64,
    /// The time of the first of them.
    since: Timestamp,
}

impl End {
    pub(crate) fn at(head: Head) -> Self {
        Self { head, unsigned: 0, since: Timestamp::EPOCH }
    }

    /// A line of `time` may not follow without a checkpoint in between.
    pub(crate) fn is_due(&self, time: Timestamp) -> bool {
        self.unsigned >= LINES_MAX || (self.unsigned > 0 && time > self.since.plus(INTERVAL))
    }

    /// The same place with one more line that is no checkpoint.
    pub(crate) fn after_entry(self, head: Head, time: Timestamp) -> Self {
        let since = if self.unsigned == 0 { time } else { self.since };
        Self { head, unsigned: self.unsigned + 1, since }
    }
}

/// What a checkpoint has to tell.
#[derive(Clone, Copy)]
pub(crate) struct Checkpoint {
    pub(crate) reason: Reason,
    pub(crate) time: Timestamp,
    /// Entries that the device did not write since the last checkpoint.
    pub(crate) lost: u64,
    /// Bytes of an unfinished line that were cut off when the file was opened.
    pub(crate) torn: u64,
}

impl Chain {
    pub(crate) fn new(signer: Arc<Signer>, device: String, prefix: String) -> Self {
        Self { signer, device, prefix, end: End::at(Head::START) }
    }

    /// Appends the line of an entry to `out`. `json` is an object without its closing brace.
    pub(crate) fn append(&mut self, json: &[u8], time: Timestamp, out: &mut Vec<u8>) {
        let start = self.begin(json, out);
        out.extend_from_slice(b"}}");
        self.end = self.end.after_entry(self.finish(start, out), time);
    }

    /// Appends the line of a checkpoint to `out`.
    pub(crate) fn checkpoint(&mut self, checkpoint: Checkpoint, out: &mut Vec<u8>) {
        let Checkpoint { reason, time, lost, torn } = checkpoint;
        let start = self.begin(format!(r#"{{"time":"{time}","type":"checkpoint""#).as_bytes(), out);
        out.extend_from_slice(format!(r#","reason":"{reason}","device":"#).as_bytes());
        push_text(&self.device, out);
        for (name, count) in [("lost", lost), ("torn", torn)] {
            if count > 0 {
                out.extend_from_slice(format!(r#","{name}":{count}"#).as_bytes());
            }
        }
        out.extend_from_slice(format!(r#","key":"{}""#, self.signer.id).as_bytes());
        let signature = self.signer.key.sign(&[CONTEXT, &out[start..]].concat());
        out.extend_from_slice(SIGNATURE_MEMBER);
        push_hex(&signature, out);
        out.extend_from_slice(LINE_END);
        self.end = End::at(self.finish(start, out));
    }

    /// Appends the prefix, `json` and the open member `chain`; returns where the line starts.
    fn begin(&self, json: &[u8], out: &mut Vec<u8>) -> usize {
        let start = out.len();
        out.extend_from_slice(self.prefix.as_bytes());
        out.extend_from_slice(json);
        out.extend_from_slice(br#","chain":{"seq":"#);
        out.extend_from_slice((self.end.head.seq + 1).to_string().as_bytes());
        out.extend_from_slice(br#","prev":""#);
        push_hex(&self.end.head.hash, out);
        out.push(b'"');
        start
    }

    fn finish(&self, start: usize, out: &mut Vec<u8>) -> Head {
        let hash = sha256(&out[start..]);
        out.push(b'\n');
        Head { seq: self.end.head.seq + 1, hash }
    }
}

const SIGNATURE_MEMBER: &[u8] = br#","signature":""#;
const LINE_END: &[u8] = br#""}}"#;
const SIGNATURE_DIGITS: usize = 128;

/// What a reader needs to know of a line.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) time: Option<Timestamp>,
    pub(crate) seq: u64,
    pub(crate) prev: [u8; 32],
    pub(crate) hash: [u8; 32],
    pub(crate) seal: Option<Seal>,
}

impl Line {
    /// `None` if `bytes`, a line without its end, is not one of a chain.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let json = &bytes[bytes.iter().position(|byte| *byte == b'{')?..];
        let fields: LineFields<'_> = serde_json::from_slice(json).ok()?;
        let ChainFields { seq, prev, reason, device, lost, torn, key, signature } = fields.chain;
        let seal = match fields.kind {
            "checkpoint" => Some(Seal {
                reason: Reason::parse(reason?)?,
                device: device?,
                lost,
                torn,
                key: key?.to_owned(),
                signature: unhex(signature?)?.try_into().ok()?,
            }),
            "request" | "response" if reason.or(key).or(signature).is_none() => None,
            _ => return None,
        };
        Some(Self {
            time: fields.time.and_then(|time| time.parse().ok()),
            seq,
            prev: unhex(prev)?.try_into().ok()?,
            hash: sha256(bytes),
            seal,
        })
    }

    pub(crate) fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }
}

/// What a checkpoint claims.
#[derive(Debug)]
pub(crate) struct Seal {
    pub(crate) reason: Reason,
    pub(crate) device: String,
    pub(crate) lost: u64,
    pub(crate) torn: u64,
    /// The id of the key that signed.
    pub(crate) key: String,
    signature: [u8; 64],
}

impl Seal {
    /// Whether the owner of `public` signed the checkpoint whose whole line is `line`.
    pub(crate) fn is_signed_by(&self, public: &[u8; 32], line: &[u8]) -> bool {
        let tail = SIGNATURE_MEMBER.len() + SIGNATURE_DIGITS + LINE_END.len();
        let Some((signed, tail)) = line.split_at_checked(line.len().saturating_sub(tail)) else {
            return false;
        };
        // The parsed signature must be the one at the end, so that no byte of the line is free.
        let end = [SIGNATURE_MEMBER, hex(&self.signature).as_bytes(), LINE_END].concat();
        tail == end && verify_signature(public, &[CONTEXT, signed].concat(), &self.signature)
    }
}

#[derive(Deserialize)]
struct LineFields<'a> {
    time: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    chain: ChainFields<'a>,
}

#[derive(Deserialize)]
struct ChainFields<'a> {
    seq: u64,
    prev: &'a str,
    reason: Option<&'a str>,
    device: Option<String>,
    #[serde(default)]
    lost: u64,
    #[serde(default)]
    torn: u64,
    key: Option<&'a str>,
    signature: Option<&'a str>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_crypto::SeededRandom;

    use super::*;

    fn chain(prefix: &str) -> (Chain, [u8; 32]) {
        let key = SigningKey::generate(&SeededRandom::new(1));
        let public = key.public();
        (Chain::new(Arc::new(Signer::new(key)), "file/".into(), prefix.into()), public)
    }

    fn checkpoint(reason: Reason) -> Checkpoint {
        Checkpoint { reason, time: Timestamp::from_seconds(1_700_000_000), lost: 0, torn: 0 }
    }

    /// The bytes of the format: a log of today must be readable tomorrow.
    #[test]
    fn lines_have_these_bytes() {
        let (mut chain, public) = chain("");
        let mut out = Vec::new();
        chain.checkpoint(checkpoint(Reason::Open), &mut out);
        chain.append(br#"{"time":"t","type":"request""#, Timestamp::EPOCH, &mut out);
        let text = String::from_utf8(out).unwrap();
        let (first, second) = text.trim_end().split_once('\n').unwrap();
        let zeros = "0".repeat(64);
        let id = key_id(&public);
        let signed = format!(
            r#"{{"time":"2023-11-14T22:13:20Z","type":"checkpoint","chain":{{"seq":1,"prev":"{zeros}","reason":"open","device":"file/","key":"{id}""#
        );
        let message = format!("strongroom audit checkpoint v1\n{signed}");
        let signature = SigningKey::generate(&SeededRandom::new(1)).sign(message.as_bytes());
        assert_eq!(first, format!(r#"{signed},"signature":"{}"}}}}"#, hex(&signature)));
        let prev = hex(&sha256(first.as_bytes()));
        assert_eq!(
            second,
            format!(r#"{{"time":"t","type":"request","chain":{{"seq":2,"prev":"{prev}"}}}}"#)
        );
        assert_eq!(chain.end.head, Head { seq: 2, hash: sha256(second.as_bytes()) });
    }

    #[test]
    fn a_checkpoint_is_bound_to_every_byte_and_to_its_key() {
        let (mut chain, public) = chain("@audit: ");
        let mut line = Vec::new();
        let told = Checkpoint { lost: 3, torn: 17, ..checkpoint(Reason::Gap) };
        chain.checkpoint(told, &mut line);
        line.pop();
        let seal = Line::parse(&line).unwrap().seal.unwrap();
        assert_eq!((seal.reason, seal.lost, seal.torn), (Reason::Gap, 3, 17));
        assert!(seal.is_signed_by(&public, &line));
        assert!(!seal.is_signed_by(&[1; 32], &line));
        for at in 0..line.len() {
            let mut changed = line.clone();
            changed[at] ^= 1;
            let seal = Line::parse(&changed).and_then(|line| line.seal);
            assert!(!seal.is_some_and(|seal| seal.is_signed_by(&public, &changed)), "byte {at}");
        }
        line.push(b' ');
        assert!(!Line::parse(&line).unwrap().seal.unwrap().is_signed_by(&public, &line));
    }

    #[test]
    fn other_lines_are_not_taken_for_ours() {
        for text in [
            "",
            "{}",
            "\0\0\0",
            r#"{"time":"t","type":"request"}"#,
            r#"{"type":"request","chain":{"seq":1}}"#,
            r#"{"type":"request","chain":{"seq":1,"prev":"00"}}"#,
            r#"{"type":"other","chain":{"seq":1,"prev":"0000000000000000000000000000000000000000000000000000000000000000"}}"#,
        ] {
            assert!(Line::parse(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_checkpoint_is_due_by_count_or_by_time() {
        let start = End::at(Head::START);
        assert!(!start.is_due(Timestamp::from_seconds(i64::MAX / 2)));
        let at = |seconds| Timestamp::from_seconds(seconds);
        let one = start.after_entry(Head::START, at(100));
        assert!(!one.is_due(at(105)));
        assert!(one.is_due(at(106)));
        let full = (0..LINES_MAX).fold(start, |end, _| end.after_entry(Head::START, at(100)));
        assert!(full.is_due(at(100)));
    }
}
