//! A host: namespaces, a disk that survives its crashes, and what starts at its boot.
//!
//! ```text
//! off --boot--> up --crash--> off        cut/restore: the cable, while up
//! ```
//!
//! Private to a host are `/run`, `/dev/shm`, `/etc`, `/var` and `/usr/sbin`; the machine's `/etc`, `/var` and
//! `/usr/sbin` shine through where the host has nothing of its own. `/tmp` is the machine's.

use std::fs;
use std::io::Read;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::namespace::{Namespace, in_network};
use crate::network::Network;
use crate::program::{Daemon, Output, Program, tail};
use crate::wait::wait_until;

const BOOT: &str = include_str!("boot.sh");

/// For commands that should take milliseconds: two cores and a cluster that is just electing can be slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// Directories whose content stays on the host's disk, seen from outside through [`Host::disk`].
const DISK: [&str; 5] =
    ["/etc/pacemaker", "/etc/corosync", "/var/lib/pacemaker", "/var/lib/corosync", "/var/log"];

/// A machine of its own, as far as Pacemaker can tell.
pub struct Host {
    name: String,
    number: u8,
    folder: PathBuf,
    network: Arc<Network>,
    up: Mutex<Option<Up>>,
    services: Mutex<Vec<Program>>,
}

/// What there is only between boot and crash.
struct Up {
    namespace: Namespace,
    daemons: Vec<Daemon>,
    port: String,
}

impl Drop for Up {
    fn drop(&mut self) {
        // The crash comes before the daemons' remains are reaped, and the namespace's end after that.
        self.namespace.kill();
        self.daemons.clear();
    }
}

impl Host {
    /// A host that is off.
    pub(crate) fn new(network: Arc<Network>, name: &str, number: u8) -> Result<Self> {
        let folder = network.scratch().folder().join(name);
        fs::create_dir(&folder)
            .with_context(|| format!("create {}: one name, one host", folder.display()))?;
        let host = Self {
            name: name.into(),
            number,
            folder,
            network,
            up: Mutex::new(None),
            services: Mutex::new(Vec::new()),
        };
        host.put_key()?;
        Ok(host)
    }

    /// Its name, the same inside.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address in the network.
    pub fn address(&self) -> Ipv4Addr {
        Network::address(self.number)
    }

    /// Where the machine sees a file of the host's disk, also while the host is off.
    pub fn disk(&self, path: &str) -> PathBuf {
        assert!(
            DISK.iter().any(|top| Path::new(path).starts_with(top)),
            "{path} is not on the host's own disk"
        );
        self.folder.join("disk").join(path.trim_start_matches('/'))
    }

    /// The file which takes the output of a program.
    pub fn output(&self, program: &str) -> PathBuf {
        self.folder.join(format!("{program}.out"))
    }

    /// Starts `program` at each boot from now on, and now.
    pub fn enable(&self, program: Program) -> Result<Pid> {
        let pid = self.start(&program)?;
        lock(&self.services).push(program);
        Ok(pid)
    }

    /// Boots and starts what is enabled. On a host that is up nothing happens.
    pub fn boot(&self) -> Result<()> {
        let mut up = lock(&self.up);
        if up.is_some() {
            return Ok(());
        }
        let folder =
            self.folder.to_str().with_context(|| format!("{} is not UTF-8", self.folder.display()))?;
        let namespace = Namespace::start(BOOT, &[&self.name, folder], &self.folder)
            .with_context(|| format!("boot {}", self.name))?;
        let port = self.network.plug_in(&namespace, self.number)?;
        let up = up.insert(Up { namespace, daemons: Vec::new(), port });
        for service in lock(&self.services).iter() {
            up.daemons.push(Daemon::start(&up.namespace, service, &self.output(&service.name))?);
        }
        Ok(())
    }

    /// The power goes away: every process is dead when this returns. On a host that is off nothing happens.
    pub fn crash(&self) {
        lock(&self.up).take();
    }

    /// Whether it is booted.
    pub fn is_up(&self) -> bool {
        lock(&self.up).is_some()
    }

    /// Pulls the cable.
    pub fn cut(&self) -> Result<()> {
        self.when_up(|up| self.network.set_port(&up.port, false))
    }

    /// Plugs the cable in again.
    pub fn restore(&self) -> Result<()> {
        self.when_up(|up| self.network.set_port(&up.port, true))
    }

    /// Runs a command to its end, at most for half a minute. It must not leave children behind that keep its output
    /// open: those are for [`start`](Self::start).
    pub fn run(&self, command: &[&str]) -> Result<Output> {
        self.run_within(PATIENCE, command)
    }

    /// Runs a command to its end; after `deadline` it is killed and the status is 124.
    pub fn run_within(&self, deadline: Duration, command: &[&str]) -> Result<Output> {
        let seconds = deadline.as_secs_f64().to_string();
        // The lock is for starting only: a slow command must not hold up a crash.
        let mut enter = self.when_up(|up| Ok(up.namespace.command("timeout")))?;
        let output = enter
            .args(["--kill-after=1", &seconds])
            .args(command)
            .output()
            .with_context(|| format!("run {command:?} on {}", self.name))?;
        Ok(Output {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a command that must succeed, and gives its standard output.
    pub fn check(&self, command: &[&str]) -> Result<String> {
        let Output { status, stdout, stderr } = self.run(command)?;
        if !status.success() {
            bail!("{command:?} on {}: {status}: {}{}", self.name, stdout.trim(), stderr.trim());
        }
        Ok(stdout)
    }

    /// Starts a program that keeps running, and gives its pid on the machine.
    pub fn start(&self, program: &Program) -> Result<Pid> {
        let output = self.output(&program.name);
        self.when_up(|up| {
            let daemon = Daemon::start(&up.namespace, program, &output)?;
            let pid = daemon.pid;
            up.daemons.push(daemon);
            Ok(pid)
        })
    }

    /// The pid, on the machine, of a started program; an error with its last words when it has ended.
    pub fn pid(&self, program: &str) -> Result<Pid> {
        self.with_daemon(program, |daemon| match daemon.ended()? {
            None => Ok(daemon.pid),
            Some(status) => bail!("{program} on {}: {status}: {}", self.name, tail(&self.output(program))),
        })
    }

    /// Sends SIGTERM to a started program and waits for its end; says how it ended.
    pub fn stop(&self, program: &str, deadline: Duration) -> Result<std::process::ExitStatus> {
        self.with_daemon(program, |daemon| daemon.signal(Signal::SIGTERM))?;
        self.ended(program, deadline)
    }

    /// Waits for a started program's end, and says how it ended.
    pub fn ended(&self, program: &str, deadline: Duration) -> Result<std::process::ExitStatus> {
        let status = wait_until(&format!("{program} on {} ends", self.name), deadline, || {
            self.with_daemon(program, Daemon::ended)
        })?;
        self.when_up(|up| {
            up.daemons.retain(|daemon| daemon.name != program);
            Ok(())
        })?;
        Ok(status)
    }

    /// Reads a file as programs on the host see it.
    pub fn read(&self, path: &str) -> Result<String> {
        let outside = self.seen_from_outside(path)?;
        let bytes = fs::read(&outside).with_context(|| format!("read {path} on {}", self.name))?;
        // The original writes bytes into its log that are not UTF-8.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Writes a file with mode 0644 (0755 for a script), with its directories.
    pub fn write(&self, path: &str, content: &str) -> Result<()> {
        let outside = self.seen_from_outside(path)?;
        let mode = if content.starts_with("#!") { 0o755 } else { 0o644 };
        outside
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&outside, content))
            .and_then(|()| fs::set_permissions(&outside, PermissionsExt::from_mode(mode)))
            .with_context(|| format!("write {path} on {}", self.name))
    }

    /// Runs `act` inside the host's network. Sockets made there stay there and may be used anywhere afterwards.
    pub fn in_network<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        // The lock is for getting there only: a connect that hangs must not hold up a crash.
        let network = self.when_up(|up| up.namespace.network())?;
        in_network(&network, act)
    }

    /// Whether something listens on the TCP port, found without connecting to it.
    pub fn listens(&self, port: u16) -> Result<bool> {
        let end = format!(":{port:04X}");
        let mut tables = String::new();
        for family in ["tcp", "tcp6"] {
            // From inside, for init's /proc is the view of its own network.
            let path = self.when_up(|up| Ok(format!("/proc/{}/net/{family}", up.namespace.init())))?;
            fs::File::open(&path)
                .and_then(|mut file| file.read_to_string(&mut tables))
                .with_context(|| format!("read {path}"))?;
        }
        // sl local_address rem_address st ...; 0A is LISTEN
        Ok(tables.lines().any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            fields.next().is_some_and(|local| local.ends_with(&end)) && fields.nth(1) == Some("0A")
        }))
    }

    /// The path through which the machine reaches a file of the running host.
    pub(crate) fn seen_from_outside(&self, path: &str) -> Result<PathBuf> {
        let init = self.when_up(|up| Ok(up.namespace.init()))?;
        Ok(PathBuf::from(format!("/proc/{init}/root{path}")))
    }

    fn put_key(&self) -> Result<()> {
        let key = self.network.key();
        let path = self.disk("/etc/pacemaker/authkey");
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, key))
            .and_then(|()| fs::set_permissions(&path, PermissionsExt::from_mode(0o640)))
            .with_context(|| format!("write {}", path.display()))
    }

    fn when_up<T>(&self, act: impl FnOnce(&mut Up) -> Result<T>) -> Result<T> {
        match lock(&self.up).as_mut() {
            Some(up) => act(up),
            None => bail!("{} is off", self.name),
        }
    }

    fn with_daemon<T>(&self, program: &str, act: impl FnOnce(&mut Daemon) -> Result<T>) -> Result<T> {
        self.when_up(|up| match up.daemons.iter_mut().rev().find(|daemon| daemon.name == program) {
            Some(daemon) => act(daemon),
            None => bail!("{program} was not started on {}", self.name),
        })
    }
}

/// A panic elsewhere does not spoil what is kept here, and teardown needs it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
