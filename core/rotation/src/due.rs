use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base_types::{Error, ErrorKind, Result};
use tokio::time::{Instant, timeout_at};

use crate::static_role::{DUE, Purpose, StaticRole, parse_due};
use crate::{Rotating, Rotations, rotate};

/// How much of the index is read at a time.
const PAGE: usize = 256;
/// How many roles of one target are taken on in one run.
const BATCH: usize = 256;
/// How long a run waits for all of its targets. One that takes longer goes on by itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// Does what is due, each target by itself: one that is dead holds up no other.
///
/// # Errors
/// Only what is wrong with the server's own storage; the failure of a role is stored with it.
pub async fn rotate_due<E: Rotating>(engine: Arc<E>) -> Result<()> {
    let mut work = Vec::new();
    for (target, names) in due_roles(engine.rotations()).await? {
        if let Some(busy) = Busy::begin(&engine, target) {
            let engine = engine.clone();
            work.push(tokio::spawn(async move {
                let done = rotate_all(&*engine, names).await;
                drop(busy);
                done
            }));
        }
    }
    let end = Instant::now() + PATIENCE;
    for task in work {
        if let Ok(done) = timeout_at(end, task).await {
            done.map_err(Error::internal)??;
        }
    }
    Ok(())
}

/// The roles that are due, by their targets, the longest due first.
async fn due_roles(rotations: &Rotations) -> Result<BTreeMap<String, Vec<String>>> {
    let mut targets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (now, mut after) = (rotations.now(), String::new());
    loop {
        let keys = rotations.storage.keys(DUE, &after, PAGE).await?;
        for (at, target, name) in keys.iter().filter_map(|key| parse_due(key)) {
            if at > now {
                return Ok(targets);
            }
            let names = targets.entry(target.to_owned()).or_default();
            if names.len() < BATCH {
                names.push(name.to_owned());
            }
        }
        match keys.into_iter().next_back() {
            Some(last) => after = last,
            None => return Ok(targets),
        }
    }
}

/// What is due in one target. When it cannot be reached, nobody else tries in this run.
async fn rotate_all<E: Rotating>(engine: &E, names: Vec<String>) -> Result<()> {
    let rotations = engine.rotations();
    let mut outage: Option<Error> = None;
    for name in names {
        let _turn = rotations.turn(&name).await;
        let Some(role) = rotations.role::<E::Own>(&name).await? else { continue };
        let now = rotations.now();
        let Some(purpose) = role.wants(now) else { continue };
        let begins = role.change.is_none() && purpose == Purpose::Rotate;
        if begins && !role.schedule.may_begin(role.next_rotation, now) {
            skip::<E>(rotations, &name).await?;
            continue;
        }
        if let Some(error) = &outage {
            rotations.put_off::<E::Own>(&name, error).await?;
            continue;
        }
        // Its failure is stored with the role; the job itself has done what it could.
        if let Err(error) = rotate(engine, &name, purpose).await
            && error.is(ErrorKind::Unavailable)
        {
            outage = Some(error);
        }
    }
    Ok(())
}

/// The window for this time has closed.
async fn skip<E: Rotating>(rotations: &Rotations, name: &str) -> Result<()> {
    let now = rotations.now();
    tracing::warn!(role = name, "a rotation missed its window and waits for the next time");
    let skip = |role: &mut StaticRole<E::Own>| {
        role.next_rotation = role.schedule.next_after(now)?;
        role.failure = None;
        Ok(())
    };
    rotations.update(name, skip).await.map(drop)
}

/// A target in which rotations run, until it is dropped.
struct Busy<E: Rotating> {
    engine: Arc<E>,
    target: String,
}

impl<E: Rotating> Busy<E> {
    /// Nothing if rotations run there already.
    fn begin(engine: &Arc<E>, target: String) -> Option<Self> {
        engine.rotations().occupy(&target).then(|| Self { engine: engine.clone(), target })
    }
}

impl<E: Rotating> Drop for Busy<E> {
    fn drop(&mut self) {
        self.engine.rotations().leave(&self.target);
    }
}
