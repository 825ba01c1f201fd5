//! What takes several shares of the root key, one call each: a new root token, new shares.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use client::Request;
use serde::{Deserialize, Serialize};

use super::init::print_shares;
use crate::command::{Arity, Command, FORMAT, Flag};
use crate::context::{Context, WithBody};
use crate::failure::{Doing, Failure, Outcome};
use crate::format::table;
use crate::help::wrap;
use crate::json::Json;
use crate::out::Stream;

const NONCE: Flag = Flag::text("nonce", "The nonce of the attempt, as -init printed it.");

pub(crate) const GENERATE_ROOT: Command = Command {
    name: "operator generate-root",
    args: "[KEY]",
    arity: Arity::between(0, 1),
    synopsis: "Make a new root token with the shares of the root key",
    about: "Begin with -init, which prints a one-time password. Then each holder of a share calls \
            this command; the last one gets the token, encoded with that password. Without an \
            argument the share is asked for on the terminal; - reads it from standard input.\n\n    \
            $ {program} operator generate-root -init\n\n    \
            $ {program} operator generate-root\n\n    \
            $ {program} operator generate-root -decode=ENCODED -otp=PASSWORD",
    flags: &[
        FORMAT,
        Flag::switch("init", "Begin."),
        Flag::switch("cancel", "Give up; the shares given so far are forgotten."),
        Flag::switch("status", "Show how far it is."),
        Flag::text("decode", "Decode the token that came out; - reads it from standard input."),
        Flag::switch("generate-otp", "Print a one-time password of the right length."),
        Flag::text(
            "otp",
            "The one-time password: with -init yours, with -decode the one that was shown.",
        ),
        NONCE,
    ],
    run: Some(|cx| Box::pin(generate_root(cx))),
    ..Command::BASE
};

pub(crate) const REKEY: Command = Command {
    name: "operator rekey",
    args: "[KEY]",
    arity: Arity::between(0, 1),
    synopsis: "Replace the shares of the root key",
    about: "Begin with -init, which says how many new shares there will be. Then each holder of an \
            old share calls this command; the last one gets the new shares. Without an argument \
            the share is asked for on the terminal; - reads it from standard input.\n\n    \
            $ {program} operator rekey -init -key-shares=5 -key-threshold=3\n\n    \
            $ {program} operator rekey -nonce=NONCE",
    flags: &[
        FORMAT,
        Flag::switch("init", "Begin."),
        Flag::switch("cancel", "Give up; the shares given so far are forgotten."),
        Flag::switch("status", "Show how far it is."),
        Flag::int("key-shares", "How many new shares to make.").alias("n").default("5"),
        Flag::int("key-threshold", "How many of them it will take.").alias("t").default("3"),
        NONCE,
        Flag::text("target", "barrier for the unseal shares, recovery for the recovery shares.")
            .default("barrier"),
        Flag::switch(
            "verify",
            "With -init: the new shares count only after they were given once. Else: give one.",
        ),
    ],
    run: Some(|cx| Box::pin(rekey(cx))),
    ..Command::BASE
};

/// A share from the argument, standard input or the terminal, and the nonce that goes with it.
fn share(cx: &mut Context, kind: &str, nonce: &str) -> Outcome<(String, String)> {
    let (key, nonce) = match cx.arg(0).trim() {
        "-" => (cx.stdin().map_err(Failure::local)?, cx.flags.text("nonce").to_owned()),
        "" => {
            cx.out.prompt(&format!("Operation nonce: {nonce}\n"), Stream::Stdout);
            let otherwise = "give it with - on standard input, and -nonce";
            (cx.ask(kind, Stream::Stdout, otherwise)?.expose().clone(), nonce.to_owned())
        }
        key => (key.to_owned(), cx.flags.text("nonce").to_owned()),
    };
    if nonce.is_empty() {
        return Err(Failure::local("Missing nonce value: specify it via the -nonce flag"));
    }
    Ok((key.trim().to_owned(), nonce))
}

fn share_body((key, nonce): (String, String)) -> Json {
    Json::map([("key", Json::Text(key)), ("nonce", Json::Text(nonce))])
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct RootStatus {
    nonce: String,
    started: bool,
    progress: u32,
    required: u32,
    complete: bool,
    encoded_token: String,
    encoded_root_token: String,
    pgp_fingerprint: String,
    otp: String,
    otp_length: usize,
}

const ROOT_ATTEMPT: &str = "sys/generate-root/attempt";

async fn generate_root(cx: &mut Context) -> Outcome {
    let flags = &cx.flags;
    if flags.on("generate-otp") {
        return generate_otp(cx).await;
    }
    if !flags.text("decode").is_empty() {
        return decode(cx).await;
    }
    if flags.on("cancel") {
        cx.send(&Request::delete(ROOT_ATTEMPT))
            .await
            .doing("Error canceling root token generation")?;
        cx.out.line("Success! Root token generation canceled (if it was started)");
        return Ok(());
    }
    if flags.on("init") {
        let body = Json::map([("otp", Json::text(flags.text("otp")))]);
        let request = Request::put(ROOT_ATTEMPT).body(&body);
        let status = root_status(cx, &request, "Error initializing root generation").await?;
        return status.print(cx);
    }
    let status = read_root_status(cx).await?;
    if cx.flags.on("status") {
        return status.print(cx);
    }
    if !status.started {
        let program = cx.program.clone();
        cx.out.warn(wrap(
            &format!(
                "A one-time password of your own must be {} characters long.",
                status.otp_length
            ),
            0,
        ));
        return Err(Failure::local(format!(
            "No root generation is in progress. Start one with \"{program} operator generate-root -init\"."
        )));
    }
    let body = share_body(share(cx, "Unseal Key", &status.nonce)?);
    let request = Request::put("sys/generate-root/update").body(&body);
    root_status(cx, &request, "Error posting unseal key").await?.print(cx)
}

async fn read_root_status(cx: &mut Context) -> Outcome<RootStatus> {
    root_status(cx, &Request::read(ROOT_ATTEMPT), "Error getting root generation status").await
}

async fn root_status(cx: &mut Context, request: &Request, act: &str) -> Outcome<RootStatus> {
    typed(&cx.body(request).await.doing(act)?)
}

fn typed<T: for<'de> Deserialize<'de>>(body: &Json) -> Outcome<T> {
    serde_json::from_str(&crate::format::json::compact(body))
        .map_err(|_| Failure::remote("the server's answer has an unexpected shape"))
}

impl RootStatus {
    fn print(&self, cx: &mut Context) -> Outcome {
        if !cx.out.is_table() {
            return cx.out.data(&Json::of(self));
        }
        let mut rows = vec![
            format!("Nonce | {}", self.nonce),
            format!("Started | {}", self.started),
            format!("Progress | {}/{}", self.progress, self.required),
            format!("Complete | {}", self.complete),
        ];
        if !self.pgp_fingerprint.is_empty() {
            rows.push(format!("PGP Fingerprint | {}", self.pgp_fingerprint));
        }
        if !self.encoded_token.is_empty() {
            rows.push(format!("Encoded Token | {}", self.encoded_token));
        } else if !self.encoded_root_token.is_empty() {
            rows.push(format!("Encoded Root Token | {}", self.encoded_root_token));
        }
        if !self.otp.is_empty() {
            cx.out.warn(wrap(
                "Keep the one-time password in the field OTP: without it the root token cannot be decoded.",
                0,
            ));
            rows.push(format!("OTP | {}", self.otp));
        }
        if self.otp_length != 0 {
            rows.push(format!("OTP Length | {}", self.otp_length));
        }
        cx.out.line(table::columns(&rows, "|"));
        Ok(())
    }
}

/// The length of an OTP where the server does not say: a token and its prefix.
const OTP_LENGTH: usize = 28;

async fn generate_otp(cx: &mut Context) -> Outcome {
    let status = read_root_status(cx).await?;
    let length = if status.otp_length == 0 { OTP_LENGTH } else { status.otp_length };
    let otp = random_base62(length)?;
    if cx.out.is_table() {
        cx.out.bare(&otp);
        return Ok(());
    }
    let length = Json::number(i64::try_from(length).unwrap_or(i64::MAX));
    cx.out.data(&Json::map([("otp", Json::Text(otp)), ("otp_length", length)]))
}

/// Letters and digits from the operating system's random source, each equally likely.
fn random_base62(length: usize) -> Outcome<String> {
    use std::io::Read;
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let failed = |error| Failure::local(format!("/dev/urandom: {error}"));
    let source = std::fs::File::open("/dev/urandom").map_err(failed)?;
    let mut text = String::with_capacity(length);
    for byte in std::io::BufReader::with_capacity(64, source).bytes() {
        // 248 is the largest multiple of 62 in a byte; above it the first letters would be likelier.
        if let byte @ 0..248 = byte.map_err(failed)? {
            text.push(char::from(ALPHABET[usize::from(byte % 62)]));
        }
        if text.len() == length {
            break;
        }
    }
    Ok(text)
}

async fn decode(cx: &mut Context) -> Outcome {
    let otp = cx.flags.text("otp").to_owned();
    if otp.is_empty() {
        return Err(Failure::local("Missing otp: use -otp to supply it"));
    }
    let encoded = match cx.flags.text("decode") {
        "-" => cx.stdin().map_err(Failure::local)?,
        encoded => encoded.to_owned(),
    };
    let token = decoded(encoded.trim(), &otp)
        .map_err(|why| Failure::local(format!("Error decoding root token: {why}")))?;
    if cx.out.is_table() {
        cx.out.bare(&token);
        return Ok(());
    }
    cx.out.data(&Json::map([("token", Json::Text(token))]))
}

/// Base64 of the token, combined bit by bit with the one-time password.
fn decoded(encoded: &str, otp: &str) -> Result<String, &'static str> {
    let bytes = STANDARD_NO_PAD
        .decode(encoded.trim_end_matches('='))
        .map_err(|_| "the encoded token is not base64")?;
    if bytes.len() != otp.len() {
        return Err("the encoded token and the one-time password differ in length");
    }
    let token = bytes.iter().zip(otp.bytes()).map(|(a, b)| a ^ b).collect();
    String::from_utf8(token).map_err(|_| "the one-time password is not the one of this token")
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct RekeyStatus {
    nonce: String,
    started: bool,
    t: u32,
    n: u32,
    progress: u32,
    required: u32,
    pgp_fingerprints: Option<Vec<String>>,
    backup: bool,
    verification_required: bool,
    verification_nonce: String,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct VerificationStatus {
    nonce: String,
    started: bool,
    t: u32,
    n: u32,
    progress: u32,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Rekeyed {
    nonce: String,
    complete: bool,
    keys: Vec<String>,
    keys_base64: Vec<String>,
    pgp_fingerprints: Option<Vec<String>>,
    backup: bool,
    verification_required: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    verification_nonce: String,
}

async fn rekey(cx: &mut Context) -> Outcome {
    let base = match cx.flags.text("target").trim().to_lowercase().as_str() {
        "barrier" => "sys/rekey",
        "recovery" | "hsm" => "sys/rekey-recovery-key",
        other => return Err(Failure::local(format!("Unknown target: {other}"))),
    };
    let verify = cx.flags.on("verify");
    if cx.flags.on("cancel") {
        let step = if verify { "verify" } else { "init" };
        cx.send(&Request::delete(format!("{base}/{step}"))).await.doing("Error canceling rekey")?;
        cx.out.line("Success! Canceled rekeying (if it was started)");
        return Ok(());
    }
    if cx.flags.on("init") {
        return rekey_init(cx, base).await;
    }
    if cx.flags.on("status") {
        return rekey_status(cx, base, verify).await;
    }
    rekey_share(cx, base, verify).await
}

async fn rekey_init(cx: &mut Context, base: &str) -> Outcome {
    let body = Json::map([
        ("backup", Json::Bool(false)),
        ("require_verification", Json::Bool(cx.flags.on("verify"))),
        ("secret_shares", Json::number(cx.flags.int("key-shares"))),
        ("secret_threshold", Json::number(cx.flags.int("key-threshold"))),
    ]);
    let request = Request::put(format!("{base}/init")).body(&body);
    let status: RekeyStatus = typed(&cx.body(&request).await.doing("Error initializing rekey")?)?;
    if cx.out.is_table() {
        cx.out.warn(wrap(
            "The new shares will be shown once, to whoever gives the last old share. If they are lost, \
             nothing opens the server again.",
            0,
        ));
        cx.out.line("");
    }
    status.print(cx)
}

async fn rekey_status(cx: &mut Context, base: &str, verify: bool) -> Outcome {
    let step = if verify { "verify" } else { "init" };
    let body = cx
        .body(&Request::read(format!("{base}/{step}")))
        .await
        .doing("Error reading rekey status")?;
    if verify {
        typed::<VerificationStatus>(&body)?.print(cx)
    } else {
        typed::<RekeyStatus>(&body)?.print(cx)
    }
}

async fn rekey_share(cx: &mut Context, base: &str, verify: bool) -> Outcome {
    let (read, write) = if verify { ("verify", "verify") } else { ("init", "update") };
    let body = cx
        .body(&Request::read(format!("{base}/{read}")))
        .await
        .doing("Error getting rekey status")?;
    let status: RekeyStatus = typed(&body)?;
    if !status.started {
        let program = &cx.program;
        return Err(Failure::local(format!(
            "No rekey is in progress. Start one with \"{program} operator rekey -init\"."
        )));
    }
    let kind = if base == "sys/rekey" { "Unseal Key" } else { "Recovery Key" };
    let body = share_body(share(cx, kind, &status.nonce)?);
    let request = Request::put(format!("{base}/{write}")).body(&body);
    let answer = cx.body(&request).await.doing("Error posting unseal key")?;
    let rekeyed: Rekeyed = typed(&answer)?;
    if !rekeyed.complete {
        return rekey_status(cx, base, verify).await;
    }
    if verify {
        cx.out.line(wrap(
            "The new shares are verified and in force; the old ones no longer count.",
            0,
        ));
        return Ok(());
    }
    if !cx.out.is_table() {
        return cx.out.data(&Json::of(&rekeyed));
    }
    print_new_shares(cx, &rekeyed, &status);
    if status.verification_required { rekey_status(cx, base, true).await } else { Ok(()) }
}

fn print_new_shares(cx: &mut Context, rekeyed: &Rekeyed, status: &RekeyStatus) {
    let mut line = |text: String| cx.out.line(text);
    line(String::new());
    print_shares(&mut line, "", &rekeyed.keys, &rekeyed.keys_base64);
    if !rekeyed.nonce.is_empty() {
        line(format!("\nOperation nonce: {}", rekeyed.nonce));
    }
    let (n, t) = (status.n, status.t);
    let text = if status.verification_required {
        format!(
            "There are {n} new shares, of which {t} will be needed. They do not count yet: give {t} of \
             them with -verify first. Until then keep the old shares."
        )
    } else {
        format!(
            "There are {n} new shares, of which {t} are needed from now on. Give them to different \
             people; the old shares no longer count."
        )
    };
    line(format!("\n{}", wrap(&text, 0)));
    if status.verification_required {
        line(String::new());
    }
}

impl RekeyStatus {
    fn print(&self, cx: &mut Context) -> Outcome {
        if !cx.out.is_table() {
            return cx.out.data(&Json::of(self));
        }
        let mut rows = vec![
            "Key | Value".to_owned(),
            format!("Nonce | {}", self.nonce),
            format!("Started | {}", self.started),
        ];
        if self.started {
            let verifying = self.progress == self.required;
            let verifying = if verifying { " (verification in progress)" } else { "" };
            rows.push(format!("Progress | {}/{}{verifying}", self.progress, self.required));
            rows.push(format!("New Shares | {}", self.n));
            rows.push(format!("New Threshold | {}", self.t));
            rows.push(format!("Verification Required | {}", self.verification_required));
            if !self.verification_nonce.is_empty() {
                rows.push(format!("Verification Nonce | {}", self.verification_nonce));
            }
        }
        cx.out.line(table::table(&rows, "|"));
        Ok(())
    }
}

impl VerificationStatus {
    fn print(&self, cx: &mut Context) -> Outcome {
        if !cx.out.is_table() {
            return cx.out.data(&Json::of(self));
        }
        let rows = [
            "Key | Value".to_owned(),
            format!("Started | {}", self.started),
            format!("New Shares | {}", self.n),
            format!("New Threshold | {}", self.t),
            format!("Verification Nonce | {}", self.nonce),
            format!("Verification Progress | {}/{}", self.progress, self.t),
        ];
        cx.out.line(table::table(&rows, "|"));
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_root_token_is_decoded_with_its_password() {
        let (token, otp) = ("s.abcdefgh", "0123456789");
        let bytes: Vec<u8> = token.bytes().zip(otp.bytes()).map(|(a, b)| a ^ b).collect();
        let encoded = STANDARD_NO_PAD.encode(&bytes);
        assert_eq!(decoded(&encoded, otp).unwrap(), token);
        assert_eq!(decoded(&format!("{encoded}=="), otp).unwrap(), token);
        assert!(decoded(&encoded, "012345678").unwrap_err().contains("length"));
        assert!(decoded("***", otp).unwrap_err().contains("base64"));
    }

    #[test]
    fn a_password_is_as_long_as_asked() {
        let otp = random_base62(28).unwrap();
        assert_eq!(otp.len(), 28);
        assert!(otp.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(otp, random_base62(28).unwrap());
    }
}
