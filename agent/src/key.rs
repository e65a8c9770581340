//! The pre-shared key: where it is looked for, and when it is read again.
//!
//! The key is the raw content of a file, whatever its bytes and length; `dd if=/dev/urandom bs=4096 count=1`
//! makes one. Order of Pacemaker 2.1: `PCMK_authkey_location`, `/etc/pacemaker/authkey`,
//! `/etc/corosync/authkey`; the first usable file wins.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

/// Where keys are by convention.
pub const DEFAULT_LOCATIONS: [&str; 2] = ["/etc/pacemaker/authkey", "/etc/corosync/authkey"];

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

/// The locations, and the key last read from them.
#[derive(Debug)]
pub struct Keyring {
    locations: Vec<PathBuf>,
    current: Option<(Arc<Key>, Stamp)>,
}

impl Keyring {
    /// Looks at `configured` first, then at [`DEFAULT_LOCATIONS`].
    #[must_use]
    pub fn new(configured: Option<PathBuf>) -> Self {
        let locations = configured.into_iter().chain(DEFAULT_LOCATIONS.map(PathBuf::from)).collect();
        Self { locations, current: None }
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
                Ok((key, stamp)) => {
                    let key = Arc::new(key);
                    self.current = Some((Arc::clone(&key), stamp));
                    return Ok(key);
                }
                Err(cause) => causes.push(cause),
            }
        }
        self.current = None;
        Err(KeyError::NoneUsable(causes))
    }
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
            Keyring { locations: vec![self.0.join("first"), self.0.join("second")], current: None }
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
        folder.write("second", b"two\n\0");
        assert_eq!(ring.load().unwrap().secret(), b"two\n\0");
        folder.write("first", b"");
        assert_eq!(ring.load().unwrap().secret(), b"two\n\0", "an empty file is no key");
        folder.write("first", b"one");
        assert_eq!(ring.load().unwrap().secret(), b"one");
        folder.write("first", b"ONE");
        assert_eq!(ring.load().unwrap().secret(), b"ONE", "read again though the size is the same");
        std::fs::remove_file(folder.0.join("first")).unwrap();
        assert_eq!(ring.load().unwrap().secret(), b"two\n\0");
    }

    #[test]
    fn errors_name_the_file_and_debug_hides_the_secret() {
        let folder = Folder::new("errors");
        folder.write("long", &[1; 70_000]);
        let text = Key::read(&folder.0.join("long")).unwrap_err().to_string();
        assert!(text.contains("long") && text.contains("65535"), "{text}");
        let text = Key::read(&folder.0).unwrap_err().to_string();
        assert!(text.contains("not a regular file"), "{text}");
        folder.write("good", b"secret-bytes");
        assert!(!format!("{:?}", Key::read(&folder.0.join("good")).unwrap()).contains("secret-bytes"));
    }
}
