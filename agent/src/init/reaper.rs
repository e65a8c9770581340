//! What init does for the rest of its life.

use std::ffi::c_char;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// What process lists show.
const TITLE: &std::ffi::CStr = c"pcmk-init";

/// Exit status where the agent was killed.
const KILLED: u8 = 1;

/// Reaps until the agent is gone or somebody interrupts. All signals are blocked, so none is lost between two waits.
pub(super) fn run(agent: Pid, forwards: bool) -> ExitCode {
    show_title();
    let signals = SigSet::all();
    loop {
        match signals.wait() {
            Ok(Signal::SIGCHLD) => {
                if let Some(status) = reap(agent) {
                    return ExitCode::from(status);
                }
            }
            Ok(Signal::SIGINT) => return ExitCode::SUCCESS,
            // Not the original's: without it a container is only ever killed, at the end of its engine's patience.
            // ESRCH: it has just ended, and SIGCHLD is next.
            Ok(Signal::SIGTERM) if forwards => drop(kill(agent, Signal::SIGTERM)),
            // A real-time signal has no name there; like all others it is not for us.
            Ok(_) | Err(_) => {}
        }
    }
}

/// Takes every process that has ended; the exit status to end with, where the agent was among them.
fn reap(agent: Pid) -> Option<u8> {
    let mut end = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == agent => {
                end = Some(u8::try_from(code).unwrap_or(KILLED));
            }
            Ok(WaitStatus::Signaled(pid, ..)) if pid == agent => end = Some(KILLED),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return end,
            // Another's end, or EINTR.
            Ok(_) | Err(_) => {}
        }
    }
}

/// Both names a process has: the kernel's, and the one in its arguments, which are overwritten.
#[expect(unsafe_code, reason = "the arguments' memory is reachable through libc only")]
fn show_title() {
    // Only cosmetic, so a failure is nothing to act on.
    let _ = prctl::set_name(TITLE);
    let length: usize = std::env::args_os().map(|argument| argument.len() + 1).sum();
    let title = &TITLE.to_bytes()[..TITLE.to_bytes().len().min(length.saturating_sub(1))];
    // SAFETY: libc's variable points to argv[0], behind which the kernel has put all arguments one after the other,
    // each with its NUL, in writable memory of the process; `length` is their sum. Nobody reads arguments any more
    // in this process, which has one thread.
    unsafe {
        let start = program_invocation_name.cast::<u8>();
        if !start.is_null() {
            start.write_bytes(0, length);
            start.copy_from_nonoverlapping(title.as_ptr(), title.len());
        }
    }
}

#[expect(unsafe_code, reason = "a variable of libc")]
// SAFETY: glibc and musl define it so, and set it before main.
unsafe extern "C" {
    static program_invocation_name: *mut c_char;
}
