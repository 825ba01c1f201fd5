use base_types::{Secret, Ttl};
use core_engine_api::token_request;
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct RoleName {
    /// The name of the role.
    pub(crate) role_name: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Listing {
    /// The name of the role; none where roles are listed.
    pub(crate) role_name: String,
    /// Begin behind this name, which need not exist.
    pub(crate) after: String,
    /// How many names at most; all if it is 0 or less.
    pub(crate) limit: i64,
}

impl Listing {
    pub(crate) fn limit(&self) -> usize {
        usize::try_from(self.limit).unwrap_or(0)
    }
}

token_request! {
    #[derive(Default, Deserialize, JsonSchema)]
    #[serde(default)]
    pub(crate) struct WriteRole {
        /// The name of the role.
        pub(crate) role_name: String,
        /// A login needs a secret id besides the role id. Default: true.
        pub(crate) bind_secret_id: Option<bool>,
        /// Secret ids stay in this cluster; can be chosen only when the role is created.
        pub(crate) local_secret_ids: Option<bool>,
        /// The id that a login names the role by; made up if none is given.
        pub(crate) role_id: Option<String>,
        /// The blocks of IP addresses from which one can log in.
        pub(crate) secret_id_bound_cidrs: Option<Vec<String>>,
        /// How many logins a secret id is good for; zero is unlimited.
        pub(crate) secret_id_num_uses: Option<i64>,
        /// How long a secret id lives; zero is for ever.
        pub(crate) secret_id_ttl: Option<Ttl>,
        /// Deprecated: use `secret_id_bound_cidrs`.
        pub(crate) bound_cidr_list: Option<Vec<String>>,
        /// Deprecated: use `token_period`.
        pub(crate) period: Option<Ttl>,
        /// Deprecated: use `token_policies`.
        pub(crate) policies: Option<Vec<String>>,
    }
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct WriteRoleId {
    /// The name of the role.
    pub(crate) role_name: String,
    /// The new id.
    pub(crate) role_id: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Generate {
    /// The name of the role.
    pub(crate) role_name: String,
    /// The blocks of IP addresses from which the secret id can be used.
    pub(crate) cidr_list: Vec<String>,
    /// Names and values for the metadata of the tokens: the text of a JSON object, or `name=value`.
    pub(crate) metadata: String,
    /// How many logins it is good for; by default what the role says.
    pub(crate) num_uses: Option<i64>,
    /// The blocks of IP addresses from which its tokens can be used.
    pub(crate) token_bound_cidrs: Vec<String>,
    /// How long it lives; by default what the role says.
    pub(crate) ttl: Option<Ttl>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Accept {
    /// The name of the role.
    pub(crate) role_name: String,
    /// The secret id of your choice.
    pub(crate) secret_id: Secret<String>,
    /// The blocks of IP addresses from which the secret id can be used.
    pub(crate) cidr_list: Vec<String>,
    /// Names and values for the metadata of the tokens: the text of a JSON object, or `name=value`.
    pub(crate) metadata: String,
    /// How many logins it is good for; by default what the role says.
    pub(crate) num_uses: Option<i64>,
    /// The blocks of IP addresses from which its tokens can be used.
    pub(crate) token_bound_cidrs: Vec<String>,
    /// How long it lives; by default what the role says.
    pub(crate) ttl: Option<Ttl>,
}

impl Accept {
    /// The secret id, and how it would be generated.
    pub(crate) fn split(self) -> (Secret<String>, Generate) {
        let Self { role_name, secret_id, cidr_list, metadata, num_uses, token_bound_cidrs, ttl } =
            self;
        (secret_id, Generate { role_name, cidr_list, metadata, num_uses, token_bound_cidrs, ttl })
    }
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct BySecretId {
    /// The name of the role.
    pub(crate) role_name: String,
    /// The secret id.
    pub(crate) secret_id: Secret<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct ByAccessor {
    /// The name of the role.
    pub(crate) role_name: String,
    /// The accessor of the secret id.
    pub(crate) secret_id_accessor: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Login {
    /// The id of the role.
    pub(crate) role_id: String,
    /// The secret id, unless the role needs none.
    pub(crate) secret_id: Secret<String>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}
