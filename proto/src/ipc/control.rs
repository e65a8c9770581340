//! The shared counters of the datagram transport: 24 bytes, one pair a direction.
//!
//! The sender of a direction adds one for each message, its receiver takes one off.

use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes of the file.
pub const LEN: usize = 24;

/// A direction, as the client sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// Client to server.
    Request,
    /// Server to client, awaited.
    Response,
    /// Server to client, unasked.
    Event,
}

impl Direction {
    fn index(self) -> usize {
        match self {
            Self::Request => 0,
            Self::Response => 2,
            Self::Event => 4,
        }
    }
}

/// Counts a message that was sent.
pub fn sent(words: &[AtomicU32], direction: Direction) {
    if let Some(counter) = words.get(direction.index()) {
        counter.fetch_add(1, Ordering::AcqRel);
    }
}

/// Counts a message that was received.
pub fn received(words: &[AtomicU32], direction: Direction) {
    if let Some(counter) = words.get(direction.index()) {
        counter.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Messages under way, as far as both ends count.
#[must_use]
pub fn under_way(words: &[AtomicU32], direction: Direction) -> u32 {
    words.get(direction.index()).map_or(0, |counter| counter.load(Ordering::Acquire))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_direction_has_a_counter_of_its_own() {
        let words: Vec<_> = (0..LEN / 4).map(|_| AtomicU32::new(0)).collect();
        sent(&words, Direction::Request);
        sent(&words, Direction::Event);
        sent(&words, Direction::Event);
        received(&words, Direction::Event);
        let counts =
            [Direction::Request, Direction::Response, Direction::Event].map(|d| under_way(&words, d));
        assert_eq!(counts, [1, 0, 1]);
        assert_eq!(words[4].load(Ordering::Relaxed), 1);
    }
}
