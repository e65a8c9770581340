//! Programs on a host: what to run, what came out, and those that keep running.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::namespace::Namespace;
use crate::wait::wait_until;

/// How long a killed program may take to be gone; on a busy machine that is a matter of its memory.
const END: Duration = Duration::from_secs(60);

/// A program with its arguments and the environment it gets in addition.
#[derive(Clone, Debug)]
pub struct Program {
    /// What the harness calls it, also the name of the file with its output.
    pub name: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables beside PATH, HOME and LC_ALL.
    pub environment: Vec<(String, String)>,
}

impl Program {
    /// A program called `name` in the harness.
    pub fn new(name: &str, command: &[&str]) -> Self {
        let command = command.iter().map(ToString::to_string).collect();
        Self { name: name.into(), command, environment: Vec::new() }
    }

    /// With these variables too.
    #[must_use]
    pub fn with(mut self, environment: &[(&str, &str)]) -> Self {
        self.environment
            .extend(environment.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        self
    }
}

/// What a finished program left.
#[derive(Debug)]
pub struct Output {
    /// How it ended; 124 stands for "not within its deadline".
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// A program that keeps running.
pub(crate) struct Daemon {
    pub(crate) name: String,
    /// Its pid on the machine, not in the host.
    pub(crate) pid: Pid,
    enter: Child,
}

impl Daemon {
    /// Starts `program`, its output going to a file.
    pub(crate) fn start(inside: &Namespace, program: &Program, output: &Path) -> Result<Self> {
        let Program { name, command, environment } = program;
        let (executable, arguments) = command.split_first().context("a program needs a command")?;
        let file = File::options()
            .create(true)
            .append(true)
            .open(output)
            .with_context(|| format!("open {}", output.display()))?;
        let mut enter = inside
            .command(executable)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(file.try_clone().context("clone the output file's descriptor")?)
            .stderr(file)
            .spawn()
            .context("start nsenter")?;

        // nsenter forks once, to get into the PID namespace, and executes the program in that child.
        let children = format!("/proc/{pid}/task/{pid}/children", pid = enter.id());
        let pid = wait_until(&format!("{name} starts"), Duration::from_secs(10), || {
            if let Some(status) = enter.try_wait().context("look at nsenter")? {
                return Ok(Some(Err(status)));
            }
            let text = fs::read_to_string(&children).with_context(|| format!("read {children}"))?;
            Ok(text.split_whitespace().next().and_then(|pid| pid.parse().ok()).map(Ok))
        })?;
        match pid {
            Ok(pid) => Ok(Self { name: name.clone(), pid: Pid::from_raw(pid), enter }),
            Err(status) => bail!("start {name} ({executable}): {status}: {}", tail(output)),
        }
    }

    /// How it ended, or `None` while it runs.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.enter.try_wait().with_context(|| format!("look at {}", self.name))?;
        if status.is_none() {
            self.wake();
        }
        Ok(status)
    }

    /// nsenter stops itself once it has seen its child stopped, which may be after the child went on, and then waits for
    /// nothing but SIGCONT. It hands that on, so this returns when it has: a SIGSTOP that follows is to last.
    fn wake(&self) {
        let enter = Pid::from_raw(self.enter.id().cast_signed());
        if state(enter) == Some('T') && state(self.pid) != Some('T') {
            // Not reaped yet, so the pid is still its own.
            let _ = kill(enter, Signal::SIGCONT);
            let waits = || Ok(state(enter).is_none_or(|state| "SZ".contains(state)).then_some(()));
            // One that stops itself again is woken again at the next look.
            let _ = wait_until("nsenter waits again", Duration::from_secs(1), waits);
        }
    }

    /// Sends `signal`; an ended program is no fault.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        // Not yet reaped by nsenter means that the pid is still its own.
        if self.ended()?.is_some() {
            return Ok(());
        }
        match kill(self.pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(e) => Err(e).with_context(|| format!("send {signal} to {} (pid {})", self.name, self.pid)),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // On a host that goes down all are dead already, and this only reaps.
        let _ = self.signal(Signal::SIGKILL);
        let _ = wait_until(&format!("{} is gone", self.name), END, || self.ended());
    }
}

/// The state of a process: `T` where a signal has stopped it, `Z` where it waits to be reaped.
fn state(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

/// The last lines of a log, for a failure's message.
pub(crate) fn tail(path: &Path) -> String {
    match fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<_> = text.lines().collect();
            lines[lines.len().saturating_sub(25)..].join("\n")
        }
        Err(e) => format!("({}: {e})", path.display()),
    }
}
