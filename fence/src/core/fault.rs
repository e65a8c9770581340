//! What can go wrong between us and a device.
//!
//! A variant exists where the power machine acts differently; every one says what was tried, on what and what came
//! back, and [`Fault::hint`] says what to do about it.

use std::time::Duration;

/// How the power machine treats a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// May pass by itself: look again, and repeat what is safe to repeat.
    Passing,
    /// The device says that the request does not fit its present state: look again.
    Conflict,
    /// The session may have expired: log in once more.
    Session,
    /// The object is not there.
    Missing,
    /// Will not change by trying again.
    Final,
}

/// A failed exchange with a device. `call` is method and URL without secrets, or the like; `answer` is what came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nobody listens there, or the name is unknown, or no route.
    #[error("{call}: cannot connect: {answer}")]
    Unreachable {
        /// What was tried.
        call: String,
        /// What came back.
        answer: String,
    },
    /// No answer in time.
    #[error("{call}: timed out after {} s", limit.as_secs_f32())]
    TimedOut {
        /// What was tried.
        call: String,
        /// How long we waited.
        limit: Duration,
    },
    /// The connection ended in the middle. Whether the device acted on the request is unknown.
    #[error("{call}: connection lost: {answer}")]
    Lost {
        /// What was tried.
        call: String,
        /// What came back.
        answer: String,
    },
    /// The device's certificate, or ours, was not accepted.
    #[error("{call}: TLS: {answer}")]
    Tls {
        /// What was tried.
        call: String,
        /// What came back.
        answer: String,
    },
    /// The login was refused, or the session expired.
    #[error("{call}: login refused: {answer}")]
    Denied {
        /// What was tried.
        call: String,
        /// What came back.
        answer: String,
    },
    /// The login is good, and may not do this.
    #[error("{call}: not permitted: {answer}")]
    Forbidden {
        /// What was tried.
        call: String,
        /// What came back.
        answer: String,
    },
    /// No such machine or path.
    #[error("{call}: not found: {answer}")]
    NotFound {
        /// What was tried.
        call: String,
        /// What came back.
        answer: String,
    },
    /// Several machines answer to the name.
    #[error("{call}: '{plug}' is not one machine but several: {}", candidates.join(", "))]
    Ambiguous {
        /// What was tried.
        call: String,
        /// The name.
        plug: String,
        /// What tells the machines apart.
        candidates: Vec<String>,
    },
    /// The request does not fit the state of the machine, for example "already off" or "locked".
    #[error("{call}: conflict: {answer}")]
    Conflict {
        /// What was tried.
        call: String,
        /// What came back.
        answer: String,
    },
    /// The device asks to come back later, or fails in a way that may pass (429 and 5xx).
    #[error("{call}: HTTP {status}: {answer}")]
    Server {
        /// What was tried.
        call: String,
        /// HTTP status.
        status: u16,
        /// What came back.
        answer: String,
    },
    /// The device understood and will not do it (other 4xx, 501, redirects that would change the request).
    #[error("{call}: HTTP {status}: {answer}")]
    Rejected {
        /// What was tried.
        call: String,
        /// HTTP status.
        status: u16,
        /// What came back.
        answer: String,
    },
    /// An answer that makes no sense: not JSON, a field missing, too long.
    #[error("{call}: cannot read the answer: {answer}")]
    Malformed {
        /// What was tried.
        call: String,
        /// What came back.
        answer: String,
    },
    /// The platform cannot do it, and `hint` says what would.
    #[error("{call}: {answer}")]
    Unsupported {
        /// What was wanted.
        call: String,
        /// Why it cannot be done.
        answer: String,
        /// What to do instead.
        hint: String,
    },
}

impl Fault {
    /// A fault for what the platform cannot do.
    pub fn unsupported(call: impl Into<String>, answer: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Unsupported { call: call.into(), answer: answer.into(), hint: hint.into() }
    }

    /// A fault for an answer that makes no sense.
    pub fn malformed(call: impl Into<String>, answer: impl Into<String>) -> Self {
        Self::Malformed { call: call.into(), answer: answer.into() }
    }

    /// A fault for a machine the platform does not know.
    pub fn not_found(call: impl Into<String>, answer: impl Into<String>) -> Self {
        Self::NotFound { call: call.into(), answer: answer.into() }
    }

    /// How the power machine treats it.
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Lost { .. }
            | Self::Server { .. }
            | Self::Malformed { .. } => Class::Passing,
            Self::Conflict { .. } => Class::Conflict,
            Self::Denied { .. } => Class::Session,
            Self::NotFound { .. } => Class::Missing,
            Self::Tls { .. }
            | Self::Forbidden { .. }
            | Self::Ambiguous { .. }
            | Self::Rejected { .. }
            | Self::Unsupported { .. } => Class::Final,
        }
    }

    /// Whether the device did not answer at all, so that its state of mind is unknown.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Lost { .. })
    }

    /// The HTTP status behind it, where there is one of its own.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Server { status, .. } | Self::Rejected { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The same, turned into a conflict: for drivers that know an answer to mean "look again".
    pub fn into_conflict(self) -> Self {
        match self {
            Self::Server { call, answer, .. }
            | Self::Rejected { call, answer, .. }
            | Self::Forbidden { call, answer }
            | Self::NotFound { call, answer } => Self::Conflict { call, answer },
            other => other,
        }
    }

    /// One word for machines (`--output json`).
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::TimedOut { .. } => "timed-out",
            Self::Lost { .. } => "connection-lost",
            Self::Tls { .. } => "tls",
            Self::Denied { .. } => "login-refused",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound { .. } => "not-found",
            Self::Ambiguous { .. } => "ambiguous",
            Self::Conflict { .. } => "conflict",
            Self::Server { .. } => "server-error",
            Self::Rejected { .. } => "rejected",
            Self::Malformed { .. } => "malformed",
            Self::Unsupported { .. } => "unsupported",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &str {
        match self {
            Self::Unreachable { .. } => {
                "check ip and ipport, and that this node's network reaches the device"
            }
            Self::TimedOut { .. } => {
                "check that the device is up; connect_timeout and request_timeout set the limits"
            }
            Self::Lost { .. } => "check the device's own log and anything between that cuts connections",
            Self::Tls { .. } => {
                "set ca_file to the authority that signed the certificate, or tls_pin to its fingerprint"
            }
            Self::Denied { .. } => "check username and password, and that the account is not locked",
            Self::Forbidden { .. } => {
                "give the account the right to switch this machine and to read its state"
            }
            Self::NotFound { .. } => "check plug with '-o list'; names must match exactly",
            Self::Ambiguous { .. } => "set plug to the id of the machine",
            Self::Conflict { .. } => "another task holds the machine; see the device's own task list",
            Self::Server { .. } => "the device has trouble of its own; see its log",
            Self::Rejected { .. } => {
                "the device does not take this request; check its version and the options"
            }
            Self::Malformed { .. } => {
                "check that ip, ipport and path lead to the API and not to a login page or proxy"
            }
            Self::Unsupported { hint, .. } => hint,
        }
    }
}
