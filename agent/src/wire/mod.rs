//! Bytes to messages and back: TCP socket, TLS, frames.

pub mod client_hello;
pub mod message;
pub mod peek;
pub mod socket;
pub mod tls;
