//! A cluster without fencing: an agent that is killed or frozen, and its guest lives on.

use std::time::Instant;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};

use super::leave::start_agent;
use super::service::{Footprint, untouched};
use super::{SOON, Stage};
use crate::report::Finding;

/// Switches fencing off, and binds the service to its guest: an unfenced cluster would start it a second time.
fn without_fencing(stage: &Stage) -> Result<()> {
    let (guest, service) = stage.guest(1)?;
    let node = stage.cluster.nodes().first().context("no node")?.name();
    stage.cluster.run(&["crm_attribute", "--name", "stonith-enabled", "--update", "false"])?;
    stage.cluster.extend(&format!(
        r#"<configuration><constraints><rsc_location id="{service}-stays" rsc="{service}" node="{node}" score="-INFINITY"/></constraints></configuration>"#
    ))?;
    stage.cluster.settle(SOON)?;
    stage.cluster.wait("the service runs", SOON, |status| status.runs_on(&service, guest.name()))?;
    Ok(())
}

/// Waits until the cluster has recorded a failure of the connection.
fn connection_failed(stage: &Stage, guest: &str) -> Result<()> {
    stage.cluster.wait("the connection's failure is seen", SOON, |status| {
        status.failures.iter().any(|failure| failure.operation.starts_with(&format!("{guest}_monitor_")))
    })?;
    Ok(())
}

pub(super) fn killed(stage: &Stage) -> Result<Finding> {
    without_fencing(stage)?;
    let (guest, _) = stage.guest(1)?;
    let before = Footprint::all(stage)?;
    let started = Instant::now();
    kill(guest.host.pid("agent")?, Signal::SIGKILL)?;
    guest.host.ended("agent", SOON)?;
    start_agent(guest)?;
    connection_failed(stage, guest.name())?;
    stage.cluster.settle(SOON)?;
    stage.all_well("guest and service are back")?;
    let took = started.elapsed();
    let same = before == Footprint::all(stage)?;
    stage.forget()?;
    let figure = format!("back after {:.1} s, {}", took.as_secs_f64(), untouched(same));
    Ok(Finding { figure, holds: same })
}

pub(super) fn frozen(stage: &Stage) -> Result<Finding> {
    let (guest, _) = stage.guest(1)?;
    let before = Footprint::all(stage)?;
    let agent = guest.host.pid("agent")?;
    let started = Instant::now();
    kill(agent, Signal::SIGSTOP)?;
    let seen = connection_failed(stage, guest.name());
    let took = started.elapsed();
    kill(agent, Signal::SIGCONT)?;
    seen?;
    // Without fencing the cluster (2.1.5) holds the guest for unclean and leaves it alone, whatever agent it runs.
    stage.cluster.run(&["crm_resource", "--cleanup", "--resource", guest.name()])?;
    stage.all_well("guest and service are back")?;
    let same = before == Footprint::all(stage)?;
    stage.forget()?;
    // Its monitor comes every 10 s and may take 10 s.
    let figure = format!(
        "declared failed after {:.1} s, back after a cleanup, {}",
        took.as_secs_f64(),
        untouched(same)
    );
    Ok(Finding { figure, holds: same && took.as_secs() <= 25 })
}
