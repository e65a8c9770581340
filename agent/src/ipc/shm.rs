//! Messages in shared memory: three rings, and a byte on the stream socket for each request and event.

use std::io;
use std::time::Duration;

use picket_proto::ipc::ring::{HEADER_LEN, Ring, RingError, data_len};
use tokio::net::UnixStream;

use super::folder::Folder;
use super::link::{LinkError, ends};
use super::raw::{self, Mapping};

/// First and longest pause before a full ring is tried again: nobody tells when the client has read.
const RETRY: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(50));

/// The server's ends.
#[derive(Debug)]
pub(super) struct Rings {
    request: Shared,
    response: Shared,
    event: Shared,
}

/// A ring and its two files.
#[derive(Debug)]
struct Shared {
    name: String,
    header: Mapping,
    data: Mapping,
}

impl Shared {
    fn new(folder: &mut Folder, kind: &str, server: &str, max_msg_size: u32) -> Result<Self, LinkError> {
        let file = format!("qb-{kind}-{server}");
        let name = format!("{}-{kind}-{server}", folder.base());
        let page = usize::try_from(nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)?.unwrap_or(4096))
            .unwrap_or(4096);
        let length = data_len(max_msg_size, page);
        let header = Mapping::new(folder.file(&format!("{file}-header"), HEADER_LEN)?, HEADER_LEN)?;
        let data = Mapping::new(folder.file(&format!("{file}-data"), length)?, length)?;
        let paths = [format!("{name}-header"), format!("{name}-data")];
        Ring::create(header.words(), data.words(), [&paths[0], &paths[1]])?;
        Ok(Self { name, header, data })
    }

    fn ring(&self) -> Result<Ring<'_>, RingError> {
        Ring::attach(self.header.words(), self.data.words())
    }

    /// Adds a message as soon as there is room.
    async fn write(&self, message: &[u8]) -> Result<(), LinkError> {
        let mut pause = RETRY.0;
        loop {
            match self.ring()?.write(message) {
                Ok(written) => {
                    if written.wake {
                        raw::wake(self.ring()?.semaphore());
                    }
                    return Ok(());
                }
                Err(RingError::Full) => tokio::time::sleep(pause).await,
                Err(error) => return Err(error.into()),
            }
            pause = (pause * 2).min(RETRY.1);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Ok(ring) = self.ring() {
            ring.leave();
        }
    }
}

impl Rings {
    /// Makes the rings; their names follow.
    pub(super) fn new(
        folder: &mut Folder,
        server: &str,
        max_msg_size: u32,
    ) -> Result<(Self, [String; 3]), LinkError> {
        let mut ring = |kind| Shared::new(folder, kind, server, max_msg_size);
        let (request, response, event) = (ring("request")?, ring("response")?, ring("event")?);
        let names = [&request, &response, &event].map(|ring| ring.name.clone());
        Ok((Self { request, response, event }, names))
    }

    /// The next request; `None` when the client is gone. What it wrote before it went is read first.
    pub(super) async fn next(&self, stream: &UnixStream) -> Result<Option<Vec<u8>>, LinkError> {
        let mut bytes = [0; 64];
        loop {
            if let Some(message) = self.request.ring()?.read()? {
                return Ok(Some(message));
            }
            stream.readable().await?;
            match stream.try_read(&mut bytes) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if ends(&error) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) async fn respond(&self, message: &[u8]) -> Result<(), LinkError> {
        self.response.write(message).await
    }

    pub(super) async fn notify(&self, stream: &UnixStream, message: &[u8]) -> Result<(), LinkError> {
        self.event.write(message).await?;
        loop {
            stream.writable().await?;
            match stream.try_write(&[0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Ok(result.map(drop)?),
            }
        }
    }
}
