use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// At least so many files are worked on at a time: most of the time goes to waiting, for disks and
/// for the servers of keys.
const THREADS_MIN: usize = 8;

/// Does `work` for all items, several at a time; the answers have the order of the items. On a
/// terminal standard error shows how far it is.
pub(crate) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let bar = Bar::new(items.len());
    let worker = || {
        let mut answers = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return answers };
            answers.push((at, work(item)));
            bar.step();
        }
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let count = processors.max(THREADS_MIN).min(items.len());
    let mut answers: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..count).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(|worker| match worker.join() {
            Ok(answers) => answers,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    });
    bar.clear();
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// How far a piece of work is, on a terminal alone.
struct Bar {
    all: usize,
    done: AtomicUsize,
    shown: bool,
}

/// The signs of a bar.
const WIDTH: usize = 30;

impl Bar {
    fn new(all: usize) -> Self {
        Self { all, done: AtomicUsize::new(0), shown: all > 1 && std::io::stderr().is_terminal() }
    }

    fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if self.shown {
            let full = "#".repeat(WIDTH * done / self.all.max(1));
            let _ = write!(std::io::stderr(), "\r[{full:<WIDTH$}] {done}/{}", self.all);
        }
    }

    fn clear(&self) {
        if self.shown {
            // To the start of the line, and nothing behind it.
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(each(&items, |item| item * 2), (0..2000).step_by(2).collect::<Vec<_>>());
        assert!(each(&[] as &[usize], |item| *item).is_empty());
    }
}
