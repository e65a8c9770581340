//! Clean Debian roots: what a package finds, and what it leaves behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use super::{check, checkout, run};
use crate::scratch::Scratch;

/// What a root holds beside Debian's smallest system.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Nothing.
    Plain,
    /// systemd, and Debian's `pacemaker-remote` with resource agents.
    Remote,
    /// systemd, Corosync, Pacemaker and Debian's fence agents.
    Node,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Remote => "remote",
            Self::Node => "node",
        }
    }

    fn packages(self) -> &'static str {
        match self {
            Self::Plain => "passwd",
            Self::Remote => "dbus,iproute2,pacemaker-remote,procps,resource-agents,systemd,systemd-sysv",
            Self::Node => {
                "corosync,dbus,fence-agents,fence-virt,iproute2,pacemaker,pacemaker-cli-utils,procps,systemd,systemd-sysv"
            }
        }
    }
}

/// The folder of a root that nobody may change; made by mmdebstrap when it is not there, which needs the network.
pub(super) fn pristine(kind: Kind) -> Result<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _making = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let roots = checkout().join("target/roots");
    fs::create_dir_all(&roots).with_context(|| format!("create {}", roots.display()))?;
    let (site, release) = mirror()?;
    let folder = roots.join(format!("{release}-{}", kind.name()));
    if folder.exists() {
        return Ok(folder.canonicalize()?);
    }
    // Two processes may start at once: each makes its own, and one rename wins.
    let part = roots.join(format!("part-{}-{}", kind.name(), std::process::id()));
    let mut make = Command::new("mmdebstrap");
    make.args(["--quiet", "--variant=minbase", "--mode=root", "--format=directory"])
        .arg(format!("--include={}", kind.packages()))
        .arg(&release)
        .arg(&part)
        .arg(&site);
    run(&mut make)?;
    if fs::rename(&part, &folder).is_err() {
        fs::remove_dir_all(&part).with_context(|| format!("remove {}", part.display()))?;
    }
    Ok(folder.canonicalize()?)
}

/// The archive that this machine's own packages come from, and its release.
fn mirror() -> Result<(String, String)> {
    let os = fs::read_to_string("/etc/os-release").context("read /etc/os-release")?;
    let release = os.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let release = release.context("/etc/os-release names no release: not a Debian")?;
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]);
    let list = run(&mut targets)?;
    let site = list.lines().find_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        [site, of, "main"] if of == release => Some(site.to_owned()),
        _ => None,
    });
    let site = site.with_context(|| format!("apt knows no archive of {release}: run apt-get update"))?;
    Ok((site, release.to_owned()))
}

/// A root to do things to, on top of a pristine one. Commands in it have no network.
pub struct Root {
    scratch: Scratch,
    lower: PathBuf,
}

impl Root {
    /// A fresh one.
    pub fn new(kind: Kind) -> Result<Self> {
        let root = Self { scratch: Scratch::new()?, lower: pristine(kind)? };
        for folder in ["upper", "work", "root"] {
            fs::create_dir(root.folder(folder))?;
        }
        Ok(root)
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.scratch.folder().join(name)
    }

    /// Where files for the root may be put; seen inside as `/mnt`.
    pub fn exchange(&self) -> Result<PathBuf> {
        let folder = self.folder("exchange");
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Copies a file where commands inside find it, and gives that path.
    pub fn give(&self, file: &Path) -> Result<String> {
        let name = file.file_name().context("a file has a name")?;
        fs::copy(file, self.exchange()?.join(name)).with_context(|| format!("copy {}", file.display()))?;
        Ok(format!("/mnt/{}", name.to_string_lossy()))
    }

    /// Runs a shell script inside.
    pub fn sh(&self, script: &str) -> Result<Output> {
        self.enter("exec chroot \"$1\" sh -c \"$2\"", script)
    }

    /// Runs a shell script inside that must succeed; its standard output.
    pub fn check(&self, script: &str) -> Result<String> {
        check(script, &self.sh(script)?)
    }

    /// Runs a script of this machine with the root in `$root`, on the same terms.
    pub fn outside(&self, script: &str) -> Result<String> {
        check(script, &self.enter("export root=\"$1\"; exec sh -c \"$2\"", script)?)
    }

    /// Mounts live as long as one command: nothing can be left over.
    fn enter(&self, how: &str, script: &str) -> Result<Output> {
        const MOUNT: &str = "set -e; cd \"$3\"
            mount -t overlay -o lowerdir=\"$4\",upperdir=upper,workdir=work overlay root
            mount -t proc proc root/proc
            mount --rbind /dev root/dev
            mkdir -p exchange; mount --bind exchange root/mnt
            ";
        Command::new("timeout")
            .args(["--kill-after=1", "120", "unshare", "--mount", "--net", "--pid", "--ipc", "--uts"])
            .args(["--propagation", "private", "--fork", "--kill-child", "--", "sh", "-c"])
            .arg(format!("{MOUNT}{how}"))
            .arg("sh")
            .arg(self.folder("root"))
            .arg(script)
            .arg(self.scratch.folder())
            .arg(&self.lower)
            .env_clear()
            .envs([
                ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
                ("LC_ALL", "C"),
                ("DEBIAN_FRONTEND", "noninteractive"),
            ])
            .stdin(Stdio::null())
            .output()
            .context("run unshare")
    }

    /// Everything there is, by path: mode, owner, and for files size, time and link. Without what package managers
    /// write about themselves.
    pub fn snapshot(&self) -> Result<BTreeMap<String, String>> {
        const OWN: [&str; 10] = [
            "var/lib/dpkg",
            "var/lib/rpm",
            "var/log/dpkg.log",
            "var/cache/ldconfig",
            "proc",
            "dev",
            "sys",
            "mnt",
            "tmp",
            "usr/lib/sysimage/rpm",
        ];
        let own: Vec<_> = OWN.iter().map(|path| format!("-path ./{path}")).collect();
        let list = self.outside(&format!(
            "cd \"$root\" && find . \\( {} \\) -prune -o -type d -printf '%P\\t%m %U:%G\\n' \
             -o -printf '%P\\t%m %U:%G %s %T@ %l\\n'",
            own.join(" -o ")
        ))?;
        let entries = list.lines().map(|line| {
            let (path, rest) = line.split_once('\t').with_context(|| format!("find said '{line}'"))?;
            Ok((format!("/{path}"), rest.to_owned()))
        });
        entries.collect()
    }

    /// A file inside, as it is now.
    pub fn read(&self, path: &str) -> Result<String> {
        self.check(&format!("cat '{path}'"))
    }
}

/// What differs between two looks at a root.
pub fn changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    paths.into_iter().filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}
