//! The TCP connection to an agent.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Why there is no connection.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DialError {
    /// No answer in time: host down, or packets dropped.
    #[error("no answer from {target} within {} s", .limit.as_secs())]
    Late {
        /// Host and port.
        target: String,
        /// The deadline.
        limit: Duration,
    },
    /// The host answers, and nothing listens on the port.
    #[error("{address} refused the connection")]
    Refused {
        /// Where.
        address: SocketAddr,
    },
    /// The name has no address.
    #[error("cannot find the address of {host}: {cause}")]
    UnknownHost {
        /// The name.
        host: String,
        /// What the resolver said.
        cause: io::Error,
    },
    /// The network says no.
    #[error("cannot connect to {address}: {cause}")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
}

/// Connects to the first address of `host` that takes the connection, all within `limit`. With several addresses
/// the last one's failure is reported.
///
/// # Errors
/// [`DialError`].
pub async fn dial(host: &str, port: u16, limit: Duration) -> Result<TcpStream, DialError> {
    let late = || DialError::Late { target: format!("{host}:{port}"), limit };
    timeout(limit, first_that_answers(host, port)).await.map_err(|_| late())?
}

async fn first_that_answers(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let unknown = |cause| DialError::UnknownHost { host: host.to_owned(), cause };
    let mut last = unknown(io::Error::other("it has none"));
    for address in lookup_host((host, port)).await.map_err(unknown)? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => {
                last = DialError::Refused { address };
            }
            Err(cause) => last = DialError::Unreachable { address, cause },
        }
    }
    Err(last)
}
