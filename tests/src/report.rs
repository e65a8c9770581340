//! What a scenario found out: measured facts, each with a verdict.

use std::time::{Duration, Instant};

use anyhow::Result;

/// What one step measured.
pub struct Finding {
    /// The figure or fact, for a reader.
    pub figure: String,
    /// Whether it is as it should be.
    pub holds: bool,
}

impl Finding {
    /// A fact that is as it should be.
    pub fn good(figure: impl Into<String>) -> Self {
        Self { figure: figure.into(), holds: true }
    }
}

/// One finished step.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was to be shown.
    pub name: &'static str,
    /// What was measured, or how the step failed.
    pub figure: String,
    /// Whether it holds.
    pub holds: bool,
    /// How long the step took.
    pub took: Duration,
}

/// All steps of one run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order they ran. A step that could not be carried out ends the run, so it is the last one.
    pub checks: Vec<Check>,
}

/// One step of a scenario: what it shows, and how.
pub(crate) type Step<S> = (&'static str, fn(&S) -> Result<Finding>);

impl Report {
    /// Whether every check holds.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }

    /// The checks that do not hold, for a test's failure message.
    pub fn shortfalls(&self) -> Vec<&Check> {
        self.checks.iter().filter(|check| !check.holds).collect()
    }

    /// Carries out steps on a stage until one cannot be carried out, and says whether all were; `watch` learns of each.
    pub(crate) fn play<S>(&mut self, stage: &S, steps: &[Step<S>], watch: &mut dyn FnMut(&Check)) -> bool {
        steps.iter().all(|(name, step)| {
            let done = self.step(name, || step(stage));
            self.checks.last().into_iter().for_each(&mut *watch);
            done
        })
    }

    /// Carries out one step and adds what it found. `false` when it could not be carried out.
    pub(crate) fn step(&mut self, name: &'static str, step: impl FnOnce() -> Result<Finding>) -> bool {
        let started = Instant::now();
        let result = step();
        let done = result.is_ok();
        let Finding { figure, holds } =
            result.unwrap_or_else(|e| Finding { figure: format!("{e:#}"), holds: false });
        self.checks.push(Check { name, figure, holds, took: started.elapsed() });
        done
    }
}
