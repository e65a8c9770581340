//! What we prove to an agent: the cluster's key, or a certificate.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use picket_agent::controller::Proof;
use picket_agent::key::{Key, Keyring};
use picket_agent::wire::peek::{Found, peek};
use picket_agent::wire::socket::Socket;
use picket_agent::wire::tls::TlsError;
use picket_agent::wire::x509::{Files, Identity};

use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Credentials {
    /// File with the key that agent and cluster share. Without it: the file that PCMK_authkey_location names, else
    /// /etc/pacemaker/authkey, else /etc/corosync/authkey
    #[arg(long, value_name = "FILE", conflicts_with = "ca")]
    key: Option<PathBuf>,
    /// PEM file with the CA, for agents that work with certificates. --ca, --cert and --cert-key belong together;
    /// without them and without --key: the files that PCMK_ca_file, PCMK_cert_file, PCMK_key_file and PCMK_crl_file
    /// name
    #[arg(long, value_name = "FILE", requires = "cert", requires = "cert_key")]
    ca: Option<PathBuf>,
    /// PEM file with our certificate
    #[arg(long, value_name = "FILE", requires = "ca")]
    cert: Option<PathBuf>,
    /// PEM file with our certificate's private key
    #[arg(long, value_name = "FILE", requires = "ca")]
    cert_key: Option<PathBuf>,
    /// PEM file with revocation lists
    #[arg(long, value_name = "FILE", requires = "ca")]
    crl: Option<PathBuf>,
}

impl Credentials {
    /// What was named, or what agents on this host would use.
    pub(crate) fn load(&self) -> Result<Credential, Failure> {
        if let Some(files) = self.files() {
            let identity = Identity::open(&files).map_err(|cause| Failure::Certificate { cause })?;
            return Ok(Credential::Certificate { identity: Box::new(identity), cert: files.cert });
        }
        let key = match &self.key {
            Some(path) => Key::read(path).map(Arc::new),
            None => Keyring::new(variable("PCMK_authkey_location"), Duration::ZERO).load(),
        };
        key.map(Credential::Key).map_err(|cause| Failure::Key { cause })
    }

    fn files(&self) -> Option<Files> {
        let Self { key, ca, cert, cert_key, crl } = self;
        if let (Some(ca), Some(cert), Some(key)) = (ca, cert, cert_key) {
            return Some(Files { ca: ca.clone(), cert: cert.clone(), key: key.clone(), crl: crl.clone() });
        }
        if key.is_some() {
            return None;
        }
        let (ca, cert) = (variable("PCMK_ca_file")?, variable("PCMK_cert_file")?);
        Some(Files { ca, cert, key: variable("PCMK_key_file")?, crl: variable("PCMK_crl_file") })
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// A proof, loaded.
pub(crate) enum Credential {
    Key(Arc<Key>),
    Certificate { identity: Box<Identity>, cert: PathBuf },
}

impl Credential {
    pub(crate) fn proof(&self) -> Proof<'_> {
        match self {
            Self::Key(key) => Proof::Key(key),
            Self::Certificate { identity, .. } => Proof::Certificate(identity),
        }
    }

    /// What messages call it; never its content.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Key(key) => key.path().display().to_string(),
            Self::Certificate { cert, .. } => cert.display().to_string(),
        }
    }

    /// What `probe` says when the agent has proved its side.
    pub(crate) fn confirmed(&self) -> String {
        match self {
            Self::Key(key) => format!("key        right: {}", key.path().display()),
            Self::Certificate { .. } => "agent's    certificate is from our CA".to_owned(),
        }
    }

    /// Finds out what listens there, without anybody else noticing.
    pub(crate) async fn peek(&self, socket: Socket, limit: Duration) -> Result<Found, TlsError> {
        match self {
            Self::Key(key) => peek(socket, key, limit).await,
            Self::Certificate { identity, .. } => identity.peek(socket, limit).await,
        }
    }
}
