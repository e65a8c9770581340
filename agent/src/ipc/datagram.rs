//! Messages as datagrams: two sockets of ours, two of the client's, and a small file with counters.
//!
//! ```text
//! <base>-request  (ours) <-> <base>-response (the client's)
//! <base>-event-tx (ours)  -> <base>-event    (the client's)
//! ```
//! Ours are connected at the first message, because the client's exist only after our answer. From then on the
//! kernel lets nobody else send to them.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::socket::{UnixAddr, connect, setsockopt, sockopt};
use picket_proto::ipc::control::{self, Direction};
use tokio::net::{UnixDatagram, UnixStream};

use super::folder::Folder;
use super::link::{LinkError, ends};
use super::raw::Mapping;

/// The server's ends.
#[derive(Debug)]
pub(super) struct Datagrams {
    request: End,
    event: End,
    control: Mapping,
}

/// One of our sockets.
#[derive(Debug)]
struct End {
    socket: UnixDatagram,
    peer: String,
    connected: AtomicBool,
}

/// An abstract name as libqb writes it: zeros up to the full length of an address.
pub(super) fn address(name: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(padded(name)?)
}

fn padded(name: &str) -> io::Result<[u8; 107]> {
    let mut padded = [0; 107];
    let room = padded.get_mut(..name.len()).ok_or(io::ErrorKind::InvalidInput)?;
    room.copy_from_slice(name.as_bytes());
    Ok(padded)
}

impl End {
    fn new(name: &str, peer: String, max_msg_size: u32) -> io::Result<Self> {
        let socket = std::os::unix::net::UnixDatagram::bind_addr(&address(name)?)?;
        socket.set_nonblocking(true)?;
        // The system's limit is for those who are not root.
        let size = max_msg_size as usize;
        if setsockopt(&socket, sockopt::SndBufForce, &size).is_err() {
            setsockopt(&socket, sockopt::SndBuf, &size)?;
        }
        Ok(Self { socket: UnixDatagram::from_std(socket)?, peer, connected: AtomicBool::new(false) })
    }

    fn connect(&self) -> io::Result<()> {
        if !self.connected.load(Ordering::Relaxed) {
            connect(self.socket.as_raw_fd(), &UnixAddr::new_abstract(&padded(&self.peer)?)?)?;
            self.connected.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn send(&self, message: &[u8]) -> io::Result<()> {
        self.connect()?;
        self.socket.send(message).await.map(drop)
    }
}

impl Datagrams {
    /// Makes file and sockets; their names follow.
    pub(super) fn new(
        folder: &mut Folder,
        server: &str,
        max_msg_size: u32,
    ) -> Result<(Self, [String; 3]), LinkError> {
        let control = folder.file(&format!("qb-control-{server}"), control::LEN)?;
        let control = Mapping::new(control, control::LEN)?;
        let (file, base) =
            (format!("{}-control-{server}", folder.base()), format!("{}-{server}", folder.base()));
        let request = End::new(&format!("{base}-request"), format!("{base}-response"), max_msg_size)?;
        let event = End::new(&format!("{base}-event-tx"), format!("{base}-event"), max_msg_size)?;
        Ok((Self { request, event, control }, [file, base, String::new()]))
    }

    /// The next request; `None` when the client is gone. What it sent before it went is read first.
    pub(super) async fn next(
        &self,
        stream: &UnixStream,
        longest: usize,
    ) -> Result<Option<Vec<u8>>, LinkError> {
        let socket = &self.request.socket;
        loop {
            tokio::select! {
                biased;
                ready = socket.readable() => {
                    ready?;
                    match self.receive(longest) {
                        Ok(message) => return Ok(Some(message)),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) if ends(&error) => return Ok(None),
                        Err(error) => return Err(error.into()),
                    }
                }
                hung_up = hang_up(stream) => {
                    hung_up?;
                    return Ok(self.receive(longest).ok());
                }
            }
        }
    }

    fn receive(&self, longest: usize) -> io::Result<Vec<u8>> {
        let mut message = vec![0; longest];
        let length = self.request.socket.try_recv(&mut message)?;
        control::received(self.control.words(), Direction::Request);
        message.truncate(length);
        Ok(message)
    }

    pub(super) async fn respond(&self, message: &[u8]) -> Result<(), LinkError> {
        control::sent(self.control.words(), Direction::Response);
        Ok(self.request.send(message).await?)
    }

    pub(super) async fn notify(&self, message: &[u8]) -> Result<(), LinkError> {
        control::sent(self.control.words(), Direction::Event);
        Ok(self.event.send(message).await?)
    }

    /// Wakes a client that waits for events.
    pub(super) fn wake(&self) {
        if self.event.connect().is_ok() {
            let _ = self.event.socket.try_send(&[]);
        }
    }
}

/// Waits for the end of the stream, on which nothing else is to come.
async fn hang_up(stream: &UnixStream) -> io::Result<()> {
    let mut bytes = [0; 64];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if ends(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
