use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// The wait of one entry for the first device that has written it.
pub(crate) struct Ticket(Mutex<State>);

struct State {
    /// Devices that have not answered yet.
    left: usize,
    answer: Option<bool>,
    waker: Option<Waker>,
}

impl Ticket {
    pub(crate) fn new(devices: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { left: devices, answer: None, waker: None })))
    }

    /// A device has written the entry.
    pub(crate) fn accept(&self) {
        self.answer(|state| state.answer = state.answer.or(Some(true)));
    }

    /// A device will not write the entry. Only the last one decides.
    pub(crate) fn refuse(&self) {
        self.answer(|state| {
            state.left = state.left.saturating_sub(1);
            if state.left == 0 {
                state.answer = state.answer.or(Some(false));
            }
        });
    }

    fn answer(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let waker = if state.answer.is_some() { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Resolves to whether a device has accepted the entry.
pub(crate) struct Wait(pub(crate) Arc<Ticket>);

impl Future for Wait {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = state.answer {
            return Poll::Ready(answer);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            waker => *waker = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_acceptance_or_the_last_refusal_decides() {
        let ticket = Ticket::new(2);
        ticket.refuse();
        ticket.accept();
        ticket.refuse();
        assert!(Wait(ticket).await);

        let ticket = Ticket::new(2);
        ticket.refuse();
        ticket.refuse();
        ticket.accept();
        assert!(!Wait(ticket).await);
    }

    #[tokio::test]
    async fn a_waiting_task_is_woken_from_another_thread() {
        let ticket = Ticket::new(1);
        let thread = std::thread::spawn({
            let ticket = Arc::clone(&ticket);
            move || ticket.accept()
        });
        assert!(Wait(ticket).await);
        assert!(thread.join().is_ok());
    }
}
