//! Who is connected.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use picket_proto::frame::Frame;
use picket_proto::status::ClientStatus;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use crate::conn::{Outbox, Refused};
use crate::executor::ClientId;
use crate::wire::tls::Role;

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) peer: SocketAddr,
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
    outbox: Outbox,
}

impl Client {
    pub(super) fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("at {}", self.peer))
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
    pub(super) fn add(&mut self, id: ClientId, peer: SocketAddr, role: Role, outbox: Outbox) {
        let (uuid, since) = (Uuid::new_v4(), Instant::now());
        let client = Client { peer, uuid, name: None, role, watching: false, provider: None, since, outbox };
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
        match client.outbox.push_with(frame, ticket) {
            Ok(()) => {}
            Err(refused @ Refused::Full(_)) => {
                let label = client.label();
                tracing::warn!(peer = %client.peer, "closing the connection of client {label}: {refused}");
            }
            // Its end is on the way to us.
            Err(Refused::Closing) => {}
        }
    }

    /// Ends every connection once what is queued was written.
    pub(super) fn close_all(&mut self) {
        self.connected.values_mut().for_each(|client| client.outbox.close());
    }

    pub(super) fn any(&self) -> bool {
        !self.connected.is_empty()
    }

    pub(super) fn status(&self, asking: ClientId) -> Vec<ClientStatus> {
        let others = self.connected.iter().filter(|(id, _)| **id != asking);
        others
            .map(|(_, client)| ClientStatus {
                name: client.name.clone(),
                address: client.peer.to_string(),
                is_provider: client.provider.is_some(),
                connected: client.since.elapsed().as_secs(),
            })
            .collect()
    }
}
