//! `picketctl key`: the file that cluster and guests share.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use picket_agent::accounts;
use picket_agent::key::Key;
use ring::digest::{SHA256, digest};

use crate::failure::Failure;
use crate::output;

const FILE: &str = "/etc/pacemaker/authkey";

/// What Pacemaker's documentation advises.
const LENGTH: usize = 4096;

/// Owner root, readable for the cluster's group.
const MODE: u32 = 0o640;

/// Create, install, compare and rotate the key that a cluster and its guests share
///
/// The content of a key is never printed. A guest with a file system of its own (LXC, a VM's mounted disk) gets a copy with
/// 'install --root'; where the host's folder /etc/pacemaker is shared, or Pacemaker mounts the file as it does for a
/// bundle, there is nothing to install.
#[derive(clap::Args)]
pub(crate) struct KeyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Make a new key of 4096 random bytes, where there is none
    Create {
        /// Where
        #[arg(default_value = FILE)]
        file: PathBuf,
    },
    /// Copy the key into the root file systems of guests
    Install {
        /// The key
        #[arg(long, default_value = FILE)]
        key: PathBuf,
        /// A guest's root, as this machine sees it
        #[arg(long = "root", value_name = "FOLDER", required = true)]
        roots: Vec<PathBuf>,
    },
    /// Say whether key files are the same; exit status 1 where they are not
    Compare {
        /// Key files, or root file systems of guests
        #[arg(required = true, num_args = 2..)]
        files: Vec<PathBuf>,
    },
    /// Replace the key by a new one, here and in the root file systems of guests
    ///
    /// Written in place, so that a container into which the file is mounted sees it, too. picket-agent accepts the key
    /// before it for five minutes (PICKET_key_grace); every cluster node needs the new one within that time.
    Rotate {
        /// The key
        #[arg(long, default_value = FILE)]
        key: PathBuf,
        /// A guest's root, as this machine sees it
        #[arg(long = "root", value_name = "FOLDER")]
        roots: Vec<PathBuf>,
    },
}

impl KeyCommand {
    /// The exit code.
    pub(crate) fn run(self) -> Result<u8, Failure> {
        match self.action {
            Action::Create { file } => {
                if file.exists() {
                    return Err(Failure::InUse(format!("{} is there already: see 'rotate'", file.display())));
                }
                write(&file, &random()?)?;
                told(&file)
            }
            Action::Install { key, roots } => {
                let key = read(&key)?;
                roots.iter().map(|root| inside(root)).try_for_each(|file| {
                    write(&file, key.secret())?;
                    told(&file).map(drop)
                })?;
                Ok(0)
            }
            Action::Compare { files } => compare(&files),
            Action::Rotate { key, roots } => {
                read(&key)?;
                let new = random()?;
                let others = roots.iter().map(|root| inside(root));
                for file in std::iter::once(key.clone()).chain(others) {
                    write(&file, &new)?;
                    told(&file)?;
                }
                Ok(0)
            }
        }
    }
}

fn read(file: &Path) -> Result<Key, Failure> {
    Key::read(file).map_err(|cause| Failure::Key { cause })
}

fn inside(root: &Path) -> PathBuf {
    root.join(FILE.trim_start_matches('/'))
}

fn compare(files: &[PathBuf]) -> Result<u8, Failure> {
    let mut prints = Vec::new();
    for file in files {
        let file = if file.is_dir() { inside(file) } else { file.clone() };
        prints.push(fingerprint(read(&file)?.secret()));
        output::line(&format!("{}  {}", prints.last().map_or("", String::as_str), file.display()))?;
    }
    let same = prints.iter().all(|print| *print == prints[0]);
    output::line(if same { "the same key" } else { "NOT the same key" })?;
    Ok(u8::from(!same))
}

/// Enough to tell keys apart, and nothing to find one by.
fn fingerprint(secret: &[u8]) -> String {
    digest(&SHA256, secret).as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn told(file: &Path) -> Result<u8, Failure> {
    output::line(&format!("{}  {}", fingerprint(read(file)?.secret()), file.display())).map(|()| 0)
}

fn random() -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; LENGTH];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Puts a key into a file, with its folder; what is there keeps its inode.
fn write(file: &Path, secret: &[u8]) -> io::Result<()> {
    let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    if let Some(folder) = file.parent()
        && !folder.exists()
    {
        fs::DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(at)?;
    }
    // Not truncated first: an agent that looks now must not find an empty file.
    let mut opened =
        OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(file).map_err(at)?;
    opened.write_all(secret).map_err(at)?;
    opened.set_len(secret.len() as u64).map_err(at)?;
    opened.set_permissions(fs::Permissions::from_mode(MODE)).map_err(at)?;
    if let Some(group) = accounts::group("haclient")
        && nix::unistd::geteuid().is_root()
    {
        fchown(&opened, Some(0), Some(group.as_raw())).map_err(at)?;
    }
    opened.sync_all().map_err(at)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_rotated_key_keeps_its_inode_and_mode_and_reaches_every_guest() {
        let folder = std::env::temp_dir().join(format!("picketctl-key-{}", std::process::id()));
        let (key, guest) = (folder.join("authkey"), folder.join("guest"));
        let run = |action| KeyCommand { action }.run();
        assert_eq!(run(Action::Create { file: key.clone() }).unwrap(), 0);
        assert_eq!(run(Action::Create { file: key.clone() }).unwrap_err().code(), 106);
        run(Action::Install { key: key.clone(), roots: vec![guest.clone()] }).unwrap();
        let files = || Action::Compare { files: vec![key.clone(), guest.clone()] };
        assert_eq!(run(files()).unwrap(), 0);
        let (before, inode) = (fs::read(&key).unwrap(), fs::metadata(&key).unwrap().ino());
        run(Action::Rotate { key: key.clone(), roots: Vec::new() }).unwrap();
        assert_eq!(run(files()).unwrap(), 1);
        run(Action::Rotate { key: key.clone(), roots: vec![guest.clone()] }).unwrap();
        assert_eq!(run(files()).unwrap(), 0);
        let meta = fs::metadata(&key).unwrap();
        assert_ne!(fs::read(&key).unwrap(), before);
        assert_eq!((meta.ino(), meta.mode() & 0o777, meta.len()), (inode, 0o640, 4096));
        fs::remove_dir_all(folder).unwrap();
    }
}
