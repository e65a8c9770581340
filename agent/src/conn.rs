//! One client's connection: handshake, then a loop that reads and a loop that writes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use picket_proto::frame::Frame;
use picket_proto::incoming::Incoming;
use rustls::ServerConfig;
use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use crate::executor::ClientId;
use crate::hub::{Event, Way};
use crate::key::Key;
use crate::wire::message::{self, Receiver, WireError};
use crate::wire::socket::Socket;
use crate::wire::tls::{self, Role, TlsError};
use crate::wire::{Secure, x509};

/// Most bytes that may wait for a client that does not read: three of the largest messages.
const OUTBOX_LIMIT: usize = 64 * 1024 * 1024;

/// How long the orderly close may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Why a frame was not queued.
#[derive(Debug, Error)]
pub enum Refused {
    /// The connection is ending.
    #[error("it is closing")]
    Closing,
    /// The client does not read.
    #[error("it does not read, {0} bytes are waiting for it")]
    Full(usize),
}

/// The hub's end of a connection.
#[derive(Debug)]
pub struct Outbox {
    frames: Option<mpsc::UnboundedSender<Queued>>,
    queued: Arc<AtomicUsize>,
    /// Ends the connection at once, whatever is queued: writing waits for a client that does not read.
    cut: Arc<Notify>,
}

/// A frame, and what is given back when it was written.
#[derive(Debug)]
struct Queued {
    frame: Frame,
    _ticket: Option<OwnedSemaphorePermit>,
}

/// The connection's end.
#[derive(Debug)]
struct Outgoing {
    frames: mpsc::UnboundedReceiver<Queued>,
    queued: Arc<AtomicUsize>,
    cut: Arc<Notify>,
}

impl Outbox {
    fn new() -> (Self, Outgoing) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (queued, cut) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let outbox = Self { frames: Some(sender), queued: Arc::clone(&queued), cut: Arc::clone(&cut) };
        (outbox, Outgoing { frames: receiver, queued, cut })
    }

    /// Queues a frame.
    ///
    /// # Errors
    /// [`Refused`]: the frame is lost to this client.
    pub fn push(&mut self, frame: Frame) -> Result<(), Refused> {
        self.push_with(frame, None)
    }

    /// Queues a frame that occupies shared memory until it was written. Where too much waits already, the
    /// connection is cut.
    ///
    /// # Errors
    /// As above.
    pub fn push_with(&mut self, frame: Frame, ticket: Option<OwnedSemaphorePermit>) -> Result<(), Refused> {
        let frames = self.frames.as_ref().ok_or(Refused::Closing)?;
        let waiting = self.queued.load(Ordering::Relaxed);
        if waiting > OUTBOX_LIMIT {
            self.frames = None;
            self.cut.notify_one();
            return Err(Refused::Full(waiting));
        }
        self.queued.fetch_add(frame.payload.len(), Ordering::Relaxed);
        frames.send(Queued { frame, _ticket: ticket }).map_err(|_| Refused::Closing)
    }

    /// Ends the connection once what is queued was written.
    pub fn close(&mut self) {
        self.frames = None;
    }
}

/// What a client has to prove, for one handshake.
#[derive(Debug)]
pub enum Proof {
    /// One of these keys.
    Psk(Vec<Arc<Key>>),
    /// A certificate.
    X509(Arc<ServerConfig>),
}

/// Serves the handshake; a client that fails it is one log line.
pub async fn handshake(socket: Socket, proof: Proof) -> Option<(Secure, Role)> {
    let peer = socket.peer();
    let keys = match proof {
        Proof::Psk(keys) => keys,
        Proof::X509(config) => {
            let accepted = x509::accept(socket, config).await;
            let refused = accepted.inspect_err(|error| tracing::warn!(%peer, "refused: {error}"));
            return refused.ok().map(|(connection, role)| (Secure::X509(Box::new(connection)), role));
        }
    };
    let path = keys.first().map(|key| key.path().display().to_string()).unwrap_or_default();
    match tls::accept(socket, &keys).await {
        Ok((connection, role, key)) => {
            if keys.first().is_some_and(|current| !std::ptr::eq(current.as_ref(), key)) {
                tracing::warn!(%peer, "accepted with a key that was replaced; give this peer the one in {path}");
            }
            Some((Secure::Psk(connection), role))
        }
        Err(TlsError::WrongKey) => {
            tracing::error!(%peer, "refused: the client's key is not the one in {path}");
            None
        }
        // Somebody looked whether anybody is here: a port scan, or `picketctl` before it decides what to do.
        Err(error @ TlsError::Closed) => {
            tracing::info!(%peer, "{error}");
            None
        }
        Err(error) => {
            tracing::warn!(%peer, "refused: {error}");
            None
        }
    }
}

/// Serves a connection to its end, of which the caller tells the hub.
pub async fn serve(connection: Secure, role: Role, client: ClientId, hub: mpsc::Sender<Event>) {
    let peer = connection.peer();
    let (outbox, outgoing) = Outbox::new();
    let way = Way::Remote { peer, outbox };
    if hub.send(Event::Connected { client, role, way }).await.is_err() {
        return;
    }
    if let Err(error) = exchange(connection, outgoing, client, peer, &hub).await {
        tracing::warn!(%peer, "{error}");
    }
}

async fn exchange(
    connection: Secure,
    mut outgoing: Outgoing,
    client: ClientId,
    peer: SocketAddr,
    hub: &mpsc::Sender<Event>,
) -> Result<(), WireError> {
    let (reader, mut writer) = tokio::io::split(connection);
    let mut receiver = Receiver::new(reader);
    let reading = async {
        while let Some(text) = receiver.next().await? {
            let message = Box::new(Incoming::parse(&text));
            if hub.send(Event::Received { client, message }).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    let writing = async {
        while let Some(Queued { frame, _ticket }) = outgoing.frames.recv().await {
            message::send(&mut writer, &frame).await?;
            outgoing.queued.fetch_sub(frame.payload.len(), Ordering::Relaxed);
        }
        Ok(())
    };
    let result = tokio::select! {
        result = reading => result,
        result = writing => result,
        () = outgoing.cut.notified() => Ok(()),
    };
    if let Ok(Err(error)) = timeout(CLOSE_LIMIT, writer.shutdown()).await {
        tracing::debug!(%peer, "not closed in order: {error}");
    }
    result
}
