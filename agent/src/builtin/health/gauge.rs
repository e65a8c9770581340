//! From a reading to a color.

use std::fmt;

/// What the cluster's node-health strategies understand.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Color {
    Green,
    Yellow,
    Red,
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        })
    }
}

/// From which percentage, or other number, on a reading is yellow, and red.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limits {
    yellow: f64,
    red: f64,
}

impl Limits {
    /// Reads `YELLOW:RED`; `off` is `Ok(None)`.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(None);
        }
        let limits = text.split_once(':').and_then(|(yellow, red)| {
            Some(Self { yellow: yellow.trim().parse().ok()?, red: red.trim().parse().ok()? })
        });
        match limits {
            Some(limits) if (0.0..=limits.red).contains(&limits.yellow) => Ok(Some(limits)),
            _ => Err(format!("{text:?} is not two rising numbers such as 85:95, or off")),
        }
    }

    pub(super) fn color(self, reading: f64) -> Color {
        if reading >= self.red {
            Color::Red
        } else if reading >= self.yellow {
            Color::Yellow
        } else {
            Color::Green
        }
    }
}

/// The largest `avg60` of a file of `/proc/pressure`: percent of the last minute in which somebody waited, or, for
/// memory and I/O, in which everybody did.
pub(super) fn pressure(text: &str) -> Option<f64> {
    let line = |kind: &str| text.lines().find_map(|line| line.strip_prefix(kind));
    let line = line("full ").or_else(|| line("some "))?;
    line.split(' ').find_map(|field| field.strip_prefix("avg60=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn limits_are_two_rising_numbers_or_off() {
        assert_eq!(Limits::parse("85:95"), Ok(Some(Limits { yellow: 85.0, red: 95.0 })));
        assert_eq!(Limits::parse("off"), Ok(None));
        for wrong in ["", "85", "95:85", "a:b", "-1:5", "nan:nan"] {
            assert!(Limits::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pressure_is_that_of_everybody_where_the_kernel_tells() {
        let io = "some avg10=1.00 avg60=2.50 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.75 avg300=0.00 total=1\n";
        assert_eq!(pressure(io), Some(0.75));
        assert_eq!(pressure("some avg10=1.00 avg60=2.50 avg300=0.00 total=1\n"), Some(2.5));
        assert_eq!(pressure("nothing"), None);
    }

    proptest! {
        #[test]
        fn more_is_never_greener(a in 0.0..100.0_f64, b in 0.0..100.0_f64) {
            let limits = Limits { yellow: 40.0, red: 80.0 };
            let (less, more) = (a.min(b), a.max(b));
            prop_assert!(limits.color(less) <= limits.color(more));
        }
    }
}
