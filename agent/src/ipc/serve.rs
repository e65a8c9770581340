//! What happens to an admitted client: a session with the cluster, or with the executor.

use std::sync::Arc;

use picket_proto::ipc::MAX_DOCUMENT;
use picket_proto::ipc::endpoint::{Endpoint, Service};
use picket_proto::ipc::header::Flags;
use picket_proto::ipc::message::Document;
use picket_proto::ipc::setup::{Request, Transport};
use picket_proto::notification::Notification;
use picket_proto::proxy::{ProxyMessage, ProxyOp};
use picket_proto::xml::{Element, Verbatim};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use uuid::Uuid;

use super::door::refuse;
use super::link::Link;
use super::peer::{Identity, Peer};
use super::session::{self, Budget, Incoming, Mailbox};
use crate::hub::Event;

/// Most clients at a time: each costs up to three descriptors of the 1024 a process has, and half a MiB of memory.
pub(super) const SESSIONS: usize = 400;

/// Largest buffer a client gets in bytes, whatever it asks for; `PCMK_ipc_buffer` may be larger.
const LARGEST_BUFFER: u32 = 4 * 1024 * 1024;

/// errno values of refusals.
const EAGAIN: i32 = 11;
const EREMOTEIO: i32 = 121;

/// What the hub learns of local clients.
#[derive(Debug)]
pub enum LocalEvent {
    /// A client is gone.
    Closed {
        /// Its session.
        session: Uuid,
    },
    /// A client connected. It waits for the answer: whether a cluster is there.
    Opened {
        /// Its session.
        session: Uuid,
        /// The server's name for the cluster.
        server: &'static str,
        /// Where the cluster's messages go.
        mailbox: Mailbox,
        /// Whether there is a provider.
        answer: oneshot::Sender<bool>,
    },
    /// A client's document, ready for the cluster.
    Request {
        /// Its session.
        session: Uuid,
        /// The text of the notification.
        document: String,
        /// The document's share of the memory for requests.
        ticket: OwnedSemaphorePermit,
    },
}

/// What all connections share.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) hub: mpsc::Sender<Event>,
    pub(super) transport: Transport,
    /// Least size of a client's buffer in bytes.
    buffer: u32,
    budget: Budget,
    sessions: Arc<Semaphore>,
}

impl Server {
    pub(super) fn new(hub: mpsc::Sender<Event>, transport: Transport, buffer: u32) -> Self {
        let sessions = Arc::new(Semaphore::new(SESSIONS));
        Self { hub, transport, buffer, budget: Budget::default(), sessions }
    }

    /// Serves an admitted client to its end.
    pub(super) async fn serve(
        self,
        endpoint: Endpoint,
        mut stream: UnixStream,
        peer: Peer,
        identity: Identity,
        request: Request,
    ) {
        let Ok(_place) = self.sessions.try_acquire() else {
            tracing::warn!(
                uid = peer.uid,
                pid = peer.pid,
                "{SESSIONS} local clients are connected: refusing one"
            );
            return refuse(&mut stream, EAGAIN).await;
        };
        let Service::Relayed(server) = endpoint.service() else {
            return refuse(&mut stream, EREMOTEIO).await;
        };
        let session = Uuid::new_v4();
        let (mailbox, incoming) = Mailbox::new();
        let (answer, provider) = oneshot::channel();
        let opened = LocalEvent::Opened { session, server, mailbox, answer };
        if self.hub.send(Event::Local(opened)).await.is_err() {
            return;
        }
        if !provider.await.unwrap_or(false) {
            return refuse(&mut stream, EREMOTEIO).await;
        }
        let relay = Relay {
            session,
            client: format!("proxy-{server}-{}-{}", peer.pid, &session.to_string()[..8]),
            user: identity.user.clone(),
            server: &self,
        };
        let size = request.max_msg_size.clamp(self.buffer, LARGEST_BUFFER.max(self.buffer));
        let group = identity.cluster_group.map(nix::unistd::Gid::as_raw);
        match Link::open(self.transport, stream, &peer, group, endpoint.name(), size).await {
            Ok(link) => relay.run(&link, incoming).await,
            Err(error) => tracing::warn!(pid = peer.pid, "cannot serve a local client of {server}: {error}"),
        }
        // Fails when the agent ends.
        let _ = self.hub.send(Event::Local(LocalEvent::Closed { session })).await;
    }
}

/// A session with the cluster.
struct Relay<'a> {
    session: Uuid,
    client: String,
    user: String,
    server: &'a Server,
}

impl Relay<'_> {
    async fn run(&self, link: &Link, incoming: Incoming) {
        let take = async |document| self.forward(document).await;
        if let Err(error) = session::serve(link, incoming, take).await {
            tracing::warn!("closing the connection of {}: {error}", self.client);
        }
    }

    async fn forward(&self, document: Document) -> bool {
        let Some(text) = self.wrap(document) else { return true };
        let Some(ticket) = self.server.budget.ticket(text.len()).await else { return false };
        let request = LocalEvent::Request { session: self.session, document: text, ticket };
        self.server.hub.send(Event::Local(request)).await.is_ok()
    }

    /// The document for the cluster; `None` for one that the cluster is not to see.
    fn wrap(&self, document: Document) -> Option<String> {
        let Document { id, flags, text } = document;
        let msg = match Element::parse(&text) {
            // Written again, so that nothing in it can leave its place in ours.
            Ok(msg) => Verbatim::from(&msg),
            Err(error) => {
                tracing::debug!("dropping a document of {}: {error}", self.client);
                return None;
            }
        };
        let session = self.session.to_string();
        let proxied = (flags | Flags::PROXIED).0;
        let proxy = ProxyMessage {
            client: Some(self.client.clone()),
            user: Some(self.user.clone()),
            msg_id: Some(id.into()),
            msg_flags: Some(proxied.into()),
            msg: Some(msg),
            ..ProxyMessage::new(ProxyOp::Request, Some(&session))
        };
        let text = Notification::Proxy(proxy).to_element().to_string();
        if text.len() > MAX_DOCUMENT {
            tracing::warn!("dropping a document of {}: {} bytes are too many", self.client, text.len());
            return None;
        }
        Some(text)
    }
}
