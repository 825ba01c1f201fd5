//! `secrets move` and `auth move`.

use std::time::Duration;

use client::Request;

use super::mounts::Kind;
use super::paths::folder;
use crate::context::{Context, WithBody};
use crate::failure::{Doing, Failure, Outcome};
use crate::json::Json;

/// How long to wait between two questions whether the move is over.
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) async fn move_mount(cx: &mut Context, kind: Kind) -> Outcome {
    let (from, to) = (folder(cx.arg(0)), folder(cx.arg(1)));
    let noun = kind.noun;
    let body = Json::map([("from", Json::text(&from)), ("to", Json::text(&to))]);
    let started = cx.data(&Request::post("sys/remount").body(&body)).await;
    let started = started.doing(format!("Error moving {noun} {from} to {to}"))?;
    let id = started.get("migration_id").and_then(Json::as_text).unwrap_or_default().to_owned();
    cx.out.line(format!("Started moving {noun} {from} to {to}, with migration ID {id}"));
    for question in 0.. {
        let status = cx.data(&Request::read(format!("sys/remount/status/{id}"))).await;
        let status =
            status.doing(format!("Error checking migration status of {noun} {from} to {to}"))?;
        let status = status.get("migration_info").and_then(|info| info.get("status")).cloned();
        match status.as_ref().and_then(Json::as_text) {
            Some("success") => {
                cx.out.line(format!(
                    "Success! Finished moving {noun} {from} to {to}, with migration ID {id}"
                ));
                return Ok(());
            }
            Some("failure") => {
                return Err(Failure::remote(format!(
                    "Failure! Error encountered moving {noun} {from} to {to}, with migration ID {id}"
                )));
            }
            _ if question == 0 => cx.out.line(format!(
                "Waiting for terminal status in migration of {noun} {from} to {to}, with migration ID {id}"
            )),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
    Ok(())
}
