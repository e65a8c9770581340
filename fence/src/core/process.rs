//! The process itself: no core dumps, no secrets in `ps`, ended by signals in an orderly way.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::input::Values;
use super::option::Opt;

/// Keeps the memory, which will hold passwords, out of core dumps and away from debuggers of the same user.
pub fn harden() {
    // Neither can fail for a process that only lowers its own limits; and if it did, fencing is still needed.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Replaces this process by one that reads the same options from stdin, when a secret stands on the command line, where
/// every user of the machine can read it for as long as the process lives. Returns only where that was not needed, or
/// not possible.
pub fn hide_secrets(table: &[Opt], values: &Values, name: &str) {
    let is_secret =
        |key: &str| table.iter().any(|opt| opt.secret && (opt.key == key || opt.old == Some(key)));
    if !values.lines().any(|(key, _, _)| is_secret(key)) {
        return;
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    for (key, value, times) in values.lines() {
        // Only stdin cannot carry it; nobody's password has line breaks, but an unreadable one must not be cut.
        if value.reveal().contains('\n') {
            return;
        }
        // Quotes around it keep spaces and quotes inside; stdin takes one pair away.
        *text += &format!("{key}=\"{}\"\n", value.reveal());
        if key == "verbose" && times > 1 && !values.lines().any(|(key, _, _)| key == "verbose_level") {
            *text += &format!("verbose_level={times}\n");
        }
    }
    let Ok((reader, mut writer)) = std::io::pipe() else { return };
    // What does not fit a pipe would block for ever, with no reader yet.
    if text.len() > 32 * 1024 || writer.write_all(text.as_bytes()).is_err() {
        return;
    }
    drop(writer);
    let mut command = Command::new("/proc/self/exe");
    // exec only returns on failure: then the run goes on with its arguments in sight.
    let _error = command.arg0(name).stdin(Stdio::from(reader)).exec();
}

/// Resolves with the name of the signal which asks this process to end. Signals are caught from the call on.
pub fn interrupted() -> impl Future<Output = &'static str> {
    let caught = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut term), Ok(mut int)) = caught else { return std::future::pending().await };
        tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "SIGINT",
        }
    }
}
