//! Everything that can go wrong, in words for an administrator, with its exit code.

use std::io;
use std::process::ExitCode;

use picket_agent::controller::{ControllerError, DialError};
use picket_agent::key::KeyError;
use picket_agent::wire::tls::TlsError;
use picket_agent::wire::x509::X509Error;
use picket_proto::errno::Rc;
use thiserror::Error;

/// For `--help`. [`Failure::code`] assigns the numbers.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0         done; with 'run': the operation's OCF return code 0 (ok)
  1..9, 190, 191, 193
            with 'run': the operation's OCF return code
  100       the command line makes no sense
  101       no usable key or certificate
  102       no connection: refused, no answer, unknown host
  103       the agent has a different key, or one side does not accept the other's certificate
  104       what listens there is no agent
  105       the connection was lost, or the agent answered nonsense
  106       refused by picketctl: it would take the node away from a cluster
  107       refused by the agent
  108       no result in time
  109       interrupted
  110       this machine would not do something: output, signals";

/// Why a command did not do what it was asked.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Files that cannot be used.
    #[error("{cause}")]
    Certificate {
        /// Which, and why.
        cause: X509Error,
    },
    /// The agent is in use, or may be.
    #[error("{0}")]
    InUse(String),
    /// No key.
    #[error(
        "{cause}\n\
         Give the key that the cluster's nodes have in /etc/pacemaker/authkey: --key FILE\n\
         A good one: dd if=/dev/urandom of=/etc/pacemaker/authkey bs=4096 count=1 (the same on every node)"
    )]
    Key {
        /// Which file, and what is wrong with it.
        cause: KeyError,
    },
    /// Ctrl-C.
    #[error("interrupted; {0}")]
    Interrupted(String),
    /// The conversation broke off.
    #[error("talking to the agent at {target}: {cause}")]
    Lost {
        /// Host and port.
        target: String,
        /// What happened.
        cause: ControllerError,
    },
    /// Nobody there.
    #[error("{cause}\n{advice}")]
    NoConnection {
        /// What happened.
        cause: DialError,
        /// What to look at.
        advice: &'static str,
    },
    /// The result did not come.
    #[error("{what}: no result from {target} within {seconds} s; the operation may still be running there")]
    NoResult {
        /// The operation.
        what: String,
        /// Host and port.
        target: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Something else listens there.
    #[error("{target} answers, and is no Pacemaker Remote agent that works with what we have: {cause}")]
    NotAnAgent {
        /// Host and port.
        target: String,
        /// What it said.
        cause: TlsError,
    },
    /// The agent says no.
    #[error("{target} refused {what}: {rc}")]
    Refused {
        /// Host and port.
        target: String,
        /// The request.
        what: String,
        /// Its answer.
        rc: Rc,
    },
    /// This machine.
    #[error("{0}")]
    System(#[from] io::Error),
    /// One side does not accept the other's certificate.
    #[error("{target}: {cause}")]
    WrongCertificate {
        /// Host and port.
        target: String,
        /// Whose, and why.
        cause: String,
    },
    /// Our key is not the agent's.
    #[error(
        "{target} refused the handshake: its key is not the one in {key}\n\
         The file must have the same bytes on both sides; compare 'sha256sum' of {key} here and of \
         /etc/pacemaker/authkey there. (An agent that works with certificates refuses in the same way.)"
    )]
    WrongKey {
        /// Host and port.
        target: String,
        /// The file.
        key: String,
    },
}

impl Failure {
    /// The exit code of a command line that cannot be understood.
    pub(crate) const USAGE: u8 = 100;

    /// What the operation's OCF return code cannot be.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Key { .. } | Self::Certificate { .. } => 101,
            Self::NoConnection { .. } => 102,
            Self::WrongKey { .. } | Self::WrongCertificate { .. } => 103,
            Self::NotAnAgent { .. } => 104,
            Self::Lost { .. } => 105,
            Self::InUse(_) => 106,
            Self::Refused { .. } => 107,
            Self::NoResult { .. } => 108,
            Self::Interrupted(_) => 109,
            Self::System(_) => 110,
        }
    }

    pub(crate) fn connection(cause: DialError) -> Self {
        let advice = match &cause {
            DialError::Refused { .. } => {
                "Nothing listens there: is the agent running (systemctl status picket-agent pacemaker_remote), \
                 and on that port (PCMK_remote_port)?"
            }
            DialError::UnknownHost { .. } => "Check the name, or give an address.",
            _ => "Is the host up, and does every firewall on the way let TCP to that port through?",
        };
        Self::NoConnection { cause, advice }
    }

    /// `key` is the path of the key or certificate, never its content.
    pub(crate) fn handshake(target: String, key: String, cause: TlsError) -> Self {
        match cause {
            TlsError::WrongKey => Self::WrongKey { target, key },
            TlsError::Certificate(cause) => Self::WrongCertificate { target, cause },
            cause => Self::NotAnAgent { target, cause },
        }
    }
}

impl From<&Failure> for ExitCode {
    fn from(failure: &Failure) -> Self {
        Self::from(failure.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_documented_and_no_ocf_code() {
        let io = || io::Error::other("x");
        let failures = [
            Failure::Key { cause: KeyError::NoneUsable(Vec::new()) },
            Failure::connection(DialError::UnknownHost { host: "h".into(), cause: io() }),
            Failure::WrongKey { target: "h".into(), key: "k".into() },
            Failure::handshake("h".into(), "k".into(), TlsError::Closed),
            Failure::Lost { target: "h".into(), cause: ControllerError::Closed },
            Failure::InUse("x".into()),
            Failure::Refused { target: "h".into(), what: "w".into(), rc: Rc::INVALID },
            Failure::NoResult { what: "w".into(), target: "h".into(), seconds: 1 },
            Failure::Interrupted("x".into()),
            Failure::System(io()),
        ];
        let codes: Vec<u8> = failures.iter().map(Failure::code).collect();
        assert_eq!(codes, (101..=110).collect::<Vec<u8>>());
        for code in [Failure::USAGE].into_iter().chain(codes) {
            assert!(EXIT_CODES.contains(&format!("\n  {code} ")), "{code}");
        }
    }
}
