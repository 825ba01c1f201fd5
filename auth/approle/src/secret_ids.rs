use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base_crypto::random_uuid;
use base_types::{Error, ErrorKind, Name, Result, Secret, Timestamp, Ttl};
use core_barrier::Tx;
use core_engine_api::{Call, Response};
use serde::{Serialize, Serializer};

use crate::requests::{Accept, ByAccessor, BySecretId, Generate, Listing};
use crate::secret_id::{AccessorIndex, SecretId};
use crate::{Approle, keys};

/// The bytes of a secret id of one's own choice.
const LENGTH_MAX: usize = 4096;

#[derive(Serialize)]
struct IssuedAnswer<'a> {
    secret_id: &'a str,
    secret_id_accessor: &'a str,
    secret_id_num_uses: u64,
    secret_id_ttl: Ttl,
}

#[derive(Serialize)]
struct SecretIdAnswer<'a> {
    cidr_list: &'a [String],
    creation_time: Timestamp,
    #[serde(serialize_with = "or_zero")]
    expiration_time: Option<Timestamp>,
    last_updated_time: Timestamp,
    metadata: &'a BTreeMap<String, String>,
    secret_id_accessor: &'a str,
    secret_id_num_uses: u64,
    secret_id_ttl: Ttl,
    token_bound_cidrs: &'a [String],
}

#[derive(Serialize)]
struct Unknown {
    error: String,
}

impl Approle {
    pub(crate) async fn generate(self: Arc<Self>, _: Call, request: Generate) -> Result<Response> {
        let secret_id = Secret::new(random_uuid(&*self.random));
        self.issue(secret_id, request).await
    }

    /// Takes a secret id that somebody else chose.
    pub(crate) async fn accept(self: Arc<Self>, _: Call, request: Accept) -> Result<Response> {
        let (secret_id, request) = request.split();
        check_given(&secret_id)?;
        if secret_id.expose().len() > LENGTH_MAX {
            return Err(Error::invalid(format!("the secret_id is longer than {LENGTH_MAX} bytes")));
        }
        self.issue(secret_id, request).await
    }

    async fn issue(&self, secret_id: Secret<String>, request: Generate) -> Result<Response> {
        let name = Name::parse(&request.role_name)?;
        let role_key = &keys::role(&name);
        let hash = &self.hasher.secret_id(secret_id.expose());
        let max_ttl = self.services.tuning().max_ttl;
        let (request, name, now) = (&request, &name, self.clock.now());
        let issue = |tx: Tx| async move {
            // Read inside, so that nothing is issued for a role that is deleted meanwhile.
            let role = tx.get(role_key).await?.ok_or_else(|| crate::no_role(name))?;
            let issued = SecretId::new(&*self.random, now, max_ttl, &role, request)?;
            if tx.get::<SecretId>(&keys::secret(&role.folder, hash)).await?.is_some() {
                let fault = "failed to store secret_id: SecretID is already registered";
                return Err(Error::invalid(fault));
            }
            issued.store(&tx, &role.folder, hash)?;
            Ok(issued)
        };
        let issued = self.storage.transact(issue).await?;
        let answer = Response::data(&IssuedAnswer {
            secret_id: secret_id.expose(),
            secret_id_accessor: &issued.accessor,
            secret_id_num_uses: issued.num_uses,
            secret_id_ttl: issued.ttl,
        })?;
        Ok(Response { accessor: Some(issued.accessor.clone()), ..answer })
    }

    pub(crate) async fn list_accessors(
        self: Arc<Self>,
        _: Call,
        listing: Listing,
    ) -> Result<Response> {
        let role = self.role(&Name::parse(&listing.role_name)?).await;
        // Here a role that is not there is a wrong request, as in Vault; "not found" is an empty list.
        let role = role.map_err(|error| match error.is(ErrorKind::NotFound) {
            true => Error::invalid(error.public().to_owned()),
            false => error,
        })?;
        let folder = keys::accessor(&role.folder, "");
        Response::keys(self.storage.list(&folder, &listing.after, listing.limit()).await?)
    }

    /// Nothing to say about what is not there is no error, as in Vault.
    pub(crate) async fn look_up(self: Arc<Self>, _: Call, request: BySecretId) -> Result<Response> {
        check_given(&request.secret_id)?;
        let role = self.role(&Name::parse(&request.role_name)?).await?;
        let hash = self.hasher.secret_id(request.secret_id.expose());
        match self.live_secret_id(&role.folder, &hash).await? {
            Some(found) => describe(&found),
            None => Ok(Response::none()),
        }
    }

    pub(crate) async fn look_up_accessor(
        self: Arc<Self>,
        _: Call,
        request: ByAccessor,
    ) -> Result<Response> {
        let accessor = request.given()?;
        let role = self.role(&Name::parse(&request.role_name)?).await?;
        let index: Option<AccessorIndex> =
            self.storage.get(&keys::accessor(&role.folder, accessor)).await?;
        let found = match index {
            Some(index) => self.live_secret_id(&role.folder, &index.hash).await?,
            None => None,
        };
        match found {
            Some(found) => describe(&found),
            // As in Vault: the fault is the data of an answer.
            None => {
                let fault = Unknown { error: request.unknown() };
                Ok(Response { absent: true, ..Response::data(&fault)? })
            }
        }
    }

    pub(crate) async fn destroy(self: Arc<Self>, _: Call, request: BySecretId) -> Result<Response> {
        check_given(&request.secret_id)?;
        let role = self.role(&Name::parse(&request.role_name)?).await?;
        let hash = self.hasher.secret_id(request.secret_id.expose());
        self.remove(&role.folder, &hash).await?;
        Ok(Response::none())
    }

    pub(crate) async fn destroy_accessor(
        self: Arc<Self>,
        _: Call,
        request: ByAccessor,
    ) -> Result<Response> {
        let accessor = request.given()?;
        let role = self.role(&Name::parse(&request.role_name)?).await?;
        let index: Option<AccessorIndex> =
            self.storage.get(&keys::accessor(&role.folder, accessor)).await?;
        let index = index.ok_or_else(|| Error::not_found(request.unknown()))?;
        self.remove(&role.folder, &index.hash).await?;
        Ok(Response::none())
    }

    pub(crate) async fn live_secret_id(
        &self,
        folder: &str,
        hash: &str,
    ) -> Result<Option<SecretId>> {
        let found: Option<SecretId> = self.storage.get(&keys::secret(folder, hash)).await?;
        let now = self.clock.now();
        Ok(found.filter(|found| found.is_live(now)))
    }

    async fn remove(&self, folder: &str, hash: &str) -> Result<()> {
        let remove = |tx: Tx| async move {
            if let Some(found) = tx.get::<SecretId>(&keys::secret(folder, hash)).await? {
                found.remove(&tx, folder, hash);
            }
            Ok(())
        };
        self.storage.transact(remove).await
    }
}

impl ByAccessor {
    fn given(&self) -> Result<&str> {
        match self.secret_id_accessor.as_str() {
            "" => Err(Error::invalid("missing secret_id_accessor")),
            accessor => Ok(accessor),
        }
    }

    fn unknown(&self) -> String {
        let accessor = &self.secret_id_accessor;
        format!("failed to find accessor entry for secret_id_accessor: {accessor:?}")
    }
}

fn check_given(secret_id: &Secret<String>) -> Result<()> {
    if secret_id.expose().is_empty() { Err(Error::invalid("missing secret_id")) } else { Ok(()) }
}

fn describe(found: &SecretId) -> Result<Response> {
    Response::data(&SecretIdAnswer {
        cidr_list: &found.cidr_list,
        creation_time: found.created,
        expiration_time: found.expires,
        last_updated_time: found.updated,
        metadata: &found.metadata,
        secret_id_accessor: &found.accessor,
        secret_id_num_uses: found.num_uses,
        secret_id_ttl: found.ttl,
        token_bound_cidrs: &found.token_bound_cidrs,
    })
}

/// What never happens is shown as Go's zero time.
fn or_zero<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    let zero: &dyn fmt::Display = &"0001-01-01T00:00:00Z";
    serializer.collect_str(time.as_ref().map_or(zero, |time| time))
}
