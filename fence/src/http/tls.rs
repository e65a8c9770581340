//! Whom to trust: the system's authorities and `ca_file`, or exactly one certificate, or (when told so) anybody.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::core::failure::Failure;
use crate::core::option::Opt;
use crate::core::secret::Secret;
use crate::core::settings::Settings;
use crate::core::standard as opt;
use crate::core::usage::Usage;

/// The options that name certificate files: an agent may have had other names for them from the start.
#[derive(Debug, Clone, Copy)]
pub struct Files {
    /// Authorities to trust as well as the system's.
    pub ca: Opt,
    /// Our certificate chain.
    pub cert: Opt,
    /// Its key.
    pub key: Opt,
}

impl Default for Files {
    fn default() -> Self {
        Self { ca: opt::CA_FILE, cert: opt::CLIENT_CERT, key: opt::CLIENT_KEY }
    }
}

/// The same in PEM, for platforms whose own configuration file has it.
#[derive(Debug, Clone, Default)]
pub struct Inline {
    /// The only authorities to trust; without any the system's.
    pub ca: Option<Vec<u8>>,
    /// Our certificate chain.
    pub cert: Option<Vec<u8>>,
    /// Its key.
    pub key: Option<Secret>,
    /// The name that the server's certificate must have, where that is not the host's.
    pub server_name: Option<String>,
}

/// The TLS side of a client, from PEM.
pub(super) fn inline(settings: &Settings, pem: &Inline) -> Result<Arc<ClientConfig>, Failure> {
    let wrong =
        |what: &str, error: &dyn std::fmt::Display| Failure::Local(format!("cannot use the {what}: {error}"));
    let read = |pem: &[u8], what: &str| -> Result<Vec<CertificateDer<'static>>, Failure> {
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| wrong(what, &error))
    };
    let mut store = RootCertStore::empty();
    match &pem.ca {
        None => store = roots(settings, &opt::CA_FILE)?,
        Some(pem) => {
            for certificate in read(pem, "authority's certificate")? {
                store.add(certificate).map_err(|error| wrong("authority's certificate", &error))?;
            }
        }
    }
    let builder = builder(settings, || Ok(store))?;
    let config = match (&pem.cert, &pem.key) {
        (Some(cert), Some(key)) => {
            let chain = read(cert, "client certificate")?;
            let secret = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes())
                .map_err(|error| wrong("client key", &error))?;
            builder
                .with_client_auth_cert(chain, secret)
                .map_err(|error| wrong("client certificate", &error))?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// Everything but who we are: whom to trust, `roots` unless an option says otherwise.
fn builder(
    settings: &Settings,
    roots: impl FnOnce() -> Result<RootCertStore, Failure>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Failure> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("the ring provider has suites for TLS 1.2 and 1.3");
    let insecure = settings.flag(&opt::SSL_INSECURE) && !settings.flag(&opt::SSL_SECURE);
    let verifier = match settings.text(&opt::TLS_PIN) {
        Some(pin) => Some(Verifier { provider, pin: Some(fingerprint(pin)?) }),
        None if insecure => {
            tracing::warn!("the device's certificate is not verified (ssl_insecure); tls_pin would be safe");
            Some(Verifier { provider, pin: None })
        }
        None => None,
    };
    Ok(match verifier {
        Some(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        None => builder.with_root_certificates(roots()?),
    })
}

/// The TLS side of a client, from files. The ring provider is named in this module and nowhere else.
pub(super) fn config(settings: &Settings, files: &Files) -> Result<Arc<ClientConfig>, Failure> {
    let builder = builder(settings, || roots(settings, &files.ca))?;
    let config = match (path(settings, &files.cert), path(settings, &files.key)) {
        (None, None) => builder.with_no_client_auth(),
        (Some(_), None) => return Err(Failure::Usage(Usage::Missing(files.key.key))),
        (None, Some(_)) => return Err(Failure::Usage(Usage::Missing(files.cert.key))),
        (Some(cert), Some(key)) => {
            let chain = certificates(&files.cert, cert)?;
            let wrong = |error: &dyn std::fmt::Display| unusable(&files.key, key, &error.to_string());
            let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(&error))?;
            builder.with_client_auth_cert(chain, secret).map_err(|error| wrong(&error))?
        }
    };
    Ok(Arc::new(config))
}

fn path<'s>(settings: &'s Settings, opt: &Opt) -> Option<&'s Path> {
    settings.text(opt).map(Path::new)
}

fn unusable(opt: &Opt, path: &Path, reason: &str) -> Failure {
    Settings::unusable(opt, path, reason)
}

fn certificates(opt: &Opt, path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let wrong = |error: rustls::pki_types::pem::Error| unusable(opt, path, &error.to_string());
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(wrong)?.collect();
    let found = read.map_err(wrong)?;
    if found.is_empty() { Err(unusable(opt, path, "it holds no certificate")) } else { Ok(found) }
}

fn roots(settings: &Settings, ca: &Opt) -> Result<RootCertStore, Failure> {
    let mut store = RootCertStore::empty();
    // A broken file among the system's authorities must not stop fencing; with none left, ca_file must be set.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = path(settings, ca) {
        for certificate in certificates(ca, path)? {
            store.add(certificate).map_err(|error| unusable(ca, path, &error.to_string()))?;
        }
    }
    if store.is_empty() {
        return Err(Settings::wrong(ca, "must be set: this system has no certificate authorities"));
    }
    Ok(store)
}

/// `sha256:` and 64 hexadecimal digits, with or without colons between them.
fn fingerprint(pin: &str) -> Result<[u8; 32], Failure> {
    let wrong = || Settings::wrong(&opt::TLS_PIN, "must be sha256: and 64 hexadecimal digits");
    let digits: Vec<char> = match pin.get(..7) {
        Some(kind) if kind.eq_ignore_ascii_case("sha256:") => {
            pin[7..].chars().filter(|c| *c != ':').collect()
        }
        _ => return Err(wrong()),
    };
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return Err(wrong());
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let text: String = pair.iter().collect();
        *byte = u8::from_str_radix(&text, 16).map_err(|_| wrong())?;
    }
    Ok(bytes)
}

/// Accepts the pinned certificate, or any when there is no pin. The handshake's signatures are verified either way, so
/// the peer does hold the key of the certificate it shows.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    pin: Option<[u8; 32]>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = ::ring::digest::digest(&::ring::digest::SHA256, end_entity);
        match self.pin {
            Some(pin) if shown.as_ref() != pin => {
                let shown: String = shown.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                Err(rustls::Error::General(format!(
                    "tls_pin does not match: the certificate is sha256:{shown}"
                )))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
