//! The raw system calls of local IPC: shared mappings, futexes, a peer's groups.
//!
//! Shared memory is handed out as atomics and nothing else, because another process may write to it at any time. That
//! process may also cut the file short, upon which the kernel answers our next access with SIGBUS; a handler then
//! puts an empty page in the missing one's place, and the connection breaks instead of the agent.
#![expect(unsafe_code, reason = "mmap, futex, sigaction and SO_PEERGROUPS have no safe wrapper")]

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use nix::libc;

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
        if guard(start.as_ptr().addr(), length) {
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
        unguard(self.start.as_ptr().addr());
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

/// Mappings of others' files: first address and length. There is room for all of them at [`SESSIONS`] clients.
///
/// [`SESSIONS`]: super::serve::SESSIONS
static GUARDED: [(AtomicUsize, AtomicUsize); 4096] =
    [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; 4096];

fn guard(start: usize, length: usize) -> bool {
    // The length is that of a mapping which is not accessed before this returns, so the handler never sees a wrong
    // pair.
    GUARDED.iter().any(|(slot, size)| {
        let free = slot.compare_exchange(0, start, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if free {
            size.store(length, Ordering::Release);
        }
        free
    })
}

fn unguard(start: usize) {
    if let Some((slot, _)) = GUARDED.iter().find(|(slot, _)| slot.load(Ordering::Acquire) == start) {
        slot.store(0, Ordering::Release);
    }
}

/// Survives files that a client cut short. Any other SIGBUS ends the process as before.
pub(crate) fn survive_short_files() -> io::Result<()> {
    // SAFETY: a zeroed sigaction is valid; the handler is below and only does what a signal handler may.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_bus_error as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Touches atomics and makes system calls, nothing else: it interrupts anything.
extern "C" fn on_bus_error(signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo; for a SIGBUS that is a fault it holds an address, for any other one
    // the value fits no mapping of ours.
    let at = unsafe { (*info).si_addr() }.addr();
    let ours = |(slot, size): &(AtomicUsize, AtomicUsize)| {
        let start = slot.load(Ordering::Acquire);
        start != 0 && (start..start + size.load(Ordering::Acquire)).contains(&at)
    };
    // SAFETY: sysconf is safe to call.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(65_536);
    if GUARDED.iter().any(ours) {
        // SAFETY: the page at the fault belongs to a mapping of ours; whoever accesses it does so by atomics and
        // trusts nothing in it, so zeros are as good as anything.
        let put = unsafe {
            libc::mmap(
                ptr::with_exposed_provenance_mut(at - at % page),
                page,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if put != libc::MAP_FAILED {
            return;
        }
    }
    // SAFETY: both are allowed in a handler; the signal arrives again, with its default action, when this returns.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_file_that_is_cut_short_reads_as_zeros() {
        survive_short_files().unwrap();
        let path = std::env::temp_dir().join(format!("picket-short-{}", std::process::id()));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        file.set_len(16_384).unwrap();
        let mapping = Mapping::new(&file, 16_384).unwrap();
        let word = &mapping.words()[3000];
        word.store(7, Ordering::Relaxed);
        file.set_len(0).unwrap();
        assert_eq!(word.load(Ordering::Relaxed), 0);
        word.store(8, Ordering::Relaxed);
        assert_eq!(word.load(Ordering::Relaxed), 8);
        std::fs::remove_file(path).unwrap();
    }
}
