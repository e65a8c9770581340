//! The steps of the scenarios. Each leaves the services running on the guest, unless it says otherwise.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Stage;
use crate::cluster::Status;
use crate::report::Finding;
use crate::wait::wait_until;
use crate::workload::{self, DUMMY, Footprint, WEB, WEB_INTERVAL};

/// What takes a few seconds on an idle machine; two cores shared with a build are not idle.
const SOON: Duration = Duration::from_secs(60);
/// Crash detection, election, fencing, boot and join.
const FAILOVER: Duration = Duration::from_secs(120);

pub(super) fn guest_online(stage: &Stage) -> Result<Finding> {
    let name = stage.guest.name();
    let status = stage.cluster.wait("guest is RemoteOnline", SOON, |status| {
        status.is_online(name) && status.node_of(name, "Started").is_some()
    })?;
    let node = status.node_of(name, "Started").context("the connection runs nowhere")?;
    Ok(Finding::good(format!("RemoteOnline, connected from {node}")))
}

pub(super) fn services_start(stage: &Stage) -> Result<Finding> {
    workload::create_services(&stage.cluster, &stage.guest.host)?;
    stage.all_on_guest("Dummy and nginx run on the guest")?;
    stage.fetch()?;
    Ok(Finding::good(format!("http://{} answers", stage.guest.host.address())))
}

pub(super) fn state_promoted(stage: &Stage) -> Result<Finding> {
    workload::create_state(&stage.cluster, &stage.guest.host)?;
    stage.all_on_guest("Stateful is promoted on the guest")?;
    Ok(Finding::good("promoted by a location rule"))
}

/// Kills the web server, and cleans up the failure this leaves.
pub(super) fn web_recovered(stage: &Stage) -> Result<Finding> {
    let (cluster, host) = (&stage.cluster, &stage.guest.host);
    let before = workload::web_pid(host)?;
    let killed = Instant::now();
    workload::kill_web(host)?;

    let failed = |status: &Status| status.failures.iter().any(|f| f.operation.starts_with("web_monitor_"));
    cluster.wait("the cluster knows of nginx's failure", SOON, failed)?;
    let seen = killed.elapsed();
    wait_until("nginx answers again", SOON, || Ok(stage.fetch().ok()))?;
    let recovered = killed.elapsed();
    stage.all_on_guest("nginx runs on the guest again")?;
    let after = workload::web_pid(host)?;

    cluster.run(&["crm_resource", "--cleanup", "--resource", WEB])?;
    cluster.wait("the failure is cleaned up", SOON, |status| status.failures.is_empty())?;
    stage.all_on_guest("nginx still runs after the cleanup")?;
    Ok(Finding {
        figure: format!(
            "seen after {:.2} s (monitored every {} s), answering after {:.2} s, pid {before} -> {after}; \
             this failure cleaned up",
            seen.as_secs_f64(),
            WEB_INTERVAL.as_secs(),
            recovered.as_secs_f64()
        ),
        holds: before != after,
    })
}

pub(super) fn moved_and_back(stage: &Stage) -> Result<Finding> {
    let node = stage.cluster.nodes()[0].name();
    let started = Instant::now();
    stage.cluster.run(&["crm_resource", "--move", "--resource", DUMMY, "--node", node])?;
    stage.cluster.wait("Dummy has moved to a cluster node", SOON, |status| status.runs_on(DUMMY, node))?;
    let away = started.elapsed();
    stage.cluster.run(&["crm_resource", "--clear", "--resource", DUMMY])?;
    stage.all_on_guest("Dummy is back on the guest")?;
    Ok(Finding::good(format!(
        "on {node} after {:.2} s, back {:.2} s later",
        away.as_secs_f64(),
        (started.elapsed() - away).as_secs_f64()
    )))
}

pub(super) fn standby_and_back(stage: &Stage) -> Result<Finding> {
    let name = stage.guest.name();
    let standby = |value| {
        let command =
            ["crm_attribute", "--type", "nodes", "--node", name, "--name", "standby", "--update", value];
        stage.cluster.run(&command)
    };
    let started = Instant::now();
    standby("on")?;
    stage.cluster.wait("standby guest is empty, its services run elsewhere", SOON, |status| {
        workload::none_on(status, name)
            && [DUMMY, WEB].iter().all(|resource| status.node_of(resource, "Started").is_some())
    })?;
    let emptied = started.elapsed();
    standby("off")?;
    stage.all_on_guest("services are back after unstandby")?;
    stage.fetch()?;
    Ok(Finding::good(format!(
        "empty after {:.2} s, filled {:.2} s later",
        emptied.as_secs_f64(),
        (started.elapsed() - emptied).as_secs_f64()
    )))
}

/// Crashes the cluster node that holds the connection.
pub(super) fn takeover(stage: &Stage) -> Result<Finding> {
    let (cluster, guest) = (&stage.cluster, &stage.guest);
    let name = guest.name();
    let footprint = Footprint::of(&guest.host)?;
    let before = stage.before_crash.get_or_init(|| footprint);
    let agent = guest.host.pid("agent")?;
    let status = cluster.status()?;
    let old = status.node_of(name, "Started").context("the connection runs nowhere")?;
    let was_dc = status.dc.as_deref() == Some(old);

    let crashed = Instant::now();
    cluster.node(old)?.crash();
    let status = cluster.wait("the other node has taken the connection over", FAILOVER, |status| {
        status.node_of(name, "Started").is_some_and(|node| node != old)
            && status.is_online(name)
            && workload::all_on(status, name)
    })?;
    let took = crashed.elapsed();
    let new = status.node_of(name, "Started").context("the connection runs nowhere")?;
    workload::fetch(cluster.node(new)?, &guest.host)?;

    let after = Footprint::of(&guest.host)?;
    let untouched = *before == after && agent == guest.host.pid("agent")?;
    Ok(Finding {
        figure: format!(
            "{old}{} -> {new} after {:.2} s, nginx pid {} -> {}, its start time and the state files {}",
            if was_dc { " (DC)" } else { "" },
            took.as_secs_f64(),
            before.web_pid,
            after.web_pid,
            if *before == after { "unchanged" } else { "CHANGED" },
        ),
        holds: untouched,
    })
}

pub(super) fn fencing_off(stage: &Stage) -> Result<Finding> {
    stage.cluster.run(&["crm_attribute", "--name", "stonith-enabled", "--update", "false"])?;
    stage.cluster.settle(SOON)?;
    Ok(Finding::good("stonith-enabled=false"))
}

pub(super) fn nobody_fenced(stage: &Stage) -> Result<Finding> {
    stage.cluster.settle(FAILOVER)?;
    stage.all_on_guest("the services stay on the guest")?;
    let untouched = stage.before_crash.get() == Some(&Footprint::of(&stage.guest.host)?);
    let requests = stage.cluster.fencing().record().len();
    let services = if untouched { "the same processes" } else { "RESTARTED" };
    Ok(Finding {
        figure: format!("{requests} requests against anybody; services {services}"),
        holds: untouched && requests == 0,
    })
}

pub(super) fn node_returns(stage: &Stage) -> Result<Finding> {
    let nodes = stage.cluster.nodes();
    stage.cluster.wait("every cluster node is online", FAILOVER, |status| {
        nodes.iter().all(|node| status.is_online(node.name()))
    })?;
    // Nothing left to do: the new controller has probed, has seen the returned node, and has decided.
    stage.cluster.settle(FAILOVER)?;
    stage.all_on_guest("the services stay on the guest")?;
    let untouched = stage.before_crash.get() == Some(&Footprint::of(&stage.guest.host)?);
    let fenced: Vec<_> = stage.cluster.fencing().record().iter().map(ToString::to_string).collect();
    Ok(Finding {
        figure: format!(
            "fenced: {}; services {}",
            fenced.join(", "),
            if untouched { "still the same processes" } else { "RESTARTED" }
        ),
        holds: untouched && fenced.len() == 1,
    })
}

/// Stops the services, and leaves them stopped.
pub(super) fn services_stop(stage: &Stage) -> Result<Finding> {
    for resource in [DUMMY, WEB] {
        let stop = ["crm_resource", "--resource", resource, "--meta", "--set-parameter", "target-role"];
        stage.cluster.run(&[&stop[..], &["--parameter-value", "Stopped"]].concat())?;
    }
    let name = stage.guest.name();
    stage.cluster.wait("Dummy and nginx are stopped", SOON, |status| {
        workload::none_on(status, name)
            && [DUMMY, WEB].iter().all(|resource| status.node_of(resource, "Started").is_none())
    })?;
    Ok(Finding { figure: "HTTP answers no more".into(), holds: stage.fetch().is_err() })
}

pub(super) fn never_fenced(stage: &Stage) -> Result<Finding> {
    let count = stage.cluster.fencing().against(stage.guest.name()).len();
    Ok(Finding { figure: format!("{count} requests against {}", stage.guest.name()), holds: count == 0 })
}

pub(super) fn clean(stage: &Stage) -> Result<Finding> {
    stage.cluster.settle(SOON)?;
    let status = stage.cluster.status()?;
    let failures = status.failures.len();
    let away = status.nodes.iter().filter(|node| !status.is_online(&node.name) || node.standby).count();
    Ok(Finding {
        figure: format!("{failures} failed actions, {away} of {} nodes not online", status.nodes.len()),
        holds: failures == 0 && away == 0,
    })
}

impl Stage {
    fn all_on_guest(&self, what: &str) -> Result<Status> {
        let name = self.guest.name();
        self.cluster.wait(what, SOON, |status| status.is_online(name) && workload::all_on(status, name))
    }

    /// Fetches the guest's page from a cluster node.
    fn fetch(&self) -> Result<()> {
        let client =
            self.cluster.nodes().iter().find(|node| node.is_up()).context("every cluster node is off")?;
        workload::fetch(client, &self.guest.host)
    }
}
