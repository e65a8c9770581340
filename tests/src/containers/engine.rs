//! A real container engine on a host: Debian's dockerd or Podman's API service, with its own storage, socket and
//! control groups, so that nothing of it is seen or left on the machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::group::Group;
use crate::host::Host;
use crate::pki::Ca;
use crate::program::{Program, tail};
use crate::wait::wait_until;

const START: Duration = Duration::from_secs(60);

/// An image is some 10 MB.
const IMPORT: Duration = Duration::from_secs(60);

/// Which engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `dockerd`.
    Docker,
    /// `podman system service`.
    Podman,
}

impl Kind {
    /// Its name in output and parameters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    /// Its socket on the host, where it is by default.
    pub fn socket(self) -> &'static str {
        match self {
            Self::Docker => "/run/docker.sock",
            Self::Podman => "/run/podman/podman.sock",
        }
    }
}

/// An engine on a host; it starts again when the host boots.
pub struct Engine {
    /// Where it runs.
    pub host: Arc<Host>,
    /// Which it is.
    pub kind: Kind,
    /// More words of its command line.
    options: String,
    // Emptied when this is dropped.
    group: Group,
}

impl Engine {
    /// Starts one and waits until it answers.
    pub fn start(host: &Arc<Host>, kind: Kind) -> Result<Self> {
        Self::start_with(host, kind, "")
    }

    /// The port of [`start_secured`](Self::start_secured).
    pub const TLS_PORT: u16 = 2376;

    /// A Docker Engine that also listens at an address of the host, for clients with a certificate of the authority, as
    /// its documentation sets that up.
    pub fn start_secured(host: &Arc<Host>, ca: &Ca, address: &str) -> Result<Self> {
        let server = ca.issue_to(address)?;
        for (name, text) in [("ca", &ca.cert), ("cert", &server.cert), ("key", &server.key)] {
            host.write(&format!("/etc/docker/{name}.pem"), text)?;
        }
        let options = format!(
            "--host tcp://{address}:{} --tlsverify --tlscacert /etc/docker/ca.pem --tlscert /etc/docker/cert.pem \
             --tlskey /etc/docker/key.pem",
            Self::TLS_PORT
        );
        Self::start_with(host, Kind::Docker, &options)
    }

    /// With more words on its command line.
    fn start_with(host: &Arc<Host>, kind: Kind, options: &str) -> Result<Self> {
        let folder = folder(host)?;
        let group = Group::new(&format!("{}-{}", host.name(), kind.name()));
        if kind == Kind::Podman {
            for (file, text) in podman_settings(&folder)? {
                host.write(file, &text)?;
            }
        }
        host.enable(program(kind, &folder, group.name(), options)?)?;
        let engine = Self { host: Arc::clone(host), kind, options: options.to_owned(), group };
        engine.answers(START)?;
        Ok(engine)
    }

    /// The control group of its containers, where the engine is not told by its own settings.
    pub fn group(&self) -> &str {
        self.group.name()
    }

    /// Waits until it answers.
    pub fn answers(&self, deadline: Duration) -> Result<()> {
        let what = format!("{} on {} answers", self.kind.name(), self.host.name());
        let waited = wait_until(&what, deadline, || {
            // The service is over: no use in waiting.
            let alive = self.host.pid(self.kind.name());
            Ok(match alive {
                Err(error) => Some(Err(error)),
                Ok(_) => self
                    .host
                    .run(&["docker", "-H", &self.address(), "ps"])?
                    .status
                    .success()
                    .then_some(Ok(())),
            })
        });
        waited.and_then(|inner| inner).with_context(|| tail(&self.host.output(self.kind.name())))
    }

    /// Ends the engine as its service manager would.
    pub fn stop(&self) -> Result<()> {
        self.host.stop(self.kind.name(), START).map(drop)
    }

    /// Starts it again after a stop. Does not wait.
    pub fn start_again(&self) -> Result<()> {
        let program = program(self.kind, &folder(&self.host)?, self.group.name(), &self.options)?;
        self.host.start(&program).map(drop)
    }

    /// Its pid, on the machine.
    pub fn pid(&self) -> Result<Pid> {
        self.host.pid(self.kind.name())
    }

    /// Sends it a signal. SIGSTOP hangs it: then every thread of it stands still when this returns.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid()?;
        kill(pid, signal).with_context(|| format!("send {signal} to {}", self.kind.name()))?;
        if signal != Signal::SIGSTOP {
            return Ok(());
        }
        wait_until("the engine stands still", START, || {
            for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
                let stat = std::fs::read_to_string(thread?.path().join("stat"))?;
                // The state is behind the name, which may hold anything.
                if !stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')) {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
    }

    /// Runs a command of docker's client against it.
    pub fn cli(&self, arguments: &[&str]) -> Result<String> {
        let address = self.address();
        let command: Vec<&str> =
            ["docker", "-H", &address].into_iter().chain(arguments.iter().copied()).collect();
        self.host.check(&command)
    }

    /// Makes an image of a folder on the machine.
    pub fn import(&self, root: &Path, image: &str) -> Result<()> {
        let root = root.to_str().with_context(|| format!("{} is not UTF-8", root.display()))?;
        let script = r#"tar -C "$1" -c . | docker -H "$2" import - "$3""#;
        let output =
            self.host.run_within(IMPORT, &["sh", "-c", script, "import", root, &self.address(), image])?;
        if !output.status.success() {
            bail!("import {image} from {root}: {}: {}", output.status, output.stderr.trim());
        }
        Ok(())
    }

    /// Its socket as an address.
    pub fn address(&self) -> String {
        format!("unix://{}", self.kind.socket())
    }
}

fn folder(host: &Host) -> Result<PathBuf> {
    let output = host.output("engine");
    Ok(output.parent().context("a host has a folder")?.to_owned())
}

fn program(kind: Kind, folder: &Path, group: &str, options: &str) -> Result<Program> {
    let folder = folder.to_str().with_context(|| format!("{} is not UTF-8", folder.display()))?;
    let script = match kind {
        // A pid file of the boot before names a stranger; /run is fresh, the storage is not.
        Kind::Docker => format!(
            "exec dockerd --data-root {folder}/docker --exec-root /run/docker --pidfile /run/docker.pid \
             --host unix://{} --live-restore --cgroup-parent /{group} {options}",
            kind.socket()
        ),
        Kind::Podman => {
            format!(
                "mkdir -p /run/podman; exec podman system service --time=0 {options} unix://{}",
                kind.socket()
            )
        }
    };
    Ok(Program::new(kind.name(), &["sh", "-c", &script]))
}

/// Settings that podman's service and its command line share. runc, for crun refuses hybrid control groups; limits that
/// a root without the right to raise its own can set.
fn podman_settings(folder: &Path) -> Result<[(&'static str, String); 2]> {
    let folder = folder.to_str().with_context(|| format!("{} is not UTF-8", folder.display()))?;
    let storage = format!(
        "[storage]\ndriver = \"overlay\"\ngraphroot = \"{folder}/podman\"\nrunroot = \"/run/podman-state\"\n"
    );
    let engine = "[containers]\ndefault_ulimits = [\"nofile=1000:1000\", \"nproc=1000:1000\"]\n\
        [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n";
    Ok([("/etc/containers/storage.conf", storage), ("/etc/containers/containers.conf", engine.to_owned())])
}
