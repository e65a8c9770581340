//! The X.509 mode (Pacemaker 3.0.1 and later): both sides hold certificates of a common CA; no key is shared.
//!
//! Chosen when CA, certificate and key file are all configured; clients with a pre-shared key are refused then. As
//! in the original no host name or subject is compared: whoever the CA vouches for may connect.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use picket_proto::status::OBSERVER_ALPN;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, RootCertStore, ServerConfig};
use thiserror::Error;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::wire::socket::Socket;
use crate::wire::tls::{HANDSHAKE_LIMIT, Role, TlsError};

/// How long before its end a certificate is worth a warning; the original's 30 days.
const EXPIRY_WARNING: Duration = Duration::from_secs(30 * 24 * 3600);

/// An encrypted connection of this mode.
pub type Tls = tokio_rustls::TlsStream<Socket>;

/// Where the credentials are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Files {
    /// PEM file with the trusted CAs.
    pub ca: PathBuf,
    /// PEM file with our certificate and its chain.
    pub cert: PathBuf,
    /// PEM file with our private key.
    pub key: PathBuf,
    /// PEM file with revocation lists.
    pub crl: Option<PathBuf>,
}

/// Why credentials cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum X509Error {
    /// The certificate and the private key do not belong together, or an algorithm is not supported.
    #[error("certificate {cert} cannot be used with private key {key}: {cause}")]
    Mismatch {
        /// Certificate file.
        cert: PathBuf,
        /// Key file.
        key: PathBuf,
        /// What does not fit.
        cause: rustls::Error,
    },
    /// A file without what it should hold.
    #[error("{path} holds no {what}")]
    Nothing {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// A CA or revocation list that cannot be used.
    #[error("{path} cannot be used as {what}: {cause}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// As what.
        what: &'static str,
        /// Why not.
        cause: String,
    },
}

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
    let unusable =
        |path: &Path, what, cause: String| X509Error::Unusable { path: path.to_owned(), what, cause };
    let roots = Arc::new(roots(&files.ca)?);
    let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    if let Some(path) = &files.crl {
        let lists = read(path, "revocation list", CertificateRevocationListDer::pem_file_iter)?;
        // A certificate whose issuer has no list here is not held to be revoked.
        verifier = verifier.with_crls(lists).allow_unknown_revocation_status();
    }
    let verifier = verifier.build().map_err(|error| unusable(&files.ca, "a CA", error.to_string()))?;
    let chain = read(&files.cert, "certificate", CertificateDer::pem_file_iter)?;
    warn_of_expiry(&files.cert, &chain);
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unusable(&files.key, "a private key", error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&files.cert, "a certificate", error.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|cause| X509Error::Mismatch { cert: files.cert.clone(), key: files.key.clone(), cause })?;
    // A GnuTLS peer takes a ticket's record for half a message.
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![OBSERVER_ALPN.as_bytes().to_vec()];
    Ok(config)
}

fn roots(path: &Path) -> Result<RootCertStore, X509Error> {
    let mut roots = RootCertStore::empty();
    for certificate in read(path, "CA certificate", CertificateDer::pem_file_iter)? {
        let unusable = |cause: rustls::Error| X509Error::Unusable {
            path: path.to_owned(),
            what: "a CA",
            cause: cause.to_string(),
        };
        roots.add(certificate).map_err(unusable)?;
    }
    Ok(roots)
}

/// Everything of one kind in a PEM file; at least one.
fn read<T, I>(
    path: &Path,
    what: &'static str,
    items: impl FnOnce(PathBuf) -> Result<I, rustls::pki_types::pem::Error>,
) -> Result<Vec<T>, X509Error>
where
    I: Iterator<Item = Result<T, rustls::pki_types::pem::Error>>,
{
    let unusable = |cause: rustls::pki_types::pem::Error| X509Error::Unusable {
        path: path.to_owned(),
        what,
        cause: cause.to_string(),
    };
    let found: Vec<T> =
        items(path.to_owned()).map_err(unusable)?.collect::<Result<_, _>>().map_err(unusable)?;
    if found.is_empty() { Err(X509Error::Nothing { path: path.to_owned(), what }) } else { Ok(found) }
}

fn warn_of_expiry(path: &Path, chain: &[CertificateDer<'_>]) {
    let Some(Ok((_, own))) = chain.first().map(|der| X509Certificate::from_der(der)) else { return };
    let left = own.validity().not_after.timestamp() - now();
    if left < 0 {
        tracing::error!("certificate {} has expired on {}", path.display(), own.validity().not_after);
    } else if left.unsigned_abs() < EXPIRY_WARNING.as_secs() {
        tracing::warn!(
            "certificate {} expires on {}, in {} days",
            path.display(),
            own.validity().not_after,
            left / 86_400
        );
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
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

fn refusal(error: &io::Error) -> TlsError {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let words = match cause {
        None => return TlsError::Closed,
        Some(rustls::Error::NoCertificatesPresented) => "client has no certificate".to_owned(),
        Some(rustls::Error::InvalidCertificate(problem)) => match problem {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "client's certificate has expired".into()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "client's certificate is not valid yet".into()
            }
            CertificateError::Revoked => "client's certificate is revoked".into(),
            // A CA of the same name with another key shows as a bad signature.
            CertificateError::BadSignature | CertificateError::UnknownIssuer => {
                "client's certificate is not from a CA that is trusted here".into()
            }
            other => format!("client's certificate cannot be used: {other}"),
        },
        Some(rustls::Error::InvalidMessage(_)) => "client does not speak TLS".into(),
        Some(rustls::Error::PeerIncompatible(_)) => {
            "client cannot use certificates (one with a pre-shared key is refused in this mode)".into()
        }
        Some(other) => other.to_string(),
    };
    TlsError::Certificate(words)
}
