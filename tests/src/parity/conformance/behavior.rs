//! One row of the table.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::parity::bench::Bench;

/// A numbered behavior.
#[derive(Clone, Copy, Debug)]
pub struct Behavior {
    /// As in `conformance.md`.
    pub number: u16,
    /// What it is, in few words.
    pub words: &'static str,
    /// Who shows it.
    pub shown: Shown,
}

/// Who shows a behavior.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// A check here.
    By {
        /// Gives the figure it found.
        check: fn(&Bench) -> Result<String>,
        /// What is to be thought of the original.
        original: Original,
        /// What it takes.
        cost: Cost,
    },
    /// A step of a cluster scenario, by its name.
    InCluster(&'static str),
    /// A test elsewhere: file and function.
    Test(&'static str, &'static str),
    /// Not yet: what is missing.
    Missing(&'static str),
    /// It does not apply, for this reason.
    NotApplicable(&'static str),
}

/// What a check takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cost {
    /// An agent that others use too.
    Little,
    /// An agent of its own, which the original needs seconds to become.
    Agent,
    /// Ten seconds and more.
    Time,
}

/// How the original (2.1.5) takes a check.
#[derive(Clone, Copy, Debug)]
pub enum Original {
    /// It passes.
    Passes,
    /// It does not, for this reason; where it does pass, the reason is wrong.
    FallsShort(&'static str),
    /// It is not asked, for this reason.
    NotAsked(&'static str),
}

impl Behavior {
    /// Both agents pass the check.
    pub(super) const fn both(number: u16, words: &'static str, check: fn(&Bench) -> Result<String>) -> Self {
        let shown = Shown::By { check, original: Original::Passes, cost: Cost::Little };
        Self { number, words, shown }
    }

    /// The original does not pass it.
    pub(super) const fn differs(
        number: u16,
        words: &'static str,
        check: fn(&Bench) -> Result<String>,
        why: &'static str,
    ) -> Self {
        let shown = Shown::By { check, original: Original::FallsShort(why), cost: Cost::Little };
        Self { number, words, shown }
    }

    /// The original cannot be asked.
    pub(super) const fn ours(
        number: u16,
        words: &'static str,
        check: fn(&Bench) -> Result<String>,
        why: &'static str,
    ) -> Self {
        let shown = Shown::By { check, original: Original::NotAsked(why), cost: Cost::Little };
        Self { number, words, shown }
    }

    /// The same check, which takes this.
    pub(super) const fn costs(mut self, cost: Cost) -> Self {
        if let Shown::By { check, original, .. } = self.shown {
            self.shown = Shown::By { check, original, cost };
        }
        self
    }

    /// Not shown by a check.
    pub(super) const fn other(number: u16, words: &'static str, shown: Shown) -> Self {
        Self { number, words, shown }
    }
}

/// Fails unless the test function is in the source tree.
pub(super) fn test_exists(file: &str, name: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let source = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    ensure!(source.contains(&format!("fn {name}(")), "{file} has no test {name}");
    Ok(())
}
