//! Process 1 of a container, as `pacemaker-remoted` is one: the image needs no other init.
//!
//! ```text
//! pid 1 --fork--> child: the agent, in a session of its own
//!   |
//!   +-- title pcmk-init: reaps every process, ends as the agent ends
//! ```
//!
//! The two are different processes, so init cannot take the exit status of an agent's child: it only reaps what the
//! kernel gives it, and the agent waits for its own children by pidfd. All of this happens before the first thread
//! and the first descriptor exist.

mod environment;
mod reaper;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{ForkResult, fork, getpid, setsid};
use thiserror::Error;

/// Variables for a container that cannot be given any others.
const FILE: &str = "/etc/pacemaker/pcmk-init.env";

/// The detail log of a container: its `/var/log` is a folder of the host.
const LOG_FILE: &str = "/var/log/pcmk-init.log";

/// How much of an init this process is to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    /// None of it.
    Off,
    /// Only the variables are read.
    Variables,
    /// All of it.
    Full,
}

/// Who goes on after [`enter`].
#[derive(Debug)]
pub enum Role {
    /// The agent, whether there is an init above it or not.
    Agent,
    /// Init, at its end.
    Ended(ExitCode),
}

/// Why there is no init.
#[derive(Debug, Error)]
#[error("cannot {0} as process 1 of a container: {1}")]
pub struct InitError(&'static str, Errno);

/// Becomes init where this process is to be one, and the agent in a child of it. Init returns when the container is
/// to end.
///
/// # Errors
/// [`InitError`] where the system refuses; nothing was started then.
pub fn enter() -> Result<Role, InitError> {
    let mode = mode(getpid().as_raw(), std::env::var_os("PCMK_remote_pid1").as_deref());
    if mode == Mode::Off {
        return Ok(Role::Agent);
    }
    // A file that is missing or cannot be read is no fault: most containers have none.
    let text = std::fs::read(FILE).unwrap_or_default();
    for (name, value) in additions(&text, mode, |name| std::env::var_os(name).is_some()) {
        export(&name, &value);
    }
    if mode == Mode::Variables {
        return Ok(Role::Agent);
    }
    let forwards =
        std::env::var("PICKET_forward_sigterm").is_ok_and(|value| picket_proto::number::truth(&value));
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))
        .map_err(|errno| InitError("block signals", errno))?;
    match divide().map_err(|errno| InitError("start the agent", errno))? {
        ForkResult::Parent { child } => Ok(Role::Ended(reaper::run(child, forwards))),
        ForkResult::Child => {
            setsid().map_err(|errno| InitError("start a session", errno))?;
            before.thread_set_mask().map_err(|errno| InitError("unblock signals", errno))?;
            Ok(Role::Agent)
        }
    }
}

fn mode(pid: i32, setting: Option<&OsStr>) -> Mode {
    match setting.and_then(OsStr::to_str) {
        _ if pid == 1 => Mode::Full,
        Some("full") => Mode::Full,
        Some("vars") => Mode::Variables,
        _ => Mode::Off,
    }
}

/// What is to be added to the environment; the first of a name wins, and what is set already before it.
fn additions(text: &[u8], mode: Mode, is_set: impl Fn(&OsStr) -> bool) -> Vec<(OsString, OsString)> {
    let mut added: Vec<(OsString, OsString)> = Vec::new();
    for (name, value) in environment::parse(text) {
        if !is_set(&name) && !added.iter().any(|(known, _)| *known == name) {
            added.push((name, value));
        }
    }
    let named = |name: &str| is_set(OsStr::new(name)) || added.iter().any(|(known, _)| known == name);
    if mode == Mode::Full && !named("PCMK_logfile") && !named("HA_logfile") {
        added.push(("PCMK_logfile".into(), LOG_FILE.into()));
    }
    added
}

/// Into the process's own environment, for the libraries that look there themselves (time zone, D-Bus).
#[expect(clippy::disallowed_methods, reason = "before the environment is read into Config")]
#[expect(unsafe_code, reason = "changing the environment")]
fn export(name: &OsStr, value: &OsStr) {
    // SAFETY: called before any thread is started, so nobody reads the environment meanwhile.
    unsafe { std::env::set_var(name, value) };
}

#[expect(unsafe_code, reason = "fork")]
fn divide() -> Result<ForkResult, Errno> {
    // SAFETY: called before any thread is started, so the child is a complete copy with no lock held.
    unsafe { fork() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_1_is_always_init_and_others_only_where_they_are_told() {
        for setting in [None, Some("vars"), Some("full"), Some("no")] {
            assert_eq!(mode(1, setting.map(OsStr::new)), Mode::Full, "{setting:?}");
        }
        let rows = [(None, Mode::Off), (Some("vars"), Mode::Variables), (Some("full"), Mode::Full)];
        for (setting, expected) in rows.into_iter().chain([(Some("yes"), Mode::Off), (Some(""), Mode::Off)]) {
            assert_eq!(mode(2, setting.map(OsStr::new)), expected, "{setting:?}");
        }
    }

    fn added(text: &str, mode: Mode, set: &[&str]) -> Vec<String> {
        let added = additions(text.as_bytes(), mode, |name| set.iter().any(|known| *known == name));
        let show = |text: &OsStr| text.to_string_lossy().into_owned();
        added.iter().map(|(name, value)| format!("{}={}", show(name), show(value))).collect()
    }

    #[test]
    fn what_is_set_stays_and_the_first_line_of_a_name_counts() {
        assert_eq!(added("A=1\nB=2\nA=3\n", Mode::Variables, &["B"]), ["A=1"]);
    }

    #[test]
    fn only_init_has_a_log_of_its_own_and_only_where_none_is_set() {
        assert_eq!(added("", Mode::Variables, &[]), [""; 0]);
        assert_eq!(added("", Mode::Full, &[]), ["PCMK_logfile=/var/log/pcmk-init.log"]);
        assert_eq!(added("", Mode::Full, &["HA_logfile"]), [""; 0]);
        assert_eq!(added("PCMK_logfile=none\n", Mode::Full, &[]), ["PCMK_logfile=none"]);
    }
}
