//! Agents that take leave in order, under a cluster.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::service::{Footprint, untouched};
use super::{SOON, Stage};
use crate::guest::Guest;
use crate::report::Finding;

/// Starts the agent again, as its service manager would.
pub(super) fn start_agent(guest: &Guest) -> Result<()> {
    guest.host.start(&guest.agent.program(&[])?).map(drop)
}

/// Sends SIGTERM, and says how long the agent took to end with status 0.
fn stop_agent(guest: &Guest) -> Result<Duration> {
    let started = Instant::now();
    let status = guest.host.stop("agent", SOON)?;
    ensure!(status.success(), "the agent ended with {status}");
    Ok(started.elapsed())
}

/// After it let a guest go, the cluster plans to connect again, and does so when something makes it look: in a quiet
/// one that is the recheck interval of 15 minutes, whatever agent the guest runs. An administrator does not wait.
fn look_again(stage: &Stage, guest: &Guest) -> Result<()> {
    stage.cluster.run(&["crm_resource", "--refresh", "--resource", guest.name()]).map(drop)
}

/// A guest in maintenance: its agent may stop and start, the services run on.
pub(super) fn maintenance(stage: &Stage) -> Result<Finding> {
    let (guest, service) = stage.guest(2)?;
    let set = |value| {
        let node = ["crm_attribute", "--type", "nodes", "--node", guest.name()];
        stage.cluster.run(&[&node[..], &["--name", "maintenance", "--update", value]].concat())
    };
    let before = Footprint::all(stage)?;
    set("true")?;
    stage.cluster.settle(SOON)?;
    let took = stop_agent(guest)?;
    let ran_on = Footprint::of(guest, &service).ok() == before.get(1).cloned();
    start_agent(guest)?;
    stage.cluster.wait("the guest is back", SOON, |status| status.is_online(guest.name()))?;
    set("false")?;
    stage.cluster.settle(SOON)?;
    stage.all_well("the service runs where it ran")?;
    stage.forget()?;
    let same = before == Footprint::all(stage)?;
    let fenced = stage.cluster.fencing().against(guest.name()).len();
    Ok(Finding {
        figure: format!(
            "agent stopped within {:.2} s (nack) and back, {}, fenced {fenced} times",
            took.as_secs_f64(),
            untouched(same && ran_on)
        ),
        holds: same && ran_on && fenced == 0,
    })
}

/// SIGTERM: the cluster moves the service away, then the agent ends; when it is started again all comes back.
pub(super) fn graceful(stage: &Stage) -> Result<Finding> {
    let (guest, service) = stage.guest(2)?;
    let took = stop_agent(guest)?;
    let left = Footprint::of(guest, &service).is_ok();
    let status = stage.cluster.wait("the service runs elsewhere", SOON, |status| {
        status.node_of(&service, "Started").is_some_and(|node| node != guest.name())
    })?;
    let away = status.node_of(&service, "Started").context("it runs nowhere")?.to_owned();
    start_agent(guest)?;
    look_again(stage, guest)?;
    stage.all_well("guest and service are back")?;
    let fenced = stage.cluster.fencing().against(guest.name()).len();
    stage.forget()?;
    Ok(Finding {
        figure: format!(
            "exit 0 after {:.1} s with {service} on {away}; back; fenced {fenced} times",
            took.as_secs_f64()
        ),
        holds: !left && fenced == 0,
    })
}

/// An orderly reboot: the agent takes leave, the machine goes down and comes up again.
pub(super) fn reboot(stage: &Stage) -> Result<Finding> {
    let (guest, service) = stage.guest(3)?;
    let took = stop_agent(guest)?;
    guest.host.crash();
    let down = Instant::now();
    guest.host.boot()?;
    look_again(stage, guest)?;
    stage.all_well("guest and service are back")?;
    let back = down.elapsed();
    let fenced = stage.cluster.fencing().against(guest.name()).len();
    stage.forget()?;
    Ok(Finding {
        figure: format!(
            "left within {:.1} s, {service} back {:.1} s after the boot, fenced {fenced} times",
            took.as_secs_f64(),
            back.as_secs_f64()
        ),
        holds: fenced == 0,
    })
}
