//! What waits for a local client, between the hub and the client's session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

/// Most bytes that may wait for a client that does not read: one of the largest documents and then some.
pub(super) const LIMIT: usize = 24 * 1024 * 1024;

/// Why a message was not queued.
#[derive(Debug, Error)]
pub enum Refused {
    /// The client is gone.
    #[error("it is gone")]
    Gone,
    /// The client does not read.
    #[error("it does not read, {0} bytes are waiting for it")]
    Full(usize),
}

/// The hub's end of a session: where the cluster's messages go. Dropping it disconnects the client, once it has read
/// what was sent.
#[derive(Debug)]
pub struct Mailbox {
    responses: mpsc::UnboundedSender<(i32, String)>,
    events: mpsc::UnboundedSender<String>,
    queued: Arc<AtomicUsize>,
    _open: oneshot::Sender<()>,
}

/// The session's end.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) responses: mpsc::UnboundedReceiver<(i32, String)>,
    pub(super) events: mpsc::UnboundedReceiver<String>,
    /// Bytes that wait; to be lowered by what was sent.
    pub(super) queued: Arc<AtomicUsize>,
    /// Resolves when the hub lets go.
    pub(super) dropped: oneshot::Receiver<()>,
}

impl Mailbox {
    pub(super) fn new() -> (Self, Incoming) {
        let (responses, awaited) = mpsc::unbounded_channel();
        let (events, unasked) = mpsc::unbounded_channel();
        let (open, dropped) = oneshot::channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let incoming = Incoming { responses: awaited, events: unasked, queued: Arc::clone(&queued), dropped };
        (Self { responses, events, queued, _open: open }, incoming)
    }

    /// Queues the answer to request `id`.
    ///
    /// # Errors
    /// [`Refused`]: the client is to be disconnected.
    pub fn respond(&self, id: i32, text: String) -> Result<(), Refused> {
        self.count(text.len())?;
        self.responses.send((id, text)).map_err(|_| Refused::Gone)
    }

    /// Queues a document that was not asked for.
    ///
    /// # Errors
    /// As above.
    pub fn notify(&self, text: String) -> Result<(), Refused> {
        self.count(text.len())?;
        self.events.send(text).map_err(|_| Refused::Gone)
    }

    fn count(&self, length: usize) -> Result<(), Refused> {
        let queued = self.queued.fetch_add(length, Ordering::Relaxed) + length;
        if queued > LIMIT { Err(Refused::Full(queued)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_does_not_read_is_bounded() {
        let (mailbox, _incoming) = Mailbox::new();
        let text = "x".repeat(LIMIT / 2);
        mailbox.notify(text.clone()).unwrap();
        mailbox.respond(1, text.clone()).unwrap();
        assert!(matches!(mailbox.notify(text), Err(Refused::Full(waiting)) if waiting > LIMIT));
    }

    #[test]
    fn a_client_that_is_gone_takes_nothing() {
        let (mailbox, incoming) = Mailbox::new();
        drop(incoming);
        assert!(matches!(mailbox.notify("<a/>".to_owned()), Err(Refused::Gone)));
    }
}
