//! The Pacemaker Remote protocol as a pure library: bytes and events in, bytes and events out.
//!
//! ```text
//! TLS bytes -> frame::Deframer -> xml::Element -> request::Request | reply::Reply | notification::Notification
//! ```
//!
//! Nothing here opens a socket, reads a clock or waits. Lengths that a peer announces are checked against
//! [`frame::MAX_MESSAGE`] before memory is reserved for them.
#![forbid(unsafe_code)]

pub mod errno;
pub mod exec;
pub mod frame;
pub mod incoming;
pub mod ipc;
pub mod notification;
pub mod number;
pub mod outcome;
pub mod params;
pub mod proxy;
pub mod reply;
pub mod request;
pub mod resource;
pub mod schemas;
pub mod status;
pub mod version;
pub mod xml;

/// TCP port of Pacemaker Remote (IANA: `pacemaker-remote`, 3121/tcp).
pub const PORT: u16 = 3121;

/// The PSK identity that every cluster sends.
pub const PSK_IDENTITY: &str = "lrmd";
