//! The X.509 mode (Pacemaker 3.0.1 and later): both sides hold certificates of a common CA; no key is shared.
//!
//! Chosen when CA, certificate and key file are all configured; clients with a pre-shared key are refused then. As
//! in the original no host name or subject is compared: whoever the CA vouches for may connect.

mod client;
mod server;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::{CertificateError, RootCertStore};
use thiserror::Error;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::wire::socket::Socket;

pub use client::{Identity, refusal_of};
pub use server::{Store, accept};

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

impl Files {
    /// The CAs that are trusted.
    fn roots(&self) -> Result<RootCertStore, X509Error> {
        let mut roots = RootCertStore::empty();
        for certificate in read(&self.ca, "CA certificate", CertificateDer::pem_file_iter)? {
            roots.add(certificate).map_err(|error| unusable(&self.ca, "a CA", &error))?;
        }
        Ok(roots)
    }

    /// What is revoked, where there is a file for it.
    fn revocations(&self) -> Result<Option<Vec<CertificateRevocationListDer<'static>>>, X509Error> {
        let Some(path) = &self.crl else { return Ok(None) };
        read(path, "revocation list", CertificateRevocationListDer::pem_file_iter).map(Some)
    }

    /// Our certificate with its chain, and our key.
    fn identity(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), X509Error> {
        let chain = read(&self.cert, "certificate", CertificateDer::pem_file_iter)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| unusable(&self.key, "a private key", &error))?;
        Ok((chain, key))
    }
}

fn unusable(path: &Path, what: &'static str, cause: &dyn std::fmt::Display) -> X509Error {
    X509Error::Unusable { path: path.to_owned(), what, cause: cause.to_string() }
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
    let found = items(path.to_owned()).and_then(Iterator::collect::<Result<Vec<T>, _>>);
    let found = found.map_err(|error| unusable(path, what, &error))?;
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

/// What is wrong with a certificate that the other side presented.
fn fault(whose: &str, error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!("{whose} has expired"),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("{whose} is not valid yet")
        }
        CertificateError::Revoked => format!("{whose} is revoked"),
        // A CA of the same name with another key shows as a bad signature.
        CertificateError::BadSignature | CertificateError::UnknownIssuer => {
            format!("{whose} is not from a CA that is trusted here")
        }
        other => format!("{whose} cannot be used: {other}"),
    }
}
