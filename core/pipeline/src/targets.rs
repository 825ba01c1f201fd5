use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base_types::{Error, ErrorKind, Result, Timestamp};
use core_lease::{Lease, Target, Trouble};
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::Core;

/// How many leases of one target are revoked at a time.
pub(crate) const WIDTH: usize = 16;
/// The wait after the first failure of a target; it doubles with each further one.
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(300);
/// How many leases that failed are remembered for each target.
const TRIED_MAX: usize = 1024;
/// The pause when the store itself does not work.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// What becomes of leases that are due in other systems: each [`Target`] has a worker while there
/// is something in its queue, so that none waits for another.
#[derive(Default)]
pub(crate) struct Workers(Mutex<HashMap<Target, Mailbox>>);

/// What a worker has been told and has not read yet.
#[derive(Default)]
struct Mailbox {
    bell: Arc<Notify>,
    news: News,
}

#[derive(Default)]
struct News {
    /// There is more in the queue.
    more: bool,
    /// Some of what is new, to be tried before what failed already.
    fresh: VecDeque<String>,
    /// Somebody wants to see it tried now.
    urgent: bool,
}

impl Workers {
    /// Forgets all workers, which have been stopped.
    pub(crate) fn clear(&self) {
        self.all().clear();
    }

    /// Tells the worker of `target`. The bell is given back if there is no worker yet.
    fn tell(&self, target: &Target, tell: impl FnOnce(&mut News)) -> Option<Arc<Notify>> {
        let mut all = self.all();
        let is_new = !all.contains_key(target);
        let mailbox = all.entry(target.clone()).or_default();
        tell(&mut mailbox.news);
        mailbox.bell.notify_one();
        is_new.then(|| mailbox.bell.clone())
    }

    fn news(&self, target: &Target) -> News {
        self.all()
            .get_mut(target)
            .map(|mailbox| std::mem::take(&mut mailbox.news))
            .unwrap_or_default()
    }

    /// Lets a worker go that found its queue empty, unless there is news.
    fn dismiss(&self, target: &Target) -> bool {
        let mut all = self.all();
        let may_go = all.get(target).is_none_or(|mailbox| !mailbox.news.more);
        if may_go {
            all.remove(target);
        }
        may_go
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Target, Mailbox>> {
        // Every change is a single step, so a panic elsewhere leaves nothing half-done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Sets to work on what was put into the queues of targets.
    pub(crate) fn attend(self: &Arc<Self>, queued: &[Lease]) {
        for lease in queued {
            let Some(target) = lease.target() else { continue };
            self.attend_target(target, |news| {
                if news.fresh.len() < WIDTH {
                    news.fresh.push_back(lease.entry());
                }
            });
        }
    }

    /// Sets to work on what was in the queues when the server started, and on what did not work.
    pub(crate) async fn attend_all(self: &Arc<Self>) -> Result<()> {
        for target in self.leases.queues().await? {
            self.attend_target(target, |_| ());
        }
        // A crash may have left one for which nothing waits any more.
        for (target, _) in self.leases.troubles().await? {
            self.attend_target(target, |_| ());
        }
        Ok(())
    }

    /// Has a target tried now, however long it was to be left alone.
    pub fn try_target(self: &Arc<Self>, target: Target) {
        self.attend_target(target, |news| news.urgent = true);
    }

    fn attend_target(self: &Arc<Self>, target: Target, tell: impl FnOnce(&mut News)) {
        let told = self.workers.tell(&target, |news| {
            news.more = true;
            tell(news);
        });
        if let Some(bell) = told {
            self.spawn(Worker::new(self.clone(), target, bell).run());
        }
    }
}

/// Empties the queue of one target.
struct Worker {
    core: Arc<Core>,
    target: Target,
    bell: Arc<Notify>,
    attempts: JoinSet<Result<Outcome>>,
    running: HashMap<Id, Attempt>,
    /// How many leases were revoked.
    successes: u64,
    /// How many attempts found that the target does not answer, and whose the latest was.
    outages: u64,
    cut_off: Option<String>,
    /// The leases that run and those that failed.
    tried: HashMap<String, Tried>,
    fresh: VecDeque<String>,
    /// A page of the queue, and the place after it.
    ahead: VecDeque<String>,
    cursor: String,
    /// While there is one, the target is tried with one lease at a time, when it is time.
    trouble: Option<Trouble>,
    /// Whether the trouble is stored, and whether as it is now.
    is_stored: bool,
    is_current: bool,
    next_try: Instant,
    /// It is tried once before its time.
    urgent: bool,
    /// It answers, if wrongly: then what has just come may be tried at once.
    answers: bool,
}

struct Attempt {
    entry: String,
    /// It was made to see whether the target works again.
    is_probe: bool,
    began: Timestamp,
    /// What `outages` was then.
    outages: u64,
}

struct Tried {
    /// What `successes` was when it was first tried.
    successes: u64,
    /// The target did not answer it, and answered the very next one.
    stands_out: bool,
}

enum Outcome {
    Done,
    Failed {
        error: Error,
        /// It had failed by its own fault before.
        again: bool,
    },
    /// There was no such lease any more.
    Gone,
}

impl Worker {
    fn new(core: Arc<Core>, target: Target, bell: Arc<Notify>) -> Self {
        Self {
            core,
            target,
            bell,
            attempts: JoinSet::new(),
            running: HashMap::new(),
            successes: 0,
            outages: 0,
            cut_off: None,
            tried: HashMap::new(),
            fresh: VecDeque::new(),
            ahead: VecDeque::new(),
            cursor: String::new(),
            trouble: None,
            is_stored: false,
            is_current: false,
            next_try: Instant::now(),
            urgent: false,
            answers: false,
        }
    }

    async fn run(mut self) {
        while let Err(error) = self.remember().await {
            self.pause(&error).await;
        }
        loop {
            match self.step().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => self.pause(&error).await,
            }
        }
    }

    async fn pause(&self, error: &Error) {
        tracing::warn!(error = %error.log(), "could not work on expired leases");
        tokio::time::sleep(STORE_PAUSE).await;
    }

    /// What an earlier run of the server knew of the target.
    async fn remember(&mut self) -> Result<()> {
        self.trouble = self.core.leases.trouble(&self.target).await?;
        self.is_stored = self.trouble.is_some();
        self.is_current = self.is_stored;
        Ok(())
    }

    /// Starts what may be started and waits for something to happen. `false` once nothing is left.
    async fn step(&mut self) -> Result<bool> {
        let News { more: _, mut fresh, urgent } = self.core.workers.news(&self.target);
        self.urgent |= urgent || (self.answers && !fresh.is_empty());
        self.fresh.append(&mut fresh);
        self.fresh.truncate(WIDTH);
        while self.attempts.len() < self.width() {
            let Some(entry) = self.next().await? else { break };
            self.start(entry);
        }
        if self.attempts.is_empty() {
            if self.core.leases.queue(&self.target, "", 1).await?.is_empty() {
                self.recover().await?;
                return Ok(!self.core.workers.dismiss(&self.target));
            }
            self.record().await?;
        }
        let is_idle = self.attempts.is_empty();
        tokio::select! {
            Some(done) = self.attempts.join_next_with_id() => self.judge(done).await?,
            () = self.bell.notified() => {}
            () = tokio::time::sleep_until(self.next_try), if is_idle => {}
        }
        Ok(true)
    }

    /// How many leases may be under way.
    fn width(&self) -> usize {
        match self.trouble {
            None => WIDTH,
            Some(_) if self.urgent || Instant::now() >= self.next_try => 1,
            Some(_) => 0,
        }
    }

    /// What to try next: what is new, then the queue from where it was left, round and round.
    async fn next(&mut self) -> Result<Option<String>> {
        let is_running = |entry: &String| self.running.values().any(|one| one.entry == *entry);
        let mut has_wrapped = false;
        loop {
            while let Some(entry) = self.fresh.pop_front().or_else(|| self.ahead.pop_front()) {
                if !is_running(&entry) {
                    return Ok(Some(entry));
                }
            }
            let page = self.core.leases.queue(&self.target, &self.cursor, 2 * WIDTH).await?;
            match page.last() {
                Some(last) => self.cursor.clone_from(last),
                None if has_wrapped || self.cursor.is_empty() => {
                    self.cursor.clear();
                    return Ok(None);
                }
                None => {
                    has_wrapped = true;
                    self.cursor.clear();
                }
            }
            self.ahead.extend(page);
        }
    }

    fn start(&mut self, entry: String) {
        let is_probe = self.trouble.is_some() && Instant::now() >= self.next_try;
        self.urgent = false;
        let first = Tried { successes: self.successes, stands_out: false };
        self.tried.entry(entry.clone()).or_insert(first);
        let attempt = attempt(self.core.clone(), self.target.clone(), entry.clone());
        let id = self.attempts.spawn(attempt).id();
        let (began, outages) = (self.core.clock.now(), self.outages);
        self.running.insert(id, Attempt { entry, is_probe, began, outages });
    }

    /// Decides whose fault a failure was. If it is the lease's own, it counts against the lease.
    /// Else the target is in trouble, and the lease stays where it is.
    async fn judge(&mut self, done: Result<(Id, Result<Outcome>), JoinError>) -> Result<()> {
        let (id, outcome) = match done {
            Ok(done) => done,
            Err(panic) => {
                let (id, error) = (panic.id(), Error::internal(panic));
                (id, Ok(Outcome::Failed { error, again: false }))
            }
        };
        let Some(attempt) = self.running.remove(&id) else { return Ok(()) };
        let entry = &attempt.entry;
        match outcome? {
            Outcome::Gone => drop(self.tried.remove(entry)),
            Outcome::Done => {
                self.tried.remove(entry);
                self.successes += 1;
                self.note_answer(&attempt);
                self.core.counters.revoked.add_one();
                self.recover().await?;
            }
            Outcome::Failed { error, again } => {
                self.core.counters.revocation_failures.add_one();
                if self.is_its_own(entry, &error, again) {
                    self.tried.remove(entry);
                    self.postpone(entry, &error).await?;
                } else {
                    self.fail(&error, attempt);
                }
            }
        }
        if self.tried.len() > TRIED_MAX {
            let running: Vec<&String> = self.running.values().map(|one| &one.entry).collect();
            self.tried.retain(|entry, _| running.contains(&entry));
        }
        Ok(())
    }

    /// Whether a failure is the lease's own. A wrong answer is, if the target has revoked another one
    /// since this one was first tried, or this is the one that failed before where others do not.
    ///
    /// No answer at all is mostly an outage, which may begin at any moment and is nobody's fault: that
    /// others were revoked before says nothing. Only a lease to which this happens while the next one
    /// is answered, and then happens again, is the cause of it.
    fn is_its_own(&self, entry: &str, error: &Error, again: bool) -> bool {
        let tried = self.tried.get(entry);
        match error.kind() {
            ErrorKind::Unavailable => tried.is_some_and(|tried| tried.stands_out),
            ErrorKind::Upstream => {
                tried.is_some_and(|tried| self.successes > tried.successes)
                    || (again && self.trouble.is_none())
            }
            _ => true,
        }
    }

    /// The target has answered, and nobody was cut off since this attempt began. Then the one that
    /// was cut off last stands out: either an outage ended with it or it is the cause, and which of
    /// the two is shown by its next attempt.
    fn note_answer(&mut self, attempt: &Attempt) {
        if attempt.outages == self.outages
            && let Some(cut_off) = self.cut_off.take()
            && let Some(tried) = self.tried.get_mut(&cut_off)
        {
            tried.stands_out = true;
        }
    }

    async fn postpone(&self, entry: &str, error: &Error) -> Result<()> {
        let Some(lease) = self.core.leases.queued(&self.target, entry).await? else {
            return Ok(());
        };
        tracing::warn!(lease = %lease.id, error = %error.log(), "could not revoke a lease");
        self.core.leases.postpone(&lease, error.public()).await
    }

    /// The target does not work. Only a probe tells something new about one that did not before.
    fn fail(&mut self, error: &Error, attempt: Attempt) {
        let Attempt { entry, is_probe, began, .. } = attempt;
        self.answers = error.is(ErrorKind::Upstream);
        if !self.answers {
            self.outages += 1;
            self.cut_off = Some(entry);
        }
        let now = self.core.clock.now();
        let (since, tries) = match &self.trouble {
            Some(trouble) if !is_probe => (trouble.since, trouble.tries),
            Some(trouble) => (trouble.since, trouble.tries.saturating_add(1)),
            None => (now, 1),
        };
        let mut next_try = self.trouble.as_ref().map_or(now, |trouble| trouble.next_try);
        if is_probe || self.trouble.is_none() {
            let wait = self.backoff(tries);
            self.next_try = Instant::now() + wait;
            next_try = Timestamp(now.0.saturating_add(wait.as_nanos() as i64));
            tracing::warn!(mount = %self.target.mount, target = %self.target.name, tries,
                error = %error.log(), "leases wait for a system that does not work");
        }
        let waiting = self.trouble.as_ref().map_or(0, |trouble| trouble.waiting);
        let tried = self.trouble.as_ref().map_or(began, |trouble| trouble.tried.max(began));
        let error = error.public().to_owned();
        self.trouble = Some(Trouble { since, tries, error, next_try, waiting, tried });
        self.is_current = false;
    }

    /// Doubles with each try; a quarter of it is chance, so that many targets do not keep step.
    fn backoff(&self, tries: u32) -> Duration {
        let wait = WAIT_FIRST.saturating_mul(1 << (tries - 1).min(16)).min(WAIT_MAX);
        let [chance] = base_crypto::random_array::<1>(&*self.core.random);
        wait.mul_f64(1.0 - f64::from(chance) / 1024.0)
    }

    /// Stores what is wrong with the target, for people and for the next start.
    async fn record(&mut self) -> Result<()> {
        let Some(trouble) = self.trouble.as_mut().filter(|_| !self.is_current) else {
            return Ok(());
        };
        trouble.waiting = self.core.leases.count_queue(&self.target).await?;
        self.core.leases.note_trouble(&self.target, trouble).await?;
        (self.is_stored, self.is_current) = (true, true);
        Ok(())
    }

    /// The target works, or nothing waits for it any more.
    async fn recover(&mut self) -> Result<()> {
        if self.is_stored {
            self.core.leases.clear_trouble(&self.target).await?;
            self.is_stored = false;
            let Target { mount, name } = &self.target;
            tracing::info!(%mount, target = %name, "leases wait no longer for this system");
        }
        self.trouble = None;
        Ok(())
    }
}

async fn attempt(core: Arc<Core>, target: Target, entry: String) -> Result<Outcome> {
    let Some(lease) = core.leases.queued(&target, &entry).await? else { return Ok(Outcome::Gone) };
    Ok(match core.revoke_lease(&lease).await {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Failed { error, again: lease.failures > 0 },
    })
}
