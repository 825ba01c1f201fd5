use base_types::{Secret, Ttl};
use core_engine_api::token_request;
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Username {
    /// The name of the user.
    pub(crate) username: String,
}

token_request! {
    #[derive(Default, Deserialize, JsonSchema)]
    #[serde(default)]
    pub(crate) struct WriteUser {
        /// The name of the user.
        pub(crate) username: String,
        /// The password, of at most 72 bytes.
        pub(crate) password: Secret<String>,
        /// A bcrypt hash instead of the password itself.
        pub(crate) password_hash: Secret<String>,
        /// Deprecated: use `token_bound_cidrs`.
        pub(crate) bound_cidrs: Option<Vec<String>>,
        /// Deprecated: use `token_max_ttl`.
        pub(crate) max_ttl: Option<Ttl>,
        /// Deprecated: use `token_policies`.
        pub(crate) policies: Option<Vec<String>>,
        /// Deprecated: use `token_ttl`.
        pub(crate) ttl: Option<Ttl>,
    }
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct SetPassword {
    /// The name of the user.
    pub(crate) username: String,
    /// The password, of at most 72 bytes.
    pub(crate) password: Secret<String>,
    /// A bcrypt hash instead of the password itself.
    pub(crate) password_hash: Secret<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct SetPolicies {
    /// The name of the user.
    pub(crate) username: String,
    /// The policies of the user's tokens.
    pub(crate) token_policies: Option<Vec<String>>,
    /// Deprecated: use `token_policies`.
    pub(crate) policies: Option<Vec<String>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Login {
    /// The name of the user.
    pub(crate) username: String,
    /// The password.
    pub(crate) password: Secret<String>,
}
