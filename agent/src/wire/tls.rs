//! The TLS handshake, both sides: TLS 1.3 with an external PSK, identity `lrmd`.
//!
//! s2n-tls does this because rustls has no external PSK and OpenSSL caps one at 512 bytes, while the documented
//! key has 4096. No session tickets are sent: a GnuTLS peer takes "readable but no data yet" for half a message
//! and can block its main loop over it.

use std::sync::Arc;
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
use crate::wire::client_hello::Offer;
use crate::wire::socket::Socket;

/// How long an accepted peer may take to finish its handshake; the original's limit.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// A server name is sent because the library wants one; nobody looks at it.
const SERVER_NAME: &str = "picket";

/// Bytes of a TLS record's header.
const RECORD_HEADER: usize = 5;

/// Longest plaintext record (RFC 8446, section 5.1).
const MAX_RECORD: usize = 16 * 1024;

/// The alert record that the original sends before it closes a failed handshake: `close_notify`, warning.
const CLOSE_NOTIFY: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x01, 0x00];

/// An encrypted connection.
pub type Tls = TlsStream<Socket, Connection>;

/// Why there is no encrypted connection.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// In the X.509 mode: what is wrong with the peer's certificate, or that it has none.
    #[error("{0}")]
    Certificate(String),
    /// The deadline passed.
    #[error("handshake not finished within {} s", .0.as_secs())]
    Late(Duration),
    /// The peer closed or reset the connection in the handshake.
    #[error("peer closed the connection during the handshake")]
    Closed,
    /// The peer has no key of that name for us.
    #[error("peer offers a pre-shared key for {0:?}, clusters offer one for \"lrmd\"")]
    Identity(String),
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

/// Serves the handshake on an accepted socket, and tells which of `keys` the client has and which role it took.
///
/// # Errors
/// [`TlsError`]; the connection is closed by then.
pub async fn accept(mut socket: Socket, keys: &[Arc<Key>]) -> Result<(Tls, Role, &Key), TlsError> {
    let handshake = async {
        socket.read_ahead(RECORD_HEADER).await.map_err(|_| TlsError::Closed)?;
        let key = match choose(&mut socket, keys).await {
            Ok(key) => key,
            Err(error) => {
                socket.refuse(&CLOSE_NOTIFY);
                return Err(error);
            }
        };
        let acceptor = TlsAcceptor::new(Prepared { key, alpn: true });
        let tls = acceptor.accept(socket).await.map_err(|error| TlsError::from(&error))?;
        Ok((tls, key))
    };
    let (mut tls, key) =
        timeout(HANDSHAKE_LIMIT, handshake).await.map_err(|_| TlsError::Late(HANDSHAKE_LIMIT))??;
    let role = role(tls.as_ref());
    tls.get_mut().gather();
    Ok((tls, role, key))
}

/// Reads the first record and finds the key that the client proves to have. What cannot be read here is left to the
/// library and the first key.
async fn choose<'k>(socket: &mut Socket, keys: &'k [Arc<Key>]) -> Result<&'k Key, TlsError> {
    let header = socket.ahead();
    // The library would wait for as many bytes as garbage seems to announce; a stranger can be told at once.
    let &[0x16, 0x03, _, high, low, ..] = header else {
        return Err(TlsError::NotTls(header.escape_ascii().to_string()));
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_RECORD {
        return Err(TlsError::NotTls(header.escape_ascii().to_string()));
    }
    socket.read_ahead(RECORD_HEADER + length).await.map_err(|_| TlsError::Closed)?;
    let first = keys.first().ok_or(TlsError::WrongKey)?;
    let Some(offer) = Offer::parse(socket.ahead()) else { return Ok(first) };
    if !offer.names(PSK_IDENTITY) {
        return Err(TlsError::Identity(offer.identities()));
    }
    keys.iter()
        .find(|key| offer.proves(PSK_IDENTITY, key.secret()))
        .map(Arc::as_ref)
        .ok_or(TlsError::WrongKey)
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
