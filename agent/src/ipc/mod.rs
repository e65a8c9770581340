//! Local IPC: cluster tools in this guest connect here as they would to the cluster's daemons.
//!
//! ```text
//! tool -> door (stream socket) -> link (rings or datagrams) -> session -> hub -> provider (the cluster)
//!                                                   tool <- session <- mailbox <- hub <- provider
//! ```
//!
//! All of it lives on a thread of its own, so nothing that a local client does keeps the hub from answering the
//! cluster. The hub knows a session by its id and its [`Mailbox`]; dropping that disconnects the client.

pub mod client;
pub mod cluster;
mod datagram;
mod door;
mod executor;
mod folder;
mod link;
mod mailbox;
mod peer;
mod raw;
mod relay;
mod serve;
mod session;
mod shm;

use std::io;
use std::time::Duration;

use picket_proto::ipc::setup::Transport;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

pub use door::DoorError;
pub use mailbox::{Mailbox, Refused};
pub use relay::LocalEvent;

use crate::hub::Event;
use door::Door;
use serve::Server;

/// How long sessions may take to clean up when the agent ends.
const WIND_DOWN: Duration = Duration::from_secs(1);

/// Why there are no local servers.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IpcError {
    /// A name.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// The thread.
    #[error("cannot prepare the thread for local clients: {0}")]
    Thread(io::Error),
}

/// The running servers. Dropping it disconnects everybody and removes what was shared with them.
#[derive(Debug)]
pub struct Ipc {
    stop: Option<oneshot::Sender<()>>,
    stopped: std::sync::mpsc::Receiver<()>,
}

impl Ipc {
    /// Creates all servers. Their clients' wishes go to `hub`; each client's buffer has at least `buffer` bytes.
    ///
    /// # Errors
    /// [`IpcError`], in particular where a name is taken: then another agent is running.
    pub fn start(hub: mpsc::Sender<Event>, transport: Transport, buffer: u32) -> Result<Self, IpcError> {
        let doors = Door::bind_all()?;
        raw::survive_short_files().map_err(IpcError::Thread)?;
        folder::sweep();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(IpcError::Thread)?;
        let (stop, stopping) = oneshot::channel::<()>();
        let (done, stopped) = std::sync::mpsc::channel();
        let server = Server::new(hub, transport, buffer);
        let serve = move || {
            let sessions = tokio::task::LocalSet::new();
            sessions.block_on(&runtime, async {
                for door in doors {
                    let server = server.clone();
                    tokio::task::spawn_local(async move {
                        let name = door.endpoint.name();
                        if let Err(error) = door.attend(server).await {
                            tracing::error!("the local server {name} has ended: {error}");
                        }
                    });
                }
                // Resolves when the sender is dropped.
                let _ = stopping.await;
            });
            // Ends every session, which removes its files.
            drop(sessions);
            // A lookup in the user database may hang; it is not waited for.
            runtime.shutdown_background();
            let _ = done.send(());
        };
        std::thread::Builder::new().name("ipc".to_owned()).spawn(serve).map_err(IpcError::Thread)?;
        Ok(Self { stop: Some(stop), stopped })
    }
}

impl Drop for Ipc {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.stopped.recv_timeout(WIND_DOWN);
    }
}
