//! `pcmk-init.env`: lines that set variables, in the subset of shell syntax that `pacemaker-remoted` reads. Observed
//! with 2.1.5: there is no expansion, a backslash only keeps the next character from ending the value, and a line
//! that is not entirely an assignment is none.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

/// Longer lines are not read.
const LONGEST: usize = 2048;

/// The assignments, in order.
pub(super) fn parse(text: &[u8]) -> impl Iterator<Item = (OsString, OsString)> {
    let lines = text.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
    lines.filter(|line| line.len() <= LONGEST).filter_map(assignment).map(|(name, value)| {
        let owned = |bytes| OsStr::from_bytes(bytes).to_owned();
        (owned(name), owned(value))
    })
}

fn assignment(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.trim_ascii_start();
    let (name, rest) = line.split_at(line.iter().position(|byte| *byte == b'=')?);
    let (first, others) = name.split_first()?;
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    if !letter(first) || !others.iter().all(|byte| letter(byte) || byte.is_ascii_digit()) {
        return None;
    }
    let (value, rest) = value(&rest[1..])?;
    let rest = rest.trim_ascii_start();
    // A NUL cannot be in an environment.
    let whole = (rest.is_empty() || rest.starts_with(b"#")) && !value.contains(&0);
    whole.then_some((name, value))
}

/// The value, and what follows it.
fn value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    match text.first() {
        Some(quote @ (b'"' | b'\'')) => {
            let text = &text[1..];
            let end = end(text, |byte| byte == *quote)?;
            Some((&text[..end], &text[end + 1..]))
        }
        _ => Some(text.split_at(end(text, |byte| byte.is_ascii_whitespace()).unwrap_or(text.len()))),
    }
}

/// Where the value ends: at the first such byte that no backslash precedes.
fn end(text: &[u8], ends: impl Fn(u8) -> bool) -> Option<usize> {
    (0..text.len()).find(|at| ends(text[*at]) && (*at == 0 || text[at - 1] != b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        let text_of = |text: OsString| text.into_string().unwrap();
        parse(text.as_bytes()).map(|(name, value)| (text_of(name), text_of(value))).collect()
    }

    #[test]
    fn assignments_are_read_as_the_original_reads_them() {
        let rows = [
            ("A=b", "b"),
            ("  \tA=b  ", "b"),
            ("A=", ""),
            ("A=\"\"", ""),
            ("A=b # comment", "b"),
            ("A=b#c", "b#c"),
            ("A='b c'", "b c"),
            ("A=\"b 'c'\"# comment", "b 'c'"),
            ("A=a\\ b", "a\\ b"),
            ("A=\"x \\\"y\\\"\"", "x \\\"y\\\""),
            ("A='$X'", "$X"),
            ("A=b=c", "b=c"),
        ];
        for (line, value) in rows {
            assert_eq!(parsed(&format!("{line}\n")), [("A".to_owned(), value.to_owned())], "{line}");
        }
    }

    #[test]
    fn what_is_not_entirely_an_assignment_is_ignored() {
        let lines =
            ["export A=1", "BAD NAME=1", "1A=2", "=1", "A", "", "# A=1", "A=b c", "A =b", "A=\"b", "A='b' c"];
        for line in lines {
            assert_eq!(parsed(&format!("{line}\n")), [], "{line}");
        }
        assert_eq!(parsed("A=\0\n"), []);
    }

    #[test]
    fn a_line_without_an_end_and_one_that_is_too_long_are_ignored() {
        assert_eq!(parsed("A=1\nB=2"), [("A".to_owned(), "1".to_owned())]);
        let long = |length: usize| parsed(&format!("A={}\nB=2\n", "x".repeat(length - 2))).len();
        assert_eq!((long(LONGEST), long(LONGEST + 1)), (2, 1));
    }
}
