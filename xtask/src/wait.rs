use std::time::{Duration, Instant};

/// Asks `state` again and again until it answers, at most for `limit`.
pub(crate) fn until<T>(limit: Duration, mut state: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = state() {
            return Some(answer);
        }
        if start.elapsed() >= limit {
            return None;
        }
        pause(Duration::from_millis(5));
    }
}

/// Lets another process go on for `length`.
#[expect(clippy::disallowed_methods, reason = "another process tells of its state only when asked")]
pub(crate) fn pause(length: Duration) {
    std::thread::sleep(length);
}
