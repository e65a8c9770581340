//! The one deadline of a run. Every wait asks it how much is left.

use std::time::Duration;

use tokio::time::Instant;

/// A point in time, and where it is counted from.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    start: Instant,
    total: Duration,
}

impl Deadline {
    /// `total` from `start` on, usually the start of the process.
    pub fn new(start: Instant, total: Duration) -> Self {
        Self { start, total }
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The whole of it, counted from the start.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// Time left; zero when it has passed.
    pub fn left(&self) -> Duration {
        self.total.saturating_sub(self.elapsed())
    }

    /// `limit`, or what is left where that is less.
    pub fn within(&self, limit: Duration) -> Duration {
        limit.min(self.left())
    }
}
