//! Bytes to messages and back: TCP socket, TLS, frames.

pub mod client_hello;
pub mod message;
pub mod peek;
pub mod socket;
pub mod tls;
pub mod x509;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// An encrypted connection of either mode.
#[derive(Debug)]
pub enum Secure {
    /// With a pre-shared key.
    Psk(tls::Tls),
    /// With certificates.
    X509(Box<x509::Tls>),
}

impl Secure {
    /// The other end.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        match self {
            Self::Psk(tls) => tls.get_ref().peer(),
            Self::X509(tls) => tls.get_ref().0.peer(),
        }
    }
}

impl AsyncRead for Secure {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Psk(tls) => Pin::new(tls).poll_read(cx, buf),
            Self::X509(tls) => Pin::new(tls).poll_read(cx, buf).map_err(|error| match error.kind() {
                // The library's own words are for programmers.
                io::ErrorKind::UnexpectedEof => {
                    io::Error::new(error.kind(), "peer closed it without taking leave")
                }
                _ => error,
            }),
        }
    }
}

impl AsyncWrite for Secure {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Psk(tls) => Pin::new(tls).poll_write(cx, buf),
            Self::X509(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Psk(tls) => Pin::new(tls).poll_flush(cx),
            Self::X509(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Psk(tls) => Pin::new(tls).poll_shutdown(cx),
            Self::X509(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
