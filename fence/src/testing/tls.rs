//! Certificates made for a test, good and bad ones.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType, date_time_ymd};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// What is wrong with the server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Nothing.
    None,
    /// Its time is over.
    Expired,
    /// It is for another host.
    WrongName,
    /// Signed by nobody we know.
    Stranger,
}

/// A server's TLS, and what a client needs to trust it and to be trusted.
pub(crate) struct Identity {
    pub(crate) acceptor: TlsAcceptor,
    /// The authority's certificate in PEM.
    pub(crate) ca_pem: String,
    /// SHA-256 of the server's certificate, as `tls_pin` wants it.
    pub(crate) pin: String,
    /// A client's certificate from the same authority, and its key, in PEM.
    pub(crate) client: (String, String),
}

/// Makes an identity for 127.0.0.1.
pub(crate) fn identity(flaw: Flaw) -> Identity {
    made(flaw, false)
}

/// The same of a server that serves only those with a certificate of its authority.
pub(crate) fn mutual(flaw: Flaw) -> Identity {
    made(flaw, true)
}

fn made(flaw: Flaw, asks: bool) -> Identity {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let trusted = authority("picket test authority");
    let stranger = authority("some other authority");
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = vec![match flaw {
        Flaw::WrongName => SanType::DnsName("elsewhere.example".try_into().unwrap()),
        _ => SanType::IpAddress("127.0.0.1".parse().unwrap()),
    }];
    if flaw == Flaw::Expired {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    let issuer = if flaw == Flaw::Stranger { &stranger } else { &trusted };
    let certificate: CertificateDer<'static> = params.signed_by(&key, issuer).unwrap().der().clone();
    let digest = ring::digest::digest(&ring::digest::SHA256, &certificate);
    let pin: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone()).unwrap();
    let provider = Arc::new(default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let config = if asks { config.with_client_cert_verifier(clients) } else { config.with_no_client_auth() };
    let config = config.with_single_cert(vec![certificate], key).unwrap();
    let client_key = KeyPair::generate().unwrap();
    let client = CertificateParams::new(Vec::new()).unwrap().signed_by(&client_key, &trusted).unwrap();
    let body = base64::engine::general_purpose::STANDARD.encode(trusted.der());
    Identity {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        ca_pem: format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"),
        pin: format!("sha256:{pin}"),
        client: (client.pem(), client_key.serialize_pem()),
    }
}

/// A file that goes away again.
pub(crate) struct TempFile(pub(crate) PathBuf);

impl TempFile {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("picket-fence-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
