//! A TLS connection read record by record.

use std::time::Duration;

use anyhow::{Context, Result};
use picket_agent::key::Key;
use picket_agent::wire::socket::{Liveness, Socket, Tuning};
use picket_agent::wire::tls::{self, Role, Tls};
use picket_proto::frame::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::parity::bench::PATIENCE;
use crate::peer::Peer;

/// Longer than any record.
const BUFFER: usize = 32 * 1024;

pub(super) struct Raw {
    // Before the runtime that it belongs to.
    tls: Tls,
    runtime: Runtime,
}

impl Raw {
    pub(super) fn connect(peer: &Peer) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stream, key) = (peer.connect()?, Key::read(&peer.key)?);
        stream.set_nonblocking(true)?;
        let tls = runtime.block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream)?;
            let socket = Socket::new(stream, Tuning::Prompt, Liveness::default())?;
            Ok::<_, anyhow::Error>(tls::connect(socket, &key, Role::Controller, PATIENCE).await?)
        })?;
        Ok(Self { tls, runtime })
    }

    /// Sends a text as one message.
    pub(super) fn say(&mut self, text: &str) -> Result<()> {
        let frame = Frame::new(1, text.to_owned())?;
        self.runtime.block_on(async {
            self.tls.write_all(&frame.header).await?;
            self.tls.write_all(&frame.payload).await?;
            self.tls.flush().await
        })?;
        Ok(())
    }

    /// The content of the next TLS record: the library gives out one at a time.
    pub(super) fn record(&mut self) -> Result<Vec<u8>> {
        self.record_within(PATIENCE)?.context("no record came")
    }

    fn record_within(&mut self, limit: Duration) -> Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; BUFFER];
        match self.runtime.block_on(async { timeout(limit, self.tls.read(&mut buffer)).await }) {
            Err(_) => Ok(None),
            Ok(count) => {
                buffer.truncate(count?);
                Ok(Some(buffer))
            }
        }
    }
}
