//! The ways to a daemon.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, VsockAddr, connect, getsockopt, socket, sockopt};
use tokio::net::TcpStream;
use tokio::net::unix::pipe;
use tokio::time::Instant;

use super::multicast::Multicast;
use super::packet::{Ask, Request};
use super::serial::Serial;
use super::talk::{self, Flaw, Reply, Secrets, Stream};
use crate::core::deadline::Deadline;
use crate::core::fault::Fault;
use crate::http::Calls;

/// How the daemon is reached.
pub(super) enum Link {
    /// All that hear a group, each of which connects back.
    Multicast(Multicast),
    /// Host and port.
    Tcp(String, u16),
    /// Number of the machine, and port.
    Vsock(u32, u32),
    /// QEMU's channel to the host at this address and port: nothing is proven there.
    Channel(String, u16),
    /// A serial line: nothing is proven there.
    Serial(Serial),
}

impl Link {
    /// For messages.
    fn place(&self) -> String {
        match self {
            Self::Multicast(group) => format!("multicast {}", group.place()),
            Self::Tcp(host, port) => format!("{host}:{port}"),
            Self::Vsock(cid, port) => format!("vsock {cid}:{port}"),
            Self::Channel(host, port) => format!("channel {host}:{port}"),
            Self::Serial(line) => line.place(),
        }
    }
}

/// What daemons answered, each by its address.
pub(super) struct Answers {
    pub(super) replies: Vec<(String, Reply)>,
    /// How many that answered before did not.
    pub(super) silent: usize,
}

/// The daemon, or all that answer.
pub(super) struct Daemon {
    pub(super) link: Link,
    pub(super) secrets: Arc<Secrets>,
    /// For one answer.
    pub(super) limit: Duration,
    pub(super) deadline: Deadline,
    pub(super) calls: Calls,
}

impl Daemon {
    /// Asks once. Of several daemons all are waited for, unless one gives an answer that is `enough`.
    pub(super) async fn ask(
        &mut self,
        ask: Ask,
        domain: &str,
        enough: &dyn Fn(&Reply) -> bool,
    ) -> Result<Answers, Fault> {
        #[cfg(test)]
        let _held = crate::testing::time::hold();
        let started = Instant::now();
        let limit = self.deadline.within(self.limit);
        let line = format!("{} {domain}", ask.word()).trim_end().to_owned();
        let call = format!("{line} by {}", self.link.place());
        let result = match self.request(ask, domain) {
            Ok(request) => self.transfer(&request, limit, &call, enough).await,
            Err(flaw) => Err(flaw.fault(&call)),
        };
        let words = match &result {
            Ok(answers) => answers.replies.iter().map(shown).collect::<Vec<_>>().join(", "),
            Err(fault) => fault.kind().to_owned(),
        };
        self.calls.note_command(&self.link.place(), &line, words, started.elapsed());
        result
    }

    fn request(&self, ask: Ask, domain: &str) -> Result<Request, Flaw> {
        let number = u32::from_le_bytes(talk::random()?);
        Ok(Request { ask, domain: domain.to_owned(), home: None, number, random: talk::random()? })
    }

    async fn transfer(
        &mut self,
        request: &Request,
        limit: Duration,
        call: &str,
        enough: &dyn Fn(&Reply) -> bool,
    ) -> Result<Answers, Fault> {
        let secrets = self.secrets.clone();
        let place = self.link.place();
        let timed_out = |_| Fault::TimedOut { call: call.to_owned(), limit };
        let reply = match &mut self.link {
            Link::Multicast(group) => return group.ask(request, &secrets, limit, call, enough).await,
            Link::Serial(line) => {
                let talk = line.ask(request.serial());
                tokio::time::timeout(limit, talk).await.map_err(timed_out)?
            }
            link => tokio::time::timeout(limit, single(link, request, &secrets)).await.map_err(timed_out)?,
        };
        let reply = reply.map_err(|trouble| match trouble {
            Trouble::Connect(answer) => Fault::Unreachable { call: call.to_owned(), answer },
            Trouble::Unproven(Flaw::Closed) => Fault::Lost {
                call: call.to_owned(),
                answer: "the daemon closed it: it may have another key, or want a stronger hash".to_owned(),
            },
            Trouble::Unproven(flaw) | Trouble::Talk(flaw) => flaw.fault(call),
        })?;
        Ok(Answers { replies: vec![(place, reply)], silent: 0 })
    }
}

/// Where it went wrong.
pub(super) enum Trouble {
    /// Nobody there.
    Connect(String),
    /// Before the other side had proven anything.
    Unproven(Flaw),
    /// Later.
    Talk(Flaw),
}

/// Asks over a connection of its own.
async fn single(link: &Link, request: &Request, secrets: &Secrets) -> Result<Reply, Trouble> {
    let refused = |error: std::io::Error| Trouble::Connect(error.to_string());
    let mut stream: Box<dyn Stream> = match link {
        Link::Vsock(cid, port) => Box::new(vsock(*cid, *port).await.map_err(refused)?),
        Link::Tcp(host, port) | Link::Channel(host, port) => {
            Box::new(TcpStream::connect((host.as_str(), *port)).await.map_err(refused)?)
        }
        Link::Multicast(_) | Link::Serial(_) => unreachable!("they have no connection of ours"),
    };
    let stream = stream.as_mut();
    if matches!(link, Link::Channel(..)) {
        talk::send(stream, &request.serial()).await.map_err(Trouble::Talk)?;
        return talk::serial_reply(stream).await.map_err(Trouble::Talk);
    }
    talk::send(stream, &request.bytes(secrets.hash, &secrets.key)).await.map_err(Trouble::Unproven)?;
    talk::prove(stream, secrets).await.map_err(Trouble::Unproven)?;
    talk::reply(stream).await.map_err(Trouble::Talk)
}

/// Connects to the host of this virtual machine. tokio has no such sockets, but moves the bytes of any descriptor.
async fn vsock(cid: u32, port: u32) -> std::io::Result<impl Stream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Vsock, SockType::Stream, flags, None)?;
    let result = connect(std::os::fd::AsRawFd::as_raw_fd(&socket), &VsockAddr::new(cid, port));
    let (reader, writer) = (socket.try_clone()?, socket.try_clone()?);
    let writer = pipe::Sender::from_owned_fd_unchecked(writer)?;
    match result {
        Err(nix::errno::Errno::EINPROGRESS) => {
            writer.writable().await?;
            match getsockopt(&socket, sockopt::SocketError)? {
                0 => {}
                error => return Err(std::io::Error::from_raw_os_error(error)),
            }
        }
        other => other?,
    }
    Ok(tokio::io::join(pipe::Receiver::from_owned_fd_unchecked(reader)?, writer))
}

fn shown((at, reply): &(String, Reply)) -> String {
    match reply {
        Reply::Byte(byte) => format!("{byte} from {at}"),
        Reply::Hosts(hosts) => format!("{} domains from {at}", hosts.len()),
    }
}
