//! `operator init`.

use client::Request;
use serde::{Deserialize, Serialize};

use super::seal_status::SealStatus;
use crate::context::{Context, WithBody};
use crate::failure::{Doing, Failure, Outcome};
use crate::help::wrap;
use crate::json::Json;

/// What the server made; nobody will see it again.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Made {
    keys: Option<Vec<String>>,
    keys_base64: Option<Vec<String>>,
    recovery_keys: Option<Vec<String>>,
    recovery_keys_base64: Option<Vec<String>>,
    root_token: String,
}

/// The form for other programs.
#[derive(Serialize)]
struct Printed {
    unseal_keys_b64: Option<Vec<String>>,
    unseal_keys_hex: Option<Vec<String>>,
    unseal_shares: i64,
    unseal_threshold: i64,
    recovery_keys_b64: Option<Vec<String>>,
    recovery_keys_hex: Option<Vec<String>>,
    recovery_keys_shares: i64,
    recovery_keys_threshold: i64,
    root_token: String,
}

struct Shares {
    count: i64,
    threshold: i64,
}

pub(crate) async fn init(cx: &mut Context) -> Outcome {
    if cx.flags.on("status") {
        return init_status(cx).await;
    }
    let preview = cx.preview.take();
    let seal = SealStatus::ask(cx).await;
    cx.preview = preview;
    let given = |name: &str, default: i64| match cx.flags.int(name) {
        0 => default,
        number => number,
    };
    // A seal that unseals itself takes shares only for recovery; a Shamir seal only for unsealing.
    let (keys, recovery) = if seal?.recovery_seal {
        let keys = Shares { count: given("key-shares", 0), threshold: given("key-threshold", 0) };
        let count = cx.flags.int("recovery-shares");
        (keys, Shares { count, threshold: cx.flags.int("recovery-threshold") })
    } else {
        let keys = Shares { count: given("key-shares", 5), threshold: given("key-threshold", 3) };
        (keys, Shares { count: 0, threshold: 0 })
    };
    let body = Json::map([
        ("recovery_shares", Json::number(recovery.count)),
        ("recovery_threshold", Json::number(recovery.threshold)),
        ("secret_shares", Json::number(keys.count)),
        ("secret_threshold", Json::number(keys.threshold)),
    ]);
    let response =
        cx.send(&Request::put("sys/init").body(&body)).await.doing("Error initializing")?;
    let made: Made = response.json()?;
    if cx.out.is_table() {
        print(cx, &made, &keys, &recovery);
        return Ok(());
    }
    let of_seal = !is_some(&made.keys);
    cx.out.data(&Json::of(&Printed {
        unseal_keys_b64: made.keys_base64,
        unseal_keys_hex: made.keys,
        unseal_shares: if of_seal { 1 } else { keys.count },
        unseal_threshold: if of_seal { 1 } else { keys.threshold },
        recovery_keys_b64: made.recovery_keys_base64,
        recovery_keys_hex: made.recovery_keys,
        recovery_keys_shares: recovery.count,
        recovery_keys_threshold: recovery.threshold,
        root_token: made.root_token,
    }))
}

fn is_some(keys: &Option<Vec<String>>) -> bool {
    keys.as_ref().is_some_and(|keys| !keys.is_empty())
}

fn print(cx: &mut Context, made: &Made, keys: &Shares, recovery: &Shares) {
    let program = cx.program.clone();
    let mut line = |text: String| cx.out.line(text);
    let list = |keys: &Option<Vec<String>>| keys.clone().unwrap_or_default();
    print_shares(&mut line, "Unseal", &list(&made.keys), &list(&made.keys_base64));
    print_shares(
        &mut line,
        "Recovery",
        &list(&made.recovery_keys),
        &list(&made.recovery_keys_base64),
    );
    line(format!("\nInitial Root Token: {}\n", made.root_token));
    if !is_some(&made.keys) {
        line("Success! Vault is initialized".to_owned());
    } else {
        let Shares { count, threshold } = keys;
        line(wrap(
            &format!(
                "The root key is split into {count} shares, of which {threshold} open the server. It \
                 is closed again after every restart and every seal. Give the shares above to \
                 different people; the server does not keep them, and with fewer than {threshold} \
                 of them nothing opens it again."
            ),
            0,
        ));
        line(format!(
            "\n{}",
            wrap(&format!("To replace the shares later, see \"{program} operator rekey\"."), 0)
        ));
    }
    if is_some(&made.recovery_keys) {
        let Shares { count, threshold } = recovery;
        line(format!(
            "\n{}",
            wrap(
                &format!(
                    "The recovery key is split into {count} shares, of which {threshold} are needed. \
                     Give them to different people."
                ),
                0
            )
        ));
    }
}

/// One line for each share, in base64 where the server gives it.
pub(crate) fn print_shares(
    line: &mut impl FnMut(String),
    kind: &str,
    hex: &[String],
    base64: &[String],
) {
    let shares = if base64.len() == hex.len() { base64 } else { hex };
    let kind = if kind.is_empty() { String::new() } else { format!("{kind} ") };
    for (index, share) in shares.iter().enumerate() {
        line(format!("{kind}Key {}: {share}", index + 1));
    }
}

async fn init_status(cx: &mut Context) -> Outcome {
    #[derive(Deserialize)]
    struct Status {
        initialized: bool,
    }
    let response = cx.send(&Request::read("sys/init")).await.doing("Error checking init status");
    // Exit code 2 means "not initialised" here.
    let response = response.map_err(|failure| Failure { code: 1, ..failure })?;
    let Status { initialized } = response.json()?;
    if cx.out.is_table() {
        cx.out.line(if initialized { "Vault is initialized" } else { "Vault is not initialized" });
    } else {
        cx.out.data(&Json::map([("Initialized", Json::Bool(initialized))]))?;
    }
    if initialized { Ok(()) } else { Err(Failure::quiet(2)) }
}
