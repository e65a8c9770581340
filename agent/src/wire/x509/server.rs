//! The agent's side: who is let in, with credentials that may change while it runs.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use picket_proto::status::OBSERVER_ALPN;
use rustls::server::WebPkiClientVerifier;
use rustls::{AlertDescription, ServerConfig};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::{Files, Tls, X509Error, fault, unusable, warn_of_expiry};
use crate::wire::socket::Socket;
use crate::wire::tls::{HANDSHAKE_LIMIT, Role, TlsError};

/// The credentials, read again when a file changes.
#[derive(Debug)]
pub struct Store {
    files: Files,
    config: Arc<ServerConfig>,
    stamps: Vec<Option<SystemTime>>,
}

impl Store {
    /// Reads the files.
    ///
    /// # Errors
    /// [`X509Error`]: the agent cannot serve anybody.
    pub fn open(files: Files) -> Result<Self, X509Error> {
        let stamps = stamps(&files);
        let config = Arc::new(server_config(&files)?);
        Ok(Self { files, config, stamps })
    }

    /// The configuration for a new handshake. New files that cannot be used are reported once, and the old ones stay
    /// in use: a renewal that went wrong must not cost the node.
    pub fn config(&mut self) -> Arc<ServerConfig> {
        let stamps = stamps(&self.files);
        if self.stamps != stamps {
            self.stamps = stamps;
            match server_config(&self.files) {
                Ok(config) => self.config = Arc::new(config),
                Err(error) => tracing::error!("{error}; going on with the credentials read before"),
            }
        }
        Arc::clone(&self.config)
    }
}

/// When each file was changed last.
fn stamps(files: &Files) -> Vec<Option<SystemTime>> {
    let Files { ca, cert, key, crl } = files;
    let changed = |path: &PathBuf| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    [ca, cert, key].into_iter().chain(crl).map(changed).collect()
}

fn server_config(files: &Files) -> Result<ServerConfig, X509Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(files.roots()?), Arc::clone(&provider));
    if let Some(lists) = files.revocations()? {
        // A certificate whose issuer has no list here is not held to be revoked.
        verifier = verifier.with_crls(lists).allow_unknown_revocation_status();
    }
    let verifier = verifier.build().map_err(|error| unusable(&files.ca, "a CA", &error))?;
    let (chain, key) = files.identity()?;
    warn_of_expiry(&files.cert, &chain);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&files.cert, "a certificate", &error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|cause| X509Error::Mismatch { cert: files.cert.clone(), key: files.key.clone(), cause })?;
    // A GnuTLS peer takes a ticket's record for half a message.
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![OBSERVER_ALPN.as_bytes().to_vec()];
    Ok(config)
}

/// Serves the handshake on an accepted socket.
///
/// # Errors
/// [`TlsError`], with its own words for each thing that can be wrong with a client's certificate.
pub async fn accept(socket: Socket, config: Arc<ServerConfig>) -> Result<(Tls, Role), TlsError> {
    let handshake = timeout(HANDSHAKE_LIMIT, TlsAcceptor::from(config).accept(socket));
    let mut tls =
        handshake.await.map_err(|_| TlsError::Late(HANDSHAKE_LIMIT))?.map_err(|error| refusal(&error))?;
    let observer = tls.get_ref().1.alpn_protocol() == Some(OBSERVER_ALPN.as_bytes());
    tls.get_mut().0.gather();
    Ok((tls.into(), if observer { Role::Observer } else { Role::Controller }))
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::DecryptError
            | Alert::UnknownCA
            | Alert::UnsupportedCertificate
    )
}

fn refusal(error: &io::Error) -> TlsError {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let words = match cause {
        None => return TlsError::Closed,
        Some(rustls::Error::NoCertificatesPresented) => "client has no certificate".to_owned(),
        Some(rustls::Error::InvalidCertificate(problem)) => fault("client's certificate", problem),
        Some(rustls::Error::InvalidMessage(_)) => "client does not speak TLS".into(),
        Some(rustls::Error::PeerIncompatible(_)) => {
            "client cannot use certificates; a pre-shared key is refused in this mode".into()
        }
        Some(rustls::Error::AlertReceived(alert)) if is_about_certificates(*alert) => {
            format!("client does not accept our certificate ({alert:?})")
        }
        Some(rustls::Error::AlertReceived(alert)) => format!(
            "client gave up ({alert:?}); it may want to use a pre-shared key, which is refused in this mode"
        ),
        Some(other) => other.to_string(),
    };
    TlsError::Certificate(words)
}
