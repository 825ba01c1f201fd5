//! The endpoints for one setting of a role each, so that a policy can allow to change this one.

use std::sync::Arc;

use base_types::{Error, Name, Result, Ttl};
use core_barrier::Tx;
use core_engine_api::{Call, Response, Routes, Verb};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::requests::{RoleName, WriteRole};
use crate::role::Role;
use crate::{Approle, keys, no_role};

/// One setting, as the request that changes it.
trait Part: DeserializeOwned + JsonSchema + Send + 'static {
    const PATH: &'static str;
    /// The fields of a role that belong to it.
    const FIELDS: &'static [&'static str];
    const WARNING: Option<&'static str>;

    /// What changes the role so.
    ///
    /// # Errors
    /// `Invalid` if no field was given.
    fn update(self) -> Result<WriteRole>;

    /// What brings the default back.
    fn reset() -> WriteRole;
}

/// `Name, path, what a request without it misses, fields: the first one is reset to a value`.
macro_rules! part {
    (
        $name:ident, $path:literal, $missing:literal, $warning:expr,
        $(#[$first_doc:meta])* $first:ident: $first_type:ty = $default:expr
        $(, $(#[$doc:meta])* $field:ident: $type:ty)*
    ) => {
        #[derive(Default, Deserialize, JsonSchema)]
        #[serde(default)]
        struct $name {
            /// The name of the role.
            role_name: String,
            $(#[$first_doc])*
            $first: Option<$first_type>,
            $($(#[$doc])* $field: Option<$type>,)*
        }

        impl Part for $name {
            const PATH: &'static str = concat!("role/{role_name}/", $path);
            const FIELDS: &'static [&'static str] = &[stringify!($first) $(, stringify!($field))*];
            const WARNING: Option<&'static str> = $warning;

            fn update(self) -> Result<WriteRole> {
                if self.$first.is_none() $(&& self.$field.is_none())* {
                    return Err(Error::invalid(concat!("missing ", $missing)));
                }
                let Self { role_name, $first $(, $field)* } = self;
                Ok(WriteRole { role_name, $first $(, $field)*, ..WriteRole::default() })
            }

            fn reset() -> WriteRole {
                WriteRole { $first: Some($default), ..WriteRole::default() }
            }
        }
    };
}

part!(BindSecretId, "bind-secret-id", "bind_secret_id", None,
    /// A login needs a secret id besides the role id.
    bind_secret_id: bool = true);
part!(BoundCidrList, "bound-cidr-list", "bound_cidr_list",
    Some("The \"bound_cidr_list\" field is deprecated and will be removed. Please use \
        \"secret_id_bound_cidrs\" instead."),
    /// Deprecated: use `secret-id-bound-cidrs`.
    bound_cidr_list: Vec<String> = Vec::new());
part!(Period, "period", "period", None,
    /// Makes periodic tokens.
    token_period: Ttl = Ttl::ZERO,
    /// Deprecated: use `token_period`.
    period: Ttl);
part!(Policies, "policies", "token_policies", None,
    /// The policies of the tokens.
    token_policies: Vec<String> = Vec::new(),
    /// Deprecated: use `token_policies`.
    policies: Vec<String>);
part!(SecretIdBoundCidrs, "secret-id-bound-cidrs", "secret_id_bound_cidrs", None,
    /// The blocks of IP addresses from which one can log in.
    secret_id_bound_cidrs: Vec<String> = Vec::new());
part!(SecretIdNumUses, "secret-id-num-uses", "secret_id_num_uses", None,
    /// How many logins a secret id is good for.
    secret_id_num_uses: i64 = 0);
part!(SecretIdTtl, "secret-id-ttl", "secret_id_ttl", None,
    /// How long a secret id lives.
    secret_id_ttl: Ttl = Ttl::ZERO);
part!(TokenBoundCidrs, "token-bound-cidrs", "token_bound_cidrs", None,
    /// The blocks of IP addresses from which a token can be used.
    token_bound_cidrs: Vec<String> = Vec::new());
part!(TokenMaxTtl, "token-max-ttl", "token_max_ttl", None,
    /// The longest that a token can live.
    token_max_ttl: Ttl = Ttl::ZERO);
part!(TokenNumUses, "token-num-uses", "token_num_uses", None,
    /// How often a token can be used.
    token_num_uses: i64 = 0);
part!(TokenTtl, "token-ttl", "token_ttl", None,
    /// How long a token lives before it must be renewed.
    token_ttl: Ttl = Ttl::ZERO);

pub(crate) fn routes(table: &mut Routes<Approle>) {
    routes_of::<BindSecretId>(table);
    routes_of::<BoundCidrList>(table);
    routes_of::<Period>(table);
    routes_of::<Policies>(table);
    routes_of::<SecretIdBoundCidrs>(table);
    routes_of::<SecretIdNumUses>(table);
    routes_of::<SecretIdTtl>(table);
    routes_of::<TokenBoundCidrs>(table);
    routes_of::<TokenMaxTtl>(table);
    routes_of::<TokenNumUses>(table);
    routes_of::<TokenTtl>(table);
}

fn routes_of<P: Part>(table: &mut Routes<Approle>) {
    table.on(Verb::Read, P::PATH, read::<P>).summary("Read one setting of a role.");
    table.on(Verb::Write, P::PATH, write::<P>).summary("Change one setting of a role.");
    table.on(Verb::Delete, P::PATH, reset::<P>).summary("Bring back the default of a setting.");
}

async fn read<P: Part>(engine: Arc<Approle>, _: Call, request: RoleName) -> Result<Response> {
    let role = engine.role_or_nothing(&request).await?;
    let Value::Object(mut fields) = serde_json::to_value(role.answer()).map_err(Error::internal)?
    else {
        return Err(Error::internal("a role does not answer with an object"));
    };
    // The deprecated name is one to write: what it set is read under the new one.
    fields.insert("bound_cidr_list".into(), Value::Null);
    let own: Map<String, Value> =
        fields.into_iter().filter(|(name, _)| P::FIELDS.contains(&name.as_str())).collect();
    let response = Response::data(&own)?;
    Ok(P::WARNING.into_iter().fold(response, Response::warn))
}

async fn write<P: Part>(engine: Arc<Approle>, _: Call, request: P) -> Result<Response> {
    let update = request.update()?;
    let name = Name::parse(&update.role_name)?;
    if engine.change_role(&name, &update).await? {
        Ok(Response::none())
    } else {
        Err(no_role(&name))
    }
}

/// A role that is not there has all defaults already.
async fn reset<P: Part>(engine: Arc<Approle>, _: Call, request: RoleName) -> Result<Response> {
    engine.change_role(&Name::parse(&request.role_name)?, &P::reset()).await?;
    Ok(Response::none())
}

impl Approle {
    /// Whether there is such a role.
    async fn change_role(&self, name: &Name, update: &WriteRole) -> Result<bool> {
        let change = |tx: Tx| async move {
            let Some(mut role) = tx.get::<Role>(&keys::role(name)).await? else {
                return Ok(false);
            };
            role.apply(update)?;
            tx.put(&keys::role(name), &role)?;
            Ok(true)
        };
        self.storage.transact(change).await
    }
}
