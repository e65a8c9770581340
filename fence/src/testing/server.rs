//! A small HTTP/1.1 server on the loopback that serves a platform and injects faults. A platform may bring another wire.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::fault::{Fault, Often};
use super::time;
use super::world::{Platform, World};

/// A request as it arrived.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An answer to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, reason: "Mock".to_owned(), headers: Vec::new(), body: body.into() }
    }

    /// 200 with JSON.
    pub(crate) fn json(body: &serde_json::Value) -> Self {
        Self::new(200, body.to_string()).header("content-type", "application/json")
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn reason(mut self, reason: &str) -> Self {
        self.reason = reason.to_owned();
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text =
            format!("HTTP/1.1 {} {}\r\ncontent-length: {}\r\n", self.status, self.reason, self.body.len());
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        [text.as_bytes(), b"\r\n", self.body.as_bytes()].concat()
    }
}

/// What to inject, and where: calls are counted from 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Injection {
    pub(crate) fault: Fault,
    pub(crate) at: usize,
    pub(crate) often: Often,
}

/// What the server and the test share.
pub(crate) struct Shared {
    pub(crate) world: World,
    pub(crate) platform: Box<dyn Platform>,
    pub(crate) injection: Option<Injection>,
    /// Method and path of each call.
    pub(crate) log: Vec<(String, String)>,
    /// Nobody listens from now on.
    pub(crate) closed: bool,
}

pub(crate) type State = Arc<Mutex<Shared>>;

/// A protocol that is not HTTP.
#[derive(Clone, Copy)]
pub(crate) struct Wire {
    /// Starts the mock; gives its port.
    pub(crate) start: fn(State) -> (u16, tokio::task::JoinHandle<()>),
    /// What can go wrong with it.
    pub(crate) faults: &'static [Fault],
}

/// A running server.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) state: State,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Starts one; to be called inside a current-thread runtime.
    pub(crate) async fn start(
        world: World,
        platform: Box<dyn Platform>,
        injection: Option<Injection>,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let refuses = matches!(injection, Some(Injection { fault: Fault::Refused, at: 0, .. }));
        let wire = platform.wire();
        let shared = Shared { world, platform, injection, log: Vec::new(), closed: refuses };
        let state = Arc::new(Mutex::new(shared));
        let (port, task) = match wire {
            Some(wire) => (wire.start)(state.clone()),
            None => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let port = listener.local_addr().unwrap().port();
                (port, tokio::spawn(listen(listener, state.clone(), tls)))
            }
        };
        tokio::task::yield_now().await;
        Self { port, state, task }
    }
}

async fn listen(listener: TcpListener, state: State, tls: Option<TlsAcceptor>) {
    let mut connections = tokio::task::JoinSet::new();
    // The listener goes away with this loop: whoever comes later is refused.
    while !state.lock().unwrap().closed {
        tokio::select! {
            Ok((socket, _)) = listener.accept() => {
                match &tls {
                    None => {
                        connections.spawn(serve_tcp(socket, state.clone()));
                    }
                    Some(tls) => {
                        let (tls, state) = (tls.clone(), state.clone());
                        connections.spawn(async move {
                            if let Ok(stream) = tls.accept(socket).await {
                                serve(&mut BufReader::new(stream), &state).await;
                            }
                        });
                    }
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve_tcp(socket: TcpStream, state: State) {
    let mut stream = BufReader::new(socket);
    if serve(&mut stream, &state).await == After::Reset {
        // Closing with unread or unsent data pending is a reset only with linger off.
        let _ = stream.get_ref().set_zero_linger();
    }
}

/// What becomes of the connection.
#[derive(PartialEq, Eq)]
enum After {
    Close,
    Reset,
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, state: &State) -> After {
    while let Some(seen) = read(stream).await {
        let (answer, fault) = decide(&seen, state);
        match fault {
            None => {
                let last = state.lock().unwrap().closed;
                let answer = if last { answer.header("connection", "close") } else { answer };
                if stream.write_all(&answer.bytes()).await.is_err() || stream.flush().await.is_err() || last {
                    return After::Close;
                }
            }
            Some(fault) => {
                let bytes = answer.bytes();
                let head = bytes.len() - answer.body.len();
                match fault {
                    Fault::Reset | Fault::ResetAfter => return After::Reset,
                    Fault::Hang => return silence().await,
                    Fault::HangInBody => {
                        let _ = stream.write_all(&bytes[..head]).await;
                        let _ = stream.flush().await;
                        return silence().await;
                    }
                    Fault::CutOff => {
                        let cut = head.max(bytes.len().saturating_sub(1 + answer.body.len() / 2));
                        // A body of nothing can only be cut off in the headers.
                        let cut = if answer.body.is_empty() { head - 4 } else { cut };
                        let _ = stream.write_all(&bytes[..cut]).await;
                        let _ = stream.flush().await;
                        return After::Close;
                    }
                    Fault::Drip => {
                        time::release();
                        for byte in bytes {
                            tokio::time::sleep(Duration::from_secs(1)).await;
                            if stream.write_all(&[byte]).await.is_err() || stream.flush().await.is_err() {
                                return After::Close;
                            }
                        }
                    }
                    _ => {
                        let _ = stream.write_all(&bytes).await;
                        let _ = stream.flush().await;
                    }
                }
            }
        }
    }
    After::Close
}

/// Says nothing, and lets time pass.
async fn silence() -> After {
    time::release();
    std::future::pending().await
}

/// Which answer is sent, and how. The platform is asked only where the request is carried out.
pub(crate) fn decide(seen: &Seen, state: &State) -> (Answer, Option<Fault>) {
    let mut shared = state.lock().unwrap();
    let shared = &mut *shared;
    let call = shared.log.len();
    let key = shared.platform.label(seen);
    shared.log.push(key.clone());
    shared.world.calls = call;
    let fault = shared.injection.filter(|injection| match injection.often {
        Often::Once => injection.at == call,
        Often::Always => injection.at == call || (injection.at < call && shared.log[injection.at] == key),
    });
    let carried_out = fault.is_none_or(|injection| injection.fault.is_carried_out());
    let mut answer = match carried_out {
        true => shared.platform.answer(seen, &mut shared.world),
        false => Answer::new(200, "{\"injected\": \"fault\"}"),
    };
    // Refusing the next call means closing the door behind this one.
    if let Some(Injection { fault: Fault::Refused, at, .. }) = shared.injection
        && at == call + 1
    {
        shared.closed = true;
    }
    match fault.map(|injection| injection.fault) {
        Some(Fault::Garbled) => answer.body = "{\"value\": [1, 2".to_owned(),
        Some(Fault::Empty) => answer.body = "{}".to_owned(),
        Some(Fault::Html) => answer.body = "<!DOCTYPE html><html><title>Log in</title></html>".to_owned(),
        Some(Fault::Flood) => answer.body = format!("\"{}\"", "x".repeat(17 * 1024 * 1024)),
        Some(Fault::Moved) => {
            answer = Answer::new(301, "").header("location", &seen.path);
        }
        Some(Fault::MovedAway) => {
            answer = Answer::new(302, "").header("location", "http://127.0.0.2:9/elsewhere");
        }
        Some(Fault::Status(status)) => answer = Answer::new(status, "{\"injected\": \"status\"}"),
        Some(Fault::Byte(byte)) => answer = Answer::new(200, char::from(byte)),
        _ => {}
    }
    (answer, fault.map(|injection| injection.fault))
}

async fn read<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> Option<Seen> {
    let mut seen = Seen::default();
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    seen.method = words.next()?.to_owned();
    let target = words.next()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    (seen.path, seen.query) = (path.to_owned(), query.to_owned());
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        seen.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = seen.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    seen.body = String::from_utf8_lossy(&body).into_owned();
    Some(seen)
}
