//! A set of namespaces with an init process that dies with the harness.
//!
//! `unshare` stays the parent of the init: it reaps it, and it has it killed when it dies itself. The init reads a
//! pipe from the harness and ends at its end, whereupon the kernel kills everything else in the PID namespace.
//! Nothing is named, so nothing can be left over or collide with another instance.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What programs find on a host, whatever the harness was started with.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("LC_ALL", "C"),
];

pub(crate) struct Namespace {
    parent: Child,
    init: Pid,
    _life: ChildStdin,
}

impl Namespace {
    /// Makes the namespaces and has the bash script `boot` set them up, as their init. The script announces itself
    /// with a line `ready PID` (in the machine's PID space), then waits for the end of its input. `folder` takes a
    /// copy of it and its errors.
    pub(crate) fn start(boot: &str, arguments: &[&str], folder: &Path) -> Result<Self> {
        let (script, log) = (folder.join("init.sh"), folder.join("init.log"));
        fs::write(&script, boot).with_context(|| format!("write {}", script.display()))?;
        let errors = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let mut parent = Command::new("unshare")
            .args(["--mount", "--net", "--pid", "--uts", "--ipc", "--propagation", "private"])
            .args(["--fork", "--kill-child", "--", "bash"])
            .arg(&script)
            .args(arguments)
            .env_clear()
            .envs(ENVIRONMENT)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .process_group(0)
            .spawn()
            .context("start unshare")?;
        let life = parent.stdin.take().expect("stdin is piped");
        let output = parent.stdout.take().expect("stdout is piped");

        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).context("read from the new namespace's init")?;
        let Some(init) = line.trim().strip_prefix("ready ").and_then(|pid| pid.parse().ok()) else {
            drop(life);
            let _ = parent.kill();
            let status = parent.wait().context("wait for unshare")?;
            let said = fs::read_to_string(&log).unwrap_or_else(|e| format!("(its log: {e})"));
            bail!("set up namespaces: init ended with {status} after '{}': {}", line.trim(), said.trim());
        };
        Ok(Self { parent, init: Pid::from_raw(init), _life: life })
    }

    pub(crate) fn init(&self) -> Pid {
        self.init
    }

    /// A command that runs `program` inside, with a clean environment. Its process is `nsenter`, which waits for the
    /// program and ends as it did.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.init.to_string(), "--mount", "--net", "--pid", "--uts", "--ipc"])
            .args(["--wd=/", "--", program])
            .env_clear()
            .envs(ENVIRONMENT)
            .stdin(Stdio::null())
            .process_group(0);
        command
    }

    /// A handle on the network namespace, for [`in_network`].
    pub(crate) fn network(&self) -> Result<File> {
        let path = format!("/proc/{}/ns/net", self.init);
        File::open(&path).with_context(|| format!("open {path}"))
    }

    /// Kills everything inside at once. Does not wait: init is only gone when all children of others, as of an nsenter,
    /// are reaped.
    pub(crate) fn kill(&mut self) {
        // While `unshare` has not ended, the init's pid is still the init's.
        if matches!(self.parent.try_wait(), Ok(None)) {
            let _ = kill(self.init, Signal::SIGKILL);
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.kill();
        let _ = self.parent.wait();
    }
}

/// Runs `act` on a thread that is inside `network`. Sockets made there stay there, so they may be handed out.
pub(crate) fn in_network<T: Send>(network: &File, act: impl FnOnce() -> T + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| -> Result<T> {
            setns(network, CloneFlags::CLONE_NEWNET).context("enter the host's network namespace")?;
            Ok(act())
        });
        inside.join().map_err(|_| anyhow!("the thread inside the host's network panicked"))?
    })
}
