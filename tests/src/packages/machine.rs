//! A machine with a systemd of its own and packages to install: systemd-nspawn on a clean root.
//!
//! What it writes goes to an overlay in the test's folder; the mount exists only in nspawn's own namespace.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::check;
use super::root::{Kind, pristine};
use crate::nspawn::Nspawn;
use crate::program::tail;
use crate::scratch::Scratch;
use crate::wait::wait_until;

const BOOT: Duration = Duration::from_secs(60);

/// A booted machine.
pub struct Machine {
    // Dropped in this order: the machine goes before its folder.
    running: Nspawn,
    _scratch: Scratch,
}

impl Machine {
    /// Boots one. `network` is a namespace's file below `/proc`; without one it has a loopback device only. `files` are
    /// put in place before that.
    pub fn boot(kind: Kind, network: Option<&Path>, files: &[(&str, &[u8])]) -> Result<Self> {
        let lower = pristine(kind)?;
        let scratch = Scratch::new()?;
        let folder = scratch.folder();
        for name in ["upper", "work", "root"] {
            fs::create_dir(folder.join(name))?;
        }
        for (path, content) in files {
            let file = folder.join("upper").join(path.trim_start_matches('/'));
            fs::create_dir_all(file.parent().context("a file is in a folder")?)?;
            fs::write(&file, content).with_context(|| format!("write {}", file.display()))?;
        }
        let log = folder.join("nspawn.log");
        let running = start(&lower, folder, network, &log)?;
        let machine = Self { running, _scratch: scratch };
        wait_until("systemd has booted", BOOT, || {
            let state = machine.sh("systemctl is-system-running")?;
            let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
            ensure!(matches!(state.as_str(), "running" | "degraded"), "it is {state}");
            Ok(Some(()))
        })
        .with_context(|| tail(&log))?;
        Ok(machine)
    }

    /// Runs a shell script on it, as root in the root's home.
    pub fn sh(&self, script: &str) -> Result<Output> {
        Command::new("nsenter")
            .args(["--target", &self.running.init().to_string(), "--all", "--wd=/", "--"])
            .args(["timeout", "--kill-after=1", "120"])
            .args(["sh", "-c", &format!("cd /root && {{ {script}\n}}")])
            .env_clear()
            .envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("LC_ALL", "C"), ("HOME", "/root")])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .output()
            .context("run nsenter")
    }

    /// Runs a shell script that must succeed; its standard output.
    pub fn check(&self, script: &str) -> Result<String> {
        check(script, &self.sh(script)?)
    }

    /// Where this machine sees one of its files.
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.running.init()))
    }

    /// Copies a file into root's home.
    pub fn give(&self, file: &Path) -> Result<()> {
        let to = self.path("/root").join(file.file_name().context("a file has a name")?);
        fs::copy(file, &to).with_context(|| format!("copy {} to {}", file.display(), to.display()))?;
        Ok(())
    }
}

fn start(lower: &Path, folder: &Path, network: Option<&Path>, log: &Path) -> Result<Nspawn> {
    const MOUNT: &str = "mount -t overlay -o lowerdir=\"$1\",upperdir=\"$2/upper\",workdir=\"$2/work\" overlay \
                         \"$2/root\" && cd / && directory=$2/root && shift 2 && exec systemd-nspawn \
                         --directory=\"$directory\" \"$@\"";
    let out = File::create(log)?;
    let name = folder.file_name().context("the folder has a name")?.to_string_lossy();
    let mut nspawn = Command::new("setpriv");
    // A harness that is killed takes the machine with it.
    nspawn.args(["--pdeathsig", "KILL", "--", "unshare", "--mount", "--propagation", "private", "--"]);
    nspawn.args(["sh", "-c", MOUNT, "sh"]).arg(lower).arg(folder);
    nspawn.args(["--boot", "--register=no", "--keep-unit", "--link-journal=no", "--console=pipe"]);
    nspawn.args(["--machine", &name]);
    match network {
        Some(path) => nspawn.arg(format!("--network-namespace-path={}", path.display())),
        None => nspawn.arg("--private-network"),
    };
    nspawn.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).process_group(0);
    Nspawn::start(&mut nspawn, log, BOOT, BOOT)
}
