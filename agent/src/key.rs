//! The pre-shared key: where it is looked for, and when it is read again.
//!
//! The key is the raw content of a file, whatever its bytes; `dd if=/dev/urandom bs=4096 count=1`
//! makes one. When the content changes, new sessions use it at once, and the key before it stays valid for a grace
//! time, so that the hosts of a cluster can be given a new key one after the other. Order of Pacemaker 2.1:
//! `PCMK_authkey_location`, `/etc/pacemaker/authkey`, `/etc/corosync/authkey`; the first usable file wins.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;

/// Where keys are by convention.
pub const DEFAULT_LOCATIONS: [&str; 2] = ["/etc/pacemaker/authkey", "/etc/corosync/authkey"];

/// Shortest key accepted, in bytes: s2n-tls refuses shorter ones. The original takes any.
const MIN_KEY: u64 = 16;

/// Longest key accepted, in bytes: what a TLS PSK's 16-bit length can say.
const MAX_KEY: u64 = 65_535;

/// Why there is no key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file has no bytes.
    #[error("key file {0} is empty")]
    Empty(PathBuf),
    /// Every location failed.
    #[error("no usable key: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NoneUsable(Vec<KeyError>),
    /// Not a file a key can be read from.
    #[error("key file {0} is not a regular file")]
    NotAFile(PathBuf),
    /// More bytes than a key can have.
    #[error("key file {path} has {length} bytes, more than {MAX_KEY}")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its size.
        length: u64,
    },
    /// Fewer bytes than the TLS library takes.
    #[error("key file {path} has only {length} bytes, {MIN_KEY} at least are needed; the usual key has 4096")]
    TooShort {
        /// The file.
        path: PathBuf,
        /// Its size.
        length: u64,
    },
    /// Missing, or not ours to read.
    #[error("cannot read key file {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

/// A key. Its bytes never reach a log.
pub struct Key {
    bytes: Vec<u8>,
    path: PathBuf,
}

impl Key {
    /// Reads a key file.
    ///
    /// # Errors
    /// [`KeyError`] with the path.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::read_stamped(path).map(|(key, _)| key)
    }

    fn read_stamped(path: &Path) -> Result<(Self, Stamp), KeyError> {
        let unreadable = |cause| KeyError::Unreadable { path: path.to_owned(), cause };
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(KeyError::NotAFile(path.to_owned()));
        }
        let mut bytes = Vec::new();
        file.take(MAX_KEY + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        match bytes.len() as u64 {
            0 => Err(KeyError::Empty(path.to_owned())),
            length @ ..MIN_KEY => Err(KeyError::TooShort { path: path.to_owned(), length }),
            length if length > MAX_KEY => Err(KeyError::TooLong { path: path.to_owned(), length }),
            _ => Ok((Self { bytes, path: path.to_owned() }, Stamp::of(&metadata))),
        }
    }

    /// The secret.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &self.bytes
    }

    /// The file it came from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("path", &self.path).field("bytes", &self.bytes.len()).finish()
    }
}

/// What changes when a file's content is replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The locations, the key last read from them, and earlier ones while they are still accepted.
#[derive(Debug)]
pub struct Keyring {
    locations: Vec<PathBuf>,
    grace: Duration,
    current: Option<(Arc<Key>, Stamp)>,
    /// Several where a file was read while it was being written.
    previous: Vec<(Arc<Key>, Instant)>,
}

impl Keyring {
    /// Looks at `configured` first, then at [`DEFAULT_LOCATIONS`]. A key that was replaced stays valid for `grace`.
    #[must_use]
    pub fn new(configured: Option<PathBuf>, grace: Duration) -> Self {
        let locations = configured.into_iter().chain(DEFAULT_LOCATIONS.map(PathBuf::from)).collect();
        Self { locations, grace, current: None, previous: Vec::new() }
    }

    /// The key for a new handshake; a changed, replaced, vanished or new file is noticed here.
    ///
    /// # Errors
    /// [`KeyError::NoneUsable`] with the cause for each location.
    pub fn load(&mut self) -> Result<Arc<Key>, KeyError> {
        let mut causes = Vec::new();
        for path in &self.locations {
            if let (Some((key, stamp)), Ok(metadata)) = (&self.current, std::fs::metadata(path))
                && key.path == *path
                && *stamp == Stamp::of(&metadata)
            {
                return Ok(Arc::clone(key));
            }
            match Key::read_stamped(path) {
                Ok((key, stamp)) => return Ok(self.replace(key, stamp)),
                Err(cause) => causes.push(cause),
            }
        }
        Err(KeyError::NoneUsable(causes))
    }

    /// The keys a client may prove to have, the current one first. A missing file ends the last key's time, too.
    ///
    /// # Errors
    /// As [`Keyring::load`], where no earlier key is valid either.
    pub fn accepted(&mut self, now: Instant) -> Result<Vec<Arc<Key>>, KeyError> {
        let current = self.load();
        self.previous.retain(|(_, until)| *until > now);
        let previous = self.previous.iter().map(|(key, _)| Arc::clone(key));
        Ok([current?].into_iter().chain(previous).collect())
    }

    fn replace(&mut self, key: Key, stamp: Stamp) -> Arc<Key> {
        let key = Arc::new(key);
        if let Some((old, _)) = self.current.replace((Arc::clone(&key), stamp))
            && old.bytes != key.bytes
        {
            let (path, grace) = (key.path.display(), self.grace.as_secs());
            tracing::info!(
                notice = true,
                "new key in {path}; the previous one is accepted for {grace} s more"
            );
            self.previous.push((old, Instant::now() + self.grace));
        }
        if let Some(mode) = exposed(&key.path) {
            tracing::warn!(
                "key file {} has mode {mode:04o}: others can read or write it; it should be 0640, root:haclient",
                key.path.display()
            );
        }
        key
    }
}

/// The mode of a file that more than its owner and group can read, or more than its owner can write.
fn exposed(path: &Path) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.mode() & 0o7777;
    (mode & 0o027 != 0).then_some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("picket-key-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn ring(&self) -> Keyring {
            let locations = vec![self.0.join("first"), self.0.join("second")];
            Keyring { locations, grace: Duration::from_secs(60), current: None, previous: Vec::new() }
        }

        fn write(&self, name: &str, bytes: &[u8]) {
            std::fs::write(self.0.join(name), bytes).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_first_usable_location_wins_and_changes_are_seen() {
        let folder = Folder::new("order");
        let mut ring = folder.ring();
        assert!(matches!(ring.load(), Err(KeyError::NoneUsable(causes)) if causes.len() == 2));
        folder.write("second", b"two\n\0, twelve more");
        assert_eq!(ring.load().unwrap().secret(), b"two\n\0, twelve more");
        folder.write("first", b"");
        assert_eq!(ring.load().unwrap().secret(), b"two\n\0, twelve more", "an empty file is no key");
        folder.write("first", b"one, and bytes enough");
        assert_eq!(ring.load().unwrap().secret(), b"one, and bytes enough");
        folder.write("first", b"ONE, and bytes enough");
        assert_eq!(
            ring.load().unwrap().secret(),
            b"ONE, and bytes enough",
            "read again though the size is the same"
        );
        std::fs::remove_file(folder.0.join("first")).unwrap();
        assert_eq!(ring.load().unwrap().secret(), b"two\n\0, twelve more");
    }

    #[test]
    fn a_rotated_key_is_accepted_for_its_grace_time() {
        let folder = Folder::new("rotate");
        let mut ring = folder.ring();
        let secrets = |ring: &mut Keyring, now| -> Vec<Vec<u8>> {
            ring.accepted(now).unwrap().iter().map(|key| key.secret().to_vec()).collect()
        };
        folder.write("first", b"old, of 20 bytes ...");
        assert_eq!(secrets(&mut ring, Instant::now()), [b"old, of 20 bytes ..."]);
        folder.write("first", b"new, of 20 bytes ...");
        assert_eq!(secrets(&mut ring, Instant::now()), [b"new, of 20 bytes ...", b"old, of 20 bytes ..."]);
        assert_eq!(secrets(&mut ring, Instant::now() + Duration::from_secs(61)), [b"new, of 20 bytes ..."]);
        std::fs::remove_file(folder.0.join("first")).unwrap();
        assert!(ring.accepted(Instant::now()).is_err());
    }

    #[test]
    fn modes_that_expose_a_key_are_noticed() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = Folder::new("mode");
        folder.write("first", b"key");
        let path = folder.0.join("first");
        for (mode, bad) in [(0o640, false), (0o400, false), (0o644, true), (0o660, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(exposed(&path).is_some(), bad, "{mode:o}");
        }
    }

    #[test]
    fn errors_name_the_file_and_debug_hides_the_secret() {
        let folder = Folder::new("errors");
        folder.write("long", &[1; 70_000]);
        let text = Key::read(&folder.0.join("long")).unwrap_err().to_string();
        assert!(text.contains("long") && text.contains("65535"), "{text}");
        folder.write("short", &[1; 15]);
        let text = Key::read(&folder.0.join("short")).unwrap_err().to_string();
        assert!(text.contains("short") && text.contains("only 15 bytes, 16 at least"), "{text}");
        let text = Key::read(&folder.0).unwrap_err().to_string();
        assert!(text.contains("not a regular file"), "{text}");
        folder.write("good", b"secret-bytes, 24 of them");
        assert!(!format!("{:?}", Key::read(&folder.0.join("good")).unwrap()).contains("secret-bytes"));
    }
}
