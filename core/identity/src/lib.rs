//! Who calls: tokens, and the entities behind them.
//!
//! ```text
//! token/id/<token id>                  -> Token
//! token/accessor/<namespace>/<accessor> -> AccessorRecord
//! token/parent/<token id>/<token id>   -> mark       (the children of a token)
//! token/role/<namespace>/<name>        -> TokenRole
//! entity/id/<namespace>/<entity id>    -> Entity
//! entity/alias/<accessor>/<alias>      -> AliasRecord
//! ```
//!
//! A token itself is never stored, only a keyed hash of it.

mod batch;
mod entity;
mod role;
mod text;
mod token;
mod tokens;
mod ttl;

pub use entity::{Alias, Entities, Entity};
pub use role::{DeprecatedNames, RoleTokenType, TokenRole};
pub use text::TokenText;
pub use token::{Kind, Login, Token, Uses};
pub use tokens::{Issued, NewToken, Tokens};
pub use ttl::{Lifetime, Limits, Times, lifetime};
