use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result, Ttl};
use core_engine_api::{Call, Listing, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Aws;
use crate::names::check_role_name;
use crate::policy;
use crate::role::{CredentialType, Role};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct RoleName {
    /// The name of the role.
    pub(crate) name: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct WriteRole {
    /// The name of the role.
    name: String,
    /// `iam_user`, `assumed_role`, `federation_token` or `session_token`.
    credential_type: Option<String>,
    /// The roles of AWS that may be assumed.
    role_arns: Option<Vec<String>>,
    /// Managed policies: attached to a user, or a filter on what a session may do.
    policy_arns: Option<Vec<String>>,
    /// A policy document: a user's own, or a filter on what a session may do.
    policy_document: Option<String>,
    /// Groups: a user becomes a member, and for a session their policies are added to the filter.
    iam_groups: Option<Vec<String>>,
    /// Tags of users.
    iam_tags: Option<BTreeMap<String, String>>,
    /// Tags of sessions of an assumed role.
    session_tags: Option<BTreeMap<String, String>>,
    /// What the assumed role asks its caller for.
    external_id: Option<String>,
    /// How long sessions live if the request does not say.
    default_sts_ttl: Option<Ttl>,
    /// How long sessions live at most.
    max_sts_ttl: Option<Ttl>,
    /// The path of users within IAM.
    user_path: Option<String>,
    /// The policy that users can never exceed.
    permissions_boundary_arn: Option<String>,
    /// The device of multi-factor authentication of the configured key's user.
    mfa_serial_number: Option<String>,
}

#[derive(Serialize)]
struct RoleAnswer<'a> {
    credential_type: &'a str,
    default_sts_ttl: Ttl,
    external_id: &'a str,
    iam_groups: &'a [String],
    iam_tags: &'a BTreeMap<String, String>,
    max_sts_ttl: Ttl,
    mfa_serial_number: &'a str,
    permissions_boundary_arn: &'a str,
    policy_arns: &'a [String],
    policy_document: &'a str,
    role_arns: &'a [String],
    session_tags: &'a BTreeMap<String, String>,
    user_path: &'a str,
}

fn key(name: &str) -> String {
    format!("role/{name}")
}

impl Aws {
    pub(crate) async fn list_roles(self: Arc<Self>, _: Call, listing: Listing) -> Result<Response> {
        listing.of(&self.storage, "role/").await
    }

    pub(crate) async fn read_role(self: Arc<Self>, _: Call, request: RoleName) -> Result<Response> {
        let role = self.role(&request.name).await?.ok_or_else(|| Error::not_found(""))?;
        Response::data(&RoleAnswer {
            credential_type: role.credential_type.map_or("", CredentialType::name),
            default_sts_ttl: role.default_sts_ttl,
            external_id: &role.external_id,
            iam_groups: &role.iam_groups,
            iam_tags: &role.iam_tags,
            max_sts_ttl: role.max_sts_ttl,
            mfa_serial_number: &role.mfa_serial_number,
            permissions_boundary_arn: &role.permissions_boundary_arn,
            policy_arns: &role.policy_arns,
            policy_document: &role.policy_document,
            role_arns: &role.role_arns,
            session_tags: &role.session_tags,
            user_path: &role.user_path,
        })
    }

    pub(crate) async fn write_role(
        self: Arc<Self>,
        _: Call,
        mut request: WriteRole,
    ) -> Result<Response> {
        let name = std::mem::take(&mut request.name);
        check_role_name(&name)?;
        let mut role = self.role(&name).await?.unwrap_or_default();
        request.change(&mut role)?;
        role.check()?;
        self.storage.put(&key(&name), &role).await?;
        Ok(Response::none())
    }

    pub(crate) async fn delete_role(
        self: Arc<Self>,
        _: Call,
        request: RoleName,
    ) -> Result<Response> {
        self.storage.delete(&key(&request.name)).await?;
        Ok(Response::none())
    }

    pub(crate) async fn role(&self, name: &str) -> Result<Option<Role>> {
        self.storage.get(&key(name)).await
    }
}

impl WriteRole {
    /// What is not given stays as it is.
    fn change(self, role: &mut Role) -> Result<()> {
        fn set<T>(field: &mut T, given: Option<T>) {
            if let Some(given) = given {
                *field = given;
            }
        }
        if let Some(text) = self.credential_type {
            role.credential_type = Some(CredentialType::parse(&text)?);
        }
        if let Some(document) = self.policy_document {
            let is_none = document.is_empty();
            role.policy_document = if is_none { document } else { policy::compact(&document)? };
        }
        set(&mut role.role_arns, self.role_arns);
        set(&mut role.policy_arns, self.policy_arns);
        set(&mut role.iam_groups, self.iam_groups);
        set(&mut role.iam_tags, self.iam_tags);
        set(&mut role.session_tags, self.session_tags);
        set(&mut role.external_id, self.external_id);
        set(&mut role.default_sts_ttl, self.default_sts_ttl);
        set(&mut role.max_sts_ttl, self.max_sts_ttl);
        set(&mut role.user_path, self.user_path);
        set(&mut role.permissions_boundary_arn, self.permissions_boundary_arn);
        set(&mut role.mfa_serial_number, self.mfa_serial_number);
        Ok(())
    }
}
