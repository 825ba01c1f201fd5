use std::sync::Arc;

use base_types::{Error, Name, Result, Timestamp, TokenId, Ttl};
use core_engine_api::{Act, AuthReply, LeaseGrant, LoginGrant, Made, TokenType, parse_cidrs};
use core_identity::{
    Entity, Issued, Kind, Limits, Login, NewToken, Times, Token, TokenRole, Uses, lifetime,
};
use core_lease::{Lease, Subject};
use core_quota::Slot;
use serde_json::value::RawValue;

use crate::mounts::{self, MountEntry, MountRecord};
use crate::reply::Outcome;
use crate::revocation::within_time;
use crate::session::Session;
use crate::{Core, check_assignable};

impl Core {
    /// Makes the token that an engine granted.
    pub(crate) async fn grant_token(
        &self,
        mount: &MountEntry,
        path: &str,
        grant: LoginGrant,
        warnings: &mut Vec<String>,
    ) -> Result<(AuthReply, Arc<Token>)> {
        let policies = token_policies(&grant)?;
        check_assignable(&policies)?;
        let bound_cidrs = parse_cidrs(&grant.bound_cidrs)?;
        let role = self.role_of(mount, grant.role.as_deref()).await?;
        let own = Times {
            ttl: grant.ttl,
            max_ttl: grant.max_ttl,
            explicit_max_ttl: grant.explicit_max_ttl,
            period: grant.period,
        };
        let times = role.as_ref().map_or(own, |role| own.within(role));
        let is_root = policies.iter().any(|policy| policy == "root");
        // A root token lives for ever unless told otherwise; nothing else does.
        let forever = is_root
            && times.ttl.is_zero()
            && times.period.is_zero()
            && times.explicit_max_ttl.is_zero();
        let ttl = if forever {
            Ttl::ZERO
        } else {
            let now = self.clock.now();
            let life = lifetime(times, self.limits(mount), now, now)?;
            warnings.extend(life.warnings);
            now.until(life.expires)
        };
        let kind = token_kind(&mount.record.config.token_type, grant.token_type)?;
        let batch_limits = kind == Kind::Batch && (!grant.period.is_zero() || grant.num_uses > 0);
        if batch_limits {
            return Err(Error::invalid("batch tokens cannot be periodic or limited in uses"));
        }
        let entity = self.entity_of(mount, &grant).await?;
        let display_name = display_name(mount, &grant);
        let login =
            grant.internal.map(|internal| Login { mount: mount.record.uuid.clone(), internal });
        let new = NewToken {
            kind,
            namespace: mount.namespace.id().clone(),
            policies,
            display_name,
            metadata: grant.metadata,
            parent: grant.parent,
            ttl,
            explicit_max_ttl: grant.explicit_max_ttl,
            period: grant.period,
            uses: if grant.num_uses == 0 { Uses::Unlimited } else { Uses::Left(grant.num_uses) },
            path: match &role {
                Some(role) if !role.path_suffix.is_empty() => {
                    format!("{path}/{}", role.path_suffix)
                }
                _ => path.to_owned(),
            },
            entity: entity.as_ref().map(|entity| entity.id.clone()),
            bound_cidrs,
            role: grant.role,
            renewable: grant.renewable && kind == Kind::Service && !ttl.is_zero(),
            login,
            text: grant.chosen,
        };
        let Issued { text, token } = self.tokens.create(new).await?;
        let auth =
            AuthReply { client_token: Some(text), ..self.describe(&token, entity.as_deref()) };
        Ok((auth, token))
    }

    /// The role of the token engine that a token is made or renewed by.
    async fn role_of(&self, mount: &MountEntry, name: Option<&str>) -> Result<Option<TokenRole>> {
        let Some(name) = name else { return Ok(None) };
        let role = self.tokens.role(mount.namespace.id(), &Name::parse(name)?).await?;
        let gone = || {
            Error::invalid(format!("original token role {name:?} could not be found, not renewing"))
        };
        role.ok_or_else(gone).map(Some)
    }

    async fn entity_of(
        &self,
        mount: &MountEntry,
        grant: &LoginGrant,
    ) -> Result<Option<Arc<Entity>>> {
        let namespace = mount.namespace.id();
        if let Some(id) = &grant.entity {
            return self.entities.read(namespace, id).await;
        }
        if grant.alias.is_empty() {
            return Ok(None);
        }
        let accessor = &mount.record.accessor;
        let entity =
            self.entities.of_login(namespace, accessor, &grant.alias, &grant.alias_metadata);
        entity.await.map(Some)
    }

    /// What its holder may know of a token, all but its text.
    pub fn describe(&self, token: &Token, entity: Option<&Entity>) -> AuthReply {
        let identity_policies = entity.map(|entity| entity.policies.clone()).unwrap_or_default();
        let mut policies = token.policies.clone();
        policies.extend(identity_policies.iter().cloned());
        policies.sort();
        policies.dedup();
        AuthReply {
            client_token: None,
            accessor: token.accessor.to_string(),
            policies,
            token_policies: token.policies.clone(),
            identity_policies,
            metadata: token.metadata.clone(),
            lease_duration: token.remaining(self.clock.now()),
            renewable: token.renewable,
            entity_id: token.entity.as_deref().unwrap_or_default().to_owned(),
            token_type: match token.kind {
                Kind::Batch => "batch".to_owned(),
                Kind::Service => "service".to_owned(),
            },
            orphan: token.is_orphan(),
            num_uses: match token.uses {
                Uses::Left(left) => left,
                Uses::Unlimited => 0,
            },
        }
    }

    /// Stores the lease of a secret, lets the engine make it, and says so in the outcome.
    pub(crate) async fn grant_lease(
        &self,
        mount: &MountEntry,
        path: &str,
        session: Option<&Session>,
        quota: Slot,
        grant: LeaseGrant,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let session =
            session.ok_or_else(|| Error::internal("a secret with a lease but no caller"))?;
        let now = self.clock.now();
        let times = Times { ttl: grant.ttl, max_ttl: grant.max_ttl, ..Times::default() };
        let life = lifetime(times, self.limits(mount), now, now)?;
        outcome.warnings.extend(life.warnings);
        let Owner { token: owner, is_stored, end } = Owner::of(&session.token);
        let mut expires = end.map_or(life.expires, |end| end.min(life.expires));
        let random = base_crypto::random_base62(&*self.random, LEASE_ID_LENGTH);
        let lease = Lease {
            namespace: mount.namespace.id().to_string(),
            id: format!("{path}/{random}"),
            issued: now,
            expires: Some(expires),
            renewed: None,
            renewable: grant.renewable && end.is_none(),
            subject: Subject::Secret {
                mount: mount.record.uuid.clone(),
                kind: grant.kind.to_owned(),
                target: grant.target,
                internal: grant.internal,
                max_ttl: grant.max_ttl,
                token: owner.clone(),
            },
            queued: false,
            failures: 0,
            cause: None,
        };
        // Revoking it waits until it has been made.
        let making = self.making.begin(&lease.id).await;
        let (new, owner) = (&lease, &owner);
        let is_kept = self
            .state
            .transact(move |tx| async move {
                // What is removed with a mount was there when the removal began.
                let record = tx.get::<MountRecord>(&mounts::record_key(&mount.record)).await?;
                if record.is_none_or(|record| record.deleting) {
                    return Err(Error::not_found("the mount is being removed"));
                }
                if !is_stored || self.tokens.lean_on(&tx, owner).await? {
                    return self.leases.insert(&tx, new).map(|()| true);
                }
                // Its owner ended meanwhile and will not take it down.
                self.leases.insert(&tx, &Lease { expires: Some(now), ..new.clone() })?;
                Ok(false)
            })
            .await?;
        // Whatever becomes of the secret, its lease counts until it has ended.
        quota.keep();
        if !is_kept {
            return Err(ended());
        }
        if let Some(act) = grant.act {
            match self.carry_out(act, &lease, expires).await {
                Ok(made) => {
                    outcome.data = made.data.or(outcome.data.take());
                    outcome.warnings.extend(made.warnings);
                    expires = made.expires.unwrap_or(expires);
                }
                Err(error) => {
                    // How far it got nobody knows: the lease cleans up.
                    self.release_leases(&[lease]).await?;
                    return Err(error);
                }
            }
        }
        drop(making);
        outcome.lease_id = lease.id;
        outcome.lease_duration = now.until(expires);
        outcome.renewable = lease.renewable;
        Ok(())
    }

    /// Makes the secret of a lease, which ends earlier if the secret turns out to.
    ///
    /// # Errors
    /// What the engine says; `Invalid` if the lease is being revoked already, with its token.
    async fn carry_out(&self, act: Act, lease: &Lease, expires: Timestamp) -> Result<Made> {
        let made = within_time(act(expires)).await?;
        let end = made.expires.map_or(expires, |end| end.min(expires));
        self.state
            .transact(move |tx| async move {
                let stored = self.leases.read_in(&tx, &lease.namespace, &lease.id).await?;
                let stored = stored.filter(|stored| stored.is_alive(self.clock.now()));
                let stored = stored.ok_or_else(ended)?;
                if end < expires {
                    let shortened = Lease { expires: Some(end), ..stored.clone() };
                    self.leases.replace(&tx, &stored, &shortened)?;
                }
                Ok(())
            })
            .await?;
        Ok(Made { expires: Some(end), ..made })
    }

    /// The limits in force for what a mount issues.
    pub fn limits(&self, mount: &MountEntry) -> Limits {
        let tuning = core_engine_api::Services::tuning(&*mount.services);
        Limits { default_ttl: tuning.default_ttl, max_ttl: tuning.max_ttl }
    }

    /// Lets a token live on, as its auth method decides today.
    ///
    /// # Errors
    /// `Invalid` if it cannot be renewed; whatever the auth method says.
    pub async fn renew_token(
        &self,
        token: &Token,
        increment: Ttl,
        warnings: &mut Vec<String>,
    ) -> Result<Arc<Token>> {
        if token.kind == Kind::Batch {
            return Err(Error::invalid("batch tokens cannot be renewed"));
        }
        if !token.renewable || token.expires.is_none() {
            return Err(Error::invalid("lease is not renewable"));
        }
        let mount = match &token.login {
            Some(login) => self.mount_by_id(&login.mount),
            None => self.mounts.at(&format!("{}auth/token/", self.path_of(&token.namespace)?)),
        };
        let mount = mount.ok_or_else(|| Error::invalid("the auth method of this token is gone"))?;
        let own = Times {
            ttl: increment.or(token.ttl),
            max_ttl: Ttl::ZERO,
            explicit_max_ttl: token.explicit_max_ttl,
            period: token.period,
        };
        let role = self.role_of(&mount, token.role.as_deref()).await?;
        let mut times = role.as_ref().map_or(own, |role| own.within(role));
        if let Some(login) = &token.login {
            let grant = mount.backend.renew_login(login.internal.clone()).await?;
            if token_policies(&grant)? != token.policies {
                return Err(Error::invalid("policies have changed, not renewing"));
            }
            times.period = grant.period;
            times.max_ttl = grant.max_ttl;
            times.ttl = increment.or(grant.ttl);
        }
        let life = lifetime(times, self.limits(&mount), token.created, self.clock.now())?;
        warnings.extend(life.warnings);
        self.tokens.renew(&token.id, life.expires).await
    }

    /// Lets a secret live on, as its engine decides today.
    ///
    /// # Errors
    /// `Invalid` if it is unknown, has ended or cannot be renewed; whatever its engine says.
    pub async fn renew_lease(
        &self,
        lease: &Lease,
        increment: Ttl,
        warnings: &mut Vec<String>,
    ) -> Result<(Lease, Ttl)> {
        let Subject::Secret { mount, kind, internal, .. } = &lease.subject else {
            return Err(Error::internal("a token is renewed as a token"));
        };
        let now = self.clock.now();
        if !lease.renewable {
            return Err(Error::invalid("lease is not renewable"));
        }
        let making = self.making.begin(&lease.id).await;
        // One whose revocation has begun is gone for its holder, though it is still listed.
        if lease.is_stuck() {
            return Err(Error::invalid(
                "lease is expired and has failed previous revocation attempts",
            ));
        }
        let expired = || Error::invalid("lease expired");
        if !lease.is_alive(now) {
            return Err(expired());
        }
        let mount = self
            .mount_by_id(mount)
            .ok_or_else(|| Error::invalid("the engine of this lease is gone"))?;
        let grant = mount.backend.renew_lease(kind, internal.clone(), increment).await?;
        let times =
            Times { ttl: increment.or(grant.ttl), max_ttl: grant.max_ttl, ..Times::default() };
        let life = lifetime(times, self.limits(&mount), lease.issued, now)?;
        warnings.extend(life.warnings);
        let mut expires = life.expires;
        if let Some(act) = grant.act {
            let made = within_time(act(expires)).await?;
            warnings.extend(made.warnings);
            expires = made.expires.map_or(expires, |end| end.min(expires));
        }
        let renewed = renewed(lease, expires, now, grant.internal);
        let new = &renewed;
        self.state
            .transact(move |tx| async move {
                let stored = self.leases.read_in(&tx, &new.namespace, &new.id).await?;
                let stored = stored.ok_or_else(|| Error::invalid("lease not found"))?;
                if !stored.is_alive(self.clock.now()) {
                    return Err(expired());
                }
                self.leases.replace(&tx, &stored, new)
            })
            .await?;
        drop(making);
        Ok((renewed, now.until(expires)))
    }
}

/// The token that a secret dies with. A batch token cannot be found again to take its secrets
/// down, so its parent stands in for it, and they end when it does.
struct Owner {
    token: TokenId,
    is_stored: bool,
    end: Option<Timestamp>,
}

impl Owner {
    fn of(token: &Token) -> Self {
        match (token.kind, &token.parent) {
            (Kind::Service, _) => Self { token: token.id.clone(), is_stored: true, end: None },
            (Kind::Batch, Some(parent)) => {
                Self { token: parent.clone(), is_stored: true, end: token.expires }
            }
            (Kind::Batch, None) => {
                Self { token: token.id.clone(), is_stored: false, end: token.expires }
            }
        }
    }
}

/// The token of a caller ended while a secret was made for it.
fn ended() -> Error {
    Error::invalid(
        "Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.",
    )
}

/// Base-62 digits at the end of a lease id.
const LEASE_ID_LENGTH: usize = 24;

/// A login is named after its mount and whoever logs in, as `userpass-bob`; a token that was made
/// with another one brings its name along.
fn display_name(mount: &MountEntry, grant: &LoginGrant) -> String {
    if grant.internal.is_none() {
        return grant.display_name.clone();
    }
    let source = mount.shown_path().replace('/', "-");
    format!("{source}{}", grant.display_name).trim_end_matches('-').to_owned()
}

fn renewed(lease: &Lease, expires: Timestamp, now: Timestamp, internal: Box<RawValue>) -> Lease {
    let mut renewed = Lease { expires: Some(expires), renewed: Some(now), ..lease.clone() };
    if let Subject::Secret { internal: stored, .. } = &mut renewed.subject {
        *stored = internal;
    }
    renewed
}

/// The canonical policies of a grant: lower case, sorted, each once, with `default` unless refused.
fn token_policies(grant: &LoginGrant) -> Result<Vec<String>> {
    let mut policies = Vec::new();
    for policy in grant.policies.iter().filter(|policy| !policy.trim().is_empty()) {
        policies.push(Name::parse(policy)?.to_string());
    }
    if policies.iter().any(|policy| policy == "root") {
        // As in Vault: whoever has everything needs no other policy.
        return Ok(vec!["root".to_owned()]);
    }
    if !grant.no_default_policy {
        policies.push("default".to_owned());
    }
    policies.sort();
    policies.dedup();
    Ok(policies)
}

/// What the mount is tuned to, and what the grant asks for.
fn token_kind(tuned: &str, asked: TokenType) -> Result<Kind> {
    match (tuned, asked) {
        ("batch", TokenType::Service) => Err(Error::invalid("the mount only gives batch tokens")),
        ("service", TokenType::Batch) => Err(Error::invalid("the mount only gives service tokens")),
        ("batch", _) | (_, TokenType::Batch) => Ok(Kind::Batch),
        ("default-batch", TokenType::Default) => Ok(Kind::Batch),
        _ => Ok(Kind::Service),
    }
}
