//! What happens to an admitted client: a session with the cluster, or with the executor.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use picket_proto::ipc::endpoint::{Endpoint, Service};
use picket_proto::ipc::setup::{Request, Transport};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc};

use super::door::refuse;
use super::link::{Link, LinkError};
use super::peer::{Identity, Peer};
use super::session::Budget;
use super::{executor, relay};
use crate::hub::Event;

/// Most clients at a time: each costs up to three descriptors of the 1024 a process has, and half a MiB of memory.
pub(super) const SESSIONS: usize = 400;

/// Largest buffer a client gets in bytes, whatever it asks for; `PCMK_ipc_buffer` may be larger.
const LARGEST_BUFFER: u32 = 4 * 1024 * 1024;

/// errno values of refusals.
const EAGAIN: i32 = 11;
pub(super) const EREMOTEIO: i32 = 121;

/// What all connections share.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) hub: mpsc::Sender<Event>,
    pub(super) transport: Transport,
    /// Least size of a client's buffer in bytes.
    buffer: u32,
    pub(super) budget: Budget,
    /// Clients of the executor so far.
    pub(super) executors: Arc<AtomicU64>,
    sessions: Arc<Semaphore>,
}

/// An admitted client that is not connected yet: it waits for our answer.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) stream: UnixStream,
    pub(super) peer: Peer,
    pub(super) identity: Identity,
    pub(super) endpoint: Endpoint,
    /// Of its buffer, in bytes.
    size: u32,
}

impl Arrival {
    /// Makes it a connection.
    pub(super) async fn open(self, transport: Transport) -> Result<Link, LinkError> {
        let Self { stream, peer, identity, endpoint, size } = self;
        let group = identity.cluster_group.map(nix::unistd::Gid::as_raw);
        Link::open(transport, stream, &peer, group, endpoint.name(), size).await
    }
}

impl Server {
    pub(super) fn new(hub: mpsc::Sender<Event>, transport: Transport, buffer: u32) -> Self {
        let sessions = Arc::new(Semaphore::new(SESSIONS));
        Self { hub, transport, buffer, budget: Budget::default(), executors: Arc::default(), sessions }
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
        let size = request.max_msg_size.clamp(self.buffer, LARGEST_BUFFER.max(self.buffer));
        let mut client = Arrival { stream, peer, identity, endpoint, size };
        match endpoint.service() {
            Service::Relayed(server) => relay::serve(&self, client, server).await,
            Service::Executor => executor::serve(&self, client).await,
            Service::Refused => refuse(&mut client.stream, EREMOTEIO).await,
        }
    }
}
