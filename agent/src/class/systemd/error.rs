//! Why systemd did not do what it was asked.

use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};
use thiserror::Error;
use zbus::DBusError as _;

/// A request that came to nothing.
#[derive(Clone, Debug, Error)]
pub(super) enum ManagerError {
    /// The manager is not on the bus, or left it before it answered. Passes.
    #[error("systemd does not answer: {0}")]
    Away(String),
    /// There is no bus to ask on.
    #[error("no connection to the system bus: {0}")]
    NoBus(String),
    /// It answered that it will not.
    #[error("{name}: {message}")]
    Refused {
        /// D-Bus error name.
        name: String,
        /// In words.
        message: String,
    },
}

/// Error names by which systemd says that there is no such unit.
const NO_UNIT: [&str; 3] = [
    "org.freedesktop.systemd1.InvalidName",
    "org.freedesktop.systemd1.LoadFailed",
    "org.freedesktop.systemd1.NoSuchUnit",
];

/// What the bus says for a manager that is not there (any more), without the common prefix.
const AWAY: [&str; 7] =
    ["Disconnected", "NameHasNoOwner", "NoReply", "NoServer", "ServiceUnknown", "TimedOut", "Timeout"];

impl ManagerError {
    /// The result of an operation that failed for this.
    pub(super) fn outcome(&self, action: &str, agent: &str) -> Outcome {
        match self {
            Self::Refused { name, .. } if NO_UNIT.contains(&name.as_str()) && action == "stop" => {
                Outcome::new(OcfRc::Ok, ExecStatus::Done)
            }
            Self::Refused { name, .. } if NO_UNIT.contains(&name.as_str()) => {
                Outcome::new(OcfRc::NotInstalled, ExecStatus::NotInstalled)
                    .because(format!("systemd unit {agent} not found"))
            }
            Self::NoBus(_) => Outcome::new(OcfRc::Error, ExecStatus::Error).because("No DBus connection"),
            Self::Away(_) | Self::Refused { .. } => Outcome::new(OcfRc::Error, ExecStatus::Error)
                .because(format!("cannot {action} {agent}: {self}")),
        }
    }
}

impl From<zbus::Error> for ManagerError {
    fn from(error: zbus::Error) -> Self {
        let (name, message) = match &error {
            zbus::Error::MethodError(name, message, _) => (name.to_string(), message.clone()),
            zbus::Error::FDO(error) => match error.as_ref() {
                zbus::fdo::Error::ZBus(inner) => return inner.clone().into(),
                error => (error.name().to_string(), error.description().map(str::to_owned)),
            },
            // The connection broke.
            zbus::Error::InputOutput(_) => return Self::Away(error.to_string()),
            _ => ("unusable answer".to_owned(), Some(error.to_string())),
        };
        let message = message.unwrap_or_default();
        let passes = name
            .strip_prefix("org.freedesktop.DBus.Error.")
            .is_some_and(|name| AWAY.contains(&name) || name.starts_with("Spawn."));
        if passes { Self::Away(message) } else { Self::Refused { name, message } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str) -> ManagerError {
        ManagerError::Refused { name: format!("org.freedesktop.systemd1.{name}"), message: "no".to_owned() }
    }

    fn row(error: &ManagerError, action: &str) -> (u8, i8, String) {
        let outcome = error.outcome(action, "x.service");
        (outcome.rc.number(), outcome.status.number(), outcome.exit_reason.unwrap_or_default())
    }

    #[test]
    fn a_missing_unit_is_not_installed_and_stopped() {
        for name in ["NoSuchUnit", "LoadFailed", "InvalidName"] {
            let reason = "systemd unit x.service not found".to_owned();
            assert_eq!(row(&refused(name), "start"), (5, 7, reason.clone()));
            assert_eq!(row(&refused(name), "monitor"), (5, 7, reason));
            assert_eq!(row(&refused(name), "stop"), (0, 0, String::new()));
        }
    }

    #[test]
    fn everything_else_is_an_error_and_never_not_running() {
        let reason = "No DBus connection".to_owned();
        assert_eq!(row(&ManagerError::NoBus("x".to_owned()), "monitor"), (1, 4, reason));
        for error in [refused("UnitMasked"), ManagerError::Away("left".to_owned())] {
            for action in ["start", "stop", "monitor"] {
                let (rc, status, reason) = row(&error, action);
                assert_eq!((rc, status), (1, 4));
                assert!(reason.starts_with(&format!("cannot {action} x.service: ")), "{reason}");
            }
        }
    }

    #[test]
    fn a_manager_that_left_the_bus_is_told_from_one_that_refuses() {
        let said = |error: zbus::fdo::Error| ManagerError::from(zbus::Error::FDO(Box::new(error)));
        let text = String::new;
        for away in [
            zbus::fdo::Error::NoReply(text()),
            zbus::fdo::Error::ServiceUnknown(text()),
            zbus::fdo::Error::NameHasNoOwner(text()),
            zbus::fdo::Error::SpawnChildExited(text()),
        ] {
            assert!(matches!(said(away), ManagerError::Away(_)));
        }
        for refused in [zbus::fdo::Error::AccessDenied(text()), zbus::fdo::Error::UnknownMethod(text())] {
            assert!(matches!(said(refused), ManagerError::Refused { .. }));
        }
    }
}
