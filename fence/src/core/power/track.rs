//! What is known about one machine: a state counts when it was read twice in a row, far enough apart.

use std::time::Duration;

use crate::core::driver::{Power, Reading};
use crate::core::fault::Fault;

/// An unbroken run of equal readings.
#[derive(Debug, Clone, Copy)]
struct Streak {
    power: Power,
    first: Duration,
    last: Duration,
    settle: Duration,
}

/// The request that was last sent to a machine in the present stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// None is wanted or none was sent yet.
    Nothing,
    /// Accepted.
    Accepted,
    /// Not accepted for now; send again at this time unless the state is reached before.
    Again(Duration),
}

/// One machine.
#[derive(Debug)]
pub(super) struct Track {
    streak: Option<Streak>,
    /// The last reading, and the one before the first request.
    pub(super) last: Option<Reading>,
    pub(super) before: Option<Reading>,
    /// The last fault, cleared by a reading.
    pub(super) fault: Option<Fault>,
    pub(super) sent: Sent,
    /// Since when it is neither on nor off, or cannot be read.
    pub(super) unclear_since: Option<Duration>,
    /// Read since the last pause, so that each machine gets its turn.
    pub(super) seen: bool,
}

impl Track {
    pub(super) fn new() -> Self {
        Self {
            streak: None,
            last: None,
            before: None,
            fault: None,
            sent: Sent::Nothing,
            unclear_since: None,
            seen: false,
        }
    }

    pub(super) fn read(&mut self, now: Duration, reading: Reading) {
        self.streak = Some(match self.streak {
            Some(streak) if streak.power == reading.power => {
                Streak { last: now, settle: streak.settle.max(reading.settle), ..streak }
            }
            _ => Streak { power: reading.power, first: now, last: now, settle: reading.settle },
        });
        self.unclear_since = match reading.power {
            Power::Unknown => self.unclear_since.or(Some(now)),
            Power::On | Power::Off => None,
        };
        self.before.get_or_insert_with(|| reading.clone());
        self.last = Some(reading);
        self.fault = None;
        self.seen = true;
    }

    pub(super) fn failed(&mut self, now: Duration, fault: Fault) {
        self.unclear_since.get_or_insert(now);
        self.streak = None;
        self.fault = Some(fault);
        self.seen = true;
    }

    /// Readings from before a request say nothing about what comes after it.
    pub(super) fn forget(&mut self) {
        self.streak = None;
    }

    /// The state of the last reading, if no fault came after it.
    pub(super) fn power(&self) -> Option<Power> {
        self.streak.map(|streak| streak.power)
    }

    /// Whether `wanted` is proven.
    pub(super) fn proves(&self, wanted: Power, confirm: Duration) -> bool {
        self.missing_proof(wanted, confirm) == Some(Duration::ZERO)
    }

    /// How long to wait before the next reading can complete the proof; zero when it is complete. `None` when the
    /// last reading was not `wanted`.
    pub(super) fn missing_proof(&self, wanted: Power, confirm: Duration) -> Option<Duration> {
        let streak = self.streak.filter(|streak| streak.power == wanted)?;
        // Never zero, so that one reading is no proof whatever the limits say.
        let distance = confirm.max(streak.settle).max(Duration::from_millis(1));
        Some(distance.saturating_sub(streak.last - streak.first))
    }

    /// The state in the platform's words.
    pub(super) fn words(&self) -> String {
        match &self.last {
            Some(reading) => reading.raw.clone(),
            None => "unknown".to_owned(),
        }
    }
}
