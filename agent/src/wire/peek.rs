//! Finds out what an agent is without disturbing the cluster that may be connected to it.
//!
//! An agent tells all its clients about a new one as soon as the TLS handshake is complete, and a controller
//! that did not expect it gives the node up. So the handshake is begun, the server's flight is read (it proves
//! the key and carries the ALPN answer), and the connection is closed before our last message would complete it.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use s2n_tls::connection::{Builder, Connection};
use s2n_tls::enums::Mode;
use s2n_tls::error::Error as S2nError;
use s2n_tls_tokio::TlsConnector;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::key::Key;
use crate::wire::socket::Socket;
use crate::wire::tls::{self, Role, TlsError};

/// What the server's half of a handshake told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Found {
    /// An agent that shares our key and does not know observers: `pacemaker-remoted`.
    Other,
    /// A picket-agent that shares our key.
    Picket,
}

/// Performs the server's half of a handshake only.
///
/// # Errors
/// [`TlsError`] where the peer is no TLS server with our key.
pub async fn peek(socket: Socket, key: &Key, limit: Duration) -> Result<Found, TlsError> {
    let seen = Rc::new(Seen::default());
    let connector = TlsConnector::new(Spying { key, seen: Rc::clone(&seen) });
    let silenced = HalfDuplex { socket, answered: false, seen: Rc::clone(&seen) };
    match timeout(limit, connector.connect("picket", silenced)).await {
        Err(_) => Err(TlsError::Late(limit)),
        Ok(Ok(_)) => unreachable!("the handshake cannot complete without our last message"),
        Ok(Err(error)) if !seen.flight_verified.get() => Err(TlsError::from(&error)),
        Ok(Err(_)) if seen.observer.get() => Ok(Found::Picket),
        Ok(Err(_)) => Ok(Found::Other),
    }
}

/// What was learned when the handshake was given up.
#[derive(Default)]
struct Seen {
    /// Our last message was due: the library sends it only after it verified the server's Finished.
    flight_verified: Cell<bool>,
    /// The server took the observer's offer.
    observer: Cell<bool>,
}

/// A socket that cannot write any more once the server has answered.
struct HalfDuplex {
    socket: Socket,
    answered: bool,
    seen: Rc<Seen>,
}

impl AsyncRead for HalfDuplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.socket).poll_read(cx, buf);
        self.answered |= buf.filled().len() > before;
        result
    }
}

impl AsyncWrite for HalfDuplex {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.answered {
            self.seen.flight_verified.set(true);
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Builds a connection that reports what it knew when it was dropped: a failed handshake returns only an error.
#[derive(Clone)]
struct Spying<'a> {
    key: &'a Key,
    seen: Rc<Seen>,
}

struct Spied {
    connection: Connection,
    seen: Rc<Seen>,
}

impl Builder for Spying<'_> {
    type Output = Spied;

    fn build_connection(&self, mode: Mode) -> Result<Spied, S2nError> {
        Ok(Spied { connection: tls::connection(self.key, mode, true)?, seen: Rc::clone(&self.seen) })
    }
}

impl AsRef<Connection> for Spied {
    fn as_ref(&self) -> &Connection {
        &self.connection
    }
}

impl AsMut<Connection> for Spied {
    fn as_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Drop for Spied {
    fn drop(&mut self) {
        self.seen.observer.set(tls::role(&self.connection) == Role::Observer);
    }
}
