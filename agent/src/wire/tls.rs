//! The TLS handshake, both sides: TLS 1.3 with an external PSK, identity `lrmd`.
//!
//! s2n-tls does this because rustls has no external PSK and OpenSSL caps one at 512 bytes, while the documented
//! key has 4096. No session tickets are sent: a GnuTLS peer takes "readable but no data yet" for half a message
//! and can block its main loop over it.

use std::time::Duration;

use picket_proto::PSK_IDENTITY;
use picket_proto::status::OBSERVER_ALPN;
use s2n_tls::config::Config;
use s2n_tls::connection::{Builder as _, Connection};
use s2n_tls::enums::{Mode, PskHmac};
use s2n_tls::error::Error as S2nError;
use s2n_tls::psk::Psk;
use s2n_tls::security;
use s2n_tls_tokio::{TlsAcceptor, TlsConnector, TlsStream};
use thiserror::Error;
use tokio::time::timeout;

use crate::key::Key;
use crate::wire::socket::Socket;

/// How long an accepted peer may take to finish its handshake; the original's limit.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// A server name is sent because the library wants one; nobody looks at it.
const SERVER_NAME: &str = "picket";

/// The alert record that the original sends before it closes a failed handshake: `close_notify`, warning.
const CLOSE_NOTIFY: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x01, 0x00];

/// An encrypted connection.
pub type Tls = TlsStream<Socket, Connection>;

/// Why there is no encrypted connection.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The deadline passed.
    #[error("handshake not finished within {} s", .0.as_secs())]
    Late(Duration),
    /// The peer closed or reset the connection in the handshake.
    #[error("peer closed the connection during the handshake")]
    Closed,
    /// The first bytes are of another protocol.
    #[error("peer does not speak TLS, its first bytes are \"{0}\"")]
    NotTls(String),
    /// The peer could not prove that it has the key.
    #[error("peer has a different key")]
    WrongKey,
    /// The peer speaks something else.
    #[error("no usable TLS 1.3 handshake with a pre-shared key: {message} ({name})")]
    Handshake {
        /// The library's name for it.
        name: &'static str,
        /// The library's words.
        message: &'static str,
    },
}

/// Which side of the offer an endpoint takes. See [`OBSERVER_ALPN`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// A cluster, or a controller that behaves like one.
    Controller,
    /// `picketctl` looking in.
    Observer,
}

pub(super) fn connection(key: &Key, mode: Mode, alpn: bool) -> Result<Connection, S2nError> {
    let mut config = Config::builder();
    config.set_security_policy(&security::DEFAULT_TLS13)?;
    // Blinding delays hide CBC padding errors; TLS 1.3 has only AEAD suites, and a delayed close would keep the
    // cluster waiting for its retry.
    config.set_max_blinding_delay(0)?;
    if alpn {
        config.set_application_protocol_preference([OBSERVER_ALPN])?;
    }
    let mut connection = config.build()?.build_connection(mode)?;
    let mut psk = Psk::builder()?;
    psk.set_identity(PSK_IDENTITY.as_bytes())?.set_secret(key.secret())?.set_hmac(PskHmac::SHA256)?;
    connection.append_psk(&psk.build()?)?;
    Ok(connection)
}

/// A builder that hands out one prepared connection. s2n-tls-tokio wants to build connections itself.
#[derive(Clone)]
struct Prepared<'a> {
    key: &'a Key,
    alpn: bool,
}

impl s2n_tls::connection::Builder for Prepared<'_> {
    type Output = Connection;

    fn build_connection(&self, mode: Mode) -> Result<Connection, S2nError> {
        connection(self.key, mode, self.alpn)
    }
}

/// Serves the handshake on an accepted socket, and tells which role the client took.
///
/// # Errors
/// [`TlsError`]; the connection is closed by then.
pub async fn accept(socket: Socket, key: &Key) -> Result<(Tls, Role), TlsError> {
    let acceptor = TlsAcceptor::new(Prepared { key, alpn: true });
    let handshake = async {
        // The library waits for as many bytes as garbage seems to announce; a stranger can be told at once.
        let mut first = [0; 5];
        let count = socket.peek(&mut first).await.map_err(|_| TlsError::Closed)?;
        if !starts_a_handshake(&first[..count]) {
            socket.refuse(&CLOSE_NOTIFY);
            return Err(TlsError::NotTls(first[..count].escape_ascii().to_string()));
        }
        acceptor.accept(socket).await.map_err(|error| TlsError::from(&error))
    };
    let mut tls = timeout(HANDSHAKE_LIMIT, handshake).await.map_err(|_| TlsError::Late(HANDSHAKE_LIMIT))??;
    let role = role(tls.as_ref());
    tls.get_mut().gather();
    Ok((tls, role))
}

/// Whether the bytes can be the start of a TLS handshake record (RFC 8446, section 5.1).
fn starts_a_handshake(first: &[u8]) -> bool {
    matches!(first, [0x16] | [0x16, 0x03, ..])
}

/// Serves as the controller's side of the handshake on a connected socket.
///
/// # Errors
/// [`TlsError`].
pub async fn connect(socket: Socket, key: &Key, role: Role, limit: Duration) -> Result<Tls, TlsError> {
    let connector = TlsConnector::new(Prepared { key, alpn: role == Role::Observer });
    let mut tls = timeout(limit, connector.connect(SERVER_NAME, socket))
        .await
        .map_err(|_| TlsError::Late(limit))?
        .map_err(|error| TlsError::from(&error))?;
    tls.get_mut().gather();
    Ok(tls)
}

/// The role that the negotiated ALPN name stands for.
pub(super) fn role(connection: &Connection) -> Role {
    match connection.application_protocol() {
        Some(name) if name == OBSERVER_ALPN.as_bytes() => Role::Observer,
        _ => Role::Controller,
    }
}

impl From<&S2nError> for TlsError {
    fn from(error: &S2nError) -> Self {
        match error.name() {
            "S2N_ERR_BAD_PSK_BINDER" | "S2N_ERR_ALERT" => Self::WrongKey,
            "S2N_ERR_CLOSED" | "S2N_ERR_IO" => Self::Closed,
            name => Self::Handshake { name, message: error.message() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::starts_a_handshake;

    #[test]
    fn only_handshake_records_are_let_through() {
        assert!(starts_a_handshake(&[0x16, 0x03, 0x01, 0x01, 0x20]));
        assert!(starts_a_handshake(&[0x16]), "the rest may be on its way");
        for stranger in [&b"GET /"[..], b"SSH-2", b"\x16\x04", b""] {
            assert!(!starts_a_handshake(stranger), "{stranger:?}");
        }
    }
}
