//! The new password of an account that stays: generated and stored, set in its system, verified by
//! logging in, promoted. Whatever happens on the way, what is stored says that a change has begun
//! and with which password; to begin again with the same one does no harm.

use base_types::{Error, ErrorKind, Result, Secret};
use core_barrier::Sealed;
use core_engine_api::Response;

use crate::static_role::{Change, Purpose, StaticRole};
use crate::{Login, Rotating};

/// Changes the password that is next; for whoever has the turn. A failure is stored, logged and
/// counted, and tried again later.
///
/// # Errors
/// Those of the engine; `Invalid` if there is no such role, or if the system does not let the account
/// log in with its new password.
pub async fn rotate<E: Rotating>(
    engine: &E,
    name: &str,
    purpose: Purpose,
) -> Result<StaticRole<E::Own>> {
    let rotations = engine.rotations();
    let outcome = attempt(engine, name, purpose).await;
    if let Err(error) = &outcome {
        tracing::warn!(role = name, error = %error.log(), "could not rotate a password");
        rotations.put_off::<E::Own>(name, error).await?;
    }
    rotations.services.count_rotation(outcome.is_ok());
    outcome
}

/// The first change of a role that has just been stored; for whoever has the turn. If it fails the
/// role goes again, unless the system may have taken the password, which nobody else knows.
///
/// # Errors
/// As [`rotate`].
pub async fn rotate_first<E: Rotating>(engine: &E, name: &str) -> Result<()> {
    let rotations = engine.rotations();
    let Err(error) = attempt(engine, name, Purpose::Rotate).await else { return Ok(()) };
    let stored = rotations.role::<E::Own>(name).await?;
    let is_begun = stored.is_some_and(|role| role.change.is_some());
    if is_begun && error.is(ErrorKind::Unavailable) {
        rotations.put_off::<E::Own>(name, &error).await?;
        return Err(error.at("the role is kept and its first rotation goes on"));
    }
    rotations.remove::<E::Own>(name).await?;
    Err(error)
}

async fn attempt<E: Rotating>(
    engine: &E,
    name: &str,
    purpose: Purpose,
) -> Result<StaticRole<E::Own>> {
    let role = begin(engine, name, purpose).await?;
    let change = role.change.as_ref().ok_or_else(|| Error::internal("no change has begun"))?;
    let (account, password) = (&role.accounts[change.account], change.password.open());
    let fault = match engine.set(&role, account, password).await {
        Ok(()) => None,
        Err(error) if error.is(ErrorKind::Unavailable) => return Err(error),
        Err(error) => Some(error),
    };
    // What is refused may have changed the password all the same: only a login tells.
    match (engine.check(&role, account, password).await?, fault) {
        (Login::Accepted, None) => promote(engine, name).await,
        (Login::Accepted, Some(error)) => {
            let error = error.log();
            tracing::warn!(role = name, %error, "a password changed although its change failed");
            promote(engine, name).await
        }
        (Login::Refused, None) => Err(Error::invalid(format!(
            "the {} does not let {:?} log in with the password that it was given",
            E::SYSTEM,
            account.username
        ))),
        (Login::Refused, Some(error)) => {
            // Not done. The next attempt brings another password.
            let forget = |role: &mut StaticRole<E::Own>| {
                role.change = None;
                Ok(())
            };
            engine.rotations().update(name, forget).await?;
            Err(error)
        }
    }
}

/// Stores the password before the system is told. A change that was cut short goes on.
async fn begin<E: Rotating>(
    engine: &E,
    name: &str,
    purpose: Purpose,
) -> Result<StaticRole<E::Own>> {
    let rotations = engine.rotations();
    let role = rotations.known(name).await?;
    let password = match &role.change {
        Some(change) => change.password.clone(),
        None => Sealed::from(engine.generate(&role).await?),
    };
    let begin = |role: &mut StaticRole<E::Own>| {
        let account = role.next_account();
        let new = || Change { account, password: password.clone(), purpose };
        let change = role.change.get_or_insert_with(new);
        // What was to be a retirement serves a rotation as well: both are of the same account.
        if purpose == Purpose::Rotate {
            change.purpose = purpose;
        }
        Ok(())
    };
    rotations.update(name, begin).await
}

async fn promote<E: Rotating>(engine: &E, name: &str) -> Result<StaticRole<E::Own>> {
    let now = engine.rotations().now();
    engine.rotations().update(name, |role: &mut StaticRole<E::Own>| role.promote(now)).await
}

/// Changes the password of a role because somebody asks for it. The answer warns if that takes the
/// password from an account that is within its grace period; nothing if there is no such role.
///
/// # Errors
/// As [`rotate`].
pub async fn rotate_on_demand<E: Rotating>(engine: &E, name: &str) -> Result<Option<Response>> {
    let rotations = engine.rotations();
    let _turn = rotations.turn(name).await;
    let Some(role) = rotations.role::<E::Own>(name).await? else { return Ok(None) };
    let cuts_short = role.is_dual() && role.accounts[role.next_account()].password.is_some();
    rotate(engine, name, Purpose::Rotate).await?;
    let response = Response::none();
    Ok(Some(if cuts_short {
        response.warn(
            "the user that was given out before has lost its password within its grace period",
        )
    } else {
        response
    }))
}

/// A role of which what is given out is what the system takes; nothing if there is none.
///
/// # Errors
/// `Unavailable` if the system does not say.
pub async fn certain<E: Rotating>(engine: &E, name: &str) -> Result<Option<StaticRole<E::Own>>> {
    let rotations = engine.rotations();
    let role = rotations.role::<E::Own>(name).await?;
    if !role.as_ref().is_some_and(StaticRole::is_uncertain) {
        return Ok(role);
    }
    let _turn = rotations.turn(name).await;
    settle(engine, name).await.map(Some)
}

/// Finds out which password the system takes, where a change was cut short; for whoever has the
/// turn.
async fn settle<E: Rotating>(engine: &E, name: &str) -> Result<StaticRole<E::Own>> {
    let role = engine.rotations().known(name).await?;
    let Some(change) = role.change.as_ref().filter(|_| role.is_uncertain()) else {
        return Ok(role);
    };
    let account = &role.accounts[change.account];
    if engine.check(&role, account, change.password.open()).await? == Login::Accepted {
        return promote(engine, name).await;
    }
    if let Some(old) = &account.password
        && engine.check(&role, account, old.open()).await? == Login::Accepted
    {
        return Ok(role);
    }
    Err(Error::unavailable(format!(
        "the {} refuses both the password of {:?} and the one that was to follow: rotate the role",
        E::SYSTEM,
        account.username
    )))
}

/// # Errors
/// `Invalid` if the system does not take this password of an account.
pub async fn check_account<E: Rotating>(
    engine: &E,
    role: &StaticRole<E::Own>,
    account: usize,
    password: &Secret<String>,
) -> Result<()> {
    let account = &role.accounts[account];
    match engine.check(role, account, password).await? {
        Login::Accepted => Ok(()),
        Login::Refused => Err(Error::invalid(format!(
            "the {} refuses the password of {:?}",
            E::SYSTEM,
            account.username
        ))),
    }
}
