//! The client's end of rings in shared memory.

use std::fs::File;
use std::io;

use picket_proto::ipc::ring::{HEADER_LEN, Ring, RingError};

use crate::ipc::raw::{self, Mapping};

#[derive(Debug)]
pub(super) struct Rings {
    request: Shared,
    response: Shared,
    event: Shared,
}

#[derive(Debug)]
struct Shared {
    header: Mapping,
    data: Mapping,
}

impl Shared {
    fn open(name: &str) -> io::Result<Self> {
        let open = |end: &str| File::options().read(true).write(true).open(format!("{name}-{end}"));
        let (header, data) = (open("header")?, open("data")?);
        let length = usize::try_from(data.metadata()?.len()).map_err(io::Error::other)?;
        let shared = Self { header: Mapping::new(header, HEADER_LEN)?, data: Mapping::new(data, length)? };
        shared.ring()?.join();
        Ok(shared)
    }

    fn ring(&self) -> io::Result<Ring<'_>> {
        Ring::attach(self.header.words(), self.data.words()).map_err(io::Error::other)
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
    pub(super) fn open([request, response, event]: [&str; 3]) -> io::Result<Self> {
        Ok(Self {
            request: Shared::open(request)?,
            response: Shared::open(response)?,
            event: Shared::open(event)?,
        })
    }

    /// `false` where there is no room now.
    pub(super) fn send(&self, message: &[u8]) -> io::Result<bool> {
        let ring = self.request.ring()?;
        match ring.write(message) {
            Ok(written) => {
                if written.wake {
                    raw::wake(ring.semaphore());
                }
                Ok(true)
            }
            Err(RingError::Full) => Ok(false),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    pub(super) fn receive(&self, response: bool) -> io::Result<Option<Vec<u8>>> {
        let shared = if response { &self.response } else { &self.event };
        shared.ring()?.read().map_err(io::Error::other)
    }
}
