//! Scenarios: a cluster, a guest with either agent, and what an administrator and fate do to them.

mod steps;

use std::cell::OnceCell;
use std::fmt;

use anyhow::{Context, Result};

use crate::agent::Agent;
use crate::cluster::Cluster;
use crate::guest::Guest;
use crate::report::{Check, Finding, Report};
use crate::workload::Footprint;

/// What a watcher is told while a scenario runs.
pub enum Scene<'a> {
    /// A step is done.
    Done(&'a Check),
    /// The cluster as `crm_mon` shows it, with a title.
    Picture(&'static str, &'a str),
}

/// The stage of a scenario: one cluster, one guest.
struct Stage {
    cluster: Cluster,
    guest: Guest,
    /// The services as they were before the crash, which they are not to notice.
    before_crash: OnceCell<Footprint>,
}

type Step = (&'static str, fn(&Stage) -> Result<Finding>);

/// Brings up what the rest is done to. The guest and its services come first in every scenario.
const BEGIN: [Step; 3] = [
    ("guest comes online", steps::guest_online),
    ("Dummy and nginx start on the guest, HTTP answers", steps::services_start),
    ("Stateful starts and is promoted on the guest", steps::state_promoted),
];

const FULL: [Step; 8] = [
    ("nginx killed: failure seen and recovered", steps::web_recovered),
    ("Dummy moved to a cluster node and back", steps::moved_and_back),
    ("standby empties the guest, unstandby fills it again", steps::standby_and_back),
    ("connection's node crashed: reconnected, services untouched", steps::takeover),
    ("crashed node fenced, booted and back, services untouched", steps::node_returns),
    ("nginx killed again: the new controller sees and recovers", steps::web_recovered),
    ("guest never fenced", steps::never_fenced),
    ("cluster clean at the end", steps::clean),
];

const UNFENCED: [Step; 3] = [
    ("fencing switched off", steps::fencing_off),
    ("connection's node crashed: reconnected, services untouched", steps::takeover),
    ("nobody fenced, services still untouched", steps::nobody_fenced),
];

const SHORT: [Step; 4] = [
    ("nginx killed: failure seen and recovered", steps::web_recovered),
    ("Dummy and nginx stop", steps::services_stop),
    ("guest never fenced", steps::never_fenced),
    ("cluster clean at the end", steps::clean),
];

/// Two nodes, every step. `watch` learns of each step as it ends.
pub fn full(agent: Agent, watch: &mut dyn FnMut(Scene)) -> Report {
    play(agent, 2, &BEGIN, &FULL, watch)
}

/// Two nodes without any fencing: the connection moves on, and nothing else happens.
pub fn unfenced(agent: Agent, watch: &mut dyn FnMut(Scene)) -> Report {
    play(agent, 2, &BEGIN, &UNFENCED, watch)
}

/// One node, the steps a change should not break: for a quick look on each commit.
pub fn short(agent: Agent, watch: &mut dyn FnMut(Scene)) -> Report {
    play(agent, 1, &BEGIN[..2], &SHORT, watch)
}

fn play(agent: Agent, nodes: usize, begin: &[Step], rest: &[Step], watch: &mut dyn FnMut(Scene)) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    report.step("cluster starts with fencing enabled", || {
        agent.executable()?; // a missing one is told before anything starts
        let mut cluster = Cluster::start(nodes)?;
        let guest = cluster.guest("guest1", agent, &[]).context("add the guest")?;
        stage = Some(Stage { cluster, guest, before_crash: OnceCell::new() });
        Ok(Finding::good(format!("{nodes} node(s), guest1 with the {} agent", agent.name())))
    });
    watch(Scene::Done(&report.checks[0]));
    let Some(stage) = stage else { return report };

    for (index, (name, step)) in begin.iter().chain(rest).enumerate() {
        if index == begin.len() {
            stage.show("before", watch);
        }
        let done = report.step(name, || step(&stage));
        watch(Scene::Done(report.checks.last().expect("a step adds a check")));
        if !done {
            return report;
        }
    }
    stage.show("after", watch);
    report
}

impl Stage {
    fn show(&self, title: &'static str, watch: &mut dyn FnMut(Scene)) {
        let picture = self.cluster.crm_mon().unwrap_or_else(|e| format!("{e:#}"));
        watch(Scene::Picture(title, &picture));
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.holds { "holds" } else { "FALLS SHORT" };
        write!(f, "{:6.2} s  {verdict}  {}: {}", self.took.as_secs_f64(), self.name, self.figure)
    }
}
