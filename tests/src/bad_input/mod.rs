//! What picket-agent does with clients that cannot or will not speak the protocol.
//!
//! Each case attacks an agent that has a registered client. It holds when the agent says in its log what is wrong
//! (or answers it), gives the attacker's memory back, and serves the registered client within a second all the time.

mod cases;
mod scene;

use crate::report::{Check, Report};
use cases::CASES;
use scene::Scene;

/// The names of all cases.
pub fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
}

/// Carries out one case against an agent of its own.
///
/// # Panics
/// Where there is no case of that name.
pub fn run(name: &str) -> Check {
    let case = CASES.iter().find(|case| case.name == name).expect("a case of that name");
    let mut report = Report::default();
    report.step(case.name, || {
        let mut scene = Scene::start()?;
        let seen = (case.attack)(&mut scene)?;
        scene.judge(&seen)
    });
    report.checks.remove(0)
}

/// Carries out all cases.
pub fn run_all() -> Report {
    Report { checks: names().map(run).collect() }
}
