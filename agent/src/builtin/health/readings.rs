//! How this guest feels: percentages of what is used up.

use nix::sys::statvfs::statvfs;
use sysinfo::{MINIMUM_CPU_UPDATE_INTERVAL, System};

use super::gauge;

/// Processor time used since a moment ago, of all processors together.
pub(super) async fn cpu() -> f64 {
    let mut system = System::new();
    system.refresh_cpu_usage();
    tokio::time::sleep(MINIMUM_CPU_UPDATE_INTERVAL).await;
    system.refresh_cpu_usage();
    system.global_cpu_usage().into()
}

/// Memory that programs could not get any more.
pub(super) fn memory() -> Option<f64> {
    let mut system = System::new();
    system.refresh_memory();
    let (available, total) = (system.available_memory(), system.total_memory());
    used(available, total)
}

/// Space and inodes in use where `path` is; a file system without inodes uses none.
pub(super) fn disk(path: &str) -> Result<(f64, f64), String> {
    let stat = statvfs(path).map_err(|error| format!("cannot look at {path}: {error}"))?;
    let space = used(stat.blocks_available(), stat.blocks()).unwrap_or(0.0);
    let inodes = used(stat.files_available(), stat.files()).unwrap_or(0.0);
    Ok((space, inodes))
}

/// The worst of the kernel's pressures; `None` on a kernel without.
pub(super) fn pressure() -> Option<f64> {
    let read = |kind| std::fs::read_to_string(format!("/proc/pressure/{kind}")).ok();
    let values = ["cpu", "io", "memory"].into_iter().filter_map(read);
    values.filter_map(|text| gauge::pressure(&text)).max_by(f64::total_cmp)
}

#[expect(clippy::cast_precision_loss, reason = "percentages need no 64 bits")]
fn used(available: u64, total: u64) -> Option<f64> {
    (total > 0).then(|| 100.0 * (1.0 - available.min(total) as f64 / total as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_available_is_not_used() {
        assert_eq!(used(25, 100), Some(75.0));
        assert_eq!(used(200, 100), Some(0.0));
        assert_eq!(used(0, 0), None);
    }

    #[test]
    fn the_root_file_system_has_a_size() {
        let (space, inodes) = disk("/").unwrap();
        assert!((0.0..=100.0).contains(&space) && (0.0..=100.0).contains(&inodes));
        assert!(disk("/no/such/place").unwrap_err().contains("/no/such/place"));
    }
}
