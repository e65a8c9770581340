//! Measures what is promised of the agent classes, in full, and prints one line a point.

use std::process::ExitCode;

use picket_tests::systemd;

#[expect(clippy::print_stdout, reason = "the lines are its product")]
fn main() -> ExitCode {
    let report = systemd::full(&mut |check| {
        let verdict = if check.holds { "holds" } else { "falls short" };
        println!("{}: {}: {verdict}", check.name, check.figure);
    });
    if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
