//! An encrypted connection that carries whole documents, or whatever bytes a test wants to send.

use std::time::Duration;

use picket_proto::frame::Frame;
use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::controller::{ControllerError, REPLY_LIMIT};
use crate::key::Key;
use crate::wire::message::{Receiver, WireError, send};
use crate::wire::socket::{Liveness, Socket, Tuning};
use crate::wire::tls::{self, Role, TlsError};
use crate::wire::{Secure, x509};

/// How long an orderly close may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// What came, or did not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// The peer closed between two documents.
    Closed,
    /// The deadline passed.
    Nothing,
    /// A document.
    Text(String),
}

/// What we prove to an agent.
#[derive(Clone, Copy, Debug)]
pub enum Proof<'a> {
    /// That we know the cluster's key.
    Key(&'a Key),
    /// That its CA vouches for us.
    Certificate(&'a x509::Identity),
}

impl<'a> From<&'a Key> for Proof<'a> {
    fn from(key: &'a Key) -> Self {
        Self::Key(key)
    }
}

impl<'a> From<&'a x509::Identity> for Proof<'a> {
    fn from(identity: &'a x509::Identity) -> Self {
        Self::Certificate(identity)
    }
}

/// A connection to an agent after the TLS handshake. Dropping it closes the TCP connection without TLS's
/// close_notify, as a crashing peer does.
#[derive(Debug)]
pub struct Link {
    reader: Receiver<ReadHalf<Secure>>,
    writer: WriteHalf<Secure>,
    last_frame: u64,
}

impl Link {
    /// Performs the handshake on a connected stream. From then on every other client of the agent knows of us,
    /// unless we are an observer and the agent is a picket-agent.
    ///
    /// # Errors
    /// [`TlsError`].
    pub async fn open(
        stream: TcpStream,
        proof: impl Into<Proof<'_>>,
        role: Role,
        tuning: Tuning,
        limit: Duration,
    ) -> Result<Self, TlsError> {
        let socket = Socket::new(stream, tuning, Liveness::default()).map_err(|_| TlsError::Closed)?;
        let secure = match proof.into() {
            Proof::Key(key) => Secure::Psk(tls::connect(socket, key, role, limit).await?),
            Proof::Certificate(identity) => {
                Secure::X509(Box::new(identity.connect(socket, role, limit).await?))
            }
        };
        let (reader, writer) = tokio::io::split(secure);
        Ok(Self { reader: Receiver::new(reader), writer, last_frame: 0 })
    }

    /// Sends a text as one message, be it XML or not.
    ///
    /// # Errors
    /// Where it is too long or the connection is lost.
    pub async fn send_text(&mut self, text: String) -> Result<(), ControllerError> {
        self.last_frame += 1;
        let frame = Frame::new(self.last_frame, text)?;
        self.send_frame(&frame).await
    }

    /// Sends header and payload as they are.
    ///
    /// # Errors
    /// Where the connection is lost.
    pub async fn send_frame(&mut self, frame: &Frame) -> Result<(), ControllerError> {
        limited(send(&mut self.writer, frame)).await
    }

    /// Sends bytes; up to 16 KiB travel as one TLS record.
    ///
    /// # Errors
    /// Where the connection is lost.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), ControllerError> {
        limited(async {
            self.writer.write_all(bytes).await?;
            self.writer.flush().await
        })
        .await
    }

    /// The next document within `limit`; cancelling or repeating a call loses nothing.
    ///
    /// # Errors
    /// Where the connection broke, or what comes is no message.
    pub async fn receive(&mut self, limit: Duration) -> Result<Arrival, WireError> {
        match timeout(limit, self.reader.next()).await {
            Err(_) => Ok(Arrival::Nothing),
            Ok(text) => Ok(text?.map_or(Arrival::Closed, Arrival::Text)),
        }
    }

    /// Ends the connection with close_notify, as controllers do.
    pub async fn close(mut self) {
        // Without the peer's answer in time the socket is closed all the same.
        let _ = timeout(CLOSE_LIMIT, self.writer.shutdown()).await;
    }
}

async fn limited(work: impl Future<Output = std::io::Result<()>>) -> Result<(), ControllerError> {
    match timeout(REPLY_LIMIT, work).await {
        Err(_) => Err(ControllerError::Stuck),
        Ok(result) => Ok(result.map_err(WireError::from)?),
    }
}
