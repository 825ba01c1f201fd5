use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base_types::{BoxFuture, Error, Result, Ttl};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// Connections to one database: made when they are needed, kept for whoever comes next, never more
/// than the limit.
pub(crate) struct Pool<C> {
    connect: Box<dyn Fn() -> BoxFuture<'static, Result<C>> + Send + Sync>,
    shared: Arc<Shared<C>>,
    permits: Arc<Semaphore>,
}

/// How many connections there may be and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// At least one.
    pub(crate) open: usize,
    /// Those that wait to be used again; at most `open`.
    pub(crate) idle: usize,
    /// Zero is unlimited.
    pub(crate) lifetime: Ttl,
}

/// What a pool must know of its connections.
pub(crate) trait Pooled: Send + 'static {
    /// Whether it can be used again. It may ask the database.
    fn is_alive(&mut self) -> BoxFuture<'_, bool>;
}

struct Shared<C> {
    limits: Limits,
    idle: Mutex<VecDeque<Idle<C>>>,
    is_closed: AtomicBool,
}

struct Idle<C> {
    connection: C,
    made: Instant,
    since: Instant,
}

/// A connection in use. It goes back only through [`Loan::give_back`]: one that was dropped half
/// way through something is in a state that nobody knows, and is closed.
pub(crate) struct Loan<C> {
    pub(crate) connection: C,
    made: Instant,
    shared: Arc<Shared<C>>,
    _permit: OwnedSemaphorePermit,
}

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// What has been idle for longer may have been cut off by something on the way.
const TRUSTED: Duration = Duration::from_secs(30);
/// How long a database may take to say that a connection is alive.
const PROBE_LIMIT: Duration = Duration::from_secs(5);
/// How long a database may take for one piece of work, and a request may wait for a connection.
const WORK_LIMIT: Duration = Duration::from_secs(30);
/// How long a database may take to stop a piece of work.
const STOP_LIMIT: Duration = Duration::from_secs(5);

impl<C: Pooled> Pool<C> {
    pub(crate) fn new(
        limits: Limits,
        connect: impl Fn() -> BoxFuture<'static, Result<C>> + Send + Sync + 'static,
    ) -> Self {
        let shared = Shared { limits, idle: Mutex::default(), is_closed: AtomicBool::new(false) };
        Self {
            connect: Box::new(connect),
            shared: Arc::new(shared),
            permits: Arc::new(Semaphore::new(limits.open)),
        }
    }

    /// # Errors
    /// `Unavailable` if the database cannot be reached, or all connections stay in use.
    pub(crate) async fn take(&self) -> Result<Loan<C>> {
        let permit = timeout(WORK_LIMIT, self.permits.clone().acquire_owned()).await;
        let permit = permit
            .map_err(|_| Error::unavailable("all connections to the database are in use"))?
            .map_err(Error::internal)?;
        let shared = self.shared.clone();
        while let Some(mut idle) = self.shared.next_idle() {
            let is_trusted = idle.since.elapsed() < TRUSTED;
            let probe = async |connection: &mut C| {
                timeout(PROBE_LIMIT, connection.is_alive()).await.unwrap_or(false)
            };
            if is_trusted || probe(&mut idle.connection).await {
                let Idle { connection, made, .. } = idle;
                return Ok(Loan { connection, made, shared, _permit: permit });
            }
        }
        let connection = connecting((self.connect)()).await?;
        Ok(Loan { connection, made: Instant::now(), shared, _permit: permit })
    }

    /// Closes what is idle, and what is in use as soon as it comes back.
    pub(crate) fn close(&self) {
        self.shared.is_closed.store(true, Ordering::SeqCst);
        self.shared.idle().clear();
    }
}

impl<C> Shared<C> {
    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle<C>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that was used last: the others grow old and go.
    fn next_idle(&self) -> Option<Idle<C>> {
        let mut idle = self.idle();
        idle.retain(|idle| !self.is_old(idle.made));
        idle.pop_back()
    }

    fn is_old(&self, made: Instant) -> bool {
        let lifetime = self.limits.lifetime;
        !lifetime.is_zero() && made.elapsed().as_secs() >= lifetime.seconds()
    }
}

impl<C> Loan<C> {
    pub(crate) fn give_back(self) {
        let Self { connection, made, shared, _permit } = self;
        let mut idle = shared.idle();
        let is_welcome = !shared.is_closed.load(Ordering::SeqCst)
            && idle.len() < shared.limits.idle
            && !shared.is_old(made);
        if is_welcome {
            idle.push_back(Idle { connection, made, since: Instant::now() });
        }
    }
}

/// A connection attempt, which may not take for ever.
pub(crate) async fn connecting<T>(attempt: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(CONNECT_LIMIT, attempt).await.unwrap_or_else(|_| {
        Err(Error::unavailable("the database did not take a connection within 10 seconds"))
    })
}

/// A piece of work in the database, which may not take for ever.
pub(crate) async fn working<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(WORK_LIMIT, work).await.unwrap_or_else(|_| Err(late()))
}

/// The same for work that goes on in the database when nobody waits for it: `stop` ends it there,
/// and then there is an answer after all.
pub(crate) async fn working_or_stopped<T>(
    work: impl Future<Output = Result<T>>,
    stop: impl Future<Output = ()>,
) -> Result<T> {
    let mut work = pin!(work);
    if let Ok(done) = timeout(WORK_LIMIT, work.as_mut()).await {
        return done;
    }
    let stopped = async {
        stop.await;
        work.await
    };
    match timeout(STOP_LIMIT, stopped).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) | Err(_) => Err(late()),
    }
}

fn late() -> Error {
    Error::unavailable("the database did not answer within 30 seconds")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Counts itself while it is open.
    struct Connection(Arc<AtomicUsize>, bool);

    impl Pooled for Connection {
        fn is_alive(&mut self) -> BoxFuture<'_, bool> {
            Box::pin(async { self.1 })
        }
    }

    impl Drop for Connection {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn pool(open: usize, idle: usize, lifetime: u64) -> (Pool<Connection>, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let limits = Limits { open, idle, lifetime: Ttl::from_seconds(lifetime) };
        let pool = Pool::new(limits, move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let connection = Connection(counted.clone(), false);
            Box::pin(async move { Ok(connection) })
        });
        (pool, count)
    }

    #[tokio::test(start_paused = true)]
    async fn connections_are_limited_reused_and_closed() {
        let (pool, count) = pool(2, 1, 60);
        let open = || count.load(Ordering::SeqCst);
        let (first, second) = (pool.take().await.unwrap(), pool.take().await.unwrap());
        let third = pool.take().await.err().unwrap();
        assert_eq!(third.public(), "all connections to the database are in use");
        first.give_back();
        second.give_back();
        assert_eq!(open(), 1, "one may be idle");
        pool.take().await.unwrap().give_back();
        assert_eq!(open(), 1, "it is used again");
        drop(pool.take().await.unwrap());
        assert_eq!(open(), 0, "what is dropped in use is closed");
        pool.take().await.unwrap().give_back();
        tokio::time::advance(TRUSTED).await;
        let fresh = pool.take().await.unwrap();
        assert_eq!(fresh.made.elapsed(), Duration::ZERO, "the idle one was dead");
        tokio::time::advance(Duration::from_secs(60)).await;
        fresh.give_back();
        assert_eq!(open(), 0, "it was too old");
        let last = pool.take().await.unwrap();
        pool.take().await.unwrap().give_back();
        pool.close();
        assert_eq!(open(), 1);
        last.give_back();
        assert_eq!(open(), 0);
    }
}
