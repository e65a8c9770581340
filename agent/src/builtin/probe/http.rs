//! One GET request.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// How much of an answer is read.
const LIMIT: usize = 64 * 1024;

/// Where to ask.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Url {
    pub(super) is_secure: bool,
    host: String,
    port: u16,
    path: String,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Url {
    /// `http://host[:port][/path]`, without user and fragment.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (is_secure, port) = match scheme {
            "http" => (false, 80),
            "https" => (true, 443),
            _ => return None,
        };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let bracketed = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (host, port) = match bracketed {
            Some((host, "")) => (host, port),
            Some((host, rest)) => (host, rest.strip_prefix(':')?.parse().ok()?),
            None => match authority.split_once(':') {
                Some((host, text)) => (host, text.parse().ok()?),
                None => (authority, port),
            },
        };
        let plain = !host.is_empty() && !host.contains('@') && path.chars().all(|c| c.is_ascii_graphic());
        plain.then(|| Self { is_secure, host: host.to_owned(), port, path: path.to_owned() })
    }

    /// Asks for it.
    ///
    /// # Errors
    /// How it failed, in words.
    pub(super) async fn fetch(&self, ca: Option<&Path>) -> Result<Answer, String> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|e| e.to_string())?;
        match ca.filter(|_| self.is_secure) {
            None => self.exchange(stream).await,
            Some(ca) => {
                let name = ServerName::try_from(self.host.clone()).map_err(|e| e.to_string())?;
                let connector = tokio_rustls::TlsConnector::from(Arc::new(trusting(ca)?));
                self.exchange(connector.connect(name, stream).await.map_err(|e| e.to_string())?).await
            }
        }
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Answer, String> {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        let request = Request::get(&self.path)
            .header(header::HOST, self.authority())
            .header(header::USER_AGENT, "picket-probe")
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|e| e.to_string())?;
        let asking = async {
            let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
            let status = answer.status().as_u16();
            // A longer body is cut: what is looked for has to be in its beginning.
            let body = Limited::new(answer.into_body(), LIMIT).collect().await;
            let body = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
            Ok(Answer { status, body: body.unwrap_or_default() })
        };
        let mut asking = std::pin::pin!(asking);
        tokio::select! {
            answer = &mut asking => answer,
            // The end of the connection; what was read before is still to be had.
            _ = connection => asking.await,
        }
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{host}:{}", self.port)
    }
}

fn trusting(ca: &Path) -> Result<ClientConfig, String> {
    let said = |e: &dyn fmt::Display| format!("{}: {e}", ca.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(|e| said(&e))? {
        roots.add(certificate.map_err(|e| said(&e))?).map_err(|e| said(&e))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(versions.map_err(|e| e.to_string())?.with_root_certificates(roots).with_no_client_auth())
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}
