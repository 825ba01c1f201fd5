use std::sync::Arc;

use base_types::{Error, Result, Ttl};
use core_engine_api::{Call, Engine, LeaseGrant, Meta, Mount, Response, Role, Routes, Verb};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// An engine that lends a name for a minute. Names that begin with `stuck` cannot be taken back by
/// their own fault, and those with `away` because their system does not answer.
pub(crate) struct Loans;

#[derive(Deserialize, JsonSchema)]
struct Loan {
    name: String,
}

#[derive(Deserialize, Serialize)]
struct Lent {
    name: String,
}

impl Engine for Loans {
    const META: &'static Meta = &Meta {
        name: "loans",
        version: None,
        role: Role::Secrets,
        summary: "lends names",
        built_in: false,
    };

    async fn open(_: Mount) -> Result<Self> {
        Ok(Self)
    }

    fn routes(table: &mut Routes<Self>) {
        table.on(Verb::Read, "creds/{name}", lend).summary("Borrow a name.");
        table.lease(
            "loan",
            |_, internal, _| async move { grant(internal) },
            |_, internal| take_back(internal),
        );
    }
}

async fn lend(_: Arc<Loans>, _: Call, request: Loan) -> Result<Response> {
    let lent = Lent { name: request.name };
    let internal = to_raw_value(&lent).map_err(Error::internal)?;
    let target = lent.name.split('-').next().unwrap_or_default().to_owned();
    let lease = Some(LeaseGrant { target, ..grant(internal)? });
    Ok(Response { lease, ..Response::data(&lent)? })
}

fn grant(internal: Box<RawValue>) -> Result<LeaseGrant> {
    Ok(LeaseGrant {
        kind: "loan",
        ttl: Ttl::from_seconds(60),
        max_ttl: Ttl::from_seconds(600),
        renewable: true,
        internal,
        ..LeaseGrant::default()
    })
}

async fn take_back(internal: Box<RawValue>) -> Result<()> {
    let lent: Lent = serde_json::from_str(internal.get()).map_err(Error::internal)?;
    match lent.name.split('-').next() {
        Some("stuck") => Err(Error::invalid("it is gone")),
        Some("away") => Err(Error::unavailable("nobody answers")),
        _ => Ok(()),
    }
}
