//! A TCP socket tuned for short requests: see [`Socket`].

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Most bytes gathered before they go to the kernel without being asked to.
const GATHER_LIMIT: usize = 256 * 1024;

/// How a side of the protocol treats its socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tuning {
    /// Write each record as it comes, Nagle on, delayed ACKs: what Pacemaker's controller does. For measuring.
    AsPacemaker,
    /// Gather the records of a message and hand them to the kernel together, `TCP_NODELAY`, and `TCP_QUICKACK`
    /// again after every read. The peer's header and payload are two small segments with Nagle on: its second
    /// one waits until our kernel acknowledges the first, which a delayed ACK puts off by some 40 ms.
    Prompt,
}

/// Dead-peer detection. Shorter limits than a cluster's own monitors would make the agent the reason for a
/// lost node, so by default the cluster decides long before the kernel does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Liveness {
    /// `TCP_USER_TIMEOUT`: how long sent data may stay unacknowledged.
    pub unacknowledged: Duration,
    /// Silence before the first keepalive probe.
    pub idle: Duration,
    /// Pause between probes; six unanswered ones end the connection.
    pub probe: Duration,
}

impl Default for Liveness {
    fn default() -> Self {
        Self {
            unacknowledged: Duration::from_secs(90),
            idle: Duration::from_secs(30),
            probe: Duration::from_secs(10),
        }
    }
}

/// A connected socket.
///
/// During the TLS handshake every write goes out at once. After [`Socket::gather`] writes are collected until
/// they are flushed, so that the record with the 40-byte header and the records with the payload leave in one
/// system call and, where they fit, one segment. They stay separate TLS records: GnuTLS peers need that.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    peer: SocketAddr,
    tuning: Tuning,
    gathering: bool,
    gathered: Vec<u8>,
    ahead: Vec<u8>,
}

impl Socket {
    /// Takes over a connected stream.
    ///
    /// # Errors
    /// Where the peer is gone already or an option cannot be set.
    pub fn new(stream: TcpStream, tuning: Tuning, liveness: Liveness) -> io::Result<Self> {
        let peer = stream.peer_addr()?;
        let seconds = |time: Duration| u32::try_from(time.as_secs().max(1)).unwrap_or(u32::MAX);
        setsockopt(&stream, sockopt::KeepAlive, &true)?;
        setsockopt(&stream, sockopt::TcpKeepIdle, &seconds(liveness.idle))?;
        setsockopt(&stream, sockopt::TcpKeepInterval, &seconds(liveness.probe))?;
        setsockopt(&stream, sockopt::TcpKeepCount, &6)?;
        let unacknowledged = u32::try_from(liveness.unacknowledged.as_millis()).unwrap_or(u32::MAX);
        setsockopt(&stream, sockopt::TcpUserTimeout, &unacknowledged)?;
        if tuning == Tuning::Prompt {
            stream.set_nodelay(true)?;
        }
        let socket = Self { stream, peer, tuning, gathering: false, gathered: Vec::new(), ahead: Vec::new() };
        socket.acknowledge_promptly();
        Ok(socket)
    }

    /// The other end.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Reads until `count` bytes are there to be looked at with [`Socket::ahead`]; they are read again later. Ends
    /// early where the first bytes are not a TLS record's.
    ///
    /// # Errors
    /// Where the connection ends or breaks before.
    pub async fn read_ahead(&mut self, count: usize) -> io::Result<()> {
        while self.ahead.len() < count && is_tls(&self.ahead) {
            let mut buffer = [0; 2048];
            let room = buffer.len().min(count - self.ahead.len());
            match self.stream.read(&mut buffer[..room]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.ahead.extend_from_slice(&buffer[..read]),
            }
            self.acknowledge_promptly();
        }
        Ok(())
    }

    /// What was read ahead.
    #[must_use]
    pub fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// A last word to a peer that is to be refused; lost where it does not fit at once.
    pub fn refuse(&self, last_word: &[u8]) {
        let _ = self.stream.try_write(last_word);
    }

    /// From now on writes wait for a flush.
    pub fn gather(&mut self) {
        self.gathering = self.tuning == Tuning::Prompt;
    }

    /// The kernel falls back to delayed ACKs by itself, so this is repeated after each read.
    fn acknowledge_promptly(&self) {
        if self.tuning == Tuning::Prompt {
            quickack(self.stream.as_fd().as_raw_fd());
        }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = 0;
        let result = loop {
            if written == self.gathered.len() {
                break Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.stream).poll_write(cx, &self.gathered[written..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => written += count,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.gathered.drain(..written);
        result
    }
}

/// Whether the bytes can be the start of a TLS handshake record (RFC 8446, section 5.1).
fn is_tls(first: &[u8]) -> bool {
    matches!(first, [] | [0x16] | [0x16, 0x03, ..])
}

#[expect(unsafe_code, reason = "nix has no TCP_QUICKACK")]
fn quickack(socket: std::os::fd::RawFd) {
    let on: libc::c_int = 1;
    let size = libc::socklen_t::try_from(size_of::<libc::c_int>()).expect("four fits");
    // SAFETY: `on` outlives the call and `size` is its size. A failure leaves delayed ACKs on, which only costs
    // time, so the result is not looked at.
    let _ = unsafe {
        libc::setsockopt(socket, libc::IPPROTO_TCP, libc::TCP_QUICKACK, (&raw const on).cast(), size)
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let count = buf.remaining().min(self.ahead.len());
            buf.put_slice(&self.ahead[..count]);
            self.ahead.drain(..count);
            return Poll::Ready(Ok(()));
        }
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if result.is_ready() {
            self.acknowledge_promptly();
        }
        result
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if !self.gathering {
            return Pin::new(&mut self.stream).poll_write(cx, buf);
        }
        if self.gathered.len() >= GATHER_LIMIT {
            ready!(self.poll_drain(cx))?;
        }
        self.gathered.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::is_tls;

    #[test]
    fn only_handshake_records_are_waited_for() {
        for wait in [&b""[..], b"\x16", b"\x16\x03\x01\x01\x20"] {
            assert!(is_tls(wait), "{wait:?}");
        }
        for stranger in [&b"GET /"[..], b"SSH-2", b"\x16\x04"] {
            assert!(!is_tls(stranger), "{stranger:?}");
        }
    }
}
