//! From what the caller wrote to checked values.
//!
//! `argv` and `stdin` only find out which option got which text. Everything is checked here, once, against the
//! agent's table, so that later code reads numbers and never fails.

pub mod argv;
pub mod credentials;
pub mod stdin;

use std::time::Duration;

use super::option::{Kind, Opt};
use super::secret::Secret;
use super::usage::Usage;

/// The value of one option as it was given.
#[derive(Clone)]
struct Given {
    key: &'static str,
    /// The name that was used: the option's key, or its old name.
    name: &'static str,
    text: Secret,
    times: u32,
}

/// All values of a run, checked against the table. Has no `Debug`: some values are secrets.
#[derive(Clone, Default)]
pub struct Values {
    given: Vec<Given>,
    /// The cluster's name of the machine, which the fencer always adds for actions on one.
    pub nodename: Option<String>,
    /// What was odd and could be ignored.
    pub warnings: Vec<String>,
}

impl Values {
    /// Keeps a value after checking it. A repeated name replaces the earlier value and is counted.
    ///
    /// # Errors
    /// The text is not what the option accepts.
    pub fn set(&mut self, opt: &Opt, name: &'static str, text: &str) -> Result<(), Usage> {
        let text = checked(opt, text)?;
        match self.given.iter_mut().find(|given| given.name == name) {
            Some(given) => {
                given.text = Secret::new(text);
                given.times += 1;
            }
            None => self.given.push(Given { key: opt.key, name, text: Secret::new(text), times: 1 }),
        }
        Ok(())
    }

    /// Whether the caller gave it, under either name.
    pub fn is_given(&self, opt: &Opt) -> bool {
        self.given.iter().any(|given| given.key == opt.key)
    }

    /// The value under the option's current name, or its old name, or the default of the table.
    pub fn text(&self, opt: &Opt) -> Option<&str> {
        let given = self.given.iter().rev().find(|given| given.key == opt.key);
        given.map(|given| given.text.reveal()).filter(|text| !text.is_empty()).or(opt.default)
    }

    /// The value given under exactly this name.
    pub fn under(&self, name: &str) -> Option<&str> {
        let given = self.given.iter().find(|given| given.name == name);
        given.map(|given| given.text.reveal()).filter(|text| !text.is_empty())
    }

    /// Whether a flag is set to a true value.
    pub fn flag(&self, opt: &Opt) -> bool {
        self.text(opt).is_some_and(|text| boolean(text) == Some(true))
    }

    /// How often a flag was given; 0 where it was given as false.
    pub fn times(&self, opt: &Opt) -> u32 {
        if !self.flag(opt) {
            return 0;
        }
        self.given.iter().find(|given| given.key == opt.key).map_or(0, |given| given.times)
    }

    /// A level: the number that was given, or how often the option came without one. What is below 0 counts as 1.
    pub fn level(&self, opt: &Opt) -> u32 {
        let Some(given) = self.given.iter().find(|given| given.key == opt.key) else { return 0 };
        match given.text.reveal().parse::<i64>() {
            Ok(level) => u32::try_from(level).unwrap_or(1),
            Err(_) => given.times,
        }
    }

    /// A whole number.
    pub fn integer(&self, opt: &Opt) -> Option<i64> {
        self.text(opt).and_then(|text| text.trim().parse().ok())
    }

    /// Seconds; what is below 0 counts as 0.
    pub fn seconds(&self, opt: &Opt) -> Option<Duration> {
        self.integer(opt).map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    /// All that was given, by key and in stdin's form, to hand over to another process.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, &Secret, u32)> {
        self.given.iter().map(|given| (given.name, &given.text, given.times))
    }
}

/// The words for true and false (fence-contract, 5.1), in any case.
pub fn boolean(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "1" | "yes" | "on" | "true" => Some(true),
        "0" | "no" | "off" | "false" => Some(false),
        _ => None,
    }
}

fn checked(opt: &Opt, text: &str) -> Result<String, Usage> {
    match opt.kind {
        Kind::Text => Ok(text.to_owned()),
        // A flag without a word is one that was set.
        Kind::Flag if text.is_empty() => Ok("1".to_owned()),
        Kind::Flag => match boolean(text) {
            Some(set) => Ok(u8::from(set).to_string()),
            None => Err(Usage::NotABoolean { option: opt.key, value: text.to_owned() }),
        },
        Kind::Level if text.is_empty() => Ok(String::new()),
        Kind::Level => match text.trim().parse::<i64>().ok().or(boolean(text).map(i64::from)) {
            Some(level) => Ok(level.to_string()),
            None => Err(Usage::NotABoolean { option: opt.key, value: text.to_owned() }),
        },
        Kind::Integer | Kind::Seconds => match text.trim().parse::<i64>() {
            Ok(_) => Ok(text.trim().to_owned()),
            Err(_) if text.is_empty() => Ok(String::new()),
            Err(_) => Err(Usage::NotANumber { option: opt.key, value: text.to_owned() }),
        },
        Kind::Select(words) => match words.iter().find(|word| word.eq_ignore_ascii_case(text)) {
            Some(word) => Ok((*word).to_owned()),
            None if text.is_empty() => Ok(String::new()),
            None => {
                Err(Usage::NotAChoice { option: opt.key, value: text.to_owned(), words: words.join(", ") })
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::standard::{DEBUG, DELAY, METHOD, PLUG, RETRY_ON, SSL_INSECURE, VERBOSE};

    #[test]
    fn numbers_and_words_are_checked_when_they_are_set() {
        let mut values = Values::default();
        assert!(values.set(&DELAY, "delay", "soon").is_err());
        assert!(values.set(&METHOD, "method", "kick").is_err());
        values.set(&METHOD, "method", "CYCLE").unwrap();
        values.set(&DELAY, "delay", "-3").unwrap();
        assert_eq!(values.text(&METHOD), Some("cycle"));
        assert_eq!(values.seconds(&DELAY), Some(Duration::ZERO));
        assert_eq!(values.integer(&RETRY_ON), Some(1));
    }

    #[test]
    fn false_means_false() {
        let mut values = Values::default();
        values.set(&SSL_INSECURE, "ssl_insecure", "0").unwrap();
        assert!(!values.flag(&SSL_INSECURE));
        assert!(values.is_given(&SSL_INSECURE));
    }

    #[test]
    fn a_level_is_counted_or_given_as_a_number() {
        let level = |texts: &[&str]| {
            let mut values = Values::default();
            for text in texts {
                values.set(&DEBUG, "debug", text).unwrap();
            }
            values.level(&DEBUG)
        };
        assert_eq!([level(&[]), level(&[""]), level(&["", ""]), level(&["3"])], [0, 1, 2, 3]);
        assert_eq!([level(&["yes"]), level(&["0"]), level(&["-1"])], [1, 0, 1]);
        assert!(Values::default().set(&DEBUG, "debug", "much").is_err());
    }

    #[test]
    fn the_last_of_repeated_values_wins_and_flags_count() {
        let mut values = Values::default();
        for text in ["a", "b"] {
            values.set(&PLUG, "plug", text).unwrap();
            values.set(&VERBOSE, "verbose", "").unwrap();
        }
        assert_eq!(values.text(&PLUG), Some("b"));
        assert_eq!(values.times(&VERBOSE), 2);
    }
}
