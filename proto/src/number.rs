//! Integers as the original reads them from XML attributes.

/// The leading decimal integer of `text`: blanks and a sign are allowed before it, anything may follow
/// (`10s` is 10). `None` when there is no digit or the number does not fit.
#[must_use]
pub fn leading_int(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let digits_from = usize::from(text.starts_with(['-', '+']));
    let digits = text[digits_from..].bytes().take_while(u8::is_ascii_digit).count();
    let number = text[..digits_from + digits].parse();
    if digits == 0 { None } else { number.ok() }
}

/// Milliseconds from an attribute; missing, negative or unreadable text is 0.
#[must_use]
pub fn millis(text: Option<&str>) -> u64 {
    text.and_then(leading_int).and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
}

/// A Pacemaker boolean: `1`, `true`, `on`, `yes` or `y` in any case.
#[must_use]
pub fn truth(text: &str) -> bool {
    ["1", "true", "on", "yes", "y"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_text_after_a_number_is_ignored() {
        assert_eq!(leading_int("10s"), Some(10));
        assert_eq!(leading_int(" -7"), Some(-7));
        assert_eq!(leading_int("s10"), None);
        assert_eq!(leading_int("-"), None);
        assert_eq!(leading_int("99999999999999999999"), None);
    }

    #[test]
    fn negative_and_missing_times_are_zero() {
        assert_eq!(millis(Some("-5")), 0);
        assert_eq!(millis(None), 0);
        assert_eq!(millis(Some("1500")), 1500);
    }
}
