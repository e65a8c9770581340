//! The raw system calls of local IPC: shared mappings, futexes, a peer's groups.
//!
//! Shared memory is handed out as atomics and nothing else, because another process may write to it at any time. What it
//! may also do to the file, [`guard`] survives.
#![expect(unsafe_code, reason = "mmap, futex and SO_PEERGROUPS have no safe wrapper")]

mod guard;

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU32;

use nix::libc;

pub(crate) use guard::survive_short_files;

/// A file's content, shared with whoever maps the same file.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<AtomicU32>,
    length: usize,
}

// SAFETY: the mapping belongs to this value alone, is not bound to a thread, and is reached through atomics only.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `length` bytes of a file that is at least that long.
    pub(crate) fn new(file: impl AsFd, length: usize) -> io::Result<Self> {
        let (protection, descriptor) = (libc::PROT_READ | libc::PROT_WRITE, file.as_fd().as_raw_fd());
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), length, protection, libc::MAP_SHARED, descriptor, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let mapping = Self { start, length };
        if guard::add(start.as_ptr().addr(), length) {
            Ok(mapping)
        } else {
            Err(io::ErrorKind::OutOfMemory.into())
        }
    }

    /// The whole words of it.
    pub(crate) fn words(&self) -> &[AtomicU32] {
        // SAFETY: the mapping is page-aligned, at least `length` bytes long, readable and writable, and lives as long
        // as `self`; any bytes are a valid AtomicU32.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length / 4) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        guard::remove(self.start.as_ptr().addr());
        // SAFETY: this is the mapping that `new` made, and no slice of it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// Wakes one process that sleeps on `word`, in whichever process it is.
pub(crate) fn wake(word: &AtomicU32) {
    // SAFETY: FUTEX_WAKE only uses the address, which is valid, as a key.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1, 0, 0, 0) };
}

/// Supplementary groups of the process at the other end, when it connected.
pub(crate) fn peer_groups(socket: impl AsFd) -> io::Result<Vec<libc::gid_t>> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut bytes = libc::socklen_t::try_from(size_of_val(groups.as_slice())).expect("a few KiB");
        // SAFETY: the kernel writes at most `bytes` bytes to the vector's memory, which is that long.
        let result = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut bytes,
            )
        };
        let count = bytes as usize / size_of::<libc::gid_t>();
        if result == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        // ERANGE comes with the length that is needed; a process has at most 65536 groups.
        if error.raw_os_error() != Some(libc::ERANGE) || count <= groups.len() || count > 65_536 {
            return Err(error);
        }
        groups.resize(count, 0);
    }
}
