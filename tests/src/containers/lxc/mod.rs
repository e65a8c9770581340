//! An LXC container as a guest node of a real cluster: made, started, recovered, stopped and moved by the cluster, with
//! the configuration that `picketctl guest` writes and the static agent as process 1.

pub(crate) mod stage;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Watch, nobody_fenced};
use crate::report::{Finding, Report, Step};
use crate::wait::wait_until;
use stage::Stage;

const GUEST: &str = "web";
const SERVICE: &str = "inside";
const PROCESS: &str = "service-inside";
const INIT: &str = "pcmk-init";
const ADDRESS: &str = "10.78.0.50";
const SOON: Duration = Duration::from_secs(120);

/// What the cluster starts the container with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tool {
    /// libvirt's LXC driver, through `ocf:heartbeat:VirtualDomain`.
    Libvirt,
    /// LXC's own tools, through `ocf:heartbeat:lxc`.
    Lxc,
}

impl Tool {
    /// The resource, as picketctl calls it.
    fn resource(self) -> &'static str {
        match self {
            Self::Libvirt => "web-domain",
            Self::Lxc => "web-lxc",
        }
    }

    /// What picketctl calls the container's own configuration.
    fn settings(self) -> &'static str {
        match self {
            Self::Libvirt => "lxc-xml",
            Self::Lxc => "lxc-config",
        }
    }

    /// Where that is on the nodes.
    fn file(self) -> &'static str {
        match self {
            Self::Libvirt => "/etc/libvirt/lxc/web.xml",
            Self::Lxc => "/var/lib/lxc/web/config",
        }
    }

    /// Lists what runs.
    fn list(self) -> &'static [&'static str] {
        match self {
            Self::Libvirt => &["virsh", "-q", "-c", "lxc:///", "list", "--name"],
            Self::Lxc => &["lxc-ls", "--running"],
        }
    }
}

const STEPS: [Step<Stage>; 6] = [
    ("started by the cluster, with its service inside", starts),
    ("the service inside is killed: recovered in the same container", service_killed),
    ("the container's process 1 is killed: guest and service are recovered", container_killed),
    ("stopped by the cluster: nothing of it is left", stops),
    ("started again", starts_again),
    ("moved to the other node", moved),
];

/// The steps on a cluster of `nodes`; the move needs two.
pub fn lxc(tool: Tool, nodes: usize, watch: Watch) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    let ready = report.step("a cluster starts whose nodes can run containers", || {
        stage = Some(Stage::new(tool, nodes)?);
        Ok(Finding::good(format!("{nodes} node(s), {tool:?}")))
    });
    watch(report.checks.last().expect("a step adds a check"));
    let Some(stage) = stage.filter(|_| ready) else { return report };
    let count = if nodes > 1 { STEPS.len() } else { STEPS.len() - 1 };
    if report.play(&stage, &STEPS[..count], watch) {
        nobody_fenced(&mut report, &stage.cluster);
    }
    report
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
}

fn starts(stage: &Stage) -> Result<Finding> {
    let began = Instant::now();
    stage.configure()?;
    stage.runs()?;
    let took = seconds(began);
    let node = stage.node()?;
    let list = stage.list(node)?;
    let init = stage.process(node, INIT)?;
    let service = stage.process(node, PROCESS)?;
    let holds = list == GUEST && init.is_some() && service.is_some();
    Ok(Finding { figure: format!("{took}; running: {list}; process 1 is {INIT}"), holds })
}

fn service_killed(stage: &Stage) -> Result<Finding> {
    let node = stage.node()?;
    let (init, before) = (stage.process(node, INIT)?, stage.process(node, PROCESS)?);
    let began = Instant::now();
    node.check(&["kill", "-KILL", before.as_deref().context("the service runs")?])?;
    let what = "the service runs again";
    wait_until(what, SOON, || Ok(stage.process(node, PROCESS)?.filter(|now| Some(now) != before.as_ref())))?;
    let took = seconds(began);
    stage.runs()?;
    Ok(Finding { figure: took, holds: init.is_some() && init == stage.process(node, INIT)? })
}

fn container_killed(stage: &Stage) -> Result<Finding> {
    let node = stage.node()?;
    let init = stage.process(node, INIT)?.context("the container runs")?;
    let began = Instant::now();
    node.check(&["kill", "-KILL", &init])?;
    let what = "guest and service run again";
    let new = wait_until(what, SOON, || {
        let node = stage.node()?;
        let new = stage.process(node, INIT)?.filter(|now| *now != init);
        Ok(new.filter(|_| stage.process(node, PROCESS).is_ok_and(|pid| pid.is_some())))
    })?;
    let took = seconds(began);
    stage.runs()?;
    let failures = stage.cluster.status()?.failures;
    let seen: Vec<_> = failures.iter().filter(|failure| failure.operation.starts_with(GUEST)).collect();
    let words: Vec<_> = seen.iter().map(|failure| failure.operation.as_str()).collect();
    let figure = format!("{took}; the cluster saw {}", words.join(", "));
    Ok(Finding { figure, holds: new != init && !seen.is_empty() })
}

fn role(stage: &Stage, role: &str) -> Result<()> {
    let resource = stage.tool.resource();
    let change = ["--meta", "--set-parameter", "target-role", "--parameter-value", role];
    stage.cluster.run(&[&["crm_resource", "--resource", resource][..], &change].concat()).map(drop)
}

fn stops(stage: &Stage) -> Result<Finding> {
    let node = stage.node()?;
    let began = Instant::now();
    role(stage, "Stopped")?;
    let resource = stage.tool.resource();
    stage.cluster.wait("the container is stopped", SOON, |status| {
        status.node_of(resource, "Started").is_none() && !status.is_online(GUEST)
    })?;
    stage.cluster.settle(SOON)?;
    let took = seconds(began);
    let list = stage.list(node)?;
    let left =
        [INIT, PROCESS].map(|word| stage.process(node, word)).into_iter().collect::<Result<Vec<_>>>()?;
    let failed: Vec<_> =
        stage.cluster.status()?.failures.into_iter().map(|failure| failure.operation).collect();
    let failed = failed.iter().filter(|operation| operation.contains("stop")).count();
    let figure = format!("{took}; running: '{list}', {} processes left", left.iter().flatten().count());
    Ok(Finding { figure, holds: list.is_empty() && left.iter().all(Option::is_none) && failed == 0 })
}

fn starts_again(stage: &Stage) -> Result<Finding> {
    let began = Instant::now();
    role(stage, "Started")?;
    stage.runs()?;
    Ok(Finding::good(seconds(began)))
}

fn moved(stage: &Stage) -> Result<Finding> {
    let from = stage.node()?.name().to_owned();
    let began = Instant::now();
    stage.cluster.run(&["crm_attribute", "--node", &from, "--name", "standby", "--update", "on"])?;
    let resource = stage.tool.resource();
    stage.cluster.wait("the container runs on the other node", SOON, |status| {
        status.node_of(resource, "Started").is_some_and(|node| node != from)
    })?;
    stage.runs()?;
    let took = seconds(began);
    let left = stage.list(stage.cluster.node(&from)?)?;
    Ok(Finding { figure: format!("{took}; left behind: '{left}'"), holds: left.is_empty() })
}
