//! Finds out what an agent is without disturbing the cluster that may be connected to it.
//!
//! An agent tells all its clients about a new one as soon as the TLS handshake is complete, and a controller
//! that did not expect it gives the node up. So the handshake is begun, the server's flight is read (it proves
//! the key and carries the ALPN answer), and the connection is closed before our last message would complete it.

use std::cell::{Cell, RefCell};
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
        Ok(Err(error)) if !seen.flight_verified.get() => Err(refusal(&seen.start.take(), &error)),
        Ok(Err(_)) if seen.observer.get() => Ok(Found::Picket),
        Ok(Err(_)) => Ok(Found::Other),
    }
}

/// Content types of TLS records.
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Header, alert, inner content type and tag: the record of an encrypted alert. Our Finished is longer.
const ENCRYPTED_ALERT: usize = 5 + 2 + 1 + 16;

/// How many of the server's first bytes are kept to say what it is.
const START: usize = 32;

/// Why a server did not get as far as its Finished, told by the start of its answer.
fn refusal(start: &[u8], error: &S2nError) -> TlsError {
    match start.first() {
        None => TlsError::from(error),
        // Agents answer a client that cannot prove the key with an alert.
        Some(&ALERT) => TlsError::WrongKey,
        Some(&(CHANGE_CIPHER_SPEC | HANDSHAKE | APPLICATION_DATA)) => TlsError::from(error),
        Some(_) => TlsError::NotTls(start.escape_ascii().to_string()),
    }
}

/// Whether what the library sends after the server's answer is our last flight, not an alert.
fn is_last_flight(records: &[u8]) -> bool {
    match records.first() {
        Some(&CHANGE_CIPHER_SPEC) => true,
        Some(&APPLICATION_DATA) => records.len() > ENCRYPTED_ALERT,
        _ => false,
    }
}

/// What was learned when the handshake was given up.
#[derive(Default)]
struct Seen {
    /// Our last message was due: the library sends it only after it verified the server's Finished.
    flight_verified: Cell<bool>,
    /// The server took the observer's offer.
    observer: Cell<bool>,
    /// The server's first bytes.
    start: RefCell<Vec<u8>>,
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
        let read = &buf.filled()[before..];
        self.answered |= !read.is_empty();
        let mut start = self.seen.start.borrow_mut();
        let room = START.saturating_sub(start.len()).min(read.len());
        start.extend_from_slice(&read[..room]);
        match start.first() {
            // The library would take the bytes for a length and wait for the rest.
            Some(first) if !(CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(first) => {
                Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
            }
            _ => result,
        }
    }
}

impl AsyncWrite for HalfDuplex {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.answered {
            if is_last_flight(buf) {
                self.seen.flight_verified.set(true);
            }
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::wire::socket::{Liveness, Tuning};

    const LIMIT: Duration = Duration::from_secs(5);

    fn key(byte: u8) -> Key {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("picket-peek-{}-{count}", std::process::id()));
        std::fs::write(&path, [byte; 4096]).unwrap();
        let key = Key::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        key
    }

    fn socket(stream: TcpStream) -> Socket {
        Socket::new(stream, Tuning::Prompt, Liveness::default()).unwrap()
    }

    /// Peeks, with the key of that byte, at whatever `serve` does with the connection.
    async fn peek_at(byte: u8, serve: impl AsyncFnOnce(TcpStream)) -> Result<Found, TlsError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let client =
            async { peek(socket(TcpStream::connect(address).await.unwrap()), &key(byte), LIMIT).await };
        let server = async { serve(listener.accept().await.unwrap().0).await };
        tokio::join!(client, server).0
    }

    async fn agent(stream: TcpStream) {
        let error = tls::accept(socket(stream), &[Arc::new(key(1))]).await.map(|_| ()).unwrap_err();
        assert!(matches!(error, TlsError::Closed | TlsError::WrongKey), "nobody was let in: {error:?}");
    }

    #[tokio::test]
    async fn an_agent_with_our_key_is_recognized_and_never_completes_the_handshake() {
        assert_eq!(peek_at(1, agent).await.unwrap(), Found::Picket);
    }

    #[tokio::test]
    async fn another_key_another_protocol_and_silence_are_told_apart() {
        assert!(matches!(peek_at(2, agent).await, Err(TlsError::WrongKey)));
        let http = async |mut stream: TcpStream| {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n").await.unwrap();
            // It waits for more, and picketctl must not.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        };
        let answer = peek_at(1, http).await;
        assert!(matches!(&answer, Err(TlsError::NotTls(start)) if start == "HTTP/"), "{answer:?}");
        assert!(matches!(peek_at(1, async |stream| drop(stream)).await, Err(TlsError::Closed)));
    }
}
