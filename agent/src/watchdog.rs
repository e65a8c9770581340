//! `lrmd_check`: whether this node may rely on its watchdog as the cluster does.

use std::path::Path;
use std::time::Duration;

use thiserror::Error;

/// Why the cluster's watchdog fencing would not work here. The agent must stop: otherwise the cluster would take
/// this node for safely off after a time in which nothing had reset it.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum WatchdogError {
    /// No `sbd` process.
    #[error("the cluster relies on watchdog fencing, and sbd is not running here")]
    NoSbd,
    /// `sbd` resets later than the cluster assumes.
    #[error("the cluster takes this node for off after {} ms, and its watchdog fires after {} ms", .cluster.as_millis(), .sbd.as_millis())]
    TooShort {
        /// `stonith-watchdog-timeout`.
        cluster: Duration,
        /// `SBD_WATCHDOG_TIMEOUT`.
        sbd: Duration,
    },
}

/// Checks `lrmd_watchdog` against this node. `sbd_running` is asked only where it matters.
///
/// # Errors
/// [`WatchdogError`]: the agent has to exit with status 100.
pub fn check(
    value: Option<&str>,
    sbd_timeout: Duration,
    sbd_running: impl FnOnce() -> bool,
) -> Result<(), WatchdogError> {
    let Some(value) = value else { return Ok(()) };
    let cluster = match duration(value) {
        Some(0) => return Ok(()),
        Some(ms @ 1..) => Duration::from_millis(ms.unsigned_abs()),
        // Negative or unreadable: the cluster leaves it to the node, which means twice its own timeout.
        Some(_) | None if sbd_timeout.is_zero() => return Ok(()),
        Some(_) | None => sbd_timeout * 2,
    };
    if !sbd_running() {
        return Err(WatchdogError::NoSbd);
    }
    if cluster < sbd_timeout { Err(WatchdogError::TooShort { cluster, sbd: sbd_timeout }) } else { Ok(()) }
}

/// A Pacemaker duration in ms: a number with `ms`, `msec`, `us`, `usec`, `s`, `sec`, `m`, `min`, `h`, `hr` or no
/// unit, which means seconds.
#[must_use]
pub fn duration(text: &str) -> Option<i64> {
    let text = text.trim();
    let number = picket_proto::number::leading_int(text)?;
    let unit = text.trim_start_matches(['-', '+']).trim_start_matches(|c: char| c.is_ascii_digit()).trim();
    match unit {
        "ms" | "msec" => Some(number),
        "us" | "usec" => Some(number / 1000),
        "" | "s" | "sec" => number.checked_mul(1000),
        "m" | "min" => number.checked_mul(60_000),
        "h" | "hr" => number.checked_mul(3_600_000),
        _ => None,
    }
}

/// Whether `sbd` runs: by its pid file, else by a look through the processes.
#[must_use]
pub fn sbd_running() -> bool {
    let is_sbd = |pid: &str| {
        std::fs::read_to_string(Path::new("/proc").join(pid).join("comm"))
            .is_ok_and(|name| name.trim_end() == "sbd")
    };
    if std::fs::read_to_string("/run/sbd.pid").is_ok_and(|pid| is_sbd(pid.trim())) {
        return true;
    }
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    let mut names = processes.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.any(|name| name.starts_with(|c: char| c.is_ascii_digit()) && is_sbd(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_pacemaker_reads_them() {
        let cases = [
            ("10", 10_000),
            ("10s", 10_000),
            ("1500ms", 1500),
            ("2min", 120_000),
            ("1h", 3_600_000),
            ("-1", -1000),
        ];
        for (text, ms) in cases {
            assert_eq!(duration(text), Some(ms), "{text}");
        }
        assert_eq!(duration("ten"), None);
        assert_eq!(duration("1 fortnight"), None);
    }

    #[test]
    fn a_cluster_that_relies_on_an_absent_watchdog_is_refused() {
        let none = Duration::ZERO;
        assert_eq!(check(Some("10"), none, || false), Err(WatchdogError::NoSbd));
        for harmless in [None, Some("0"), Some("-1"), Some("soon")] {
            assert_eq!(check(harmless, none, || panic!("not asked")), Ok(()), "{harmless:?}");
        }
        let five = Duration::from_secs(5);
        assert_eq!(check(Some("-1"), five, || true), Ok(()));
        assert_eq!(check(Some("-1"), five, || false), Err(WatchdogError::NoSbd));
        assert_eq!(check(Some("10"), five, || true), Ok(()));
        assert!(matches!(check(Some("4"), five, || true), Err(WatchdogError::TooShort { .. })));
    }
}
