//! A systemd as process 1 of a container, by systemd-nspawn.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::program::tail;
use crate::wait::wait_until;

/// One that runs; dropping it ends everything inside.
pub(crate) struct Nspawn {
    child: Child,
    init: Pid,
    end: Duration,
}

impl Nspawn {
    /// Starts a command that becomes systemd-nspawn and logs to `log`, and waits until its systemd is process 1. Start and
    /// end may take that long.
    pub(crate) fn start(command: &mut Command, log: &Path, start: Duration, end: Duration) -> Result<Self> {
        let mut child = command.spawn().context("start systemd-nspawn")?;
        let children = format!("/proc/{pid}/task/{pid}/children", pid = child.id());
        let init = wait_until("systemd-nspawn starts its container", start, || {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(Err(anyhow!("systemd-nspawn: {status}: {}", tail(log)))));
            }
            let text = fs::read_to_string(&children).unwrap_or_default();
            let init = text.split_whitespace().next().and_then(|pid| pid.parse().ok()).map(Pid::from_raw);
            // The child is systemd once it has a root of its own with a systemd's surroundings.
            let booted = |init: &Pid| Path::new(&format!("/proc/{init}/root/run/systemd/private")).exists();
            Ok(init.filter(booted).map(Ok))
        });
        match init.and_then(|init| init) {
            Ok(init) => Ok(Self { child, init, end }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error.context(tail(log)))
            }
        }
    }

    /// Its process 1, as the machine knows it.
    pub(crate) fn init(&self) -> Pid {
        self.init
    }
}

impl Drop for Nspawn {
    fn drop(&mut self) {
        // The init of a PID namespace takes everything inside along.
        let _ = kill(self.init, Signal::SIGKILL);
        if wait_until("systemd-nspawn ends", self.end, || Ok(self.child.try_wait()?.map(drop))).is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
