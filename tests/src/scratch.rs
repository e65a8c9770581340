//! The folder of one harness instance: disks of its hosts, logs, sockets.
//!
//! It is removed on drop, and by a small janitor process when the harness dies without dropping anything. A lock on
//! it says that its owner lives; folders without a locked lock are swept at the next start.

use std::env;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;

/// Waits for the pipe to break, then removes the folder; what still dies inside may write into it meanwhile.
const JANITOR: &str =
    r#"cat >/dev/null; n=0; until rm -rf -- "$1" 2>/dev/null || [ $((n += 1)) -gt 50 ]; do sleep 0.1; done"#;

pub(crate) struct Scratch {
    folder: PathBuf,
    janitor: Option<Child>,
    _lock: Flock<File>,
}

impl Scratch {
    pub(crate) fn new() -> Result<Self> {
        if !geteuid().is_root() {
            bail!("the test harness makes namespaces and mounts: run it as root");
        }
        let base = env::var_os("PICKET_TEST_DIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
        sweep(&base);

        let keep = env::var_os("PICKET_KEEP").is_some();
        let (fresh, folder) = create(&base, if keep { "picket-kept" } else { "picket" })?;
        let lock = lock(&fresh)?.with_context(|| format!("lock {}: someone else has it", fresh.display()))?;
        // Only now does it have a name which a sweep looks at.
        fs::rename(&fresh, &folder)
            .with_context(|| format!("rename {} to {}", fresh.display(), folder.display()))?;

        let janitor = if keep { None } else { Some(start_janitor(&folder)?) };
        Ok(Self { folder, janitor, _lock: lock })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(mut janitor) = self.janitor.take() {
            drop(janitor.stdin.take());
            // It removes the folder now, and a caller who looks afterwards finds nothing.
            let _ = janitor.wait();
        }
    }
}

/// A new folder under a name that sweeps ignore, and the name it is to get.
fn create(base: &Path, prefix: &str) -> Result<(PathBuf, PathBuf)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let pid = std::process::id();
    loop {
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let fresh = base.join(format!(".{prefix}-{pid}-{n}"));
        let folder = base.join(format!("{prefix}-{pid}-{n}"));
        if folder.exists() {
            continue;
        }
        match fs::create_dir(&fresh) {
            Ok(()) => return Ok((fresh, folder)),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e).with_context(|| format!("create {}", fresh.display())),
        }
    }
}

/// The lock of a folder, or `None` while its owner lives.
fn lock(folder: &Path) -> Result<Option<Flock<File>>> {
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
    Ok(Flock::lock(file, FlockArg::LockExclusiveNonblock).ok())
}

fn start_janitor(folder: &Path) -> Result<Child> {
    Command::new("sh")
        .args(["-c", JANITOR, "picket-janitor"])
        .arg(folder)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0) // a Ctrl-C is for the harness; this one works when that is gone
        .spawn()
        .context("start the janitor shell")
}

/// Removes the folders of harness processes that are gone. Their processes went with them, see `namespace`.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owned = name.to_str().and_then(|name| name.strip_prefix("picket-"));
        if owned.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            && entry.path().join("lock").exists()
            && let Ok(Some(_lock)) = lock(&entry.path())
        {
            // Another sweep may be at the same folder: whoever is later finds less to remove.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
