//! A local client of one of the cluster's daemons: its documents travel to the cluster and back.

use picket_proto::ipc::MAX_DOCUMENT;
use picket_proto::ipc::header::Flags;
use picket_proto::ipc::message::Document;
use picket_proto::notification::Notification;
use picket_proto::proxy::{ProxyMessage, ProxyOp};
use picket_proto::xml::{Element, Verbatim};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

use super::door::refuse;
use super::link::Link;
use super::mailbox::{Incoming, Mailbox};
use super::serve::{Arrival, EREMOTEIO, Server};
use super::session;
use crate::hub::Event;

/// What the hub learns of these clients.
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

/// Serves a client to its end. `name` is the server's name for the cluster.
pub(super) async fn serve(server: &Server, mut client: Arrival, name: &'static str) {
    let session = Uuid::new_v4();
    let (mailbox, incoming) = Mailbox::new();
    let (answer, provider) = oneshot::channel();
    let opened = LocalEvent::Opened { session, server: name, mailbox, answer };
    if server.hub.send(Event::Local(opened)).await.is_err() {
        return;
    }
    if !provider.await.unwrap_or(false) {
        return refuse(&mut client.stream, EREMOTEIO).await;
    }
    let pid = client.peer.pid;
    let relay = Relay {
        session,
        client: format!("proxy-{name}-{pid}-{}", &session.to_string()[..8]),
        user: client.identity.user.clone(),
        server,
    };
    match client.open(server.transport).await {
        Ok(link) => relay.run(&link, incoming).await,
        Err(error) => tracing::warn!(pid, "cannot serve a local client of {name}: {error}"),
    }
    // Fails when the agent ends.
    let _ = server.hub.send(Event::Local(LocalEvent::Closed { session })).await;
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
