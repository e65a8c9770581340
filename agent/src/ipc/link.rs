//! A connection to a local client, over either transport.

use std::io;
use std::os::fd::AsRawFd as _;

use nix::sys::socket::{Shutdown, shutdown};
use picket_proto::ipc::ring::RingError;
use picket_proto::ipc::setup::{Response, Transport};
use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use super::datagram::Datagrams;
use super::door::refuse;
use super::folder::Folder;
use super::peer::Peer;
use super::shm::Rings;

/// errno of the refusal where there is no memory for a client.
const ENOMEM: i32 = 12;

/// Why a connection cannot be used, or not further.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(super) enum LinkError {
    /// System call.
    #[error("{0}")]
    System(#[from] io::Error),
    /// What the client wrote into shared memory.
    #[error("shared memory is broken: {0}")]
    Ring(#[from] RingError),
}

impl From<nix::Error> for LinkError {
    fn from(error: nix::Error) -> Self {
        Self::System(error.into())
    }
}

/// The server's end.
#[derive(Debug)]
pub(super) struct Link {
    stream: UnixStream,
    channels: Channels,
    max_msg_size: u32,
    // Removed last.
    _folder: Folder,
}

/// What messages travel through.
#[derive(Debug)]
enum Channels {
    Rings(Rings),
    Datagrams(Datagrams),
}

impl Link {
    /// Makes everything that the answer to the client names, and sends that.
    pub(super) async fn open(
        transport: Transport,
        mut stream: UnixStream,
        peer: &Peer,
        group: Option<u32>,
        server: &str,
        max_msg_size: u32,
    ) -> Result<Self, LinkError> {
        match Channels::new(transport, peer, group, server, max_msg_size) {
            Ok((channels, folder, names)) => {
                let [request, response, event] = names;
                let answer = Response::Accepted { transport, max_msg_size, request, response, event };
                stream.write_all(&answer.to_bytes()).await?;
                Ok(Self { stream, channels, max_msg_size, _folder: folder })
            }
            Err(error) => {
                refuse(&mut stream, ENOMEM).await;
                Err(error)
            }
        }
    }

    /// Longest message either way.
    pub(super) fn max_msg_size(&self) -> usize {
        self.max_msg_size as usize
    }

    /// The next request; `None` when the client is gone.
    pub(super) async fn next(&self) -> Result<Option<Vec<u8>>, LinkError> {
        match &self.channels {
            Channels::Rings(rings) => rings.next(&self.stream).await,
            Channels::Datagrams(datagrams) => datagrams.next(&self.stream, self.max_msg_size()).await,
        }
    }

    /// Sends on the response channel, however long the client takes to read what is there.
    pub(super) async fn respond(&self, message: &[u8]) -> Result<(), LinkError> {
        match &self.channels {
            Channels::Rings(rings) => rings.respond(message).await,
            Channels::Datagrams(datagrams) => datagrams.respond(message).await,
        }
    }

    /// Sends on the event channel, as above.
    pub(super) async fn notify(&self, message: &[u8]) -> Result<(), LinkError> {
        match &self.channels {
            Channels::Rings(rings) => rings.notify(&self.stream, message).await,
            Channels::Datagrams(datagrams) => datagrams.notify(message).await,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Channels::Datagrams(datagrams) = &self.channels {
            // A client in its main loop watches the event socket only: it is woken to find the stream closed.
            let _ = shutdown(self.stream.as_raw_fd(), Shutdown::Both);
            datagrams.wake();
        }
    }
}

impl Channels {
    fn new(
        transport: Transport,
        peer: &Peer,
        group: Option<u32>,
        server: &str,
        max_msg_size: u32,
    ) -> Result<(Self, Folder, [String; 3]), LinkError> {
        let mut folder = Folder::new(peer, group)?;
        let (channels, names) = match transport {
            Transport::SharedMemory => {
                let (rings, names) = Rings::new(&mut folder, server, max_msg_size)?;
                (Self::Rings(rings), names)
            }
            Transport::Socket => {
                let (datagrams, names) = Datagrams::new(&mut folder, server, max_msg_size)?;
                (Self::Datagrams(datagrams), names)
            }
        };
        folder.hand_over()?;
        Ok((channels, folder, names))
    }
}

/// Whether an error only says that the client is gone.
pub(super) fn ends(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
