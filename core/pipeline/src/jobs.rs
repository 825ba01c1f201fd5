use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use base_crypto::random_base62;
use base_types::{Error, ErrorKind, Result};
use core_lease::{Job, Lease, Leases, Stage, Target};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Core;
use crate::targets::{WIDTH, is_of_target};

/// How many leases a job deals with in one transaction.
const PAGE: usize = 128;
/// The pause when the store itself does not work.
const STORE_PAUSE: Duration = Duration::from_secs(5);
/// How often a job looks whether a lease has ended.
const LOOK_FIRST: Duration = Duration::from_millis(5);
const LOOK_MAX: Duration = Duration::from_secs(1);
/// Base-62 digits at the end of the id of a job.
const JOB_ID_LENGTH: usize = 8;

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
        let job = progress.wait_for(is_over).await.map_err(|_| Error::sealed())?;
        job.error.clone().map_or(Ok(()), |error| Err(Error::upstream(error)))
    }

    /// Begins to end every lease whose id starts with `prefix`; what is answered changes with the
    /// work. `None` if there is no such lease.
    pub async fn begin_revoking(
        self: &Arc<Self>,
        namespace: &str,
        prefix: &str,
        force: bool,
    ) -> Result<Option<watch::Receiver<Job>>> {
        let total = self.leases.count(namespace, prefix).await?;
        if total == 0 {
            return Ok(None);
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
        };
        self.leases.add_job(&job).await?;
        Ok(Some(self.run_job(job)))
    }

    /// Goes on with the jobs that were under way when the server stopped.
    pub(crate) async fn resume_jobs(self: &Arc<Self>) -> Result<()> {
        let jobs = self.leases.jobs("").await?;
        for job in jobs.into_iter().filter(|job| job.finished.is_none()) {
            drop(self.run_job(job));
        }
        Ok(())
    }

    fn run_job(self: &Arc<Self>, job: Job) -> watch::Receiver<Job> {
        let (sender, receiver) = watch::channel(job.clone());
        let run = Run { core: self.clone(), job, sender, dead: HashSet::new() };
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
            self.core.leases.save_job(&job).await?;
        } else {
            self.hand_over(&secrets, &job).await?;
        }
        self.job = job;
        Ok(())
    }

    /// Moves leases into the queues of their targets, and notes how far the job is, at once.
    async fn hand_over(&self, secrets: &[Lease], job: &Job) -> Result<()> {
        let leases = &self.core.leases;
        let hand_over = move |tx| async move {
            for lease in secrets {
                if let Some(stored) = leases.read_in(&tx, &lease.namespace, &lease.id).await? {
                    leases.enqueue(&tx, &stored)?;
                }
            }
            leases.note_job(&tx, job)
        };
        self.core.state.transact(hand_over).await?;
        self.core.attend(secrets);
        Ok(())
    }

    /// Revokes leases, or forgets them. A target that did not work once is not asked again.
    async fn force(&mut self, secrets: Vec<Lease>) -> Result<()> {
        for few in secrets.chunks(WIDTH) {
            let mut work = JoinSet::new();
            for lease in few {
                if lease.target().is_some_and(|target| !self.dead.contains(&target)) {
                    let (core, lease) = (self.core.clone(), lease.clone());
                    work.spawn(async move { (core.revoke_lease(&lease).await, lease.target()) });
                }
            }
            while let Some(done) = work.join_next().await {
                if let Ok((Err(error), Some(target))) = done
                    && is_of_target(&error)
                {
                    self.dead.insert(target);
                }
            }
            // Those that were revoked are gone already.
            self.core.forget_leases(few).await?;
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
        self.core.leases.save_job(&job).await?;
        self.job = job;
        Ok(())
    }

    /// Waits until the leases of a page have ended or were given up on.
    async fn wait_page(&mut self) -> Result<()> {
        let (last, leases) = self.page().await?;
        let Some(last) = last else {
            let job = Job { finished: Some(self.core.clock.now()), ..self.job.clone() };
            self.core.leases.save_job(&job).await?;
            self.job = job;
            return Ok(());
        };
        for lease in &leases {
            self.wait_for(lease).await?;
        }
        self.job.after = last;
        self.core.leases.save_job(&self.job).await
    }

    async fn wait_for(&mut self, lease: &Lease) -> Result<()> {
        let mut look = LOOK_FIRST;
        loop {
            let found = self.core.leases.read(&lease.namespace, &lease.id).await?;
            let Some(lease) = found else { return Ok(()) };
            if let Some(cause) = self.failure_of(&lease).await?
                && self.job.error.is_none()
            {
                self.job.error = Some(failure(&lease.id, &cause));
                self.core.leases.save_job(&self.job).await?;
                self.sender.send_replace(self.job.clone());
            }
            if lease.is_stuck() {
                self.job.irrevocable += 1;
                return Ok(());
            }
            // It was on its way when the leases were handed over.
            if lease.is_alive(self.core.clock.now()) {
                self.core.queue_lease(&lease).await?;
            }
            tokio::time::sleep(look).await;
            look = (look * 2).min(LOOK_MAX);
        }
    }

    /// Why a lease that should have ended is still there, if it failed.
    async fn failure_of(&self, lease: &Lease) -> Result<Option<String>> {
        if lease.failures > 0 {
            return Ok(Some(lease.cause.clone().unwrap_or_default()));
        }
        let Some(target) = lease.target() else { return Ok(None) };
        Ok(self.core.leases.trouble(&target).await?.map(|trouble| trouble.error))
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
