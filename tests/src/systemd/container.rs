//! A systemd of our own as PID 1, with picket-agent as one of its services.
//!
//! The root file system is shared and never written: what changes goes to memory and is gone with the container.

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::fcntl::{Flock, FlockArg};
use nix::sched::{CloneFlags, setns};

use super::client::Client;
use crate::agent::Agent;
use crate::nspawn::Nspawn;
use crate::program::tail;
use crate::scratch::Scratch;
use crate::wait::wait_until;

const BOOT: Duration = Duration::from_secs(30);
const START: Duration = Duration::from_secs(10);

/// The agent's own unit, with what matters of the packaged one.
const SERVICE: &str = "[Unit]
Description=picket-agent under test
After=dbus.service
Wants=dbus.service
[Service]
ExecStart=/opt/picket/picket-agent
KillMode=process
Environment=PCMK_logfile=/run/picket.log PCMK_debug=1
";

/// A booted container.
pub struct Container {
    // Dropped in this order: the container goes before its folder.
    running: Nspawn,
    key: PathBuf,
    _scratch: Scratch,
    _turn: Flock<File>,
}

impl Container {
    /// Boots one, with the agent started. One at a time: another one is waited for.
    pub fn boot() -> Result<Self> {
        let root = root()?;
        let turn = take_turn(&root)?;
        let scratch = Scratch::new()?;
        let folder = scratch.folder();
        let agent = Agent::Picket.executable()?;
        fs::create_dir(folder.join("bin"))?;
        fs::copy(&agent, folder.join("bin/picket-agent")).context("copy the agent")?;

        let log = folder.join("nspawn.log");
        let running = start(&root, folder, &log)?;
        let container = Self { running, key: folder.join("authkey"), _scratch: scratch, _turn: turn };
        let bus = container.path("/run/dbus/system_bus_socket");
        wait_until("systemd has booted", BOOT, || {
            let state = container.command(&["systemctl", "is-system-running"]).output()?;
            let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
            Ok((bus.exists() && matches!(state.as_str(), "running" | "degraded")).then_some(()))
        })
        .with_context(|| tail(&log))?;
        container.start_agent()?;
        Ok(container)
    }

    fn start_agent(&self) -> Result<()> {
        let key: Vec<u8> = (0..4096_u32).map(|n| n.to_le_bytes()[0] ^ 0x5a).collect();
        fs::write(&self.key, &key)?;
        fs::create_dir_all(self.path("/etc/pacemaker"))?;
        fs::write(self.path("/etc/pacemaker/authkey"), &key)?;
        self.unit("picket.service", SERVICE)?;
        self.systemctl(&["daemon-reload"])?;
        self.systemctl(&["start", "picket.service"])?;
        wait_until("picket-agent listens", START, || self.connect().map(Some)).map(drop)
    }

    /// A client of the agent.
    pub(super) fn client(&self) -> Result<Client> {
        Client::register(self.connect()?, &self.key)
    }

    /// Writes a unit file, which systemd does not know of until it reads its files again.
    pub fn unit(&self, name: &str, content: &str) -> Result<()> {
        self.write(&format!("/etc/systemd/system/{name}"), content)
    }

    /// Writes a file; a script becomes executable.
    pub fn write(&self, path: &str, content: &str) -> Result<()> {
        let outside = self.path(path);
        fs::write(&outside, content).with_context(|| format!("write {path} in the container"))?;
        let mode = if content.starts_with("#!") { 0o755 } else { 0o644 };
        fs::set_permissions(outside, PermissionsExt::from_mode(mode))?;
        Ok(())
    }

    /// Runs systemctl, which must succeed; what it says.
    pub fn systemctl(&self, arguments: &[&str]) -> Result<String> {
        let command: Vec<_> = ["systemctl"].iter().chain(arguments).copied().collect();
        self.run(&command)
    }

    /// Runs a command, which must succeed; what it says.
    pub fn run(&self, command: &[&str]) -> Result<String> {
        let output = self.command(command).output().with_context(|| format!("run {command:?}"))?;
        if !output.status.success() {
            bail!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// What `systemctl show` says of a unit: the truth.
    pub fn property(&self, unit: &str, name: &str) -> Result<String> {
        self.systemctl(&["show", "--value", "--property", name, unit])
    }

    /// Where the machine sees a file of the container.
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.running.init()))
    }

    /// The agent's last words.
    pub fn log(&self) -> String {
        tail(&self.path("/run/picket.log"))
    }

    fn connect(&self) -> Result<TcpStream> {
        let path = format!("/proc/{}/ns/net", self.running.init());
        let network = File::open(&path).with_context(|| format!("open {path}"))?;
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| -> Result<TcpStream> {
                setns(&network, CloneFlags::CLONE_NEWNET).context("enter the container's network")?;
                Ok(TcpStream::connect(("127.0.0.1", 3121))?)
            });
            inside.join().map_err(|_| anyhow!("the thread inside the container's network panicked"))?
        })
    }

    fn command(&self, command: &[&str]) -> Command {
        let mut enter = Command::new("nsenter");
        enter
            .args(["--target", &self.running.init().to_string(), "--all", "--wd=/", "--"])
            .args(["timeout", "--kill-after=1", "60"])
            .args(command)
            .env_clear()
            .envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("LC_ALL", "C")])
            .stdin(Stdio::null());
        enter
    }
}

fn start(root: &Path, folder: &Path, log: &Path) -> Result<Nspawn> {
    let out = File::create(log)?;
    let name = folder.file_name().context("the folder has a name")?.to_string_lossy();
    // A harness that is killed takes the container with it.
    let mut nspawn = Command::new("setpriv");
    nspawn
        .args(["--pdeathsig", "KILL", "--", "systemd-nspawn", "--boot", "--volatile=overlay"])
        .args(["--register=no", "--keep-unit", "--private-network", "--link-journal=no"])
        .args(["--console=pipe", "--machine", &name])
        .arg(format!("--bind-ro={}:/opt/picket", folder.join("bin").display()))
        .arg("--directory")
        .arg(root)
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .process_group(0);
    Nspawn::start(&mut nspawn, log, BOOT, START)
}

/// The root file system, made when it is not there.
fn root() -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/dev/systemd-root");
    let output = Command::new(&script).output().with_context(|| format!("run {}", script.display()))?;
    if !output.status.success() {
        bail!("{}: {}: {}", script.display(), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// systemd-nspawn refuses a root that another one has.
fn take_turn(root: &Path) -> Result<Flock<File>> {
    let path = root.with_extension("turn");
    wait_until("the other container is gone", Duration::from_secs(600), || {
        let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(Flock::lock(file, FlockArg::LockExclusiveNonblock).ok())
    })
}
