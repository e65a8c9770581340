//! The cluster's side: `picketctl`, and tests.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use picket_proto::status::OBSERVER_ALPN;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    SignatureScheme,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Files, Tls, X509Error, fault, unusable};
use crate::wire::peek::Found;
use crate::wire::socket::Socket;
use crate::wire::tls::{Role, TlsError};

/// Who we are for an agent, and whom we trust.
#[derive(Clone, Debug)]
pub struct Identity {
    controller: Arc<ClientConfig>,
    observer: Arc<ClientConfig>,
}

impl Identity {
    /// Reads the files.
    ///
    /// # Errors
    /// [`X509Error`]
    pub fn open(files: &Files) -> Result<Self, X509Error> {
        let controller = client_config(files)?;
        let mut observer = controller.clone();
        observer.alpn_protocols = vec![OBSERVER_ALPN.as_bytes().to_vec()];
        Ok(Self { controller: Arc::new(controller), observer: Arc::new(observer) })
    }

    /// Serves as the controller's side of the handshake on a connected socket. The agent's verdict on our
    /// certificate comes with the first answer: see [`refusal_of`].
    ///
    /// # Errors
    /// [`TlsError`]
    pub async fn connect(&self, socket: Socket, role: Role, limit: Duration) -> Result<Tls, TlsError> {
        let config = match role {
            Role::Controller => &self.controller,
            Role::Observer => &self.observer,
        };
        let handshake = TlsConnector::from(Arc::clone(config)).connect(nobody(), socket);
        let mut tls =
            timeout(limit, handshake).await.map_err(|_| TlsError::Late(limit))?.map_err(|e| failure(&e))?;
        tls.get_mut().0.gather();
        Ok(tls.into())
    }

    /// Performs the server's half of a handshake only: the agent proves who it is and says whether it knows
    /// observers, and never learns who we are. See [`crate::wire::peek`].
    ///
    /// # Errors
    /// [`TlsError`]
    pub async fn peek(&self, socket: Socket, limit: Duration) -> Result<Found, TlsError> {
        timeout(limit, self.server_half(socket)).await.map_err(|_| TlsError::Late(limit))?
    }

    async fn server_half(&self, mut socket: Socket) -> Result<Found, TlsError> {
        let tls = |error| failure(&io::Error::other::<Error>(error));
        let mut client = ClientConnection::new(Arc::clone(&self.observer), nobody()).map_err(tls)?;
        let mut bytes = [0; 4096];
        // A handshake that is over on our side wants to send what completes it on the other side.
        while client.is_handshaking() {
            let mut due = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut due).map_err(|error| failure(&error))?;
            }
            let sent = async {
                socket.write_all(&due).await?;
                socket.flush().await
            };
            sent.await.map_err(|_| TlsError::Closed)?;
            let count = socket.read(&mut bytes).await.map_err(|_| TlsError::Closed)?;
            if count == 0 {
                return Err(TlsError::Closed);
            }
            let mut unread = &bytes[..count];
            while !unread.is_empty() {
                client.read_tls(&mut unread).map_err(|error| failure(&error))?;
                client.process_new_packets().map_err(tls)?;
            }
        }
        let observer = client.alpn_protocol() == Some(OBSERVER_ALPN.as_bytes());
        Ok(if observer { Found::Picket } else { Found::Other })
    }
}

/// A server name is needed, and nobody looks at it.
fn nobody() -> ServerName<'static> {
    ServerName::try_from("picket").expect("a host name")
}

fn client_config(files: &Files) -> Result<ClientConfig, X509Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(files.roots()?), Arc::clone(&provider));
    if let Some(lists) = files.revocations()? {
        // A certificate whose issuer has no list here is not held to be revoked.
        verifier = verifier.with_crls(lists).allow_unknown_revocation_status();
    }
    let verifier = verifier.build().map_err(|error| unusable(&files.ca, "a CA", &error))?;
    let (chain, key) = files.identity()?;
    let mut config = ClientConfig::builder_with_provider(provider)
        // Every agent with this mode has it, and only there the server speaks first of who it is.
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| unusable(&files.cert, "a certificate", &error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyName(verifier)))
        .with_client_auth_cert(chain, key)
        .map_err(|cause| X509Error::Mismatch { cert: files.cert.clone(), key: files.key.clone(), cause })?;
    config.enable_sni = false;
    Ok(config)
}

/// Trusts whomever the CA vouches for, under any name: so does the original.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.0.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            // The name is the last thing that is looked at.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

fn cause(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn failure(error: &io::Error) -> TlsError {
    match cause(error) {
        None => TlsError::Closed,
        Some(Error::InvalidCertificate(problem)) => {
            TlsError::Certificate(fault("the agent's certificate", problem))
        }
        Some(Error::InvalidMessage(_)) => TlsError::NotTls("not a TLS record".into()),
        Some(Error::AlertReceived(_)) => {
            TlsError::Certificate("the agent does not work with certificates".into())
        }
        Some(other) => TlsError::Certificate(other.to_string()),
    }
}

/// What an agent that let us connect and then broke off has against our certificate, if that is why.
#[must_use]
pub fn refusal_of(error: &io::Error) -> Option<&'static str> {
    let Some(Error::AlertReceived(alert)) = cause(error) else { return None };
    Some(match alert {
        AlertDescription::CertificateExpired => "our certificate has expired, or is not valid yet",
        AlertDescription::CertificateRevoked => "our certificate is revoked",
        AlertDescription::UnknownCA => "the CA of our certificate is not trusted there",
        AlertDescription::CertificateRequired => "it needs a certificate of ours",
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::DecryptError
        | AlertDescription::UnsupportedCertificate => "our certificate is not accepted there",
        _ => return None,
    })
}
