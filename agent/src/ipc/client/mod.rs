//! The other end: a client of a local server, as our own commands need it. It blocks, with a deadline each time.

mod datagrams;
mod dial;
mod error;
mod rings;

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use picket_proto::ipc::header::{Flags, Generation};
use picket_proto::ipc::message::{self, Assembler, Document};
use picket_proto::ipc::setup::{RESPONSE_LEN, Request, Response, Transport};

use datagrams::Datagrams;
pub use error::ClientError;
use rings::Rings;

/// Pause between two looks at memory that nothing signals.
const LOOK: Duration = Duration::from_millis(2);

/// What a server sends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Received {
    /// Unasked.
    Event(Document),
    /// In answer to a request.
    Response(Document),
}

/// A connection to a server.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    channels: Channels,
    generation: Generation,
    limit: usize,
    last_id: i32,
    events: Assembler,
    responses: Assembler,
}

#[derive(Debug)]
enum Channels {
    Datagrams(Datagrams),
    Rings(Rings),
}

impl Connection {
    /// Connects to the server of that name.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn open(
        name: &str,
        generation: Generation,
        max_msg_size: u32,
        limit: Duration,
    ) -> Result<Self, ClientError> {
        let mut stream = dial::dial(name)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        stream.write_all(&Request { max_msg_size }.to_bytes())?;
        let mut answer = [0; RESPONSE_LEN];
        stream.read_exact(&mut answer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ClientError::Disconnected,
            io::ErrorKind::WouldBlock => ClientError::Late,
            _ => ClientError::System(error),
        })?;
        let (channels, max_msg_size) = match Response::parse(&answer)? {
            Response::Refused(errno) => return Err(ClientError::Refused { name: name.to_owned(), errno }),
            Response::Accepted { transport, max_msg_size, request, response, event } => {
                let channels = match transport {
                    Transport::SharedMemory => Channels::Rings(Rings::open([&request, &response, &event])?),
                    Transport::Socket => Channels::Datagrams(Datagrams::open(&request, &response)?),
                };
                (channels, max_msg_size)
            }
        };
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            channels,
            generation,
            limit: max_msg_size as usize,
            last_id: 0,
            events: Assembler::default(),
            responses: Assembler::default(),
        })
    }

    /// Sends a document; the id its response will have.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn send(&mut self, text: &str, flags: Flags, deadline: Instant) -> Result<i32, ClientError> {
        self.last_id += 1;
        for message in message::encode(self.generation, self.last_id, flags, text, self.limit)? {
            self.send_raw(&message, deadline)?;
        }
        Ok(self.last_id)
    }

    /// Sends bytes as one message, whatever they are.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn send_raw(&mut self, message: &[u8], deadline: Instant) -> Result<(), ClientError> {
        loop {
            let sent = match &self.channels {
                Channels::Datagrams(datagrams) => datagrams.send(message)?,
                Channels::Rings(rings) => rings.send(message)?,
            };
            if sent {
                break;
            }
            self.pause(deadline, true)?;
        }
        while matches!(self.channels, Channels::Rings(_)) {
            match self.stream.write(&[0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.pause(deadline, true)?,
                result => return Ok(result.map(drop)?),
            };
        }
        Ok(())
    }

    /// Waits for the next document.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn receive(&mut self, deadline: Instant) -> Result<Received, ClientError> {
        let mut open = true;
        loop {
            if let Some(message) = self.take(true)? {
                if let Some(document) = self.responses.push(&message)? {
                    return Ok(Received::Response(document));
                }
            } else if let Some(message) = self.take(false)? {
                if let Some(document) = self.events.push(&message)? {
                    return Ok(Received::Event(document));
                }
            } else if open {
                open = self.pause(deadline, false)?;
            } else {
                return Err(ClientError::Disconnected);
            }
        }
    }

    /// Waits until the server closes, and reads nothing: what a client does that hangs.
    ///
    /// # Errors
    /// [`ClientError::Late`] where it does not.
    pub fn idle(&mut self, deadline: Instant) -> Result<(), ClientError> {
        loop {
            match self.pause(deadline, true) {
                Ok(_) => {}
                Err(ClientError::Disconnected) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&self, response: bool) -> Result<Option<Vec<u8>>, ClientError> {
        match &self.channels {
            Channels::Datagrams(datagrams) => Ok(datagrams.receive(response, self.limit)?),
            Channels::Rings(rings) => Ok(rings.receive(response)?),
        }
    }

    /// Waits a moment for something to happen; `false` when the server has closed.
    fn pause(&mut self, deadline: Instant, sending: bool) -> Result<bool, ClientError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ClientError::Late);
        }
        let millis = u16::try_from(left.min(LOOK).as_millis().max(1)).unwrap_or(1);
        let mut watched = vec![PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)];
        if let Channels::Datagrams(datagrams) = &self.channels
            && !sending
        {
            watched.extend(datagrams.sockets().map(|socket| PollFd::new(socket, PollFlags::POLLIN)));
        }
        poll(&mut watched, PollTimeout::from(millis)).map_err(io::Error::from)?;
        match self.stream.read(&mut [0; 64]) {
            Ok(0) if sending => Err(ClientError::Disconnected),
            Ok(0) => Ok(false),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}
