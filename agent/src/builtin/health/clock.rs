//! Whether something keeps the clock right, by the kernel's word: no matter which time daemon runs, or where. A container
//! sees its host's.
#![expect(unsafe_code, reason = "adjtimex has no safe wrapper")]

use nix::libc;

use super::gauge::{Color, Limits};

/// What the kernel says of its clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Clock {
    /// A time daemon sets it. The error is the largest possible one, in milliseconds; it grows by half a millisecond a
    /// second while the daemon says nothing.
    Synchronized { error: f64 },
    /// Nobody does, or has not for hours: how wrong it is, is not known.
    Adrift,
}

impl Clock {
    /// Asks; `None` where that is forbidden.
    pub(super) fn read() -> Option<Self> {
        // SAFETY: all fields are integers, so zeros are valid; with no mode set the call only fills the structure.
        let (state, answer) = unsafe {
            let mut answer: libc::timex = std::mem::zeroed();
            (libc::adjtimex(&raw mut answer), answer)
        };
        (state >= 0).then(|| Self::of(answer.status, answer.maxerror))
    }

    /// `status` and `maxerror` of adjtimex(2), the latter in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds need no 64 bits")]
    fn of(status: libc::c_int, maxerror: libc::c_long) -> Self {
        if status & libc::STA_UNSYNC == 0 {
            Self::Synchronized { error: maxerror as f64 / 1000.0 }
        } else {
            Self::Adrift
        }
    }

    /// Its color. A clock adrift may still be right, so it is not red.
    pub(super) fn color(self, limits: Limits) -> Color {
        match self {
            Self::Synchronized { error } => limits.color(error),
            Self::Adrift => Color::Yellow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_color_is_that_of_the_largest_error() {
        let limits = Limits::parse("2000:8000").unwrap().unwrap();
        let colors =
            [1_500_000, 2_000_000, 9_000_000].map(|error| Clock::of(libc::STA_PLL, error).color(limits));
        assert_eq!(colors, [Color::Green, Color::Yellow, Color::Red]);
    }

    #[test]
    fn a_clock_adrift_is_yellow_whatever_error_it_claims() {
        let limits = Limits::parse("2000:8000").unwrap().unwrap();
        let clock = Clock::of(libc::STA_UNSYNC | libc::STA_PLL, 0);
        assert_eq!((clock, clock.color(limits)), (Clock::Adrift, Color::Yellow));
    }

    #[test]
    fn the_kernel_answers() {
        // Some sandboxes forbid the question; then there is no gauge.
        if let Some(Clock::Synchronized { error }) = Clock::read() {
            assert!((0.0..=16_000.1).contains(&error), "{error}");
        }
    }
}
