//! The X.509 mode: who gets in, and what each refusal says.
#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use picket_agent::wire::socket::{Liveness, Socket, Tuning};
use picket_agent::wire::x509::{self, Files, Store, X509Error};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, RevokedCertParams, SerialNumber};
use rcgen::{CertificateRevocationListParams, KeyIdMethod, date_time_ymd};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

/// Serial number of the certificate that the test CA revokes.
const REVOKED: u64 = 66;

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Certificate and key, in PEM.
    fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let mut params = CertificateParams::new(vec!["host".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn crl(&self) -> String {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(REVOKED),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

/// A server's files in a folder that goes away.
struct Server {
    folder: PathBuf,
    ca: Ca,
}

impl Server {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("picket-x509-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let server = Self { folder, ca: Ca::new() };
        let (cert, key) = server.ca.issue(|_| {});
        for (file, text) in
            [("ca", &server.ca.pem), ("cert", &cert), ("key", &key), ("crl", &server.ca.crl())]
        {
            server.write(file, text);
        }
        server
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.join(file), text).unwrap();
    }

    fn files(&self) -> Files {
        let file = |name| self.folder.join(name);
        Files { ca: file("ca"), cert: file("cert"), key: file("key"), crl: Some(file("crl")) }
    }

    fn store(&self) -> Store {
        Store::open(self.files()).unwrap()
    }

    /// What the server says to a client that presents `identity`.
    async fn serve(&self, store: &mut Store, identity: Option<&(String, String)>) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let client = client(&self.folder.join("ca"), identity);
        let (accepted, _) = listener.accept().await.unwrap();
        let socket = Socket::new(accepted, Tuning::Prompt, Liveness::default()).unwrap();
        let connecting = async {
            let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
            if let Ok(mut tls) = connector.connect(ServerName::try_from("host").unwrap(), stream).await {
                // A refusal arrives after the client's side of a TLS 1.3 handshake is done.
                let _ = tokio::time::timeout(Duration::from_secs(5), tls.read_u8()).await;
            }
        };
        let accepting =
            async { x509::accept(socket, store.config()).await.map(drop).map_err(|e| e.to_string()) };
        tokio::join!(accepting, connecting).0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn client(ca: &Path, identity: Option<&(String, String)>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    match identity {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
            builder
                .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
                .unwrap()
        }
    }
}

#[tokio::test]
async fn a_certificate_of_the_ca_gets_in_and_every_other_is_told_why_not() {
    let server = Server::new("who");
    let mut store = server.store();
    let good = server.ca.issue(|_| {});
    assert_eq!(server.serve(&mut store, Some(&good)).await, Ok(()));
    let expired = server.ca.issue(|params| params.not_after = date_time_ymd(2020, 1, 1));
    let early = server.ca.issue(|params| params.not_before = date_time_ymd(2090, 1, 1));
    let revoked = server.ca.issue(|params| params.serial_number = Some(SerialNumber::from(REVOKED)));
    let foreign = Ca::new().issue(|_| {});
    for (identity, words) in [
        (None, "has no certificate"),
        (Some(&foreign), "not from a CA that is trusted"),
        (Some(&expired), "has expired"),
        (Some(&early), "is not valid yet"),
        (Some(&revoked), "is revoked"),
    ] {
        let refusal = server.serve(&mut store, identity).await.expect_err(words);
        assert!(refusal.contains(words), "{refusal:?} should say {words:?}");
    }
}

#[tokio::test]
async fn changed_files_are_used_and_broken_ones_do_not_cost_the_node() {
    let server = Server::new("reload");
    let mut store = server.store();
    let client = server.ca.issue(|_| {});
    server.write("cert", "not a certificate");
    assert_eq!(server.serve(&mut store, Some(&client)).await, Ok(()), "the old credentials stay");
    let other = Ca::new();
    let (cert, key) = other.issue(|_| {});
    for (file, text) in [("ca", &other.pem), ("cert", &cert), ("key", &key), ("crl", &other.crl())] {
        server.write(file, text);
    }
    let refusal = server.serve(&mut store, Some(&client)).await.expect_err("the CA was changed");
    assert!(refusal.contains("not from a CA"), "{refusal}");
    let client = other.issue(|_| {});
    assert_eq!(server.serve(&mut store, Some(&client)).await, Ok(()));
}

#[test]
fn credentials_that_cannot_work_are_told_at_the_start() {
    let server = Server::new("start");
    let (_, stranger) = server.ca.issue(|_| {});
    server.write("key", &stranger);
    assert!(matches!(Store::open(server.files()), Err(X509Error::Mismatch { .. })));
    server.write("key", "");
    assert!(Store::open(server.files()).unwrap_err().to_string().contains("key"));
    server.write("ca", "");
    assert!(matches!(Store::open(server.files()), Err(X509Error::Nothing { what: "CA certificate", .. })));
    std::fs::remove_file(server.folder.join("ca")).unwrap();
    assert!(matches!(Store::open(server.files()), Err(X509Error::Unusable { .. })));
}
