//! Who is connected.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use picket_proto::frame::Frame;
use picket_proto::status::ClientStatus;
use picket_proto::xml::Element;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use crate::conn::{Outbox, Refused};
use crate::executor::ClientId;
use crate::ipc::{self, Mailbox};
use crate::wire::tls::Role;

/// How a client is reached.
#[derive(Debug)]
pub enum Way {
    /// Over the network.
    Remote {
        /// Where it comes from.
        peer: SocketAddr,
        /// Where to send to.
        outbox: Outbox,
    },
    /// Through the local server of the executor.
    Local {
        /// Its process.
        pid: i32,
        /// Whether it may do what changes anything.
        privileged: bool,
        /// Where to send to.
        mailbox: Mailbox,
    },
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote { peer, .. } => peer.fmt(f),
            Self::Local { pid, .. } => write!(f, "local process {pid}"),
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) way: Way,
    /// Told to the client when it registers.
    pub(super) uuid: Uuid,
    /// From the first message that carries one. Without a name there are no notifications.
    pub(super) name: Option<String>,
    /// An observer is nobody's concern until it registers.
    pub(super) role: Role,
    /// An observer that wants copies of all notifications.
    pub(super) watching: bool,
    /// Rank among the providers, newest highest.
    provider: Option<u64>,
    since: Instant,
}

impl Client {
    pub(super) fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("at {}", self.way))
    }

    pub(super) fn is_local(&self) -> bool {
        matches!(self.way, Way::Local { .. })
    }

    /// Whether it may do more than say hello.
    pub(super) fn is_privileged(&self) -> bool {
        !matches!(self.way, Way::Local { privileged: false, .. })
    }

    pub(super) fn is_controller(&self) -> bool {
        self.role == Role::Controller
    }
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Clients {
    connected: BTreeMap<ClientId, Client>,
    providers: u64,
}

impl Clients {
    pub(super) fn add(&mut self, id: ClientId, role: Role, way: Way) {
        let (uuid, since) = (Uuid::new_v4(), Instant::now());
        let client = Client { way, uuid, name: None, role, watching: false, provider: None, since };
        self.connected.insert(id, client);
    }

    pub(super) fn remove(&mut self, id: ClientId) -> Option<Client> {
        self.connected.remove(&id)
    }

    pub(super) fn client(&mut self, id: ClientId) -> Option<&mut Client> {
        self.connected.get_mut(&id)
    }

    /// Makes a client the newest provider.
    pub(super) fn promote(&mut self, id: ClientId) {
        self.providers += 1;
        if let Some(client) = self.connected.get_mut(&id) {
            client.provider = Some(self.providers);
        }
    }

    /// The provider that registered last.
    pub(super) fn newest_provider(&self) -> Option<ClientId> {
        let providers = self.connected.iter().filter_map(|(id, client)| Some((client.provider?, *id)));
        providers.max().map(|(_, id)| id)
    }

    /// Clients that count: all but observers.
    pub(super) fn controllers(&self) -> impl Iterator<Item = &Client> {
        self.connected.values().filter(|client| client.is_controller())
    }

    /// Who gets notifications: named clients, and observers that asked for them.
    pub(super) fn listeners(&self) -> impl Iterator<Item = ClientId> {
        let listens = |client: &Client| client.watching || (client.is_controller() && client.name.is_some());
        self.connected.iter().filter(move |(_, client)| listens(client)).map(|(id, _)| *id)
    }

    /// Queues a frame. A client that lets too much pile up is cut off: memory is everybody's.
    pub(super) fn send(&mut self, id: ClientId, frame: Frame) {
        self.send_with(id, frame, None);
    }

    /// The same for a local client's frame, which gives its ticket back when it was written.
    pub(super) fn send_with(&mut self, id: ClientId, frame: Frame, ticket: Option<OwnedSemaphorePermit>) {
        let Some(client) = self.connected.get_mut(&id) else { return };
        let Way::Remote { peer, outbox } = &mut client.way else { return };
        match outbox.push_with(frame, ticket) {
            Ok(()) => {}
            Err(refused @ Refused::Full(_)) => {
                let peer = *peer;
                tracing::warn!(%peer, "closing the connection of client {}: {refused}", client.label());
            }
            // Its end is on the way to us.
            Err(Refused::Closing) => {}
        }
    }

    /// Queues a document for a local client: an answer to one of its messages, or one that it did not ask for.
    /// `false` where the client is none.
    pub(super) fn send_local(&mut self, id: ClientId, answer: Option<i64>, document: &Element) -> bool {
        let Some(Client { way: Way::Local { pid, mailbox, .. }, .. }) = self.connected.get(&id) else {
            return false;
        };
        let mut document = document.clone();
        // The frames' own.
        document.attributes.retain(|(name, _)| !name.starts_with("lrmd_remote_msg_"));
        let text = document.to_string();
        let result = match answer {
            Some(answer) => mailbox.respond(i32::try_from(answer).unwrap_or(0), text),
            None => mailbox.notify(text),
        };
        if let Err(error @ ipc::Refused::Full(_)) = result {
            tracing::warn!("closing the connection of local process {pid}: {error}");
            self.connected.remove(&id);
        }
        true
    }

    /// Ends every connection once what is queued was written.
    pub(super) fn close_all(&mut self) {
        self.connected.retain(|_, client| match &mut client.way {
            Way::Remote { outbox, .. } => {
                outbox.close();
                true
            }
            Way::Local { .. } => false,
        });
    }

    pub(super) fn any(&self) -> bool {
        !self.connected.is_empty()
    }

    pub(super) fn status(&self, asking: ClientId) -> Vec<ClientStatus> {
        let others = self.connected.iter().filter(|(id, _)| **id != asking);
        others
            .map(|(_, client)| ClientStatus {
                name: client.name.clone(),
                address: client.way.to_string(),
                is_provider: client.provider.is_some(),
                connected: client.since.elapsed().as_secs(),
            })
            .collect()
    }
}
