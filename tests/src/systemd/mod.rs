//! Class `systemd` against a real systemd, and against one that gives every ugly answer.
//!
//! ```text
//! container  systemd as PID 1 in systemd-nspawn, picket-agent as its service      real, storm
//! bus        a private dbus-daemon with a scripted manager, an agent on a host    scripted
//! client     the cluster's side: operations, and how long each took
//! ```
//!
//! Needs `packaging/dev/install systemd`.

mod bus;
mod client;
mod container;
mod real;
mod script;
mod scripted;
mod storm;

pub use container::Container;
pub use real::units;
pub use scripted::{answers, both_agents};
pub use storm::{Storm, storm};

use crate::report::{Check, Report};

/// Everything, in full; `tell` gets each check when it is done. About five minutes.
pub fn full(tell: &mut dyn FnMut(&Check)) -> Report {
    let mut all = Report::default();
    let mut add = |report: Report| {
        report.checks.iter().for_each(&mut *tell);
        all.checks.extend(report.checks);
    };
    add(answers());
    add(both_agents());
    add(real(100, Storm { units: 50, reloads: 500, reexecs: 200 }));
    all
}

/// The checks with a real systemd.
pub fn real(rounds: usize, weather: Storm) -> Report {
    let mut report = Report::default();
    match Container::boot() {
        Err(error) => drop(report.step("a real systemd boots", || Err(error))),
        Ok(container) => {
            report.checks.extend(units(&container, rounds).checks);
            report
                .step("no wrong answer while systemd reloads and re-executes", || storm(&container, weather));
        }
    }
    report
}
