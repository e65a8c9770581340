//! Whole messages over an encrypted connection.

use std::io;

use picket_proto::frame::{Deframer, Frame, FrameError};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Why no further message can be exchanged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WireError {
    /// The peer's bytes are not messages.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The connection broke.
    #[error("connection lost: {0}")]
    Lost(#[from] io::Error),
    /// The peer closed in the middle of a message.
    #[error("peer closed the connection in the middle of a message")]
    Truncated,
}

/// Receives messages; cancelling a call loses nothing.
#[derive(Debug)]
pub struct Receiver<R> {
    reader: R,
    deframer: Deframer,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Receiver<R> {
    /// Reads from `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader, deframer: Deframer::default(), buffer: vec![0; 16 * 1024] }
    }

    /// The next message's text; `None` when the peer closed between two messages.
    ///
    /// # Errors
    /// [`WireError`]: the connection cannot be used further.
    pub async fn next(&mut self) -> Result<Option<String>, WireError> {
        loop {
            if let Some(text) = self.deframer.next_message()? {
                return Ok(Some(text));
            }
            match self.reader.read(&mut self.buffer).await? {
                0 if self.deframer.is_mid_message() => return Err(WireError::Truncated),
                0 => return Ok(None),
                count => self.deframer.push(&self.buffer[..count]),
            }
        }
    }
}

/// Sends one message: the header as a TLS record of its own, the payload in the records after it, all handed to
/// the kernel at once.
///
/// # Errors
/// Where the connection broke.
pub async fn send<W: AsyncWrite + Unpin>(writer: &mut W, frame: &Frame) -> io::Result<()> {
    writer.write_all(&frame.header).await?;
    writer.write_all(&frame.payload).await?;
    writer.flush().await
}
