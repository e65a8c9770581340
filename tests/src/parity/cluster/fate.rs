//! Connections that move, nodes and guests that crash.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::service::{Footprint, break_it, failure_seen, untouched};
use super::{FAILOVER, QUIET, SOON, Stage};
use crate::cluster::Status;
use crate::report::Finding;
use crate::wait::wait_until;

pub(super) fn online(stage: &Stage) -> Result<Finding> {
    let started = Instant::now();
    stage.cluster.wait("all guests are online", SOON, |status| {
        stage.guests.iter().all(|guest| status.is_online(guest.name()))
    })?;
    Ok(Finding::good(format!("{} after {:.1} s", stage.guests.len(), started.elapsed().as_secs_f64())))
}

/// The cluster node that holds a guest's connection, and the other one.
fn holder(stage: &Stage, status: &Status, guest: &str) -> Result<(String, String)> {
    let holder = status.node_of(guest, "Started").with_context(|| format!("{guest} has no connection"))?;
    let other = stage.cluster.nodes().iter().find(|node| node.name() != holder).context("no other node")?;
    Ok((holder.to_owned(), other.name().to_owned()))
}

/// An administrator moves a live connection; the new holder sees failures.
pub(super) fn migrated(stage: &Stage) -> Result<Finding> {
    let (guest, service) = stage.guest(1)?;
    let (old, new) = holder(stage, &stage.cluster.status()?, guest.name())?;
    let before = Footprint::all(stage)?;
    let started = Instant::now();
    stage.cluster.run(&["crm_resource", "--move", "--resource", guest.name(), "--node", &new])?;
    stage.cluster.wait("the connection has moved", SOON, |status| {
        status.node_of(guest.name(), "Started") == Some(&new) && status.is_online(guest.name())
    })?;
    let took = started.elapsed();
    stage.cluster.settle(SOON)?;
    stage.all_well("the services run on")?;
    let same = before == Footprint::all(stage)?;
    break_it(guest, &service)?;
    let broken = Instant::now();
    failure_seen(stage, &service)?;
    let seen = broken.elapsed();
    stage.all_well("the service is recovered")?;
    stage.cluster.run(&["crm_resource", "--clear", "--resource", guest.name()])?;
    stage.forget()?;
    Ok(Finding {
        figure: format!(
            "{old} -> {new} after {:.1} s, {}; a failure seen after {:.1} s",
            took.as_secs_f64(),
            untouched(same),
            seen.as_secs_f64()
        ),
        holds: same,
    })
}

/// The holder of the connection goes into standby: the connection moves, the services do not notice.
pub(super) fn failover(stage: &Stage) -> Result<Finding> {
    let (guest, _) = stage.guest(1)?;
    let (old, new) = holder(stage, &stage.cluster.status()?, guest.name())?;
    let set = |value| {
        let node = ["crm_attribute", "--type", "nodes", "--node", &old];
        stage.cluster.run(&[&node[..], &["--name", "standby", "--update", value]].concat())
    };
    let before = Footprint::all(stage)?;
    let started = Instant::now();
    set("on")?;
    stage.cluster.wait("all connections have moved", SOON, |status| {
        stage.guests.iter().all(|guest| status.node_of(guest.name(), "Started") == Some(&new))
    })?;
    let took = started.elapsed();
    stage.cluster.settle(SOON)?;
    stage.all_well("the services run on")?;
    let same = before == Footprint::all(stage)?;
    set("off")?;
    stage.cluster.settle(SOON)?;
    Ok(Finding {
        figure: format!("all on {new} after {:.1} s, {}", took.as_secs_f64(), untouched(same)),
        holds: same,
    })
}

/// The holder crashes, is fenced and comes back.
pub(super) fn node_crash(stage: &Stage) -> Result<Finding> {
    let (guest, _) = stage.guest(1)?;
    stage.all_well("all is well before")?;
    let status = stage.cluster.status()?;
    let (old, new) = holder(stage, &status, guest.name())?;
    let (before, was_dc) = (Footprint::all(stage)?, status.dc.as_deref() == Some(&old));
    let started = Instant::now();
    stage.cluster.node(&old)?.crash();
    stage.cluster.wait("the other node has all connections", FAILOVER, |status| {
        let held = |name| status.node_of(name, "Started") == Some(&new) && status.is_online(name);
        stage.guests.iter().all(|guest| held(guest.name()))
    })?;
    let took = started.elapsed();
    stage.all_well("the services run on")?;
    stage.cluster.wait("the crashed node is back", FAILOVER, |status| status.is_online(&old))?;
    stage.cluster.settle(FAILOVER)?;
    stage.all_well("the services run on")?;
    let same = before == Footprint::all(stage)?;
    let fenced = stage.cluster.fencing().against(&old).len();
    Ok(Finding {
        figure: format!(
            "{old}{} crashed, connections on {new} after {:.1} s, {}; it was fenced {fenced} time(s) and is back",
            if was_dc { " (DC)" } else { "" },
            took.as_secs_f64(),
            untouched(same)
        ),
        holds: same && fenced == 1,
    })
}

fn fenced_guests(stage: &Stage) -> usize {
    stage.guests.iter().map(|guest| stage.cluster.fencing().against(guest.name()).len()).sum()
}

pub(super) fn never_fenced(stage: &Stage) -> Result<Finding> {
    let count = fenced_guests(stage);
    Ok(Finding { figure: format!("{count} requests against guests"), holds: count == 0 })
}

pub(super) fn clean(stage: &Stage) -> Result<Finding> {
    stage.cluster.settle(SOON)?;
    let status = stage.all_well("all is well")?;
    let failures = status.failures.len();
    Ok(Finding { figure: format!("{failures} failed actions"), holds: failures == 0 })
}

/// Nothing happens for a long time.
pub(super) fn quiet(stage: &Stage) -> Result<Finding> {
    let before = Footprint::all(stage)?;
    let fenced = stage.cluster.fencing().record().len();
    let disturbed = wait_until("something happens", QUIET, || {
        let status = stage.cluster.status()?;
        let well = stage.guests.iter().all(|guest| status.is_online(guest.name()));
        Ok((!well || !status.failures.is_empty()).then(|| format!("{:?}", status.failures)))
    });
    let same = before == Footprint::all(stage)?;
    let holds = disturbed.is_err() && same && stage.cluster.fencing().record().len() == fenced;
    let figure = disturbed.unwrap_or_else(|_| "no failure".into());
    let (time, every) = (QUIET.as_secs(), Duration::from_secs(10).as_secs());
    Ok(Finding {
        figure: format!("{time} s, monitored every {every} s: {figure}, {}", untouched(same)),
        holds,
    })
}

/// A guest that is gone without a word is fenced, once, and its service runs again.
pub(super) fn power_lost(stage: &Stage) -> Result<Finding> {
    let (guest, service) = stage.guest(3)?;
    let (started, before) = (Instant::now(), fenced_guests(stage));
    guest.host.crash();
    stage.cluster.wait("the guest is fenced", FAILOVER, |_| fenced_guests(stage) > before)?;
    let fenced = started.elapsed();
    stage.all_well("guest and service are back")?;
    let times = fenced_guests(stage) - before;
    Ok(Finding {
        figure: format!(
            "fenced {times} time(s), after {:.1} s; {service} back after {:.1} s",
            fenced.as_secs_f64(),
            started.elapsed().as_secs_f64()
        ),
        holds: times == 1,
    })
}
