//! Measures what the cluster slice promises: `show-cluster`.
#![allow(clippy::print_stderr, reason = "details of what falls short")]

use std::process::ExitCode;

use anyhow::Result;
use picket_tests::differential::run;
use picket_tests::show::{self, Point};
use picket_tests::{Agent, Finding, bad_input, exchange, scenario};

/// Exchanges with either agent.
const EXCHANGES: usize = 200;
/// Fewer would not be the whole of what was asked for.
const SEQUENCES: usize = 40;

fn main() -> ExitCode {
    show::points(&[
        Point { number: 1, words: "a real cluster runs services in the guest", measure: cluster },
        Point { number: 2, words: "the same conversations as with pacemaker-remoted", measure: differential },
        Point { number: 3, words: "request and reply against pacemaker-remoted", measure: exchanges },
        Point { number: 4, words: "bad input", measure: strangers },
    ])
}

fn cluster() -> Result<Finding> {
    let mut report = scenario::full(Agent::Picket, &mut |_| {});
    let unfenced = scenario::unfenced(Agent::Picket, &mut |_| {});
    let figures = format!(
        "nginx killed: {}; connection's node crashed: {}; without fencing: {}",
        report.figure("nginx killed"),
        report.figure("connection's node crashed"),
        unfenced.figure("nobody fenced"),
    );
    report.checks.extend(unfenced.checks);
    let Finding { figure, holds } = report.summary();
    Ok(Finding { figure: format!("{figure} ({figures})"), holds })
}

fn differential() -> Result<Finding> {
    let verdict = run(Agent::Original, Agent::Picket, "")?.judge(true);
    let holds = verdict.complaints.is_empty() && verdict.sequences >= SEQUENCES;
    for complaint in &verdict.complaints {
        eprintln!("{complaint}");
    }
    let figure = verdict.to_string().lines().last().unwrap_or_default().to_owned();
    Ok(Finding { figure, holds })
}

fn exchanges() -> Result<Finding> {
    let found = exchange::checks(EXCHANGES);
    Ok(Finding { figure: found.figure("exchange").to_owned(), holds: found.holds() })
}

fn strangers() -> Result<Finding> {
    Ok(bad_input::run_all().summary())
}
