//! What vCenter sends, as far as fencing reads it (vSphere Automation API): since 7.0 U2 under `/api`, where an answer
//! is the value itself, and before that under `/rest`, where it is wrapped in `value`.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::core::driver::Reading;
use crate::core::fault::Fault;
use crate::http::{Reply, encode};

/// Which of the two forms is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Api,
    Rest,
}

impl Form {
    /// Path of the session, below the path of the API.
    pub(super) fn session(self) -> &'static str {
        match self {
            Self::Api => "/session",
            Self::Rest => "/com/vmware/cis/session",
        }
    }

    /// A query parameter that narrows a list.
    pub(super) fn filter(self, name: &str, value: &str) -> String {
        let prefix = if self == Self::Api { "" } else { "filter." };
        format!("{prefix}{name}={}", encode(value))
    }

    /// The administrator's own filter, which is written for `/rest`: `filter.names.1=a&filter.folders=group-v1`.
    pub(super) fn raw_filter(self, filter: &str) -> String {
        if self == Self::Rest {
            return filter.to_owned();
        }
        let parts = filter.split('&').map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = name.strip_prefix("filter.").unwrap_or(name);
            // Values are counted there and simply repeated here.
            let name = match name.rsplit_once('.') {
                Some((name, count)) if count.bytes().all(|byte| byte.is_ascii_digit()) => name,
                _ => name,
            };
            format!("{name}={value}")
        });
        parts.collect::<Vec<_>>().join("&")
    }

    /// Path and query of a power operation, below the machine.
    pub(super) fn power(self, operation: &str) -> String {
        match self {
            Self::Api => format!("power?action={operation}"),
            Self::Rest => format!("power/{operation}"),
        }
    }

    /// An answer without its wrapping.
    pub(super) fn value<T: DeserializeOwned>(self, reply: &Reply) -> Result<T, Fault> {
        #[derive(Deserialize)]
        struct Wrapped<T> {
            value: T,
        }
        match self {
            Self::Api => reply.json(),
            Self::Rest => reply.json::<Wrapped<T>>().map(|wrapped| wrapped.value),
        }
    }
}

/// An element of `GET vcenter/vm`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Summary {
    pub(super) vm: String,
    pub(super) name: String,
    pub(super) power_state: String,
}

/// `GET vcenter/vm/VM`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Info {
    pub(super) name: String,
    pub(super) power_state: String,
}

/// What a power state proves. A suspended machine goes on with its old memory when it is started.
pub(super) fn by_state(state: &str) -> Reading {
    match state {
        "POWERED_OFF" => Reading::off(state),
        "POWERED_ON" | "SUSPENDED" => Reading::on(state),
        _ => Reading::unknown(state),
    }
}

/// The kind of an error, for example `ALREADY_IN_DESIRED_STATE`; empty where the answer names none.
pub(super) fn error_type(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    // Before `/api` the kind is the last word of a type name in lower case.
    let word = body["error_type"].as_str().or_else(|| body["type"].as_str()).unwrap_or_default();
    word.rsplit('.').next().unwrap_or_default().to_uppercase()
}

/// vCenter's own words.
pub(super) fn explain(reply: &Reply) -> Option<String> {
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    let messages = body["messages"].as_array().or_else(|| body["value"]["messages"].as_array());
    let texts = messages.into_iter().flatten().filter_map(|message| message["default_message"].as_str());
    let text = texts.collect::<Vec<_>>().join(" ");
    let kind = error_type(&reply.body);
    match (kind.is_empty(), text.is_empty()) {
        (true, true) => None,
        (false, true) => Some(kind),
        (true, false) => Some(text),
        (false, false) => Some(format!("{kind}: {text}")),
    }
}
