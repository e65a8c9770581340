//! Local IPC as libqb's and Pacemaker's clients speak it: what is in the sockets and in the shared memory.
//!
//! ```text
//! stream socket:  setup::Request ->            <- setup::Response
//! ring or datagram, one message each:  header (40 bytes), XML text, NUL
//!                                      message::Assembler: messages -> documents;  message::encode: the way back
//! ```
//!
//! Everything is native byte order, for both ends share a machine. What a peer wrote is checked before it is used as
//! a length or a position; shared memory is reached through atomics only, for its other owner may be at it any time.

pub mod control;
pub mod endpoint;
pub mod header;
pub mod message;
pub mod ring;
pub mod setup;

/// Buffer size of Pacemaker's servers and clients in bytes; a client may ask for more.
pub const BUFFER: u32 = 131_072;

/// Least buffer size in bytes: what the original makes of a smaller setting.
pub const LEAST_BUFFER: u32 = 12_336;

/// Longest document taken from a local client, as long as one that travels to the cluster in a frame.
pub const MAX_DOCUMENT: usize = crate::frame::MAX_MESSAGE - 1024;
