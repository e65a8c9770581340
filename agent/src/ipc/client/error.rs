//! Why a client gets nothing.

use std::io;

use picket_proto::ipc::message::DocumentError;
use picket_proto::ipc::setup::SetupError;
use thiserror::Error;

/// Why nothing was exchanged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server is not there.
    #[error("cannot connect to {name}: {cause}")]
    Connect {
        /// Its name.
        name: String,
        /// Why.
        cause: io::Error,
    },
    /// It ended the connection.
    #[error("the server closed the connection")]
    Disconnected,
    /// A message of it, or one for it, is none.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The deadline has passed.
    #[error("no answer in time")]
    Late,
    /// The server does not want us.
    #[error("{name} refuses the connection: {}", io::Error::from_raw_os_error(*.errno))]
    Refused {
        /// Its name.
        name: String,
        /// Its reason.
        errno: i32,
    },
    /// Somebody else has taken its name.
    #[error("{name} is served by a stranger, uid {uid}: not using it")]
    Stranger {
        /// The server's name.
        name: String,
        /// Who serves it.
        uid: u32,
    },
    /// Its first answer is none.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A system call.
    #[error("local connection: {0}")]
    System(#[from] io::Error),
}
