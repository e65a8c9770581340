//! What systemd is told, where it started us: ready, alive, stopping. See `sd_notify(3)`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Variables that are between systemd and us alone; agents must not see them.
pub const VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];

/// Systemd's end of it, as the environment names it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Supervisor {
    socket: Option<OsString>,
    /// Without a sign of life for so long, systemd starts us again.
    pub watchdog: Option<Duration>,
}

impl Supervisor {
    /// Reads [`VARIABLES`]. A watchdog that is meant for another process is not ours to feed.
    #[must_use]
    pub fn read(env: &BTreeMap<OsString, OsString>) -> Self {
        let text = |name: &str| env.get(OsStr::new(name)).and_then(|value| value.to_str());
        let socket = env.get(OsStr::new("NOTIFY_SOCKET")).filter(|path| !path.is_empty()).cloned();
        let ours = text("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        let time = text("WATCHDOG_USEC").and_then(|time| time.parse().ok()).filter(|time| *time > 0);
        let watchdog = time.filter(|_| ours && socket.is_some()).map(Duration::from_micros);
        Self { socket, watchdog }
    }

    /// Start-up is finished.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The hub has just answered.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// SIGTERM has come; the cluster may take its time.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, state: &str) {
        let Some(name) = &self.socket else { return };
        if let Err(error) = send(name, state) {
            tracing::warn!("cannot tell systemd {state} through {}: {error}", name.display());
        }
    }
}

fn send(name: &OsStr, state: &str) -> io::Result<()> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    // A systemd that does not read must not stop us.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &[(&str, &str)]) -> Supervisor {
        Supervisor::read(&env.iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    #[test]
    fn systemd_is_told_through_the_socket_it_names() {
        let name = format!("picket-supervisor-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let systemd = UnixDatagram::bind_addr(&address).unwrap();
        let supervisor = read(&[("NOTIFY_SOCKET", &format!("@{name}"))]);
        let mut buffer = [0; 64];
        let mut heard = || {
            let length = systemd.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        supervisor.ready();
        assert_eq!(heard(), "READY=1");
        supervisor.alive();
        assert_eq!(heard(), "WATCHDOG=1");
        supervisor.stopping();
        assert_eq!(heard(), "STOPPING=1");
    }

    #[test]
    fn only_a_watchdog_that_is_ours_is_fed() {
        let socket = ("NOTIFY_SOCKET", "/run/systemd/notify");
        let ours = std::process::id().to_string();
        let half = Some(Duration::from_millis(500));
        assert_eq!(read(&[socket, ("WATCHDOG_USEC", "500000")]).watchdog, half);
        assert_eq!(read(&[socket, ("WATCHDOG_USEC", "500000"), ("WATCHDOG_PID", &ours)]).watchdog, half);
        for foreign in ["1", "", "soon"] {
            let env = [socket, ("WATCHDOG_USEC", "500000"), ("WATCHDOG_PID", foreign)];
            assert_eq!(read(&env).watchdog, None, "{foreign:?}");
        }
        assert_eq!(read(&[("WATCHDOG_USEC", "500000")]).watchdog, None);
        assert_eq!(read(&[socket, ("WATCHDOG_USEC", "0")]).watchdog, None);
    }

    #[test]
    fn without_systemd_nothing_is_told() {
        assert_eq!(read(&[]), Supervisor::default());
        read(&[]).ready();
    }
}
