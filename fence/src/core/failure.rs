//! Why a run failed, and what callers see of it: exit status, upstream's number and the sentence people grep for.

use super::driver::Power;
use super::fault::Fault;
use super::usage::Usage;

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The caller's mistake.
    #[error(transparent)]
    Usage(#[from] Usage),
    /// No password, and the agent needs one.
    #[error("neither password nor password_script is set, or it gave nothing")]
    NoPassword,
    /// A password script, or a file that should hold the password, was no good.
    #[error("password: {0}")]
    Password(String),
    /// The device, or the way to it.
    #[error("{plug}{}{fault}", if plug.is_empty() { "" } else { ": " })]
    Device {
        /// The machine it was about; empty where it was about none.
        plug: String,
        /// What happened.
        fault: Fault,
    },
    /// The state did not become what it should in time.
    #[error("{plug}: still {raw}{}{}", if cause.is_some() { "; " } else { "" }, cause.as_ref().map(ToString::to_string).unwrap_or_default())]
    NotReached {
        /// What it should have become.
        wanted: Power,
        /// The machine.
        plug: String,
        /// The state as last read, in the platform's words.
        raw: String,
        /// The last fault since the state was read.
        cause: Option<Box<Fault>>,
        /// What the driver advises.
        hint: Option<String>,
    },
    /// The state cannot be told.
    #[error("{plug}: state is {raw}")]
    NoState {
        /// The machine.
        plug: String,
        /// The state as last read, in the platform's words.
        raw: String,
        /// What the driver advises.
        hint: Option<String>,
    },
    /// The deadline of the run came before there was anything to tell.
    #[error("{doing} timed out: the deadline of the run passed")]
    Deadline {
        /// What was under way.
        doing: String,
    },
    /// A signal asked the run to end.
    #[error("ended by {0}; the power state is not confirmed")]
    Interrupted(&'static str),
    /// `diag` asked for by the fencer, which would take it as proof.
    #[error("a diagnostic interrupt proves nothing about power, so it cannot stand in for fencing")]
    DiagIsNoProof,
    /// Something of ours: no log file, no event loop.
    #[error("{0}")]
    Local(String),
}

/// One row of the table of failures: upstream's internal number, and the beginning of upstream's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Upstream's error number; the exit status is 1 for all of them (fence-contract, section 8).
    pub number: u8,
    /// The sentence people grep for.
    pub sentence: &'static str,
}

const GENERIC: Row = Row { number: 1, sentence: "Failed: Generic error" };
const USAGE: Row = Row { number: 2, sentence: "Failed: Bad arguments" };
const LOGIN: Row = Row { number: 3, sentence: "Unable to connect/login to fencing device" };
const LOST: Row = Row { number: 4, sentence: "Connection lost" };
const TIMED_OUT: Row = Row { number: 5, sentence: "Connection timed out" };
const NOT_ON: Row = Row { number: 6, sentence: "Failed: Timed out waiting to power ON" };
const NOT_OFF: Row = Row { number: 7, sentence: "Failed: Timed out waiting to power OFF" };
const STATUS: Row =
    Row { number: 8, sentence: "Failed: Unable to obtain correct plug status or plug is not available" };
const PASSWORD: Row = Row { number: 10, sentence: "Failed: You have to set login password" };
const PRIVILEGES: Row = Row {
    number: 11,
    sentence: "Failed: The user does not have the correct privileges to do the requested action.",
};
const UNKNOWN_VM: Row = Row {
    number: 12,
    sentence: "Failed: Can not find VM UUID by its VM name given in the <plug> parameter.",
};

impl Failure {
    /// About a machine.
    pub fn device(plug: impl Into<String>, fault: Fault) -> Self {
        Self::Device { plug: plug.into(), fault }
    }

    /// Its row of the table.
    pub fn row(&self) -> Row {
        match self {
            Self::Usage(_) => USAGE,
            Self::NoPassword | Self::Password(_) => PASSWORD,
            Self::Device { fault, .. } => match fault {
                Fault::Unreachable { .. } | Fault::Tls { .. } | Fault::Denied { .. } => LOGIN,
                Fault::Lost { .. } => LOST,
                Fault::TimedOut { .. } => TIMED_OUT,
                Fault::Forbidden { .. } => PRIVILEGES,
                Fault::NotFound { .. } | Fault::Ambiguous { .. } => UNKNOWN_VM,
                Fault::Malformed { .. } => STATUS,
                Fault::Conflict { .. }
                | Fault::Server { .. }
                | Fault::Rejected { .. }
                | Fault::Unsupported { .. } => GENERIC,
            },
            Self::NotReached { wanted: Power::On, .. } => NOT_ON,
            Self::NotReached { .. } => NOT_OFF,
            Self::NoState { .. } => STATUS,
            Self::Deadline { .. } => TIMED_OUT,
            Self::Interrupted(_) | Self::DiagIsNoProof | Self::Local(_) => GENERIC,
        }
    }

    /// One word for machines (`--output json`).
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::NoPassword => "no-password",
            Self::Password(_) => "password",
            Self::Device { fault, .. } => fault.kind(),
            Self::NotReached { wanted: Power::On, .. } => "not-on",
            Self::NotReached { .. } => "not-off",
            Self::NoState { .. } => "no-state",
            Self::Deadline { .. } => "deadline",
            Self::Interrupted(_) => "interrupted",
            Self::DiagIsNoProof => "no-proof",
            Self::Local(_) => "local",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Usage(_) => "use -h for the options".to_owned(),
            Self::NoPassword => "set password or password_script".to_owned(),
            Self::Password(_) => "run the script by hand; it has 10 s and must print the password".to_owned(),
            Self::Device { fault, .. } => fault.hint().to_owned(),
            Self::NotReached { hint, cause, .. } => {
                hint.clone().or_else(|| cause.as_ref().map(|fault| fault.hint().to_owned())).unwrap_or_else(
                    || "raise power_timeout if the platform is slow, else fence the machine's host".into(),
                )
            }
            Self::NoState { hint, .. } => {
                hint.clone().unwrap_or_else(|| "look at the machine in the platform's own tool".to_owned())
            }
            Self::Deadline { .. } => "raise deadline, or find out why the device is slow".to_owned(),
            Self::Interrupted(_) => "run it again".to_owned(),
            Self::DiagIsNoProof => "remove pcmk_off_action=diag or pcmk_reboot_action=diag".to_owned(),
            Self::Local(_) => "check this machine".to_owned(),
        }
    }
}

/// The exit statuses an agent may have (fence-contract, section 8). Never another, never death by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done and confirmed; for `status`: the machine is on.
    Success = 0,
    /// Not done, or not confirmed.
    Failure = 1,
    /// `status` only: the machine is proven to be off.
    Off = 2,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn device(fault: Fault) -> Failure {
        Failure::device("vm1", fault)
    }

    #[test]
    fn each_failure_has_upstreams_number_and_sentence() {
        let (call, answer) = (String::from("GET http://h/"), String::from("no"));
        let not = |wanted| Failure::NotReached {
            wanted,
            plug: "vm1".into(),
            raw: "x".into(),
            cause: None,
            hint: None,
        };
        let rows: Vec<(Failure, u8, &str)> = vec![
            (Failure::Usage(Usage::Nothing), 2, "Failed: Bad"),
            (Failure::NoPassword, 10, "Failed: You have to set login password"),
            (Failure::Password("empty".into()), 10, "Failed: You have to set"),
            (
                device(Fault::Unreachable { call: call.clone(), answer: answer.clone() }),
                3,
                "Unable to connect",
            ),
            (device(Fault::Tls { call: call.clone(), answer: answer.clone() }), 3, "Unable to connect"),
            (device(Fault::Denied { call: call.clone(), answer: answer.clone() }), 3, "Unable to connect"),
            (device(Fault::Lost { call: call.clone(), answer: answer.clone() }), 4, "Connection lost"),
            (
                device(Fault::TimedOut { call: call.clone(), limit: Duration::ZERO }),
                5,
                "Connection timed out",
            ),
            (
                device(Fault::Forbidden { call: call.clone(), answer: answer.clone() }),
                11,
                "Failed: The user does",
            ),
            (device(Fault::not_found("x", "y")), 12, "Failed: Can not find VM UUID"),
            (
                device(Fault::Ambiguous { call: call.clone(), plug: "v".into(), candidates: vec![] }),
                12,
                "Failed: Can not",
            ),
            (device(Fault::malformed("x", "y")), 8, "Failed: Unable to obtain correct plug status"),
            (device(Fault::Conflict { call: call.clone(), answer: answer.clone() }), 1, "Failed: Generic"),
            (
                device(Fault::Server { call: call.clone(), status: 500, answer: answer.clone() }),
                1,
                "Failed: Generic",
            ),
            (device(Fault::Rejected { call, status: 400, answer }), 1, "Failed: Generic"),
            (device(Fault::unsupported("a", "b", "c")), 1, "Failed: Generic"),
            (not(Power::On), 6, "Failed: Timed out waiting to power ON"),
            (not(Power::Off), 7, "Failed: Timed out waiting to power OFF"),
            (
                Failure::NoState { plug: "v".into(), raw: "?".into(), hint: None },
                8,
                "Failed: Unable to obtain",
            ),
            (Failure::Deadline { doing: "list".into() }, 5, "Connection timed out"),
            (Failure::Interrupted("SIGTERM"), 1, "Failed: Generic"),
            (Failure::DiagIsNoProof, 1, "Failed: Generic"),
            (Failure::Local("x".into()), 1, "Failed: Generic"),
        ];
        for (failure, number, sentence) in rows {
            assert_eq!(failure.row().number, number, "{failure:?}");
            assert!(failure.row().sentence.starts_with(sentence), "{failure:?}");
            assert!(!failure.hint().is_empty(), "{failure:?}");
        }
    }

    #[test]
    fn only_real_timeouts_say_timed_out() {
        // The fencer takes the words as ETIME, which it does not try again (fence-contract, section 3).
        let refused = device(Fault::Unreachable { call: "GET http://h/".into(), answer: "refused".into() });
        assert!(!format!("{refused} {}", refused.row().sentence).to_lowercase().contains("timed out"));
        assert!(!refused.hint().to_lowercase().contains("timeout"));
    }
}
