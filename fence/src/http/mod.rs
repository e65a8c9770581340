//! The one HTTP client of all drivers: HTTP/1.1, one connection kept for the run, TLS verified unless told otherwise.
//!
//! Statuses are always checked, every call is limited by the options and by the deadline of the run, answers are
//! limited in size, and neither headers nor bodies are ever logged. Built on hyper itself: redirects, retries and
//! what counts as an error are decided here for fencing, and differ from what general clients do
//! (fence-drivers, 2.2).

mod config;
mod connect;
mod reply;
mod request;
mod tls;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};
use serde::Serialize;
use tokio::time::Instant;

pub use self::config::{Config, Host};
pub use self::reply::Reply;
pub use self::request::Request;
pub use self::tls::{Files, Inline};
use crate::core::fault::Fault;
use crate::core::secret::Secret;

/// The largest answer that is read. 100 000 machines in a list need about 10 MiB.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// One call to a device, as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// HTTP method.
    pub method: String,
    /// URL without secrets.
    pub url: String,
    /// HTTP status, or why there is none.
    pub result: String,
    /// Milliseconds from the first byte sent, connecting included, to the last received.
    pub ms: u128,
    /// The device's own id of the request, where it gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// The calls of a run; clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Calls(Rc<RefCell<Vec<Call>>>);

impl Calls {
    /// Takes them out.
    pub fn take(&self) -> Vec<Call> {
        self.0.take()
    }

    /// Notes a command that was run, which is a call to the device too.
    pub(crate) fn note_command(&self, how: &str, line: &str, result: String, time: std::time::Duration) {
        let (method, url) = (how.to_owned(), line.to_owned());
        self.note(Call { method, url, result, ms: time.as_millis(), request_id: None });
    }

    fn note(&self, call: Call) {
        let Call { method, url, result, ms, request_id } = &call;
        tracing::info!(ms, request_id, "{method} {url}: {result}");
        self.0.borrow_mut().push(call);
    }
}

/// Reads the device's own words out of an error answer.
pub type Explain = fn(&Reply) -> Option<String>;

/// A client for one device. See [`Client::get`] and [`Request`].
pub struct Client {
    config: Config,
    connection: Option<Connection>,
    headers: Vec<(HeaderName, HeaderValue)>,
    explain: Explain,
}

/// A connection and the task that moves its bytes.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: tokio::task::JoinHandle<()>,
    /// Requests go to a proxy which wants whole URLs.
    whole_urls: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Client {
    /// A client; connects with the first request.
    pub fn new(config: Config) -> Self {
        Self { config, connection: None, headers: Vec::new(), explain: |_| None }
    }

    /// The same, taking the device's error messages out of its answers with `explain`.
    pub fn explain(mut self, explain: Explain) -> Self {
        self.explain = explain;
        self
    }

    /// Goes on with another way to the device, by a new connection; headers stay.
    pub fn set_config(&mut self, config: Config) {
        self.config = config;
        self.connection = None;
    }

    /// Sends a header with every request from now on; replaces an earlier one of the same name.
    ///
    /// # Panics
    /// `name` is not a header name; it is a constant of the driver.
    pub fn set_header(&mut self, name: &'static str, value: &Secret) {
        let name = HeaderName::from_static(name);
        self.headers.retain(|(known, _)| *known != name);
        // A value with line breaks or control characters cannot be a credential that any device gave out.
        if let Ok(mut value) = HeaderValue::from_str(value.reveal()) {
            value.set_sensitive(true);
            self.headers.push((name, value));
        }
    }

    /// Stops sending a header.
    pub fn unset_header(&mut self, name: &str) {
        self.headers.retain(|(known, _)| known.as_str() != name);
    }

    /// Sends Basic authentication with every request from now on.
    pub fn set_basic(&mut self, username: &str, password: &Secret) {
        use base64::Engine;
        let plain = zeroize::Zeroizing::new(format!("{username}:{}", password.reveal()));
        let word = base64::engine::general_purpose::STANDARD.encode(plain.as_bytes());
        self.set_header("authorization", &Secret::new(format!("Basic {word}")));
    }

    /// Sends a bearer token with every request from now on.
    pub fn set_bearer(&mut self, token: &Secret) {
        self.set_header("authorization", &Secret::new(format!("Bearer {}", token.reveal())));
    }

    /// A GET request; `path` begins with `/` and is percent-encoded where it holds values (see [`encode`]).
    pub fn get(&mut self, path: impl Into<String>) -> Request<'_> {
        Request::new(self, Method::GET, path.into())
    }

    /// A POST request. Not repeated by itself, unless [`Request::repeatable`] says so.
    pub fn post(&mut self, path: impl Into<String>) -> Request<'_> {
        Request::new(self, Method::POST, path.into())
    }

    /// A PUT request. Not repeated by itself, unless [`Request::repeatable`] says so.
    pub fn put(&mut self, path: impl Into<String>) -> Request<'_> {
        Request::new(self, Method::PUT, path.into())
    }

    /// A DELETE request. Not repeated by itself, unless [`Request::repeatable`] says so.
    pub fn delete(&mut self, path: impl Into<String>) -> Request<'_> {
        Request::new(self, Method::DELETE, path.into())
    }

    /// The host that requests go to, as in URLs; for a Unix socket its path.
    pub fn host(&self) -> String {
        self.config.host().authority()
    }

    /// The path that a `Location` means on this host; `None` where it leads elsewhere.
    pub fn local(&self, location: &str) -> Option<String> {
        self.config.local_path("/", location)
    }

    /// One request and its answer, whatever its status, noted in the calls of the run.
    async fn exchange(&mut self, parts: &request::Parts) -> Result<Reply, Fault> {
        #[cfg(test)]
        let _held = crate::testing::time::hold();
        let started = Instant::now();
        let limit = self.config.deadline.within(self.config.request);
        let shown = format!("{} {}", parts.method, self.config.shown(&parts.path));
        let result = match tokio::time::timeout(limit, self.transfer(parts, &shown)).await {
            Ok(result) => result,
            Err(_) => Err(Fault::TimedOut { call: shown.clone(), limit }),
        };
        if result.is_err() {
            // Whatever is left on it belongs to a request that is given up.
            self.connection = None;
        }
        self.config.calls.note(Call {
            method: parts.method.to_string(),
            // The host may have changed while connecting: another address of the list answered.
            url: self.config.shown(&parts.path),
            result: match &result {
                Ok(reply) => format!("{} {}", reply.status, reply.reason).trim_end().to_owned(),
                Err(fault) => fault.kind().to_owned(),
            },
            ms: started.elapsed().as_millis(),
            request_id: result.as_ref().ok().and_then(Reply::request_id),
        });
        result
    }

    async fn transfer(&mut self, parts: &request::Parts, shown: &str) -> Result<Reply, Fault> {
        let lost =
            |error: &dyn std::error::Error| Fault::Lost { call: shown.to_owned(), answer: words(error) };
        let fresh = self.connection.as_ref().is_none_or(|connection| connection.sender.is_closed());
        if fresh {
            self.connection = Some(self.connect(shown).await?);
        }
        let response = match self.send(parts).await {
            // A server may close an idle connection at any time; what was never sent can go over a new one.
            Err(error) if !fresh && error.is_canceled() => {
                self.connection = Some(self.connect(shown).await?);
                self.send(parts).await
            }
            other => other,
        };
        let response = response.map_err(|error| match error.is_parse() {
            true => Fault::malformed(shown, words(&error)),
            false => lost(&error),
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(|error| {
            match error.downcast_ref::<http_body_util::LengthLimitError>() {
                Some(_) => Fault::malformed(shown, format!("it is longer than {BODY_LIMIT} bytes")),
                None => lost(error.as_ref()),
            }
        })?;
        Ok(Reply::new(shown, &head, body.to_bytes()))
    }

    async fn send(
        &mut self,
        parts: &request::Parts,
    ) -> Result<hyper::Response<hyper::body::Incoming>, hyper::Error> {
        let connection = self.connection.as_mut().expect("transfer connects first");
        let target = match connection.whole_urls {
            true => self.config.whole(&parts.path),
            false => parts.path.clone(),
        };
        let mut request = hyper::Request::new(Full::new(parts.body.clone()));
        *request.method_mut() = parts.method.clone();
        // A path which is no URI is a mistake of the driver; "*" makes the server refuse it.
        *request.uri_mut() = target.parse().unwrap_or_else(|_| Uri::from_static("*"));
        let headers = request.headers_mut();
        let host = HeaderValue::from_str(&self.config.host().authority());
        headers.insert(HOST, host.unwrap_or(HeaderValue::from_static("localhost")));
        if let Ok(agent) = HeaderValue::from_str(&self.config.user_agent) {
            headers.insert(USER_AGENT, agent);
        }
        for (name, value) in self.headers.iter().filter(|_| parts.authenticated).chain(&parts.headers) {
            headers.insert(name, value.clone());
        }
        connection.sender.ready().await?;
        connection.sender.send_request(request).await
    }
}

/// Percent-encodes a value for a path segment or a query (RFC 3986: all but unreserved characters).
pub fn encode(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// An error with all its causes, without repeating any.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
