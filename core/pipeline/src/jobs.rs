use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base_crypto::random_base62;
use base_types::{Error, ErrorKind, Result};
use core_lease::{Job, Lease, Leases, Stage, Target};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use crate::Core;
use crate::targets::WIDTH;

/// How many leases a job deals with in one transaction.
const PAGE: usize = 128;
/// The pause when the store itself does not work.
const STORE_PAUSE: Duration = Duration::from_secs(5);
/// How often a job looks whether a lease has ended.
const LOOK_FIRST: Duration = Duration::from_millis(5);
const LOOK_MAX: Duration = Duration::from_secs(1);
/// Base-62 digits at the end of the id of a job.
const JOB_ID_LENGTH: usize = 8;

/// The jobs under way. Who asks for what one is doing already joins it.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<HashMap<Aim, watch::Receiver<Job>>>);

/// What a job is about.
#[derive(Eq, Hash, PartialEq)]
struct Aim {
    namespace: String,
    prefix: String,
    force: bool,
}

impl Aim {
    fn of(job: &Job) -> Self {
        let Job { namespace, prefix, force, .. } = job.clone();
        Self { namespace, prefix, force }
    }
}

impl Jobs {
    /// Forgets all jobs, which have been stopped.
    pub(crate) async fn clear(&self) {
        self.0.lock().await.clear();
    }
}

/// A job, for whoever waits for it.
pub struct Progress {
    changes: watch::Receiver<Job>,
    /// The pass that was asked for.
    pass: u32,
}

impl Progress {
    /// Waits until `done` holds.
    ///
    /// # Errors
    /// `Sealed` if the server is sealed meanwhile.
    pub async fn wait_for(&mut self, done: impl Fn(&Job) -> bool) -> Result<Job> {
        let pass = self.pass;
        let job = self.changes.wait_for(|job| job.pass >= pass && done(job)).await;
        job.map(|job| job.clone()).map_err(|_| Error::sealed())
    }
}

impl Core {
    /// Ends every lease whose id starts with `prefix`, and waits for that. With `force`, a lease
    /// whose engine cannot revoke it is forgotten all the same.
    ///
    /// # Errors
    /// `Upstream` with the first failure, as soon as there is one. The work goes on behind it.
    pub async fn revoke_prefix(
        self: &Arc<Self>,
        namespace: &str,
        prefix: &str,
        force: bool,
    ) -> Result<()> {
        let progress = self.begin_revoking(namespace, prefix, force).await?;
        let Some(mut progress) = progress else { return Ok(()) };
        let is_over = |job: &Job| job.finished.is_some() || job.error.is_some();
        let job = progress.wait_for(is_over).await?;
        job.error.map_or(Ok(()), |error| Err(Error::upstream(error)))
    }

    /// Begins to end every lease whose id starts with `prefix`; what is answered changes with the
    /// work. `None` if there is no such lease.
    pub async fn begin_revoking(
        self: &Arc<Self>,
        namespace: &str,
        prefix: &str,
        force: bool,
    ) -> Result<Option<Progress>> {
        let total = self.leases.count(namespace, prefix).await?;
        if total == 0 {
            return Ok(None);
        }
        let mut jobs = self.jobs.0.lock().await;
        jobs.retain(|_, changes| changes.has_changed().is_ok());
        let aim = Aim { namespace: namespace.to_owned(), prefix: prefix.to_owned(), force };
        if let Some(changes) = jobs.get(&aim) {
            let id = changes.borrow().id.clone();
            if let Some(pass) = self.leases.repeat_job(namespace, &id, total).await? {
                return Ok(Some(Progress { changes: changes.clone(), pass }));
            }
        }
        let started = self.clock.now();
        let job = Job {
            namespace: namespace.to_owned(),
            id: Job::id_at(started, &random_base62(&*self.random, JOB_ID_LENGTH)),
            prefix: prefix.to_owned(),
            force,
            started,
            stage: Stage::Handing,
            after: String::new(),
            total,
            handled: 0,
            irrevocable: 0,
            error: None,
            finished: None,
            pass: 0,
            again: None,
        };
        self.leases.add_job(&job).await?;
        let changes = self.run_job(job);
        jobs.insert(aim, changes.clone());
        Ok(Some(Progress { changes, pass: 0 }))
    }

    /// Goes on with the jobs that were under way when the server stopped.
    pub(crate) async fn resume_jobs(self: &Arc<Self>) -> Result<()> {
        let mut jobs = self.jobs.0.lock().await;
        for job in self.leases.jobs("").await?.into_iter().filter(|job| job.finished.is_none()) {
            let aim = Aim::of(&job);
            // A mount that is going may have begun one already.
            if jobs.get(&aim).is_none_or(|changes| changes.borrow().id != job.id) {
                jobs.insert(aim, self.run_job(job));
            }
        }
        Ok(())
    }

    fn run_job(self: &Arc<Self>, job: Job) -> watch::Receiver<Job> {
        let (sender, receiver) = watch::channel(job.clone());
        let run =
            Run { core: self.clone(), job, sender, dead: HashSet::new(), rung: HashSet::new() };
        self.spawn(run.finish());
        receiver
    }
}

/// A job at work.
struct Run {
    core: Arc<Core>,
    job: Job,
    /// For whoever waits.
    sender: watch::Sender<Job>,
    /// The targets that a job with force need not ask again.
    dead: HashSet<Target>,
    /// The targets that are to be tried now, whatever was known of them before.
    rung: HashSet<Target>,
}

impl Run {
    async fn finish(mut self) {
        while self.job.finished.is_none() {
            let step = match self.job.stage {
                Stage::Handing => self.hand_page().await,
                Stage::Waiting => self.wait_page().await,
            };
            if let Err(error) = step {
                tracing::warn!(prefix = %self.job.prefix, error = %error.log(), "could not go on revoking");
                tokio::time::sleep(STORE_PAUSE).await;
            }
            self.sender.send_replace(self.job.clone());
        }
    }

    /// Stores how far the job is, and goes on with it as it is stored.
    async fn save(&mut self, job: Job) -> Result<()> {
        let stored = self.core.leases.save_job(&job).await?;
        self.go_on(job, stored);
        Ok(())
    }

    fn go_on(&mut self, job: Job, stored: Option<Job>) {
        let pass = self.job.pass;
        self.job = stored.unwrap_or_else(|| {
            // Its namespace is gone, and with it all that was to be revoked.
            Job { finished: Some(self.core.clock.now()), pass: pass + 1, ..job }
        });
        if self.job.pass != pass {
            self.dead.clear();
            self.rung.clear();
        }
    }

    /// Ends the tokens of a page and hands its secrets to their targets.
    async fn hand_page(&mut self) -> Result<()> {
        let (last, leases) = self.page().await?;
        let Some(last) = last else { return self.next_stage().await };
        let mut job = Job { after: last, ..self.job.clone() };
        job.handled += leases.len() as u64;
        let (tokens, secrets): (Vec<_>, Vec<_>) = leases.into_iter().partition(Leases::is_token);
        for (lease, error) in self.core.end_tokens(tokens).await? {
            if job.force {
                self.core.forget_leases(&[lease]).await?;
            } else {
                self.core.leases.postpone(&lease, error.public()).await?;
                job.error.get_or_insert_with(|| failure(&lease.id, error.public()));
            }
        }
        if job.force {
            self.force(secrets).await?;
            self.save(job).await
        } else {
            self.hand_over(&secrets, job).await
        }
    }

    /// Moves leases into the queues of their targets, and notes how far the job is, at once.
    async fn hand_over(&mut self, secrets: &[Lease], job: Job) -> Result<()> {
        let (leases, noted) = (&self.core.leases, &job);
        let hand_over = move |tx| async move {
            for lease in secrets {
                if let Some(stored) = leases.read_in(&tx, &lease.namespace, &lease.id).await? {
                    leases.enqueue(&tx, &stored)?;
                }
            }
            leases.note_job(&tx, noted).await
        };
        let stored = self.core.state.transact(hand_over).await?;
        self.core.attend(secrets);
        for target in secrets.iter().filter_map(Lease::target) {
            if self.rung.insert(target.clone()) {
                self.core.try_target(target);
            }
        }
        self.go_on(job, stored);
        Ok(())
    }

    /// Revokes leases, or forgets them. A target that answered none of a few is not asked again.
    async fn force(&mut self, secrets: Vec<Lease>) -> Result<()> {
        for few in secrets.chunks(WIDTH) {
            let (mut silent, mut live) = (HashSet::new(), HashSet::new());
            let mut work = JoinSet::new();
            for lease in few {
                if lease.target().is_some_and(|target| !self.dead.contains(&target)) {
                    let (core, lease) = (self.core.clone(), lease.clone());
                    work.spawn(async move { (core.revoke_lease(&lease).await, lease.target()) });
                }
            }
            while let Some(done) = work.join_next().await {
                match done {
                    Ok((Ok(()), Some(target))) => drop(live.insert(target)),
                    Ok((Err(error), Some(target))) if error.is(ErrorKind::Unavailable) => {
                        silent.insert(target);
                    }
                    _ => {}
                }
            }
            // Those that were revoked are gone already. If the store fails, no target is to blame.
            self.core.forget_leases(few).await?;
            self.dead.extend(silent.difference(&live).cloned());
        }
        Ok(())
    }

    async fn next_stage(&mut self) -> Result<()> {
        let finished = self.job.force.then(|| self.core.clock.now());
        let job = Job {
            stage: Stage::Waiting,
            after: String::new(),
            // Those of a page that a crash cut short are not counted yet.
            handled: self.job.total,
            finished,
            ..self.job.clone()
        };
        self.save(job).await
    }

    /// Waits until the leases of a page have ended or were given up on.
    async fn wait_page(&mut self) -> Result<()> {
        let (last, leases) = self.page().await?;
        let Some(last) = last else {
            let finished = Some(self.core.clock.now());
            return self.save(Job { finished, ..self.job.clone() }).await;
        };
        for lease in &leases {
            if !self.wait_for(lease).await? {
                return self.save(self.job.clone()).await;
            }
        }
        self.save(Job { after: last, ..self.job.clone() }).await
    }

    /// Waits until a lease has ended or was given up on. `false` if the job does not wait any more.
    async fn wait_for(&mut self, lease: &Lease) -> Result<bool> {
        let (mut look, pass) = (LOOK_FIRST, self.job.pass);
        loop {
            let found = self.core.leases.read(&lease.namespace, &lease.id).await?;
            let Some(lease) = found else { return Ok(true) };
            if self.job.error.is_none()
                && let Some(cause) = self.failure_of(&lease).await?
            {
                let error = Some(failure(&lease.id, &cause));
                self.save(Job { error, ..self.job.clone() }).await?;
                self.sender.send_replace(self.job.clone());
            }
            if self.job.pass != pass || self.core.leases.is_recalled(&self.job).await? {
                return Ok(false);
            }
            if lease.is_stuck() {
                self.job.irrevocable += 1;
                return Ok(true);
            }
            // It was on its way when the leases were handed over.
            if lease.is_alive(self.core.clock.now()) {
                self.core.queue_lease(&lease).await?;
            }
            tokio::time::sleep(look).await;
            look = (look * 2).min(LOOK_MAX);
        }
    }

    /// Why a lease that should have ended is still there, if it failed. What failed before the job
    /// started says nothing: a lease in the queue is still to be tried, and so may be its target.
    async fn failure_of(&self, lease: &Lease) -> Result<Option<String>> {
        if lease.failures > 0 && !lease.queued {
            return Ok(Some(lease.cause.clone().unwrap_or_default()));
        }
        let Some(target) = lease.target() else { return Ok(None) };
        let trouble = self.core.leases.trouble(&target).await?;
        Ok(trouble.filter(|it| it.tried >= self.job.started).map(|trouble| trouble.error))
    }

    /// The leases of the next page that the job is about, and the last id of the page.
    async fn page(&self) -> Result<(Option<String>, Vec<Lease>)> {
        let Job { namespace, prefix, after, started, .. } = &self.job;
        let ids = self.core.leases.page(namespace, prefix, after, PAGE).await?;
        let mut leases = Vec::with_capacity(ids.len());
        for id in &ids {
            match self.core.leases.read(namespace, id).await {
                // It is told in the log when it becomes due; it must not keep the others.
                Err(error) if error.is(ErrorKind::Corrupt) => {}
                found => leases.extend(found?.filter(|lease| lease.issued <= *started)),
            }
        }
        Ok((ids.into_iter().last(), leases))
    }
}

fn failure(id: &str, cause: &str) -> String {
    format!("failed to revoke {id:?}: {cause}")
}
