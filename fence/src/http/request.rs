//! One request: built by a driver, repeated and redirected only where that cannot change what it does.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, Reply, encode};
use crate::core::fault::Fault;

/// Pauses before the second and the third attempt (fence-drivers, 2.2).
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];
/// A device that wants us to come back later than this is as good as gone for fencing.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// How many redirects are followed.
const REDIRECTS: u32 = 3;

/// What goes over the wire.
pub(super) struct Parts {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
    pub(super) authenticated: bool,
}

/// A request under construction. [`Request::send`] checks the status, [`Request::any`] leaves that to the driver.
pub struct Request<'c> {
    client: &'c mut Client,
    parts: Parts,
    repeatable: bool,
}

impl<'c> Request<'c> {
    pub(super) fn new(client: &'c mut Client, method: Method, path: String) -> Self {
        let repeatable = method == Method::GET;
        let parts = Parts { method, path, headers: Vec::new(), body: Bytes::new(), authenticated: true };
        Self { client, parts, repeatable }
    }

    /// Doing it twice is the same as doing it once, so it may be sent again after trouble: a hard power-off.
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Without the client's own headers: for a login with other credentials.
    pub fn anonymous(mut self) -> Self {
        self.parts.authenticated = false;
        self
    }

    /// A header for this request alone.
    ///
    /// # Panics
    /// `name` is not a header name; it is a constant of the driver.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.parts.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    /// A body with its type.
    pub fn body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.parts.headers.push((CONTENT_TYPE, HeaderValue::from_static(content_type)));
        self.parts.body = body.into();
        self
    }

    /// A JSON body.
    ///
    /// # Panics
    /// `value` has a map with keys that are not text; drivers send structs.
    pub fn json_body(self, value: &impl Serialize) -> Self {
        self.body("application/json", serde_json::to_vec(value).expect("drivers send structs and strings"))
    }

    /// A form.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        self.body("application/x-www-form-urlencoded", fields.join("&"))
    }

    /// Sends it and reads the answer.
    ///
    /// # Errors
    /// Everything but a status of 200 to 299, as the kind of fault it is.
    pub async fn send(self) -> Result<Reply, Fault> {
        let explain = self.client.explain;
        let reply = self.any().await?;
        if reply.is_success() { Ok(reply) } else { Err(reply.fault(explain)) }
    }

    /// Sends it and reads the answer as JSON.
    ///
    /// # Errors
    /// As [`Request::send`], and what is not the JSON that `T` needs.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Fault> {
        self.send().await?.json()
    }

    /// Sends it and gives the answer whatever its status, after redirects and repetitions.
    ///
    /// # Errors
    /// There is no complete answer.
    pub async fn any(mut self) -> Result<Reply, Fault> {
        let mut redirects = 0;
        let mut pauses = PAUSES.iter();
        loop {
            let result = self.client.exchange(&self.parts).await;
            let pause = match &result {
                Ok(reply) => {
                    if let Some(path) = self.redirect(reply).filter(|_| redirects < REDIRECTS) {
                        self.parts.path = path;
                        redirects += 1;
                        continue;
                    }
                    // 429 says that nothing was done; after other trouble only the driver knows.
                    let again = match reply.status {
                        429 => true,
                        501 | 505 => false,
                        500.. => self.repeatable,
                        _ => false,
                    };
                    pauses.next().filter(|_| again).map(|pause| asked(reply).unwrap_or(*pause))
                }
                // Silence has used up its time already, and the power machine decides about more of it.
                Err(Fault::Unreachable { .. } | Fault::Lost { .. }) if self.repeatable => {
                    pauses.next().copied()
                }
                Err(_) => None,
            };
            match pause {
                Some(pause) if pause < self.client.config.deadline.left() => tokio::time::sleep(pause).await,
                _ => return result,
            }
        }
    }

    /// Where to send the same request instead. Only to the same host, since the credentials are for that one; and a
    /// request that does something is never turned into one that does not: 301, 302 and 303 would make it a GET.
    fn redirect(&self, reply: &Reply) -> Option<String> {
        let follows = match reply.status {
            301..=303 => self.parts.method == Method::GET,
            307 | 308 => true,
            _ => false,
        };
        reply
            .header("location")
            .filter(|_| follows)
            .and_then(|to| self.client.config.local_path(&self.parts.path, to))
    }
}

/// What the device asks for, if it is not too long.
fn asked(reply: &Reply) -> Option<Duration> {
    let seconds = reply.header("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER))
}
