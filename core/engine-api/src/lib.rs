//! The one joint: what an engine is, what it is given, and what it gives back.
//!
//! An engine (secrets or auth) is a type with typed handlers. It lists them in [`Engine::routes`];
//! routing, validation of fields, `help=1`, OpenAPI and the unauthorized-access test are derived
//! from that list. [`Mount`] is an engine's whole world; the caller's token is not part of it.

mod arbitrary;
mod backend;
mod base_url;
mod body;
mod call;
mod json_limits;
mod kind;
mod listing;
mod mount;
mod outbound;
mod pattern;
#[cfg(feature = "testing")]
mod plain_http;
mod response;
mod routes;
#[cfg(feature = "testing")]
pub mod testing;
mod token_params;
mod weak;

pub use arbitrary::Arbitrary;
pub use backend::{Backend, Found};
pub use base_tls::{ClientTls, ServerCheck};
pub use base_types::TokenId;
pub use base_url::BaseUrl;
pub use body::Body;
pub use call::{Call, Caller, Verb};
pub use json_limits::JsonLimits;
pub use kind::{Kind, Meta, Role};
pub use listing::Listing;
pub use mount::{Mount, Services, Tuning};
pub use outbound::{Isolated, Outbound, Pod};
pub use response::{
    Act, AuthReply, LeaseGrant, LoginGrant, Made, Raw, Response, TokenType, WrapReply,
};
pub use routes::{Endpoint, RouteOptions, Routes};
pub use token_params::{TokenFields, TokenParams, TokenUpdate, deprecated, parse_cidrs};

/// A secrets engine or an auth method.
pub trait Engine: Sized + Send + Sync + 'static {
    const META: &'static Meta;

    /// Opens the engine over what it stored before; a new mount finds its storage empty.
    fn open(mount: Mount) -> impl Future<Output = base_types::Result<Self>> + Send;

    fn routes(table: &mut Routes<Self>);
}
