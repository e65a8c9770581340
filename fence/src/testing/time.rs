//! Paused time with real sockets.
//!
//! With paused time tokio jumps to the next timer whenever nothing can run, also while bytes are on their way through
//! the kernel: a request would time out at random. So time is held from the start of each call to its end (a blocking
//! task keeps tokio from jumping), and a mock that means to hang lets it go.

use std::cell::RefCell;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

thread_local! {
    static HOLD: RefCell<Option<Sender<()>>> = const { RefCell::new(None) };
}

/// Should a mock forget to let go, the test goes on after this and fails by its assertions.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// Holds time until it is dropped or [`release`] is called.
pub(crate) struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        release();
    }
}

/// Holds time for a call.
pub(crate) fn hold() -> Held {
    renew();
    Held
}

/// Holds time again, in the middle of a call that goes on after a silence.
pub(crate) fn renew() {
    let (sender, receiver) = channel::<()>();
    tokio::task::spawn_blocking(move || receiver.recv_timeout(FORGOTTEN));
    HOLD.with_borrow_mut(|hold| *hold = Some(sender));
}

/// Lets time jump again: the mock is silent on purpose.
pub(crate) fn release() {
    HOLD.with_borrow_mut(|hold| *hold = None);
}
