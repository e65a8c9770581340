//! The listening socket: one, IPv6 with IPv4 where possible, as the original's.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, lookup_host};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::config::Config;
use crate::conn::{self, Proof};
use crate::executor::ClientId;
use crate::hub::Event;
use crate::key::{KeyError, Keyring};
use crate::wire::socket::{Liveness, Socket, Tuning};
use crate::wire::x509;

/// Connections the kernel may hold before they are accepted. The original's 10 made a burst of 100 wait for 5 s.
const BACKLOG: u32 = 128;

/// Most handshakes at a time. Beyond it the oldest unfinished one goes, so that strangers who connect and say
/// nothing cannot keep the cluster out.
const HALF_OPEN: usize = 256;

/// Pause after the system could not accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the agent cannot listen. It ends with status 100.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListenError {
    /// No candidate could be bound.
    #[error("Cannot bind to {}", .0.iter().map(|(address, cause)| format!("{address}: {cause}")).collect::<Vec<_>>().join("; "))]
    Bind(Vec<(SocketAddr, io::Error)>),
    /// The configured address is not one.
    #[error("PCMK_remote_address {address:?} cannot be resolved: {cause}")]
    Resolve {
        /// As configured.
        address: String,
        /// Why not.
        cause: io::Error,
    },
}

/// Binds and listens.
///
/// # Errors
/// [`ListenError`] with every address that was tried.
pub async fn bind(config: &Config) -> Result<TcpListener, ListenError> {
    let host = config.address.clone().unwrap_or_else(|| "::".to_owned());
    let resolve = |cause| ListenError::Resolve { address: host.clone(), cause };
    let mut candidates: Vec<_> = lookup_host((host.as_str(), config.port)).await.map_err(resolve)?.collect();
    if config.address.is_none() {
        candidates.push(SocketAddr::from(([0, 0, 0, 0], config.port)));
    }
    candidates.sort_by_key(SocketAddr::is_ipv4);
    let mut failures = Vec::new();
    for address in candidates {
        match listen(address) {
            Ok(listener) => {
                tracing::info!("Starting TLS listener on {} port {}", address.ip(), config.port);
                return Ok(listener);
            }
            Err(cause) => failures.push((address, cause)),
        }
    }
    Err(ListenError::Bind(failures))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6V6Only, &false)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What clients are checked against.
#[derive(Debug)]
pub enum Credentials {
    /// The shared key.
    Psk(Keyring),
    /// Certificates.
    X509(x509::Store),
}

impl Credentials {
    fn proof(&mut self) -> Result<Proof, KeyError> {
        match self {
            Self::Psk(keyring) => keyring.accepted(Instant::now()).map(Proof::Psk),
            Self::X509(store) => Ok(Proof::X509(store.config())),
        }
    }
}

/// Accepts for ever; each connection gets a task.
pub async fn accept(
    listener: TcpListener,
    mut credentials: Credentials,
    liveness: Liveness,
    hub: mpsc::Sender<Event>,
) {
    let mut half_open: VecDeque<(u64, AbortHandle)> = VecDeque::new();
    let (finished, mut handshaken) = mpsc::unbounded_channel();
    for id in 1.. {
        let (stream, peer) = loop {
            match listener.accept().await {
                Ok(accepted) => break accepted,
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        while let Ok(done) = handshaken.try_recv() {
            half_open.retain(|(id, _)| *id != done);
        }
        if half_open.len() >= HALF_OPEN
            && let Some((_, oldest)) = half_open.pop_front()
        {
            tracing::warn!("{HALF_OPEN} handshakes are unfinished: closing the oldest");
            oldest.abort();
        }
        tracing::info!(%peer, "Accepted new remote client connection from {}", peer.ip().to_canonical());
        let proof = match credentials.proof() {
            Ok(proof) => proof,
            Err(error) => {
                tracing::error!(%peer, "refused: {error}");
                continue;
            }
        };
        let socket = match Socket::new(stream, Tuning::Prompt, liveness) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(%peer, "connection lost before it was set up: {error}");
                continue;
            }
        };
        let (hub, finished) = (hub.clone(), finished.clone());
        let task = tokio::spawn(async move {
            let handshake = conn::handshake(socket, proof).await;
            // The other end is the accept loop, gone when the agent takes leave.
            let _ = finished.send(id);
            let Some((connection, role)) = handshake else { return };
            let client = ClientId(id);
            // In a task of its own: whatever goes wrong in it ends this connection only, and the hub learns of it.
            if let Err(panicked) = tokio::spawn(conn::serve(connection, role, client, hub.clone())).await {
                tracing::error!(%peer, "the connection ended by a fault of the agent: {panicked}");
            }
            // Fails only when the agent is ending.
            let _ = hub.send(Event::Disconnected { client }).await;
        });
        half_open.push_back((id, task.abort_handle()));
    }
}
