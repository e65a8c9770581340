//! Waiting for a condition with a deadline.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// Between two looks; a look at the cluster costs 20-40 ms of processor time itself.
const STEP: Duration = Duration::from_millis(20);

/// Calls `probe` until it gives a value, and gives that; fails with what was waited for once `deadline` has passed.
///
/// An error of the probe counts as "not yet" (a cluster that starts answers nothing at first); the last one becomes
/// part of the failure.
pub fn wait_until<T>(
    what: &str,
    deadline: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        let last = match probe() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => None,
            Err(e) => Some(e),
        };
        if started.elapsed() >= deadline {
            let timeout = format!("{what}: not within {:.1} s", deadline.as_secs_f64());
            return Err(match last {
                Some(e) => e.context(timeout),
                None => anyhow!(timeout),
            });
        }
        step();
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the one poll step of the harness; it has no event loop to block"
)]
fn step() {
    std::thread::sleep(STEP);
}
