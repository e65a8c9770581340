//! The control groups of an engine's containers. They are the machine's own, whatever namespace the engine is in, so
//! they have to be emptied and removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait::wait_until;

const ROOT: &str = "/sys/fs/cgroup";
const PREFIX: &str = "picket-containers-";
const PATIENCE: Duration = Duration::from_secs(10);

/// A group by name, in every hierarchy.
pub(super) struct Group(String);

impl Group {
    /// A name of its own. Groups of harness processes that are gone are removed.
    pub(super) fn new(label: &str) -> Self {
        sweep();
        Self(format!("{PREFIX}{}-{label}-{}", std::process::id(), number()))
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in hierarchies().map(|root| root.join(&self.0)).filter(|folder| folder.exists()) {
            remove(&folder);
        }
    }
}

/// Tells groups of one process apart.
fn number() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

fn hierarchies() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(ROOT).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.chain([PathBuf::from(ROOT)])
}

fn sweep() {
    for folder in hierarchies().filter_map(|root| fs::read_dir(root).ok()).flatten().flatten() {
        let name = folder.file_name();
        let owner =
            name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            remove(&folder.path());
        }
    }
}

/// Ends every process in it, then removes it. What is busy still is tried again for a while.
fn remove(folder: &Path) {
    let what = format!("{} is empty", folder.display());
    // A group that stays is untidy and nothing worse; there is nobody to tell in a drop.
    let _ = wait_until(&what, PATIENCE, || {
        clear(folder);
        Ok((!folder.exists()).then_some(()))
    });
}

fn clear(folder: &Path) {
    for child in fs::read_dir(folder).into_iter().flatten().flatten() {
        if child.file_type().is_ok_and(|kind| kind.is_dir()) {
            clear(&child.path());
        }
    }
    for pid in fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default().lines() {
        if let Ok(pid) = pid.parse() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    // A frozen process dies when it thaws.
    let _ = fs::write(folder.join("freezer.state"), "THAWED");
    let _ = fs::remove_dir(folder);
}
