//! Starting a child with exactly the surroundings agents have under the original.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use nix::unistd::{Gid, Uid};
use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};
use rustix::process::{Pid, PidfdFlags};
use thiserror::Error;

use super::secret::SecretError;
use crate::accounts;

use super::{EXIT_REASON_PREFIX, Environment, Program};

/// A started child, not yet reaped.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

/// Why an agent did not start.
#[derive(Debug, Error)]
pub(super) enum SpawnError {
    /// The file is there; running it failed.
    #[error("cannot execute: {0}")]
    Exec(io::Error),
    /// No such file.
    #[error("{0} is missing")]
    Missing(String),
    /// The system ran out of something.
    #[error("cannot start a process: {0}")]
    Resources(io::Error),
    /// A parameter's value is kept secret and cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Nobody of that name.
    #[error("there is no user {0}")]
    User(&'static str),
}

/// What the original's child says, and is reported with, where it cannot become the agent.
const NOT_EXECUTED: &str = "Child process was unable to execute file";
/// The same where a secret is missing.
const NO_SECRETS: &str = "Unable to load CIB secrets";

/// A result whose reason is also its output, as if a child had written it.
fn said(outcome: Outcome, reason: &str) -> Outcome {
    Outcome { output: Some(format!("{EXIT_REASON_PREFIX}{reason}\n")), ..outcome.because(reason) }
}

impl SpawnError {
    /// The result the original reports. A failed exec is "done": there the child itself reports it, in the way of
    /// an agent that `gives_reason`.
    pub(super) fn outcome(&self, gives_reason: bool) -> Outcome {
        match self {
            Self::Exec(error) => {
                let rc = match error.raw_os_error() {
                    Some(libc::EACCES | libc::EPERM) => OcfRc::InsufficientPrivileges,
                    Some(libc::ENOENT | libc::ENOTDIR) => OcfRc::NotInstalled,
                    _ => OcfRc::Error,
                };
                let outcome = Outcome::new(rc, ExecStatus::Done);
                if gives_reason { said(outcome, NOT_EXECUTED) } else { outcome.because(NOT_EXECUTED) }
            }
            Self::Missing(name) => Outcome::new(OcfRc::NotInstalled, ExecStatus::NotInstalled)
                .because(format!("{name}: No such file or directory")),
            Self::Resources(error) => Outcome::new(OcfRc::Error, ExecStatus::Error)
                .because(format!("Cannot start a process: {error}")),
            Self::Secret(_) => said(Outcome::new(OcfRc::InvalidParameter, ExecStatus::Done), NO_SECRETS),
            Self::User(_) => {
                Outcome::new(OcfRc::InsufficientPrivileges, ExecStatus::Error).because(self.to_string())
            }
        }
    }
}

/// Starts `program` in a process group of its own, without our descriptors, at normal priority.
pub(super) fn spawn(program: &Program, env: &Environment) -> Result<Child, SpawnError> {
    if !program.path.exists() {
        return Err(SpawnError::Missing(program.name.clone()));
    }
    let mut command = Command::new(&program.path);
    command.args(&program.args).env_clear().envs(env.iter().map(|(name, value)| (name, value)));
    // A NUL cannot be in an environment; XML cannot carry one either.
    command
        .envs(program.env.iter().filter(|(name, _)| !name.contains('=')).map(|(name, value)| (name, value)));
    command.envs(program.secrets.read()?);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    reset_inheritance(&mut command);
    if let Some(name) = program.user {
        let user = accounts::user(name).ok_or(SpawnError::User(name))?;
        become_user(&mut command, user.uid, user.gid);
    }
    let mut child = command.spawn().map_err(|error| match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EMFILE | libc::ENFILE | libc::ENOMEM) => SpawnError::Resources(error),
        _ => SpawnError::Exec(error),
    })?;
    let pid = Pid::from_child(&child);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let pidfd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(error) => {
            // Nobody could wait for it without blocking, so it must not run on.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
            let _ = child.wait();
            return Err(SpawnError::Resources(error.into()));
        }
    };
    let (Some(stdout), Some(stderr)) = (stdout, stderr) else { unreachable!("both are piped") };
    Ok(Child { pid, pidfd, stdout: stdout.into(), stderr: stderr.into() })
}

/// Nothing of ours beyond stdin, stdout and stderr reaches an agent, and no priority that we were started with.
/// The standard library already resets the signal mask and SIGPIPE.
#[expect(unsafe_code, reason = "pre_exec")]
fn reset_inheritance(command: &mut Command) {
    // SAFETY: the closure runs between fork and exec, makes only system calls, allocates nothing and touches no
    // lock. `param` is a plain zeroed struct.
    unsafe {
        command.pre_exec(|| {
            libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
            let param: libc::sched_param = std::mem::zeroed();
            libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const param);
            libc::setpriority(libc::PRIO_PROCESS, 0, 0);
            give_up_oom_protection();
            Ok(())
        });
    }
}

/// The unit protects the agent from the OOM killer; what it starts is to be judged as any other process. A positive
/// value was given to all of us, and stays.
#[expect(unsafe_code, reason = "called between fork and exec, where std::fs might allocate")]
fn give_up_oom_protection() {
    let mut sign = 0_u8;
    // SAFETY: the path ends in NUL, and the buffers are on the stack and one byte long as stated.
    unsafe {
        let file = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if file >= 0 {
            if libc::read(file, (&raw mut sign).cast(), 1) == 1 && sign == b'-' {
                libc::pwrite(file, c"0".as_ptr().cast(), 1, 0);
            }
            libc::close(file);
        }
    }
}

/// Gives up every right but the user's and its primary group's. After the priority was reset, which may need them.
#[expect(unsafe_code, reason = "pre_exec")]
fn become_user(command: &mut Command, uid: Uid, gid: Gid) {
    // SAFETY: the closure runs between fork and exec, makes only system calls on copied numbers, allocates nothing
    // and touches no lock.
    unsafe {
        command.pre_exec(move || {
            let given_up = libc::setgroups(0, std::ptr::null()) == 0
                && libc::setgid(gid.as_raw()) == 0
                && libc::setuid(uid.as_raw()) == 0;
            if given_up { Ok(()) } else { Err(io::Error::last_os_error()) }
        });
    }
}
