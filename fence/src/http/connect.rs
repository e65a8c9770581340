//! From a host to a connection: TCP or Unix socket, proxy, TLS.

use base64::Engine;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::config::Host;
use super::{Client, Connection, words};
use crate::core::fault::Fault;

/// The longest answer to CONNECT that is read.
const PROXY_ANSWER: usize = 8 * 1024;

impl Client {
    /// Connects to the first host of the list that can be reached, beginning with the last one used.
    pub(super) async fn connect(&mut self, shown: &str) -> Result<Connection, Fault> {
        let count = self.config.hosts.len();
        let mut first = None;
        for _ in 0..count {
            let limit = self.config.deadline.within(self.config.connect);
            let result = match tokio::time::timeout(limit, self.dial(shown)).await {
                Ok(result) => result,
                Err(_) => Err(Fault::TimedOut { call: format!("connect for {shown}"), limit }),
            };
            match result {
                Ok(connection) => return Ok(connection),
                Err(fault) => first.get_or_insert(fault),
            };
            self.config.at = (self.config.at + 1) % count;
        }
        Err(first.expect("the list of hosts is not empty"))
    }

    async fn dial(&self, shown: &str) -> Result<Connection, Fault> {
        let (name, port) = match self.config.host() {
            Host::Unix(path) => {
                let socket = UnixStream::connect(path).await.map_err(|error| unreachable(shown, &error))?;
                return speak(socket, shown, false).await;
            }
            Host::Tcp(name, port) => (name.as_str(), *port),
        };
        let next = match &self.config.proxy {
            Some(proxy) => (proxy.host().unwrap_or_default(), proxy.port_u16().unwrap_or(80)),
            None => (name, port),
        };
        let mut socket = TcpStream::connect(next).await.map_err(|error| unreachable(shown, &error))?;
        // Requests are small and each waits for its answer: nothing is gained by holding them back.
        let _ = socket.set_nodelay(true);
        let Some(tls) = &self.config.tls else {
            return speak(socket, shown, self.config.proxy.is_some()).await;
        };
        if self.config.proxy.is_some() {
            self.tunnel(&mut socket, shown).await?;
        }
        let name = self.config.server_name.as_deref().unwrap_or(name);
        let server = ServerName::try_from(name.to_owned()).map_err(|_| Fault::Tls {
            call: shown.to_owned(),
            answer: format!("'{name}' is no host name"),
        })?;
        let stream = TlsConnector::from(tls.clone()).connect(server, socket).await.map_err(|error| {
            let (call, answer) = (shown.to_owned(), words(&error));
            // rustls reports through an io::Error; everything else is the network's doing.
            match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(_) => Fault::Tls { call, answer },
                None => Fault::Lost { call, answer: format!("in the TLS handshake: {answer}") },
            }
        })?;
        speak(stream, shown, false).await
    }

    /// Asks the proxy for a way through.
    async fn tunnel(&self, socket: &mut TcpStream, shown: &str) -> Result<(), Fault> {
        let there = self.config.host().authority();
        let proxy = self.config.proxy.as_ref().and_then(|proxy| proxy.authority());
        let login = proxy.and_then(|proxy| proxy.as_str().rsplit_once('@')).map(|(login, _)| {
            let word = base64::engine::general_purpose::STANDARD.encode(login);
            format!("Proxy-Authorization: Basic {word}\r\n")
        });
        let request =
            format!("CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n{}\r\n", login.unwrap_or_default());
        let lost = |error: std::io::Error| Fault::Lost {
            call: shown.to_owned(),
            answer: format!("at the proxy: {}", words(&error)),
        };
        socket.write_all(request.as_bytes()).await.map_err(lost)?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= PROXY_ANSWER {
                return Err(Fault::malformed(shown, "the proxy's answer does not end"));
            }
            answer.push(socket.read_u8().await.map_err(lost)?);
        }
        let line = String::from_utf8_lossy(&answer);
        let line = line.lines().next().unwrap_or_default();
        match line.split(' ').nth(1) {
            Some("200") => Ok(()),
            _ => {
                Err(Fault::Unreachable { call: shown.to_owned(), answer: format!("the proxy says: {line}") })
            }
        }
    }
}

fn unreachable(shown: &str, error: &std::io::Error) -> Fault {
    Fault::Unreachable { call: shown.to_owned(), answer: error.to_string() }
}

async fn speak<S>(stream: S, shown: &str, whole_urls: bool) -> Result<Connection, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Fault::Lost { call: shown.to_owned(), answer: words(&error) })?;
    // Its errors reach us through the request that is under way.
    let driver = tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(Connection { sender, driver, whole_urls })
}
