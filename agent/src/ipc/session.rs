//! One local client, from its first request to its end.
//!
//! ```text
//! link -> assembler -> document -> hub           (in turn, held back while the cluster does not take what there is)
//! link <- messages <- mailbox <- hub             (responses and events each in turn, neither waits for the other)
//! ```
//! Memory: what the client sends is bounded by [`Budget`] for all clients together, what it does not read by
//! [`MAILBOX_LIMIT`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use picket_proto::ipc::header::{Flags, Generation};
use picket_proto::ipc::message::{self, Assembler, Document, DocumentError};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::link::{Link, LinkError};

/// Most bytes that may wait for a client that does not read: one of the largest documents and then some.
const MAILBOX_LIMIT: usize = 24 * 1024 * 1024;

/// Most bytes of all clients' requests that may wait for the cluster.
const BUDGET: usize = 32 * 1024 * 1024;

/// How long a client that is to be disconnected may take to read what was sent before.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// From this size on, compressing an answer would keep other clients waiting.
const HEAVY: usize = 64 * 1024;

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
    responses: mpsc::UnboundedReceiver<(i32, String)>,
    events: mpsc::UnboundedReceiver<String>,
    queued: Arc<AtomicUsize>,
    dropped: oneshot::Receiver<()>,
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
        if queued > MAILBOX_LIMIT { Err(Refused::Full(queued)) } else { Ok(()) }
    }
}

/// The memory that requests of all clients share. A ticket is given back when the request has left.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<Semaphore>);

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BUDGET)))
    }
}

impl Budget {
    /// Waits until there is room for `bytes`.
    pub(super) async fn ticket(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let share = u32::try_from(bytes.clamp(1, BUDGET)).ok()?;
        Arc::clone(&self.0).acquire_many_owned(share).await.ok()
    }
}

/// Why a session ended without the client's or the hub's wish.
#[derive(Debug, Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("cannot send it a message: {0}")]
    Message(#[from] DocumentError),
}

/// Serves a client to its end. `take` gets each document; it says `false` when nobody takes any further.
pub(super) async fn serve(
    link: &Link,
    incoming: Incoming,
    mut take: impl AsyncFnMut(Document) -> bool,
) -> Result<(), SessionError> {
    let Incoming { mut responses, mut events, queued, dropped } = incoming;
    let generation = OnceLock::new();
    let reading = async {
        let mut assembler = Assembler::default();
        let mut complaints = 0_u64;
        while let Some(message) = link.next().await? {
            let document = assembler.push(&message);
            if let Some(known) = assembler.generation() {
                let _ = generation.set(known);
            }
            match document {
                Ok(Some(document)) => {
                    if !take(document).await {
                        break;
                    }
                }
                Ok(None) => {}
                Err(error) if complaints == 0 => {
                    complaints += 1;
                    tracing::warn!("dropping a message of a local client: {error}");
                }
                Err(error) => tracing::trace!("dropping a message of a local client: {error}"),
            }
            // A client that sends without pause is not the only one.
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    let layout = || generation.get().copied().unwrap_or(Generation::Old);
    let limit = link.max_msg_size();
    let responding = async {
        while let Some((id, text)) = responses.recv().await {
            let length = text.len();
            match encode(layout(), id, Flags(0), text, limit).await {
                Ok(messages) => {
                    for message in messages {
                        link.respond(&message).await?;
                    }
                }
                // As with the original, the client's own timeout tells it.
                Err(error) => tracing::error!("cannot pass an answer on to a local client: {error}"),
            }
            queued.fetch_sub(length, Ordering::Relaxed);
        }
        Ok(())
    };
    let notifying = async {
        let mut id = 0_i32;
        while let Some(text) = events.recv().await {
            let length = text.len();
            id = id.checked_add(1).unwrap_or(1);
            for message in encode(layout(), id, Flags::EVENT, text, limit).await? {
                link.notify(&message).await?;
            }
            queued.fetch_sub(length, Ordering::Relaxed);
        }
        Ok::<_, SessionError>(())
    };
    let ending = async {
        // Resolves when the hub lets go of the mailbox; it never sends.
        let _ = dropped.await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        result = reading => result,
        result = async { tokio::try_join!(responding, notifying) } => result.map(drop),
        () = ending => Ok(()),
    }
}

async fn encode(
    generation: Generation,
    id: i32,
    flags: Flags,
    text: String,
    limit: usize,
) -> Result<Vec<Vec<u8>>, DocumentError> {
    if generation == Generation::Old && text.len() > HEAVY {
        let work = move || message::encode(generation, id, flags, &text, limit);
        let joined = tokio::task::spawn_blocking(work).await;
        joined.unwrap_or_else(|error| Err(DocumentError::Compression(error.to_string())))
    } else {
        message::encode(generation, id, flags, &text, limit)
    }
}
