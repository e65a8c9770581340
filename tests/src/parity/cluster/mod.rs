//! A cluster of two nodes with three guests, and what administrators and fate do to them.
//!
//! Each guest has a service of its own, `svc1` on `guest1` and so on, which prefers it and may run anywhere. The
//! witnesses are `crm_mon` and `cibadmin`, and the service's state file: a restart makes a new one.

mod commands;
mod fate;
mod leave;
mod service;
mod unfenced;

use std::time::Duration;

use anyhow::{Context, Result};

use crate::agent::Agent;
use crate::cluster::{Cluster, Status};
use crate::guest::Guest;
use crate::report::{self, Check, Finding, Report};

/// What takes a few seconds on an idle machine; two cores shared with a build are not idle.
const SOON: Duration = Duration::from_secs(90);

/// Crash detection, election, fencing, boot and join.
const FAILOVER: Duration = Duration::from_secs(150);

/// How long nothing may happen at the end.
const QUIET: Duration = Duration::from_secs(600);

/// The stage of a scenario.
struct Stage {
    cluster: Cluster,
    guests: Vec<Guest>,
}

type Step = report::Step<Stage>;

const BEGIN: [Step; 2] =
    [("guests come online", fate::online), ("a service starts on each guest", service::start)];

const FULL: [Step; 16] = [
    ("service failure", service::failure),
    ("odd parameters", service::odd_parameters),
    ("refresh", commands::refresh),
    ("restart", commands::restart),
    ("unmanaged service", commands::unmanaged),
    ("standby of a guest", commands::standby),
    ("maintenance of a guest", leave::maintenance),
    ("graceful shutdown", leave::graceful),
    ("guest reboot", leave::reboot),
    ("connection migrated", fate::migrated),
    ("connection failover", fate::failover),
    ("cluster node crash", fate::node_crash),
    ("guests never fenced", fate::never_fenced),
    ("clean at the end", fate::clean),
    ("quiet time", fate::quiet),
    ("guest's power lost", fate::power_lost),
];

const SHORT: [Step; 7] = [
    ("service failure", service::failure),
    ("refresh", commands::refresh),
    ("restart", commands::restart),
    ("maintenance of a guest", leave::maintenance),
    ("graceful shutdown", leave::graceful),
    ("guests never fenced", fate::never_fenced),
    ("clean at the end", fate::clean),
];

/// What the original is asked: 2.1.5 does not survive its own graceful shutdown.
const ORIGINAL: [Step; 12] = [
    FULL[0], FULL[1], FULL[2], FULL[3], FULL[4], FULL[5], FULL[9], FULL[10], FULL[11], FULL[12], FULL[13],
    FULL[7],
];

/// Without fencing, for what costs a guest its node where there is fencing.
const UNFENCED: [Step; 2] = [("killed agent", unfenced::killed), ("frozen agent", unfenced::frozen)];

/// Whether a scenario has a step of this name.
pub fn has(name: &str) -> bool {
    BEGIN.iter().chain(&FULL).chain(&UNFENCED).any(|(step, _)| *step == name)
}

/// Two nodes, three guests, every step. `watch` learns of each step as it ends.
pub fn full(agent: Agent, watch: &mut dyn FnMut(&Check)) -> Report {
    match agent {
        Agent::Picket => play(agent, 2, 3, &FULL, watch),
        Agent::Original => play(agent, 2, 3, &ORIGINAL, watch),
    }
}

/// One node, two guests, the steps a change should not break.
pub fn short(agent: Agent, watch: &mut dyn FnMut(&Check)) -> Report {
    play(agent, 1, 2, &SHORT, watch)
}

/// One node, one guest, no fencing.
pub fn unfenced(agent: Agent, watch: &mut dyn FnMut(&Check)) -> Report {
    play(agent, 1, 1, &UNFENCED, watch)
}

fn play(agent: Agent, nodes: usize, guests: usize, steps: &[Step], watch: &mut dyn FnMut(&Check)) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    report.step("cluster starts with fencing enabled", || {
        agent.executable()?; // a missing one is told before anything starts
        let mut cluster = Cluster::start(nodes)?;
        let guests = (1..=guests)
            .map(|number| cluster.guest(&format!("guest{number}"), agent, &[]).context("add a guest"))
            .collect::<Result<Vec<_>>>()?;
        stage = Some(Stage { cluster, guests });
        Ok(Finding::good(format!("{nodes} node(s), {} agent", agent.name())))
    });
    watch(&report.checks[0]);
    let Some(stage) = stage else { return report };
    if report.play(&stage, &BEGIN, watch) {
        report.play(&stage, steps, watch);
    }
    report
}

impl Stage {
    /// Guest and service of that number, from 1.
    fn guest(&self, number: usize) -> Result<(&Guest, String)> {
        let guest = self.guests.get(number - 1).with_context(|| format!("there is no guest {number}"))?;
        Ok((guest, format!("svc{number}")))
    }

    /// Waits until every guest is online and has its service.
    fn all_well(&self, what: &str) -> Result<Status> {
        self.cluster.wait(what, SOON, |status| {
            self.guests.iter().enumerate().all(|(index, guest)| {
                let service = format!("svc{}", index + 1);
                status.is_online(guest.name()) && status.runs_on(&service, guest.name())
            })
        })
    }

    /// Removes the memory of failures.
    fn forget(&self) -> Result<()> {
        self.cluster.run(&["crm_resource", "--cleanup"])?;
        self.cluster.wait("failures are cleaned up", SOON, |status| status.failures.is_empty())?;
        Ok(())
    }
}
