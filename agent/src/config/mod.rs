//! Settings: the environment and the command line, read once into checked values.
//!
//! Names and defaults are the original's. A value that cannot be used is reported with its name, and the default
//! takes its place, as the original does for the port: an agent that refuses to start over a typo costs a node.

mod fault;
mod reference;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

pub use fault::{Fault, without_effect};
use picket_proto::ipc::{self, setup::Transport};
pub use reference::{SETTINGS, Setting};

use crate::logging::{Facility, Severity};
use crate::schemas::Folders;
use crate::supervisor::{self, Supervisor};
use crate::wire::socket::Liveness;
use crate::wire::x509;

/// Checked settings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// `PCMK_remote_address`: listen on this address or name only.
    pub address: Option<String>,
    /// `-p`, `PCMK_remote_port`.
    pub port: u16,
    /// `PCMK_authkey_location`.
    pub key: Option<PathBuf>,
    /// `PCMK_ca_file`, `PCMK_cert_file`, `PCMK_key_file`, `PCMK_crl_file`: certificates in place of the key.
    pub x509: Option<x509::Files>,
    /// `PICKET_key_grace`: how long a key that was replaced stays valid. Five minutes by default.
    pub key_grace: Duration,
    /// `PCMK_node_start_state`: told to the cluster in the hello.
    pub node_start_state: Option<String>,
    /// `SBD_WATCHDOG_TIMEOUT`.
    pub sbd_timeout: Duration,
    /// `NOTIFY_SOCKET`, `WATCHDOG_USEC`: systemd, where it started us.
    pub supervisor: Supervisor,
    /// Dead-peer detection.
    pub liveness: Liveness,
    /// `PCMK_ipc_buffer`: bytes of a local client's buffer, where it does not ask for more. From 12336 bytes to 20 MiB.
    pub ipc_buffer: u32,
    /// `PCMK_ipc_type`: how local clients' messages travel.
    pub ipc_transport: Transport,
    /// `PCMK_schema_directory`, `PCMK_remote_schema_directory`.
    pub schemas: Folders,
    /// Where to log.
    pub log: LogConfig,
    /// What agents find in their environment besides their own parameters.
    pub child_env: Vec<(OsString, OsString)>,
}

/// Where and how much to log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogConfig {
    /// `-l`, `PCMK_logfile`; `None` for `none`.
    pub file: Option<PathBuf>,
    /// `PCMK_logfile_mode`.
    pub mode: u32,
    /// `PCMK_stderr`.
    pub stderr: bool,
    /// `PCMK_logfacility`; `None` for `none`.
    pub facility: Option<Facility>,
    /// `PCMK_logpriority`: what goes to syslog.
    pub threshold: Severity,
    /// `-V`, `PCMK_debug`: 0 is info, 1 debug, more is trace.
    pub verbosity: u8,
}

/// Command line settings that win over the environment.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `-l`
    pub log_file: Option<PathBuf>,
    /// `-p`
    pub port: Option<String>,
    /// `-V`, repeatable.
    pub verbosity: u8,
}

/// Largest `PCMK_ipc_buffer`: no document is longer. Each local client costs three times that much shared memory.
const LARGEST_BUFFER: u32 = 20 * 1024 * 1024;

/// Default detail log.
const LOG_FILE: &str = "/var/log/pacemaker/pacemaker.log";

struct Source<'a> {
    env: &'a BTreeMap<OsString, OsString>,
    faults: Vec<Fault>,
}

impl Source<'_> {
    /// `PCMK_x`, or the historical `HA_x`; an empty value counts as unset.
    fn raw(&self, name: &str) -> Option<&OsStr> {
        let old = || self.env.get(OsStr::new(&format!("HA_{}", name.strip_prefix("PCMK_")?)));
        self.env.get(OsStr::new(name)).or_else(old).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.raw(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// A boolean, or a list of daemons with our name in it.
    fn enabled(&self, name: &str) -> bool {
        self.text(name)
            .is_some_and(|value| picket_proto::number::truth(&value) || value.contains("pacemaker-remoted"))
    }

    fn folder(&self, name: &str, default: &str) -> PathBuf {
        self.raw(name).map_or_else(|| default.into(), PathBuf::from)
    }

    /// The X.509 mode's files: all but the revocation list have to be named. `CIB_x` is the older name of each.
    fn x509(&self) -> Option<x509::Files> {
        let file = |name: &str| {
            let value = self.raw(&format!("PCMK_{name}")).or_else(|| self.raw(&format!("CIB_{name}")));
            value.map(PathBuf::from)
        };
        let (ca, cert, key) = (file("ca_file")?, file("cert_file")?, file("key_file")?);
        Some(x509::Files { ca, cert, key, crl: file("crl_file") })
    }

    fn parsed<T: ToString>(
        &mut self,
        name: &str,
        value: Option<String>,
        expected: &'static str,
        default: T,
        parse: impl Fn(&str) -> Option<T>,
    ) -> T {
        let Some(value) = value else { return default };
        parse(value.trim()).unwrap_or_else(|| {
            self.faults.push(Fault { name: name.to_owned(), value, expected, used: default.to_string() });
            default
        })
    }
}

impl Config {
    /// Reads all settings; every fault comes back together.
    #[must_use]
    pub fn read(env: &BTreeMap<OsString, OsString>, overrides: Overrides) -> (Self, Vec<Fault>) {
        let mut source = Source { env, faults: Vec::new() };
        let (port_name, port) = match overrides.port {
            Some(port) => ("--port", Some(port)),
            None => ("PCMK_remote_port", source.text("PCMK_remote_port")),
        };
        let port = source.parsed(port_name, port, "a port from 1 to 65535", picket_proto::PORT, |text| {
            text.parse().ok().filter(|port| *port != 0)
        });
        let mode = source.text("PCMK_logfile_mode");
        let mode = source.parsed("PCMK_logfile_mode", mode, "an octal file mode", Octal(0o660), |text| {
            u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777).map(Octal)
        });
        let state = source.text("PCMK_node_start_state");
        let states = ["standby", "online", "default"];
        let node_start_state = source.parsed(
            "PCMK_node_start_state",
            state,
            "standby, online or default",
            String::new(),
            |text| states.contains(&text).then(|| text.to_owned()),
        );
        let sbd = source.text("SBD_WATCHDOG_TIMEOUT");
        let sbd =
            source.parsed("SBD_WATCHDOG_TIMEOUT", sbd, "a duration such as 5 or 5s", Millis(0), |text| {
                crate::watchdog::duration(text).and_then(|time| u64::try_from(time).ok()).map(Millis)
            });
        let sbd_timeout = Duration::from_millis(sbd.0);
        let grace = source.text("PICKET_key_grace");
        let grace = source.parsed(
            "PICKET_key_grace",
            grace,
            "a duration such as 0 or 10min",
            Millis(300_000),
            |text| crate::watchdog::duration(text).and_then(|time| u64::try_from(time).ok()).map(Millis),
        );
        let file = overrides.log_file.or_else(|| source.raw("PCMK_logfile").map(PathBuf::from));
        let file = Some(file.unwrap_or_else(|| PathBuf::from(LOG_FILE)));
        let name = source.text("PCMK_logfacility").unwrap_or_else(|| "daemon".to_owned());
        let facility = Facility::from_name(&name);
        if facility.is_none() && !name.eq_ignore_ascii_case("none") {
            let expected = "a syslog facility or none";
            source.faults.push(Fault {
                name: "PCMK_logfacility".into(),
                value: name,
                expected,
                used: "none".into(),
            });
        }
        let priority = source.text("PCMK_logpriority");
        let threshold = source.parsed(
            "PCMK_logpriority",
            priority,
            "a syslog severity",
            Severity::Notice,
            Severity::from_name,
        );
        let log = LogConfig {
            file: file.filter(|file| !file.as_os_str().eq_ignore_ascii_case("none")),
            mode: mode.0,
            stderr: source.enabled("PCMK_stderr"),
            facility,
            threshold,
            verbosity: overrides.verbosity.max(u8::from(source.enabled("PCMK_debug"))),
        };
        // The historical `posix` and `sysv` are shared memory, too.
        let ipc_transport = match source.text("PCMK_ipc_type").as_deref() {
            Some("socket") => Transport::Socket,
            _ => Transport::SharedMemory,
        };
        let buffer = source.text("PCMK_ipc_buffer");
        let expected = "a size in bytes, at most 20971520";
        let ipc_buffer = source.parsed("PCMK_ipc_buffer", buffer, expected, ipc::BUFFER, |text| {
            let bytes = text.parse::<u32>().ok().filter(|bytes| (1..=LARGEST_BUFFER).contains(bytes));
            bytes.map(|bytes| bytes.max(ipc::LEAST_BUFFER))
        });
        let mut liveness = Liveness::default();
        if !sbd_timeout.is_zero() {
            // With a watchdog the node must notice a lost cluster before the watchdog fires; the original's half.
            liveness.unacknowledged = sbd_timeout / 2;
        }
        let config = Self {
            address: source.text("PCMK_remote_address"),
            port,
            x509: source.x509(),
            key_grace: Duration::from_millis(grace.0),
            key: source.raw("PCMK_authkey_location").map(PathBuf::from),
            node_start_state: Some(node_start_state).filter(|state| !state.is_empty()),
            sbd_timeout,
            supervisor: Supervisor::read(env),
            liveness,
            ipc_buffer,
            ipc_transport,
            schemas: Folders {
                installed: source.folder("PCMK_schema_directory", "/usr/share/pacemaker"),
                fetched: source.folder("PCMK_remote_schema_directory", "/var/lib/pacemaker/schemas"),
            },
            child_env: child_env(&source, &log),
            log,
        };
        (config, source.faults)
    }
}

/// The agent's own environment, less what belongs to it alone, plus the logging settings that the shell library of
/// resource agents reads.
fn child_env(source: &Source<'_>, log: &LogConfig) -> Vec<(OsString, OsString)> {
    let mut env = source.env.clone();
    env.retain(|name, _| !supervisor::VARIABLES.iter().any(|ours| name == ours));
    let mut set = |name: &str, value: &OsStr| env.insert(name.into(), value.to_owned());
    let facility = source.text("PCMK_logfacility").unwrap_or_else(|| "daemon".to_owned());
    set("PCMK_service", OsStr::new("pacemaker-remoted"));
    for name in ["PCMK_logfacility", "PCMK_LOGFACILITY"] {
        set(name, OsStr::new(&facility));
    }
    if facility != "none" {
        set("HA_LOGFACILITY", OsStr::new(&facility));
    }
    let file = log.file.as_ref().map_or(OsStr::new("none"), |file| file.as_os_str());
    for name in ["PCMK_logfile", "PCMK_LOGFILE"] {
        set(name, file);
    }
    if log.file.is_some() {
        set("HA_LOGFILE", file);
        if log.verbosity > 0 {
            set("HA_DEBUGLOG", file);
            set("PCMK_DEBUGLOG", file);
        }
    }
    env.into_iter().collect()
}

struct Octal(u32);

impl std::fmt::Display for Octal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

struct Millis(u64);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &[(&str, &str)], overrides: Overrides) -> (Config, Vec<Fault>) {
        let env = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Config::read(&env, overrides)
    }

    #[test]
    fn every_fault_is_reported_at_once_and_defaults_take_their_place() {
        let env =
            [("PCMK_remote_port", "70000"), ("PCMK_logfile_mode", "rw"), ("PCMK_node_start_state", "asleep")];
        let (config, faults) = read(&env, Overrides::default());
        assert_eq!((config.port, config.log.mode, config.node_start_state), (3121, 0o660, None));
        assert_eq!(faults.len(), 3);
        assert!(faults[0].to_string().contains("PCMK_remote_port is \"70000\""), "{}", faults[0]);
    }

    #[test]
    fn the_command_line_wins_and_none_means_no_log_file() {
        let env = [("PCMK_remote_port", "4000"), ("PCMK_logfile", "none")];
        let (config, faults) =
            read(&env, Overrides { port: Some("4001".to_owned()), ..Overrides::default() });
        assert_eq!((config.port, config.log.file, faults.len()), (4001, None, 0));
        let (config, _) = read(&env, Overrides { log_file: Some("/tmp/x".into()), ..Overrides::default() });
        assert_eq!((config.port, config.log.file), (4000, Some("/tmp/x".into())));
    }

    #[test]
    fn old_names_and_daemon_lists_are_understood() {
        let env = [
            ("HA_logfile", "/tmp/old"),
            ("PCMK_debug", "pacemaker-fenced,pacemaker-remoted"),
            ("PCMK_stderr", "Yes"),
        ];
        let (config, _) = read(&env, Overrides::default());
        assert_eq!(
            config.log,
            LogConfig {
                file: Some("/tmp/old".into()),
                mode: 0o660,
                stderr: true,
                facility: Facility::from_name("daemon"),
                threshold: Severity::Notice,
                verbosity: 1
            }
        );
    }

    #[test]
    fn agents_see_the_logging_settings_and_not_what_systemd_told_us() {
        let env =
            [("NOTIFY_SOCKET", "/run/x"), ("WATCHDOG_USEC", "9"), ("WATCHDOG_PID", "9"), ("PATH", "/bin")];
        let (config, _) = read(&env, Overrides::default());
        let value = |name: &str| {
            config.child_env.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        for name in supervisor::VARIABLES {
            assert_eq!(value(name), None, "{name}");
        }
        assert_eq!(value("PATH"), Some("/bin".into()));
        assert_eq!(value("PCMK_service"), Some("pacemaker-remoted".into()));
        assert_eq!(value("HA_LOGFILE"), Some(LOG_FILE.into()));
        assert_eq!(value("HA_DEBUGLOG"), None);
    }

    #[test]
    fn local_buffers_are_never_too_small_for_a_message() {
        let read = |value| read(&[("PCMK_ipc_buffer", value)], Overrides::default());
        for (value, bytes) in [("", 131_072), ("4194304", 4_194_304), ("1", 12_336)] {
            let (config, faults) = read(value);
            assert_eq!((config.ipc_buffer, faults.len()), (bytes, 0), "{value}");
        }
        for value in ["0", "-1", "much", "20971521"] {
            let (config, faults) = read(value);
            assert_eq!((config.ipc_buffer, faults.len()), (131_072, 1), "{value}");
        }
    }

    #[test]
    fn a_watchdog_halves_the_time_data_may_stay_unacknowledged() {
        let (config, _) = read(&[("SBD_WATCHDOG_TIMEOUT", "10")], Overrides::default());
        assert_eq!(config.liveness.unacknowledged, Duration::from_secs(5));
    }
}
