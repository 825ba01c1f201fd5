use std::collections::BTreeMap;

use base_crypto::{Random, random_uuid};
use base_types::{Error, Result, Timestamp, Ttl};
use core_barrier::{Record, Tx};
use serde::{Deserialize, Serialize};

use crate::keys::{Expiry, Marker};
use crate::requests::Generate;
use crate::role::Role;
use crate::{cidrs, keys};

/// What is stored of a secret id: everything but the secret id.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct SecretId {
    pub(crate) accessor: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) ttl: Ttl,
    /// How many logins are left; zero is unlimited.
    pub(crate) num_uses: u64,
    /// As they were written.
    pub(crate) cidr_list: Vec<String>,
    /// As they were written.
    pub(crate) token_bound_cidrs: Vec<String>,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Record for SecretId {
    const KIND: &'static str = "secret id";
}

/// Where an accessor leads to.
#[derive(Deserialize, Serialize)]
pub(crate) struct AccessorIndex {
    pub(crate) hash: String,
}

impl Record for AccessorIndex {
    const KIND: &'static str = "index of accessors";
}

impl SecretId {
    /// # Errors
    /// `Invalid` if the request asks for more than the role allows, or for what cannot be.
    pub(crate) fn new(
        random: &dyn Random,
        now: Timestamp,
        max_ttl: Ttl,
        role: &Role,
        request: &Generate,
    ) -> Result<Self> {
        if !role.bind_secret_id {
            return Err(Error::invalid("bind_secret_id is not set on the role"));
        }
        let Generate { cidr_list, token_bound_cidrs, .. } = request;
        let num_uses = num_uses(role, request.num_uses)?;
        let ttl = ttl(role, request.ttl)?;
        cidrs::check(cidr_list, "failed to validate CIDR blocks")?;
        cidrs::check_within(&role.secret_id_bound_cidrs, cidr_list)?;
        cidrs::check(token_bound_cidrs, "failed to validate token CIDR blocks")?;
        let role_blocks: Vec<String> =
            role.token.bound_cidrs.iter().map(ToString::to_string).collect();
        cidrs::check_within(&role_blocks, token_bound_cidrs)?;
        // A life without end is the administrator's choice; one with an end obeys the mount.
        let ttl = if ttl.is_zero() { ttl } else { ttl.limited_to(max_ttl) };
        Ok(Self {
            accessor: random_uuid(random),
            created: now,
            updated: now,
            expires: (!ttl.is_zero()).then(|| now.plus(ttl)),
            ttl,
            num_uses,
            cidr_list: cidr_list.clone(),
            token_bound_cidrs: token_bound_cidrs.clone(),
            metadata: metadata(&request.metadata)?,
        })
    }

    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }

    pub(crate) fn store(&self, tx: &Tx, folder: &str, hash: &str) -> Result<()> {
        tx.put(&keys::secret(folder, hash), self)?;
        tx.put(&keys::accessor(folder, &self.accessor), &AccessorIndex { hash: hash.to_owned() })?;
        if let Some(time) = self.expires {
            tx.put(&Expiry { time, folder, hash }.key(), &Marker {})?;
        }
        Ok(())
    }

    pub(crate) fn remove(&self, tx: &Tx, folder: &str, hash: &str) {
        tx.delete(&keys::secret(folder, hash));
        tx.delete(&keys::accessor(folder, &self.accessor));
        if let Some(time) = self.expires {
            tx.delete(&Expiry { time, folder, hash }.key());
        }
    }
}

fn num_uses(role: &Role, asked: Option<i64>) -> Result<u64> {
    let limit = role.secret_id_num_uses;
    let Some(asked) = asked else { return Ok(limit) };
    let asked = u64::try_from(asked).map_err(|_| Error::invalid("num_uses cannot be negative"))?;
    if limit != 0 && (asked == 0 || asked > limit) {
        let fault = "num_uses cannot be higher than the role's secret_id_num_uses";
        return Err(Error::invalid(fault));
    }
    Ok(asked)
}

fn ttl(role: &Role, asked: Option<Ttl>) -> Result<Ttl> {
    let limit = role.secret_id_ttl;
    let asked = asked.unwrap_or(limit);
    if asked.limited_to(limit) != asked {
        return Err(Error::invalid("ttl cannot be longer than the role's secret_id_ttl"));
    }
    Ok(asked)
}

/// Reads the text of a JSON object of texts, or `name=value,…`.
fn metadata(text: &str) -> Result<BTreeMap<String, String>> {
    let text = text.trim();
    if text.starts_with('{')
        && let Ok(object) = serde_json::from_str(text)
    {
        return Ok(object);
    }
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    parts.map(pair).collect::<Option<_>>().ok_or_else(|| {
        Error::invalid(
            "failed to parse metadata: failed to parse the input: invalid <key,value> format",
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_forms_are_fixed() {
        let golden = "{\"accessor\":\"a\",\"created\":\"1970-01-01T00:00:01Z\",\
            \"updated\":\"1970-01-01T00:00:02Z\",\"expires\":\"1970-01-01T00:00:03Z\",\"ttl\":2,\
            \"num_uses\":4,\"cidr_list\":[\"10.0.0.0/8\"],\"token_bound_cidrs\":[],\
            \"metadata\":{\"k\":\"v\"}}";
        let read: SecretId = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), golden);
        let index = AccessorIndex { hash: "h".into() };
        assert_eq!(serde_json::to_string(&index).unwrap(), "{\"hash\":\"h\"}");
    }

    #[test]
    fn metadata_comes_as_json_or_as_pairs() {
        let expect = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".into(), "x=y".into())]);
        for text in ["{\"a\":\"1\",\"b\":\"x=y\"}", "a=1,b=x=y", " a = 1 , b = x=y "] {
            assert_eq!(metadata(text).unwrap(), expect, "{text}");
        }
        assert!(metadata("").unwrap().is_empty());
        for text in ["zz", "[]", "{\"a\":1}", "{\"a\":{\"b\":\"c\"}}"] {
            assert!(metadata(text).is_err(), "{text}");
        }
    }
}
