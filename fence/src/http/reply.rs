//! An answer, and what its status means.

use bytes::Bytes;
use hyper::ext::ReasonPhrase;
use hyper::header::HeaderMap;
use serde::de::DeserializeOwned;

use super::Explain;
use crate::core::fault::Fault;
use crate::core::output::plain;

/// Of a body in an error message.
const QUOTE: usize = 200;

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Method and URL, for messages.
    pub call: String,
    /// HTTP status.
    pub status: u16,
    /// The text after the status; some platforms put their message there.
    pub reason: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, complete.
    pub body: Bytes,
}

impl Reply {
    pub(super) fn new(call: &str, head: &hyper::http::response::Parts, body: Bytes) -> Self {
        let reason = head.extensions.get::<ReasonPhrase>();
        let reason = reason.map(|reason| String::from_utf8_lossy(reason.as_bytes()).into_owned());
        let standard = || head.status.canonical_reason().unwrap_or_default().to_owned();
        Self {
            call: call.to_owned(),
            status: head.status.as_u16(),
            reason: reason.filter(|reason| !reason.is_empty()).unwrap_or_else(standard),
            headers: head.headers.clone(),
            body,
        }
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`Fault::Malformed`]: it is not JSON, or lacks a field which `T` needs. Depth is limited to 128.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let answer =
                if self.is_html() { "an HTML page instead of JSON".to_owned() } else { error.to_string() };
            Fault::malformed(&self.call, answer)
        })
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`Fault::Malformed`]: it is not UTF-8.
    pub fn text(&self) -> Result<&str, Fault> {
        std::str::from_utf8(&self.body).map_err(|error| Fault::malformed(&self.call, error.to_string()))
    }

    /// Whether the status says success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What an unsuccessful status means to the power machine.
    pub fn fault(&self, explain: Explain) -> Fault {
        let (call, status) = (self.call.clone(), self.status);
        let answer = explain(self).map_or_else(|| self.quote(), |text| plain(&text));
        match status {
            401 => Fault::Denied { call, answer },
            403 => Fault::Forbidden { call, answer },
            404 | 410 => Fault::NotFound { call, answer },
            409 | 423 => Fault::Conflict { call, answer },
            300..=399 => {
                let to = self.header("location").unwrap_or("nowhere");
                Fault::Rejected { call, status, answer: format!("redirects to {to}, which is not followed") }
            }
            // A device that lacks the function, or the version, will lack it next time too.
            501 | 505 => Fault::Rejected { call, status, answer },
            408 | 425 | 429 | 500.. => Fault::Server { call, status, answer },
            _ => Fault::Rejected { call, status, answer },
        }
    }

    pub(super) fn request_id(&self) -> Option<String> {
        const NAMES: [&str; 4] =
            ["x-request-id", "x-openstack-request-id", "x-amzn-requestid", "x-ms-request-id"];
        NAMES.iter().find_map(|name| self.header(name)).map(plain)
    }

    fn is_html(&self) -> bool {
        let start = String::from_utf8_lossy(&self.body[..self.body.len().min(QUOTE)]).to_lowercase();
        start.trim_start().starts_with("<!doctype html") || start.trim_start().starts_with("<html")
    }

    /// The beginning of the body where it is meant to be read, else the reason.
    fn quote(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim();
        if text.is_empty() || self.is_html() {
            return self.reason.clone();
        }
        format!("{}: {}", self.reason, plain(&text.chars().take(QUOTE).collect::<String>()))
    }
}
