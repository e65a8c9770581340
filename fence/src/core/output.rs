//! The only place that writes to stdout and stderr.
//!
//! stdout carries results and nothing else: the fencer takes every word of a list for a machine
//! (fence-contract, 3.1).

use std::io::Write;

/// Writes a result. A reader that went away is no reason to fail: the exit status says it all.
pub fn stdout(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Writes a message line.
pub fn stderr(line: &str) {
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// A name as it can stand in a line: without line breaks and other control characters.
pub fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
