//! How an operation ended: the OCF return code and the execution status beside it.

use std::fmt;

/// `lrmd_exec_rc`: what the agent said, as an OCF return code.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum OcfRc {
    /// 0: the action succeeded; for a monitor, the resource runs.
    #[default]
    Ok = 0,
    /// 1: generic or unspecified error.
    Error = 1,
    /// 2: a parameter is invalid on this node.
    InvalidParameter = 2,
    /// 3: the agent does not implement the action.
    Unimplemented = 3,
    /// 4: the agent or something it needs may not be used.
    InsufficientPrivileges = 4,
    /// 5: the agent or a program it needs is not installed.
    NotInstalled = 5,
    /// 6: the configuration is invalid everywhere.
    NotConfigured = 6,
    /// 7: cleanly stopped.
    NotRunning = 7,
    /// 8: running in the promoted role.
    RunningPromoted = 8,
    /// 9: failed in the promoted role.
    FailedPromoted = 9,
    /// 190: active, and more likely to fail soon.
    Degraded = 190,
    /// 191: promoted, and more likely to fail soon.
    DegradedPromoted = 191,
    /// 193: not known (yet).
    Unknown = 193,
}

impl OcfRc {
    const ALL: [Self; 13] = [
        Self::Ok,
        Self::Error,
        Self::InvalidParameter,
        Self::Unimplemented,
        Self::InsufficientPrivileges,
        Self::NotInstalled,
        Self::NotConfigured,
        Self::NotRunning,
        Self::RunningPromoted,
        Self::FailedPromoted,
        Self::Degraded,
        Self::DegradedPromoted,
        Self::Unknown,
    ];

    /// The code of that number, as found on the wire.
    #[must_use]
    pub fn from_wire(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|rc| i64::from(rc.number()) == number)
    }

    /// The code for an OCF agent's exit status: 0 to 9, 190 and 191 as they are, anything else is an error.
    #[must_use]
    pub fn from_ocf_exit(code: i32) -> Self {
        Self::from_wire(code.into()).filter(|rc| *rc != Self::Unknown).unwrap_or(Self::Error)
    }

    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for OcfRc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::InvalidParameter => "invalid parameter",
            Self::Unimplemented => "unimplemented",
            Self::InsufficientPrivileges => "insufficient privileges",
            Self::NotInstalled => "not installed",
            Self::NotConfigured => "not configured",
            Self::NotRunning => "not running",
            Self::RunningPromoted => "promoted",
            Self::FailedPromoted => "promoted (failed)",
            Self::Degraded => "degraded",
            Self::DegradedPromoted => "promoted (degraded)",
            Self::Unknown => "unknown",
        })
    }
}

/// `lrmd_exec_op_status`: whether and how the operation was executed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(i8)]
pub enum ExecStatus {
    /// -2: nothing is known.
    Unknown = -2,
    /// -1: still going on (systemd units between states).
    Pending = -1,
    /// 0: the agent ran and its return code counts.
    #[default]
    Done = 0,
    /// 1: cancelled before it ran, or taken off its schedule.
    Cancelled = 1,
    /// 2: killed at its timeout.
    TimedOut = 2,
    /// 3: the class has no such action.
    NotSupported = 3,
    /// 4: could not be executed, may work elsewhere or later.
    Error = 4,
    /// 5: will not work on this node.
    HardError = 5,
    /// 6: will not work on any node.
    FatalError = 6,
    /// 7: the agent is not installed.
    NotInstalled = 7,
    /// 8: no connection to the executor; only controllers use it.
    NotConnected = 8,
    /// 9: cannot be executed now.
    Invalid = 9,
    /// 10: no fence device.
    NoFenceDevice = 10,
    /// 11: a parameter's secret cannot be read.
    NoSecrets = 11,
}

impl ExecStatus {
    const ALL: [Self; 14] = [
        Self::Unknown,
        Self::Pending,
        Self::Done,
        Self::Cancelled,
        Self::TimedOut,
        Self::NotSupported,
        Self::Error,
        Self::HardError,
        Self::FatalError,
        Self::NotInstalled,
        Self::NotConnected,
        Self::Invalid,
        Self::NoFenceDevice,
        Self::NoSecrets,
    ];

    /// The status of that number.
    #[must_use]
    pub fn from_wire(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|status| i64::from(status.number()) == number)
    }

    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> i8 {
        self as i8
    }
}

impl fmt::Display for ExecStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed out",
            Self::NotSupported => "not supported",
            Self::Error => "error",
            Self::HardError => "hard error",
            Self::FatalError => "fatal error",
            Self::NotInstalled => "not installed",
            Self::NotConnected => "not connected",
            Self::Invalid => "invalid",
            Self::NoFenceDevice => "no fence device",
            Self::NoSecrets => "no secrets",
        })
    }
}

/// The complete result of one execution.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// Return code.
    pub rc: OcfRc,
    /// Execution status.
    pub status: ExecStatus,
    /// Why, in words, where the agent or the executor gave a reason.
    pub exit_reason: Option<String>,
    /// What the agent wrote: stderr if there is any, else stdout.
    pub output: Option<String>,
}

impl Outcome {
    /// A result without reason and output.
    #[must_use]
    pub fn new(rc: OcfRc, status: ExecStatus) -> Self {
        Self { rc, status, ..Self::default() }
    }

    /// Adds the reason.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.exit_reason = Some(reason.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{ExecStatus, OcfRc};

    #[test]
    fn agent_exit_codes_map_as_in_the_original() {
        for code in (0..=9).chain([190, 191]) {
            assert_eq!(i32::from(OcfRc::from_ocf_exit(code).number()), code);
        }
        for code in [10, 77, 150, 193, 255, -1] {
            assert_eq!(OcfRc::from_ocf_exit(code), OcfRc::Error, "{code}");
        }
    }

    #[test]
    fn wire_numbers_round_trip() {
        for rc in OcfRc::ALL {
            assert_eq!(OcfRc::from_wire(rc.number().into()), Some(rc));
        }
        for (number, status) in (-2_i64..).zip(ExecStatus::ALL) {
            assert_eq!(i64::from(status.number()), number);
            assert_eq!(ExecStatus::from_wire(number), Some(status));
        }
    }
}
