//! What an administrator does to services.

use std::time::Instant;

use anyhow::Result;

use super::service::{Footprint, break_it, call_ids, untouched};
use super::{SOON, Stage};
use crate::report::Finding;
use crate::wait::wait_until;

/// Probed again, and not restarted.
pub(super) fn refresh(stage: &Stage) -> Result<Finding> {
    let (guest, service) = stage.guest(1)?;
    stage.cluster.settle(SOON)?;
    let before = Footprint::all(stage)?;
    let calls = call_ids(stage, guest.name(), &service)?;
    stage.cluster.run(&["crm_resource", "--refresh", "--resource", &service, "--node", guest.name()])?;
    let probed = wait_until("the service is probed again", SOON, || {
        let now = call_ids(stage, guest.name(), &service)?;
        Ok((!now.is_empty() && now.iter().all(|id| !calls.contains(id))).then_some(now))
    })?;
    stage.cluster.settle(SOON)?;
    stage.all_well("the services run after the refresh")?;
    let same = before == Footprint::all(stage)?;
    Ok(Finding { figure: format!("calls {calls:?}, then {probed:?}; {}", untouched(same)), holds: same })
}

/// This service alone is restarted.
pub(super) fn restart(stage: &Stage) -> Result<Finding> {
    let (_, service) = stage.guest(1)?;
    let before = Footprint::all(stage)?;
    let started = Instant::now();
    stage.cluster.run(&["crm_resource", "--restart", "--resource", &service])?;
    let took = started.elapsed();
    stage.all_well("the services run after the restart")?;
    let after = Footprint::all(stage)?;
    let others = before[1..] == after[1..];
    Ok(Finding {
        figure: format!("restarted within {:.1} s, other {}", took.as_secs_f64(), untouched(others)),
        holds: before[0] != after[0] && others,
    })
}

/// Its end is seen and not repaired, until the service is managed again.
pub(super) fn unmanaged(stage: &Stage) -> Result<Finding> {
    let (guest, service) = stage.guest(2)?;
    let managed = |value| {
        let change = ["--meta", "--set-parameter", "is-managed", "--parameter-value", value];
        stage.cluster.run(&[&["crm_resource", "--resource", &service][..], &change].concat())
    };
    managed("false")?;
    stage.cluster.settle(SOON)?;
    break_it(guest, &service)?;
    stage.cluster.wait("the service's end is seen", SOON, |status| {
        status.resources.iter().any(|resource| resource.id == service && resource.role == "Stopped")
    })?;
    stage.cluster.settle(SOON)?;
    let left_alone = Footprint::of(guest, &service).is_err();
    managed("true")?;
    wait_until("the service is recovered", SOON, || Ok(Footprint::of(guest, &service).ok()))?;
    stage.all_well("the services run after all")?;
    stage.forget()?;
    Ok(Finding { figure: "seen as stopped, repaired when managed again".into(), holds: left_alone })
}

/// A guest in standby is empty; its service is back afterwards.
pub(super) fn standby(stage: &Stage) -> Result<Finding> {
    let (guest, service) = stage.guest(2)?;
    let set = |value| {
        let node = ["crm_attribute", "--type", "nodes", "--node", guest.name()];
        stage.cluster.run(&[&node[..], &["--name", "standby", "--update", value]].concat())
    };
    let started = Instant::now();
    set("on")?;
    let status = stage.cluster.wait("the service runs elsewhere", SOON, |status| {
        status.node_of(&service, "Started").is_some_and(|node| node != guest.name())
    })?;
    let away = status.node_of(&service, "Started").unwrap_or_default().to_owned();
    let took = started.elapsed();
    set("off")?;
    stage.all_well("the service is back")?;
    Ok(Finding::good(format!("{service} on {away} after {:.1} s, and back", took.as_secs_f64())))
}
