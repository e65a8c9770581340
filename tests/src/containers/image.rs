//! Root file systems for images, made of what is on this machine: no registry is needed.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

use anyhow::{Context, Result, bail};

use crate::network::Network;

/// What scripts in an image find, all of them busybox.
const APPLETS: [&str; 42] = [
    "[", "awk", "basename", "cat", "chmod", "chown", "cp", "cut", "date", "dirname", "echo", "env", "expr",
    "false", "find", "grep", "head", "hostname", "httpd", "id", "kill", "ln", "ls", "mkdir", "mv", "printf",
    "ps", "readlink", "rm", "sed", "seq", "sh", "sleep", "sort", "tail", "test", "touch", "tr", "true",
    "uname", "wc", "which",
];

const FOLDERS: [&str; 9] =
    ["dev", "etc/pacemaker", "proc", "run", "sys", "tmp", "usr/sbin", "var/lib/pacemaker", "var/log"];

/// Parts an image is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// The static agent as `/usr/sbin/pacemaker-remoted`.
    Agent,
    /// busybox as a shell with its tools.
    Shell,
    /// Resource agents: `ocf:heartbeat:Dummy` with its library, and `ocf:test:exit`, `orphans` and `service`.
    ResourceAgents,
}

/// An agent that ends as it is told, and leaves processes behind.
const EXIT: &str = r#"#!/bin/sh
n=${OCF_RESKEY_orphans:-0}
while [ "$n" -gt 0 ]; do (sleep 0.05 >/dev/null 2>&1 </dev/null &); n=$((n - 1)); done
echo "ocf-exit-reason:$OCF_RESKEY_word" >&2
exit "$OCF_RESKEY_code"
"#;

/// An agent each check of which leaves ten orphans and a byte, and ends as a file says, once.
const ORPHANS: &str = r#"#!/bin/sh
file=/run/$OCF_RESOURCE_INSTANCE
case $1 in
start) touch "$file.runs" ;;
stop) rm -f "$file.runs" ;;
monitor)
    [ -e "$file.runs" ] || exit 7
    for n in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.05 >/dev/null 2>&1 </dev/null &); done
    printf . >>"$file.count"
    if [ -e "$file.code" ]; then code=$(cat "$file.code"); rm "$file.code"; exit "$code"; fi ;;
*) exit 3 ;;
esac
"#;

/// A service that is a process, called `service-NAME`.
const SERVICE: &str = r#"#!/bin/sh
name=service-$OCF_RESOURCE_INSTANCE file=/run/$OCF_RESOURCE_INSTANCE.pid
# Not by grep: its own command line would have the name, and its process the number that a former life left in the file.
runs() {
    [ -f "$file" ] || return 1
    case " $({ tr '\0' ' ' <"/proc/$(cat "$file")/cmdline"; } 2>/dev/null) " in *" $name "*) ;; *) return 1 ;; esac
}
case $1 in
start)
    runs && exit 0
    sh -c 'while :; do sleep 1000; done' "$name" >/dev/null 2>&1 </dev/null &
    echo $! >"$file" ;;
stop) ! runs || kill -KILL "$(cat "$file")"; rm -f "$file" ;;
monitor) runs || exit 7 ;;
*) exit 3 ;;
esac
"#;

/// Puts a root file system of these parts into the network's folder.
pub fn root(network: &Network, name: &str, parts: &[Part]) -> Result<PathBuf> {
    let root = network.scratch().folder().join(format!("image-{name}"));
    for folder in FOLDERS {
        make(&root.join(folder))?;
    }
    for part in parts {
        let made = match part {
            Part::Agent => agent(&root),
            Part::Shell => shell(&root),
            Part::ResourceAgents => resource_agents(&root),
        };
        made.with_context(|| format!("put {part:?} into {}", root.display()))?;
    }
    Ok(root)
}

/// The static agent: `PICKET_STATIC_AGENT`, or what packaging/container/static has built.
pub fn static_agent() -> Result<PathBuf> {
    if let Some(path) = env::var_os("PICKET_STATIC_AGENT") {
        return Ok(path.into());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/container/static");
    let output = Command::new(&script).output().with_context(|| format!("run {}", script.display()))?;
    if !output.status.success() {
        bail!("{}: {}: {}", script.display(), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("picket-agent"))
}

/// With the file that has libqb, and so the agent, put its sockets into the file system: abstract names belong to the
/// network, and a bundle that has its host's meets the cluster's own daemons there.
fn agent(root: &Path) -> Result<()> {
    make(&root.join("etc/libqb"))?;
    fs::write(root.join("etc/libqb/force-filesystem-sockets"), "")?;
    copy(&static_agent()?, &root.join("usr/sbin/pacemaker-remoted"))
}

fn shell(root: &Path) -> Result<()> {
    let bin = root.join("bin");
    make(&bin)?;
    copy(Path::new("/bin/busybox"), &bin.join("busybox"))?;
    for applet in APPLETS {
        symlink("busybox", bin.join(applet))?;
    }
    // Scripts name their tools in either place.
    symlink("../bin", root.join("usr/bin"))?;
    Ok(())
}

fn resource_agents(root: &Path) -> Result<()> {
    let ocf = Path::new("/usr/lib/ocf");
    for folder in ["resource.d/heartbeat", "lib/heartbeat", "resource.d/test"] {
        make(&root.join("usr/lib/ocf").join(folder))?;
    }
    let library = fs::read_dir(ocf.join("lib/heartbeat"))?.collect::<io::Result<Vec<_>>>()?;
    for file in library.iter().filter(|file| file.path().is_file()) {
        copy(&file.path(), &root.join("usr/lib/ocf/lib/heartbeat").join(file.file_name()))?;
    }
    copy(&ocf.join("resource.d/heartbeat/Dummy"), &root.join("usr/lib/ocf/resource.d/heartbeat/Dummy"))?;
    for (name, script) in [("exit", EXIT), ("orphans", ORPHANS), ("service", SERVICE)] {
        let file = root.join("usr/lib/ocf/resource.d/test").join(name);
        fs::write(&file, script)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("copy {} to {}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a namespace where processes have small numbers, each of which may be in a file that an earlier life left.
    #[test]
    fn a_service_is_not_found_in_those_who_look_for_it() {
        let script = r#"mount -t tmpfs tmpfs /run; echo "$1" >/run/web.pid; exec sh -c "$2" service monitor"#;
        for left in 1..=12 {
            let status = Command::new("unshare")
                .args(["--mount", "--pid", "--fork", "--mount-proc", "sh", "-euc", script, "sh"])
                .arg(left.to_string())
                .arg(SERVICE)
                .env("OCF_RESOURCE_INSTANCE", "web")
                .status()
                .expect("unshare is everywhere");
            assert_eq!(status.code(), Some(7), "process {left}");
        }
    }
}
