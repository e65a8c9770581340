//! One local client, from its first request to its end.
//!
//! ```text
//! link -> assembler -> document -> hub           (in turn, held back while the cluster does not take what there is)
//! link <- messages <- mailbox <- hub             (responses and events each in turn, neither waits for the other)
//! ```
//! Memory: what the client sends is bounded by [`Budget`] for all clients together, what it does not read by
//! that of its [`mailbox`](super::mailbox).

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use picket_proto::ipc::header::{Flags, Generation};
use picket_proto::ipc::message::{self, Assembler, Document, DocumentError};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::link::{Link, LinkError};
use super::mailbox::Incoming;

/// Most bytes of all clients' requests that may wait for the cluster.
const BUDGET: usize = 32 * 1024 * 1024;

/// How long a client that is to be disconnected may take to read what was sent before.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// From this size on, compressing an answer would keep other clients waiting.
const HEAVY: usize = 64 * 1024;

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
