//! The crate's own tests, in full.

use std::process::Command;

use anyhow::{Context, Result};

use super::checkout;

/// Tests of picket-fence, chosen by cargo's arguments; the output with its figures, and whether all passed.
pub(super) struct Run {
    pub(super) text: String,
    pub(super) passed: usize,
    pub(super) failed: usize,
}

/// Runs tests of the crate.
pub(super) fn run(chosen: &[&str], tests: &[&str]) -> Result<Run> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.current_dir(checkout()).env("PICKET_FENCE_MATRIX", "full");
    command
        .args(["test", "--quiet", "--no-fail-fast", "-p", "picket-fence"])
        .args(chosen)
        .arg("--")
        .args(tests);
    let output = command.output().with_context(|| format!("run {command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let count = |word: &str| -> usize {
        let results = text.lines().filter(|line| line.starts_with("test result:"));
        results
            .filter_map(|line| line.split([';', '.']).find_map(|part| part.trim().strip_suffix(word)))
            .filter_map(|number| number.trim().parse::<usize>().ok())
            .sum()
    };
    let (passed, mut failed) = (count("passed"), count("failed"));
    if !output.status.success() && failed == 0 {
        // It did not come to a result: it was not built, or a test took all others with it.
        failed = 1;
    }
    Ok(Run { text, passed, failed })
}

impl Run {
    /// What stands behind a word, of each line in which it stands.
    pub(super) fn figures<'r>(&'r self, word: &'r str) -> impl Iterator<Item = &'r str> {
        // A dot for each test that passed may stand before it.
        self.text.lines().filter_map(move |line| line.find(word).map(|at| &line[at + word.len()..]))
    }
}
