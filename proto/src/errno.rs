//! The negative errno values that travel as `lrmd_rc`.

use std::fmt;

/// Return code of a request: 0, a positive call id, or a negated Linux errno.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Rc(pub i64);

impl Rc {
    /// Success.
    pub const OK: Self = Self(0);
    /// EACCES: not for this client.
    pub const ACCESS: Self = Self(-13);
    /// ENODEV: the resource is not registered.
    pub const NO_RESOURCE: Self = Self(-19);
    /// EINVAL: something the operation needs is missing.
    pub const INVALID: Self = Self(-22);
    /// EPROTO: the peer's protocol version or document cannot be used.
    pub const PROTOCOL: Self = Self(-71);
    /// EOPNOTSUPP: unknown request, or no such operation to cancel.
    pub const NOT_SUPPORTED: Self = Self(-95);
    /// EINPROGRESS: unregistered while an operation runs.
    pub const IN_PROGRESS: Self = Self(-115);

    /// Whether the request was accepted.
    #[must_use]
    pub fn is_ok(self) -> bool {
        self.0 >= 0
    }

    /// What the code means, for people.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match -self.0 {
            i64::MIN..=0 => "accepted",
            13 => "permission denied",
            19 => "no such resource",
            22 => "something required is missing",
            71 => "protocol error",
            95 => "not supported, or no such operation",
            107 => "not connected",
            115 => "an operation is still running",
            _ => "error",
        }
    }
}

impl fmt::Display for Rc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_ok() { write!(f, "{}", self.0) } else { write!(f, "{} ({})", self.0, self.meaning()) }
    }
}
