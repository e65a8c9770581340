//! The client's end of datagram sockets.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixDatagram;

use picket_proto::ipc::control::{self, Direction};

use crate::ipc::datagram::address;
use crate::ipc::raw::Mapping;

#[derive(Debug)]
pub(super) struct Datagrams {
    request: UnixDatagram,
    event: UnixDatagram,
    control: Mapping,
}

impl Datagrams {
    pub(super) fn open(control: &str, base: &str) -> io::Result<Self> {
        let control = File::options().read(true).write(true).open(control)?;
        let end = |ours: &str, theirs: &str| {
            let socket = UnixDatagram::bind_addr(&address(&format!("{base}-{ours}"))?)?;
            socket.connect_addr(&address(&format!("{base}-{theirs}"))?)?;
            socket.set_nonblocking(true)?;
            Ok::<_, io::Error>(socket)
        };
        Ok(Self {
            request: end("response", "request")?,
            event: end("event", "event-tx")?,
            control: Mapping::new(control, control::LEN)?,
        })
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [self.request.as_fd(), self.event.as_fd()].into_iter()
    }

    /// `false` where there is no room now.
    pub(super) fn send(&self, message: &[u8]) -> io::Result<bool> {
        match self.request.send(message) {
            Ok(_) => {
                control::sent(self.control.words(), Direction::Request);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn receive(&self, response: bool, longest: usize) -> io::Result<Option<Vec<u8>>> {
        let (socket, direction) =
            if response { (&self.request, Direction::Response) } else { (&self.event, Direction::Event) };
        let mut message = vec![0; longest];
        match socket.recv(&mut message) {
            // The server's empty datagram only wakes.
            Ok(0) => Ok(None),
            Ok(length) => {
                control::received(self.control.words(), direction);
                message.truncate(length);
                Ok(Some(message))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}
