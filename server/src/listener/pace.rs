use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::config::Limits;

/// What a connection is waiting for, and until when.
///
/// Waiting for a request head: until `head` after its first byte (or after the connection began).
/// Waiting between requests: until `idle` after the last answer. While requests are under way
/// there is no deadline here; they have their own.
pub(super) struct Pace {
    start: Instant,
    head: Duration,
    idle: Duration,
    /// Milliseconds after `start`; it counts only while no request is under way.
    deadline: AtomicU64,
    requests: AtomicUsize,
    /// Nothing has arrived since the last answer.
    quiet: AtomicBool,
    /// HTTP/2, where bytes need not belong to a request.
    multiplexed: AtomicBool,
}

impl Pace {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        let pace = Self {
            start: Instant::now(),
            head: limits.head,
            idle: limits.idle,
            deadline: AtomicU64::new(0),
            requests: AtomicUsize::new(0),
            quiet: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
        };
        pace.expect_within(pace.head);
        Arc::new(pace)
    }

    /// A request has arrived; it is under way until the answer drops.
    pub(super) fn begin(self: &Arc<Self>, multiplexed: bool) -> UnderWay {
        self.requests.fetch_add(1, Ordering::AcqRel);
        self.multiplexed.store(multiplexed, Ordering::Release);
        UnderWay(self.clone())
    }

    /// The deadline is set first: with HTTP/2 the connection looks at it from another thread, and
    /// must not find that of long ago.
    fn end(&self) {
        self.quiet.store(true, Ordering::Release);
        self.expect_within(self.idle);
        self.requests.fetch_sub(1, Ordering::AcqRel);
    }

    /// Bytes have arrived: the first ones after an answer begin the next head.
    fn arrived(&self) {
        if self.quiet.load(Ordering::Acquire)
            && self.requests.load(Ordering::Acquire) == 0
            && !self.multiplexed.load(Ordering::Acquire)
        {
            self.quiet.store(false, Ordering::Release);
            self.expect_within(self.head);
        }
    }

    fn expect_within(&self, wait: Duration) {
        let millis = (self.start.elapsed() + wait).as_millis();
        self.deadline.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Release);
    }

    fn deadline(&self) -> Option<Instant> {
        let waiting = self.requests.load(Ordering::Acquire) == 0;
        let millis = self.deadline.load(Ordering::Acquire);
        waiting.then(|| self.start + Duration::from_millis(millis))
    }
}

/// Lasts as long as a request.
pub(super) struct UnderWay(Arc<Pace>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A stream whose reads and writes fail with `TimedOut` once the [`Pace`] is missed.
pub(super) struct Paced<T> {
    inner: T,
    pace: Arc<Pace>,
    /// How long a write may make no progress.
    write: Duration,
    write_blocked_until: Option<Instant>,
    /// It may be set too early, never too late: moving it with every request would cost more than
    /// looking again when it rings.
    timer: Pin<Box<Sleep>>,
}

impl<T> Paced<T> {
    pub(super) fn new(inner: T, pace: Arc<Pace>, limits: &Limits) -> Self {
        let timer = Box::pin(sleep_until(pace.start + limits.head));
        Self { inner, pace, write: limits.write, write_blocked_until: None, timer }
    }

    /// Ready with an error when the client is late; arms the timer otherwise.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            let deadlines = [self.pace.deadline(), self.write_blocked_until];
            let Some(due) = deadlines.into_iter().flatten().min() else { return Poll::Pending };
            if self.timer.deadline() > due {
                self.timer.as_mut().reset(due);
            }
            ready!(self.timer.as_mut().poll(cx));
            if Instant::now() >= due {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(due);
        }
    }

    fn after_write<R>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if outcome.is_ready() {
            self.write_blocked_until = None;
            return outcome;
        }
        self.write_blocked_until.get_or_insert_with(|| Instant::now() + self.write);
        self.poll_late(cx).map(Err)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Paced<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.inner).poll_read(cx, buffer) {
            Poll::Ready(outcome) => {
                if buffer.filled().len() > before {
                    self.pace.arrived();
                }
                Poll::Ready(outcome)
            }
            Poll::Pending => self.poll_late(cx).map(Err),
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Paced<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.after_write(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(cx, parts);
        self.after_write(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(cx);
        self.after_write(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.after_write(cx, outcome)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn limits() -> Limits {
        Limits {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            write: Duration::from_secs(20),
            ..Limits::default()
        }
    }

    fn pair() -> (Paced<DuplexStream>, Arc<Pace>, DuplexStream) {
        let (server, client) = duplex(16);
        let pace = Pace::new(&limits());
        (Paced::new(server, pace.clone(), &limits()), pace, client)
    }

    /// Seconds until a read fails for being late.
    async fn late_after(stream: &mut Paced<DuplexStream>) -> u64 {
        let start = Instant::now();
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_has_the_time_of_a_head() {
        let (mut stream, _pace, _client) = pair();
        assert_eq!(late_after(&mut stream).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_each_second_does_not_help() {
        let (mut stream, _pace, mut client) = pair();
        tokio::spawn(async move {
            while client.write_u8(b'x').await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let start = Instant::now();
        let mut buffer = Vec::new();
        let error = stream.read_to_end(&mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_the_time_is_longer_until_the_next_begins() {
        let (mut stream, pace, mut client) = pair();
        drop(pace.begin(false));
        tokio::time::sleep(Duration::from_secs(200)).await;
        client.write_u8(b'x').await.unwrap();
        stream.read_u8().await.unwrap();
        assert_eq!(late_after(&mut stream).await, 10);

        let (mut stream, pace, _client) = pair();
        drop(pace.begin(false));
        assert_eq!(late_after(&mut stream).await, 300);
    }

    #[tokio::test(start_paused = true)]
    async fn with_http2_other_frames_begin_no_head() {
        let (mut stream, pace, mut client) = pair();
        drop(pace.begin(true));
        client.write_u8(b'x').await.unwrap();
        stream.read_u8().await.unwrap();
        assert_eq!(late_after(&mut stream).await, 300);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_under_way_has_no_deadline_here() {
        let (mut stream, pace, _client) = pair();
        let under_way = pace.begin(false);
        let read = tokio::time::timeout(Duration::from_secs(3600), stream.read_u8());
        assert!(read.await.is_err());
        drop(under_way);
        assert_eq!(late_after(&mut stream).await, 300);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_no_bytes_is_cut_and_who_takes_some_is_not() {
        let (mut stream, pace, _client) = pair();
        let _under_way = pace.begin(false);
        let start = Instant::now();
        let error = stream.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), 20);

        let (mut stream, pace, mut client) = pair();
        let _under_way = pace.begin(false);
        tokio::spawn(async move {
            while client.read_u8().await.is_ok() {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        });
        stream.write_all(&[0; 64]).await.unwrap();
    }
}
