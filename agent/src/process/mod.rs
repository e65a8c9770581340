//! Agents as child processes: started off the event loop, awaited by pidfd, killed by group.
//!
//! A run ends when the direct child exits. What it left in the background lives on, whatever it holds open: that
//! is how agents start their services.

mod output;
mod secret;
mod spawn;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use crate::executor::KillScope;
use output::Capture;
pub(crate) use output::EXIT_REASON_PREFIX;
pub(crate) use secret::REFERENCE;
pub use secret::{Reference, Secrets};

/// Variables for a child, as the system takes them.
pub type Environment = [(OsString, OsString)];

/// A program to run.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// What messages call it where it is missing: an agent by its name, a script by its path.
    pub name: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Environment on top of the agent's own.
    pub env: Vec<(String, String)>,
    /// Variables whose values are read only when it starts.
    pub secrets: Secrets,
    /// The user it runs as, with that user's group alone; ours where there is none.
    pub user: Option<&'static str>,
    /// What its exit status means.
    pub exit_code: fn(i32) -> OcfRc,
    /// Whether its stderr may carry an `ocf-exit-reason:`.
    pub gives_reason: bool,
}

/// What ends the wait for a child.
struct Ended {
    status: WaitIdStatus,
    stdout: Capture,
    stderr: Capture,
}

/// Runs a program to its end. Kills arrive through `kills` and may come before the child exists.
pub async fn run(
    program: Program,
    env: Arc<Environment>,
    kills: &mut mpsc::UnboundedReceiver<KillScope>,
) -> Outcome {
    let (exit_code, gives_reason, name) = (program.exit_code, program.gives_reason, program.name.clone());
    // fork and exec can block on a slow disk, so they get a thread of the blocking pool.
    let started = tokio::task::spawn_blocking(move || spawn::spawn(&program, &env)).await;
    let child = match started {
        Ok(Ok(child)) => child,
        Ok(Err(failed)) => {
            tracing::info!("cannot start {name}: {failed}");
            return failed.outcome(gives_reason);
        }
        Err(panicked) => {
            return Outcome::new(OcfRc::Error, ExecStatus::Error)
                .because(format!("cannot start the agent: {panicked}"));
        }
    };
    tracing::debug!(pid = child.pid.as_raw_nonzero().get(), "started");
    match wait(child, kills).await {
        Ok(ended) => outcome(ended, exit_code, gives_reason),
        Err(error) => Outcome::new(OcfRc::Error, ExecStatus::Error)
            .because(format!("cannot wait for the agent: {error}")),
    }
}

#[expect(unsafe_code, reason = "registering a descriptor with the reactor")]
async fn wait(child: spawn::Child, kills: &mut mpsc::UnboundedReceiver<KillScope>) -> io::Result<Ended> {
    // SAFETY: an OwnedFd names the same open pidfd until it is dropped, which the AsyncFd does after deregistering.
    let pidfd = unsafe { AsyncFd::register(child.pidfd) }?;
    let (mut stdout, mut stderr) = (Capture::new(child.stdout)?, Capture::new(child.stderr)?);
    loop {
        tokio::select! {
            biased;
            exited = pidfd.readable() => {
                exited?.retain_ready();
                break;
            }
            Some(scope) = kills.recv() => kill(child.pid, &pidfd, scope),
            () = stdout.fill(), if stdout.is_open() => {}
            () = stderr.fill(), if stderr.is_open() => {}
        }
    }
    stdout.drain();
    stderr.drain();
    let status = rustix::process::waitid(WaitId::PidFd(pidfd.get_ref().as_fd()), WaitIdOptions::EXITED)?
        .ok_or_else(|| io::Error::other("the child is not ours any more"))?;
    Ok(Ended { status, stdout, stderr })
}

/// The child is unreaped while its pidfd is ours, so neither its pid nor its group can have been given away.
fn kill(pid: Pid, pidfd: &AsyncFd<OwnedFd>, scope: KillScope) {
    let result = match scope {
        KillScope::Child => rustix::process::pidfd_send_signal(pidfd.get_ref(), Signal::KILL),
        KillScope::Group => rustix::process::kill_process_group(pid, Signal::KILL),
    };
    if let Err(error) = result {
        tracing::warn!(pid = pid.as_raw_nonzero().get(), %error, "cannot kill the agent");
    }
}

fn outcome(ended: Ended, exit_code: fn(i32) -> OcfRc, gives_reason: bool) -> Outcome {
    let outcome = match (ended.status.exit_status(), ended.status.terminating_signal()) {
        (Some(code), _) => {
            let outcome = Outcome::new(exit_code(code), ExecStatus::Done);
            match ended.stderr.exit_reason().filter(|_| gives_reason) {
                Some(reason) => outcome.because(reason),
                None => outcome,
            }
        }
        (None, signal) => Outcome::new(OcfRc::Error, ExecStatus::Error)
            .because(format!("Resource agent interrupted by {} signal", describe(signal.unwrap_or(0)))),
    };
    let output = [ended.stderr, ended.stdout].iter().find_map(Capture::text);
    Outcome { output, ..outcome }
}

/// A signal as strsignal(3) describes it.
fn describe(signal: i32) -> String {
    let known = [
        (libc::SIGHUP, "Hangup"),
        (libc::SIGINT, "Interrupt"),
        (libc::SIGQUIT, "Quit"),
        (libc::SIGILL, "Illegal instruction"),
        (libc::SIGTRAP, "Trace/breakpoint trap"),
        (libc::SIGABRT, "Aborted"),
        (libc::SIGBUS, "Bus error"),
        (libc::SIGFPE, "Floating point exception"),
        (libc::SIGKILL, "Killed"),
        (libc::SIGUSR1, "User defined signal 1"),
        (libc::SIGSEGV, "Segmentation fault"),
        (libc::SIGUSR2, "User defined signal 2"),
        (libc::SIGPIPE, "Broken pipe"),
        (libc::SIGALRM, "Alarm clock"),
        (libc::SIGTERM, "Terminated"),
        (libc::SIGXCPU, "CPU time limit exceeded"),
        (libc::SIGXFSZ, "File size limit exceeded"),
        (libc::SIGSYS, "Bad system call"),
    ];
    let name = known.iter().find(|(number, _)| *number == signal).map(|(_, name)| (*name).to_owned());
    name.unwrap_or_else(|| format!("Unknown signal {signal}"))
}
