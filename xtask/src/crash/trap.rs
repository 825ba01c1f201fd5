use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::Result;

/// Stands between the server and everybody it talks to, and holds back one message and all that
/// come after it. Whoever then kills the server has met exactly that step: a question that was not
/// asked yet, or one that was answered without the server's knowing.
#[derive(Clone, Default)]
pub(super) struct Trap(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
enum State {
    #[default]
    Open,
    Armed {
        /// So many messages are let through before.
        left: u64,
        alarm: Alarm,
    },
    Shut,
}

type Alarm = Box<dyn FnOnce() + Send>;

/// More than any message here has, so that each is read at once.
const MESSAGE_MAX: usize = 64 << 10;

impl Trap {
    /// A new address in front of `target`.
    pub(super) fn before(&self, target: SocketAddr) -> Result<SocketAddr> {
        let fault = |error| format!("cannot listen on 127.0.0.1: {error}");
        let listener = TcpListener::bind("127.0.0.1:0").map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        let this = self.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // Where nobody listens there is nobody behind this address either.
                if let Ok(far) = TcpStream::connect(target) {
                    this.connect(near, far);
                }
            }
        });
        Ok(address)
    }

    /// Lets `messages` through and then no more, and calls `alarm` at that moment.
    pub(super) fn arm(&self, messages: u64, alarm: impl FnOnce() + Send + 'static) {
        *self.state() = State::Armed { left: messages, alarm: Box::new(alarm) };
    }

    /// Lets everything through that comes from now on. What was held back is lost with its
    /// connection.
    pub(super) fn open(&self) {
        *self.state() = State::Open;
        self.0.changed.notify_all();
    }

    fn connect(&self, near: TcpStream, far: TcpStream) {
        let ends =
            (near.try_clone(), far.try_clone(), near.set_nodelay(true), far.set_nodelay(true));
        // A connection that the machine has no room for breaks at once.
        let (Ok(near_too), Ok(far_too), Ok(()), Ok(())) = ends else { return };
        let (there, back) = (self.clone(), self.clone());
        std::thread::spawn(move || there.carry(near, far));
        std::thread::spawn(move || back.carry(far_too, near_too));
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut message = vec![0; MESSAGE_MAX];
        while let Ok(length @ 1..) = from.read(&mut message) {
            if !self.lets_pass() || to.write_all(&message[..length]).is_err() {
                break;
            }
        }
        // The other end may have gone first.
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }

    /// Whether a message goes on. One that does not stays until the trap is open: the server must
    /// not notice anything before it is killed.
    fn lets_pass(&self) -> bool {
        let mut state = self.state();
        match &mut *state {
            State::Open => return true,
            State::Armed { left: left @ 1.., .. } => {
                *left -= 1;
                return true;
            }
            State::Armed { .. } | State::Shut => {}
        }
        if let State::Armed { alarm, .. } = std::mem::replace(&mut *state, State::Shut) {
            alarm();
        }
        let is_shut = |state: &mut State| matches!(state, State::Shut);
        drop(self.0.changed.wait_while(state, is_shut));
        false
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is a single assignment, so a panic elsewhere leaves it whole.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Answers each message with itself.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut message = [0; 16];
                while let Ok(length @ 1..) = stream.read(&mut message) {
                    stream.write_all(&message[..length]).unwrap();
                }
            }
        });
        address
    }

    fn ask(address: SocketAddr) -> Vec<u8> {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"hello").unwrap();
        let mut answer = vec![0; 16];
        let length = stream.read(&mut answer).unwrap_or_default();
        answer.truncate(length);
        answer
    }

    #[test]
    fn holds_back_the_message_that_it_was_told() {
        let trap = Trap::default();
        let address = trap.before(echo()).unwrap();
        assert_eq!(ask(address), b"hello");
        for messages in [0, 1] {
            let (sender, caught) = mpsc::channel();
            trap.arm(messages, move || sender.send(()).unwrap());
            let asked = std::thread::spawn(move || ask(address));
            caught.recv().unwrap();
            assert!(!asked.is_finished(), "nobody hears of it yet");
            trap.open();
            assert_eq!(asked.join().unwrap(), b"");
            assert_eq!(ask(address), b"hello");
        }
        trap.arm(2, || panic!("there are no more than two"));
        assert_eq!(ask(address), b"hello");
    }
}
