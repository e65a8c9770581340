//! The folder in `/dev/shm` that holds what a client and we share, and the removal of what dead agents left.
//!
//! The folder's name is known to everybody and the client owns it in the end, so nothing in it is followed by name:
//! files are made while the folder is still ours, and removed below the folder itself, not through a link.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::{FallocateFlags, OFlag, fallocate, open};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{UnlinkatFlags, unlinkat};
use picket_proto::ipc::endpoint::Endpoint;

use super::peer::Peer;

/// Where shared memory lives.
const SHM: &str = "/dev/shm";

/// Every libqb server's folders begin so.
const PREFIX: &str = "qb-";

/// A folder that is removed with all its files on drop.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    owner: (u32, u32),
    /// Of files: root's are its own, others' belong to the cluster's group.
    group: Option<u32>,
    files: Vec<String>,
}

impl Folder {
    /// A new folder for a client; its files will belong to `group` where it is not root.
    pub(crate) fn new(peer: &Peer, group: Option<u32>) -> io::Result<Self> {
        loop {
            let unique = &uuid::Uuid::new_v4().simple().to_string()[..6];
            let name = format!("{PREFIX}{}-{}-0-{unique}", std::process::id(), peer.pid);
            let path = Path::new(SHM).join(name);
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    let group = if peer.is_root() { None } else { Some(group.unwrap_or(peer.gid)) };
                    return Ok(Self { path, owner: (peer.uid, peer.gid), group, files: Vec::new() });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The base of all names in it.
    pub(crate) fn base(&self) -> String {
        self.path.join("qb").display().to_string()
    }

    /// A file of zeros in it, with its whole length reserved: memory that is missing later would kill us.
    pub(crate) fn file(&mut self, name: &str, length: usize) -> io::Result<File> {
        let mode = if self.group.is_some() { 0o660 } else { 0o600 };
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(self.path.join(name))?;
        self.files.push(name.to_owned());
        let length = i64::try_from(length).map_err(io::Error::other)?;
        fallocate(&file, FallocateFlags::empty(), 0, length)?;
        if let Some(group) = self.group {
            fchown(file.as_fd(), Some(0), Some(group))?;
        }
        fchmod(&file, Mode::from_bits_truncate(mode))?;
        Ok(file)
    }

    /// Lets the client in, once all files are there.
    pub(crate) fn hand_over(&self) -> io::Result<()> {
        let folder = open_folder(&self.path)?;
        fchmod(&folder, Mode::from_bits_truncate(0o770))?;
        fchown(folder.as_fd(), Some(self.owner.0), Some(self.owner.1))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A client that closed first has removed some or all of it.
        let _ = remove(&self.path, self.files.iter().map(String::as_str));
    }
}

fn open_folder(path: &Path) -> nix::Result<std::os::fd::OwnedFd> {
    open(path, OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())
}

fn remove<'a>(path: &Path, files: impl Iterator<Item = &'a str>) -> io::Result<()> {
    let folder = open_folder(path)?;
    for file in files {
        let _ = unlinkat(&folder, file, UnlinkatFlags::NoRemoveDir);
    }
    fs::remove_dir(path)
}

/// Removes the folders of agents that were killed. Call it when all names are bound: nobody else serves them then.
///
/// A folder is one of theirs if its server is dead, or had our own pid before us, and every file in it is named for
/// one of our names; those of other libqb servers, such as corosync, are left alone.
pub(crate) fn sweep() {
    let Ok(entries) = fs::read_dir(SHM) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let server =
            name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
        let Some(server) = server else { continue };
        if !is_gone(server) || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let Ok(files) = fs::read_dir(entry.path()) else { continue };
        let files: Vec<_> =
            files.flatten().map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        if files.iter().all(|file| is_ours(file)) {
            match remove(&entry.path(), files.iter().map(String::as_str)) {
                Ok(()) => tracing::debug!("removed {}, left over by a dead agent", entry.path().display()),
                Err(error) => tracing::debug!("cannot remove {}: {error}", entry.path().display()),
            }
        }
    }
}

fn is_gone(server: u32) -> bool {
    server == std::process::id() || !Path::new("/proc").join(server.to_string()).exists()
}

/// `qb-request-crmd-header`, `qb-control-cib_rw` and so on.
fn is_ours(file: &str) -> bool {
    let rest = ["qb-request-", "qb-response-", "qb-event-", "qb-control-"]
        .iter()
        .find_map(|prefix| file.strip_prefix(prefix));
    let server = rest.map(|rest| rest.strip_suffix("-header").or(rest.strip_suffix("-data")).unwrap_or(rest));
    server.is_some_and(|server| Endpoint::ALL.iter().any(|endpoint| endpoint.name() == server))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_our_servers_are_ours() {
        for ours in ["qb-request-crmd-header", "qb-event-stonith-ng-data", "qb-control-cib_rw"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in ["qb-request-cmap-header", "qb-crmd", "qb-request-crmd-other", "x"] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn the_folder_of_a_living_server_is_not_swept() {
        assert!(!is_gone(std::os::unix::process::parent_id()));
        assert!(is_gone(u32::MAX));
    }
}
