//! Syslog over the local datagram socket, which journald serves as well.

use std::os::unix::net::UnixDatagram;

use chrono::Local;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::line::{Severity, read};

/// Where every syslog daemon listens.
const SOCKET: &str = "/dev/log";

/// Longest text of a message, in characters; the original's.
const LIMIT: usize = 256;

/// A syslog facility.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Facility(u8);

impl Facility {
    /// The facility of that name (RFC 5424, table 1).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let names = [
            "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
            "ftp",
        ];
        let name = name.to_ascii_lowercase();
        let number = names.iter().position(|known| *known == name).and_then(|at| u8::try_from(at).ok());
        let local = || {
            name.strip_prefix("local")?
                .parse()
                .ok()
                .filter(|number| *number < 8)
                .map(|number: u8| 16 + number)
        };
        number.or_else(local).map(Self)
    }
}

/// Sends events to syslog. The socket never blocks: what does not fit at once is lost there, not in the detail log.
#[derive(Debug)]
pub(super) struct Syslog {
    socket: UnixDatagram,
    facility: Facility,
    threshold: Severity,
    program: &'static str,
}

impl Syslog {
    /// `None` where the machine has no socket for it.
    pub(super) fn open(facility: Facility, threshold: Severity, program: &'static str) -> Option<Self> {
        if !std::path::Path::new(SOCKET).exists() {
            return None;
        }
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(Self { socket, facility, threshold, program })
    }

    /// A message in the form of RFC 3164, which is what local daemons read.
    fn message(&self, severity: Severity, text: &str) -> String {
        let priority = u16::from(self.facility.0) * 8 + severity as u16;
        let time = Local::now().format("%b %e %H:%M:%S");
        let text: String = format!("{severity}: {text}").chars().take(LIMIT).collect();
        format!("<{priority}>{time} {}[{}]: {text}", self.program, std::process::id())
    }
}

impl<S: Subscriber> Layer<S> for Syslog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let (severity, text) = read(event);
        if severity <= self.threshold {
            // Reconnecting is implied: a datagram goes to whoever listens now. Nothing better can be done on failure.
            let _ = self.socket.send_to(self.message(severity, &text).as_bytes(), SOCKET);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facilities_have_their_standard_numbers() {
        for (name, number) in [("user", 1), ("daemon", 3), ("AUTHPRIV", 10), ("local0", 16), ("local7", 23)] {
            assert_eq!(Facility::from_name(name), Some(Facility(number)), "{name}");
        }
        for unknown in ["none", "local8", "localhost", ""] {
            assert_eq!(Facility::from_name(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_message_carries_priority_identity_and_at_most_256_characters() {
        let socket = UnixDatagram::unbound().unwrap();
        let facility = Facility::from_name("daemon").unwrap();
        let syslog = Syslog { socket, facility, threshold: Severity::Notice, program: "picket-agent" };
        let message = syslog.message(Severity::Warning, &"x".repeat(500));
        assert!(message.starts_with("<28>"), "{message}");
        let (head, text) = message.split_once(": ").unwrap();
        assert!(head.ends_with(&format!("picket-agent[{}]", std::process::id())), "{head}");
        assert!(text.starts_with("warning: xxx") && text.len() == 256, "{text}");
    }
}
