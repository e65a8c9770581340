//! One line a promise: what `make show-…` prints.

use std::process::ExitCode;

use anyhow::Result;

use crate::report::{Finding, Report};

/// One promise and how it is measured.
pub struct Point {
    /// Its number in the list of promises.
    pub number: u8,
    /// What is promised.
    pub words: &'static str,
    /// Measures it, now.
    pub measure: fn() -> Result<Finding>,
}

/// Measures every point and prints a line for each; details of what falls short go to stderr.
#[expect(clippy::print_stdout, reason = "the lines are its product")]
pub fn points(points: &[Point]) -> ExitCode {
    let mut short = 0;
    for Point { number, words, measure } in points {
        let Finding { figure, holds } = measure().unwrap_or_else(|e| {
            let figure = format!("not measured: {}", ends(&format!("{e:#}")));
            Finding { figure, holds: false }
        });
        short += usize::from(!holds);
        println!("point {number}: {words}: {figure}: {}", if holds { "holds" } else { "falls short" });
    }
    if short == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The points with these numbers, or all where none is named.
pub fn chosen(points: impl IntoIterator<Item = Point>) -> ExitCode {
    let wanted: Vec<u8> = std::env::args().skip(1).filter_map(|number| number.parse().ok()).collect();
    let chosen = points.into_iter().filter(|point| wanted.is_empty() || wanted.contains(&point.number));
    self::points(&chosen.collect::<Vec<_>>())
}

/// A detail behind a point's line, to stderr: the first line of it, for a step that failed tells a cluster's logs, too.
#[expect(clippy::print_stderr, reason = "the details behind a point's line")]
pub fn detail(detail: &dyn std::fmt::Display) {
    eprintln!("{}", detail.to_string().lines().next().unwrap_or_default());
}

/// First and last line: what a cluster's logs are in between.
fn ends(figure: &str) -> String {
    let mut lines = figure.lines();
    match (lines.next(), lines.next_back()) {
        (Some(first), Some(last)) => format!("{first} {last}"),
        (first, _) => first.unwrap_or_default().to_owned(),
    }
}

impl Report {
    /// All checks as one finding: how many hold, and what is wrong with the others.
    pub fn summary(&self) -> Finding {
        let short = self.shortfalls();
        let count = format!("{} of {} checks hold", self.checks.len() - short.len(), self.checks.len());
        let wrong: Vec<_> =
            short.iter().map(|check| format!("{}: {}", check.name, ends(&check.figure))).collect();
        let figure = if wrong.is_empty() { count } else { format!("{count}; {}", wrong.join("; ")) };
        Finding { figure, holds: short.is_empty() && !self.checks.is_empty() }
    }

    /// The figure of the first check whose name contains `name`.
    pub fn figure(&self, name: &str) -> &str {
        let found = self.checks.iter().find(|check| check.name.contains(name));
        found.map_or("not reached", |check| check.figure.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::Check;

    #[test]
    fn a_point_is_one_line_whatever_logs_a_failure_brings() {
        let took = Duration::ZERO;
        let figure = "guest is back\nlog\nmore log\n: not within 90 s".to_owned();
        let report = Report { checks: vec![Check { name: "crash", figure, holds: false, took }] };
        assert_eq!(report.summary().figure, "0 of 1 checks hold; crash: guest is back : not within 90 s");
    }
}
