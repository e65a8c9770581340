//! The points of "It must show", each as one line.

use std::time::Duration;

use anyhow::Result;

use crate::agent::Agent;
use crate::parity::certificates;
use crate::parity::cluster;
use crate::parity::conformance::{self, Verdict};
use crate::parity::load::{self, Measured};
use crate::parity::schemas;
use crate::report::{Check, Finding};
use crate::show::{Point, detail};
use crate::systemd;

/// Everything; half an hour.
pub const FULL: [Point; 9] = [
    Point { number: 1, words: "numbered behaviors", measure: || behaviors(true) },
    Point { number: 1, words: "schemas of a newer cluster", measure: schemas::fetched },
    Point { number: 2, words: "a real systemd and a scripted one", measure: units },
    Point { number: 3, words: "two nodes, three guests", measure: || cluster(Agent::Picket) },
    Point { number: 3, words: "agent killed and frozen, no fencing", measure: unfenced },
    Point { number: 3, words: "the same with the original", measure: original },
    Point { number: 4, words: "X.509, our controller and strangers", measure: certificates },
    Point { number: 5, words: "300 operations at 10 s for 10 minutes", measure: || under_load(600) },
    Point { number: 5, words: "replies during a burst of results", measure: burst },
];

/// The same in a few minutes.
pub const SHORT: [Point; 6] = [
    Point { number: 1, words: "numbered behaviors", measure: || behaviors(false) },
    Point { number: 1, words: "schemas of a newer cluster", measure: schemas::fetched },
    Point { number: 3, words: "one node, two guests", measure: short_cluster },
    Point { number: 4, words: "X.509, our controller and strangers", measure: certificates },
    Point { number: 5, words: "300 operations at 10 s for 20 s", measure: || under_load(20) },
    Point { number: 5, words: "replies during a burst of results", measure: burst },
];

/// Most lateness that 99 of 100 runs may have.
const LATENESS: Duration = Duration::from_millis(200);
/// Longest that 99 of 100 replies may take.
const REPLY: Duration = Duration::from_millis(10);
/// Longest that any reply may take: the cluster gives up then.
const REPLY_LIMIT: Duration = Duration::from_secs(10);

fn behaviors(full: bool) -> Result<Finding> {
    let agents = [Agent::Picket, Agent::Original];
    let summary = conformance::run(&conformance::table(), &agents, full, &|outcome| detail(outcome))?;
    let short: Vec<_> = summary.shortfalls().map(|outcome| outcome.behavior.number.to_string()).collect();
    let numbers = if short.is_empty() { String::new() } else { format!("; short of {}", short.join(" ")) };
    let holds = summary.outcomes.iter().all(|outcome| outcome.verdict != Verdict::FallsShort);
    Ok(Finding { figure: format!("{summary}{numbers}"), holds })
}

fn cluster(agent: Agent) -> Result<Finding> {
    Ok(cluster::full(agent, &mut |check: &Check| detail(check)).summary())
}

fn unfenced() -> Result<Finding> {
    Ok(cluster::unfenced(Agent::Picket, &mut |check: &Check| detail(check)).summary())
}

fn short_cluster() -> Result<Finding> {
    Ok(cluster::short(Agent::Picket, &mut |check: &Check| detail(check)).summary())
}

/// Not judged: 2.1.5 exits at once where it should take leave, and its guest is fenced for it.
fn original() -> Result<Finding> {
    Ok(Finding { holds: true, ..cluster(Agent::Original)? })
}

fn units() -> Result<Finding> {
    let report = systemd::full(&mut |check: &Check| detail(check));
    let Finding { figure, holds } = report.summary();
    let storm = report.figure("no wrong answer");
    let quick = report.figure("start plus stop");
    Ok(Finding { figure: format!("{figure}; {storm}; {quick}"), holds })
}

fn certificates() -> Result<Finding> {
    let report = certificates::all(&mut |check: &Check| detail(check));
    let Finding { figure, holds } = report.summary();
    let figure = format!("{figure}; {}", report.figure("each in its own words"));
    Ok(Finding { figure, holds })
}

fn under_load(seconds: u64) -> Result<Finding> {
    let (ours, original) = load::both(Duration::from_secs(seconds))?;
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let words = |measured: &Measured| {
        let Measured { results, lateness, replies, processor, time } = measured;
        format!(
            "{results} results, late p50 {} p99 {} worst {}, poke p99 {} worst {}, agent's processor {} in {} s",
            ms(lateness.percentile(50)),
            ms(lateness.percentile(99)),
            ms(lateness.worst()),
            ms(replies.percentile(99)),
            ms(replies.worst()),
            ms(*processor),
            time.as_secs()
        )
    };
    let original = match original {
        Ok(original) => {
            let ratio = ours.processor.as_secs_f64() / original.processor.as_secs_f64();
            format!("{}; processor {ratio:.2} of its", words(&original))
        }
        Err(error) => format!("{error:#}"),
    };
    let holds = ours.lateness.percentile(99) < LATENESS
        && ours.replies.percentile(99) < REPLY
        && ours.replies.worst() < REPLY_LIMIT;
    Ok(Finding { figure: format!("{}; the original: {original}", words(&ours)), holds })
}

fn burst() -> Result<Finding> {
    let worst = load::burst(Agent::Picket)?;
    let figure = format!("slowest reply {:.1} ms while 300 results of 64 KB come", worst.as_secs_f64() * 1e3);
    Ok(Finding { figure, holds: worst < REPLY_LIMIT })
}
