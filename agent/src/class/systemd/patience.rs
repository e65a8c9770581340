//! Waiting for a bus or a manager that is away: systemd that executes itself again, a bus that is restarted.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::{Instant, timeout};

use super::bus::{Signal, Systemd};
use super::error::ManagerError;

/// How long a bus that was there before is awaited.
const NO_BUS: Duration = Duration::from_secs(10);

/// How long a manager that was there before is awaited by an operation without a limit of its own.
const AWAY: Duration = Duration::from_secs(90);

/// Pauses between attempts where no signal ends them earlier.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

/// How long the manager or the bus is away already.
pub(super) struct Absence {
    since: Instant,
    pause: Duration,
    signals: broadcast::Receiver<Signal>,
}

impl Systemd {
    pub(super) fn absence(&self) -> Absence {
        Absence { since: Instant::now(), pause: PAUSES[0], signals: self.listen() }
    }

    /// Waits until it makes sense to ask again. An error that will not pass comes back, as does one of a bus or
    /// manager that this system never had: there is nothing to wait for.
    pub(super) async fn patience(
        &self,
        error: ManagerError,
        absence: &mut Absence,
    ) -> Result<(), ManagerError> {
        let waited = absence.since.elapsed();
        let passes = match &error {
            ManagerError::Away(_) => {
                let booted = Path::new("/run/systemd/system").exists();
                (booted || self.manager_known.load(Ordering::Relaxed)) && waited < AWAY
            }
            ManagerError::NoBus(_) => self.bus_known.load(Ordering::Relaxed) && waited < NO_BUS,
            ManagerError::Refused { .. } => false,
        };
        if !passes {
            return Err(error);
        }
        tracing::debug!("waiting for systemd: {error}");
        let appeared = async { while !matches!(absence.signals.recv().await, Ok(Signal::Appeared)) {} };
        // Without the signal the next attempt just comes later.
        let _ = timeout(absence.pause, appeared).await;
        absence.pause = (absence.pause * 2).min(PAUSES[1]);
        Ok(())
    }
}
