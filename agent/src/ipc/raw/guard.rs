//! Survives files that another process cuts short below our mappings: the kernel answers our next access with SIGBUS. A
//! handler puts an empty page in the missing one's place, and the connection breaks instead of the agent.

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::libc;

/// Mappings of others' files: first address and length. There is room for all of them at [`SESSIONS`] clients.
///
/// [`SESSIONS`]: crate::ipc::serve::SESSIONS
static GUARDED: [(AtomicUsize, AtomicUsize); 4096] =
    [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; 4096];

pub(super) fn add(start: usize, length: usize) -> bool {
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

pub(super) fn remove(start: usize) {
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

    use super::super::Mapping;
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
