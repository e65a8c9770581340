//! A real Pacemaker bundle whose containers have the static agent as process 1.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Engine, Kind, Part, Watch, nobody_fenced, root};
use crate::cluster::Cluster;
use crate::report::{Finding, Report, Step};
use crate::wait::wait_until;

const IMAGE: &str = "picket-bundle:test";
const STATE: &str = "/run/resource-agents/Dummy-inside.state";
const SOON: Duration = Duration::from_secs(90);

struct Stage {
    kind: Kind,
    /// The `network` of the bundle, where it is not the engine's default.
    network: Option<&'static str>,
    cluster: Cluster,
    engines: Vec<Engine>,
}

const STEPS: [Step<Stage>; 5] = [
    ("the bundle's container starts, and its resource inside", starts),
    ("the logs are where a bundle's logs are", logs),
    ("the resource fails and is recovered inside", resource_fails),
    ("the container is killed: restarted with its resource", container_killed),
    ("moved to the other node", moved),
];

/// The steps on a cluster of `nodes`; the move needs two. With the network `host` the container meets the abstract
/// sockets of the cluster's own daemons.
pub fn bundle(kind: Kind, nodes: usize, network: Option<&'static str>, watch: Watch) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    report.step("a cluster with an engine on each node starts", || {
        let cluster = Cluster::start(nodes)?;
        let parts = [Part::Agent, Part::Shell, Part::ResourceAgents];
        let image = root(cluster.network(), "bundle", &parts)?;
        let engines: Vec<_> =
            cluster.nodes().iter().map(|node| Engine::start(node, kind)).collect::<Result<_>>()?;
        for engine in &engines {
            engine.import(&image, IMAGE)?;
        }
        let hosts: String =
            cluster.nodes().iter().map(|node| format!("{} {}\n", node.address(), node.name())).collect();
        for node in cluster.nodes() {
            // A bundle with its host's network is reached by the host's name.
            node.write("/etc/hosts", &format!("127.0.0.1 localhost\n{hosts}"))?;
        }
        let figure =
            format!("{nodes} node(s), an image of the static agent, busybox and ocf:heartbeat:Dummy");
        stage = Some(Stage { kind, network, cluster, engines });
        Ok(Finding::good(figure))
    });
    let Some(stage) = stage else { return report };
    let count = if nodes > 1 { STEPS.len() } else { STEPS.len() - 1 };
    if report.play(&stage, &STEPS[..count], watch) {
        nobody_fenced(&mut report, &stage.cluster);
    }
    report
}

impl Stage {
    fn container(&self) -> &'static str {
        match self.kind {
            Kind::Docker => "app-docker-0",
            Kind::Podman => "app-podman-0",
        }
    }

    /// The engine of the node where the container runs.
    fn engine(&self) -> Result<&Engine> {
        let filter = format!("name={}", self.container());
        let runs = |engine: &&Engine| {
            engine.cli(&["ps", "-q", "--filter", &filter]).is_ok_and(|id| !id.trim().is_empty())
        };
        self.engines.iter().find(runs).context("the container runs nowhere")
    }

    fn id(&self) -> Result<String> {
        self.engine()?.cli(&["inspect", "--format", "{{.Id}}", self.container()])
    }

    fn runs(&self) -> Result<()> {
        let what = "the resource runs inside";
        self.cluster.wait(what, SOON, |status| status.node_of("inside", "Started") == Some("app-0")).map(drop)
    }
}

fn starts(stage: &Stage) -> Result<Finding> {
    let began = Instant::now();
    let network = stage.network.map(|network| format!(" network=\"{network}\"")).unwrap_or_default();
    let kind = stage.kind.name();
    // Podman's settings have no place for it; the group is the machine's, so any node's will do.
    let options = match stage.kind {
        Kind::Docker => String::new(),
        Kind::Podman => format!(" options=\"--cgroup-parent=/{}\"", stage.engines[0].group()),
    };
    stage.cluster.create(
        "resources",
        &format!(
            r#"<bundle id="app">
              <{kind} image="{IMAGE}" replicas="1"{network}{options}/>
              <network control-port="3999"/>
              <primitive id="inside" class="ocf" provider="heartbeat" type="Dummy">
                <operations><op id="inside-monitor" name="monitor" interval="2s" timeout="20s"/></operations>
              </primitive>
            </bundle>"#
        ),
    )?;
    stage.runs()?;
    let took = began.elapsed();
    let top = stage.engine()?.cli(&["top", stage.container(), "-o", "pid,comm"])?;
    ensure!(top.contains("pcmk-init"), "{top}");
    Ok(Finding::good(format!("{:.1} s, process 1 is pcmk-init", took.as_secs_f64())))
}

fn logs(stage: &Stage) -> Result<Finding> {
    let engine = stage.engine()?;
    let path = engine.host.disk("/var/log/pacemaker/bundles/app-0/pcmk-init.log");
    let file = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let stderr = engine.host.check(&[
        "sh",
        "-c",
        &format!("docker -H {} logs {} 2>&1", engine.address(), stage.container()),
    ])?;
    let ready = "successfully started and accepting connections";
    let holds = file.contains(ready) && stderr.contains(ready);
    Ok(Finding {
        figure: format!("{} lines in the file, {} on stderr", file.lines().count(), stderr.lines().count()),
        holds,
    })
}

fn resource_fails(stage: &Stage) -> Result<Finding> {
    let (engine, id, began) = (stage.engine()?, stage.id()?, Instant::now());
    engine.cli(&["exec", stage.container(), "rm", STATE])?;
    wait_until("the resource is recovered", SOON, || {
        Ok(engine.cli(&["exec", stage.container(), "test", "-e", STATE]).is_ok().then_some(()))
    })?;
    let took = began.elapsed();
    stage.runs()?;
    let failures = stage.cluster.status()?.failures;
    let seen = failures.iter().any(|failure| failure.operation.starts_with("inside_monitor"));
    let figure = format!("{:.1} s after its state file was removed, same container", took.as_secs_f64());
    Ok(Finding { figure, holds: seen && id == stage.id()? })
}

fn container_killed(stage: &Stage) -> Result<Finding> {
    let (id, began) = (stage.id()?, Instant::now());
    stage.engine()?.cli(&["kill", stage.container()])?;
    let new =
        wait_until("there is a new container", SOON, || Ok(Some(stage.id()?).filter(|new| *new != id)))?;
    stage.runs()?;
    stage.engine()?.cli(&["exec", stage.container(), "test", "-e", STATE])?;
    Ok(Finding { figure: format!("{:.1} s", began.elapsed().as_secs_f64()), holds: new != id })
}

fn moved(stage: &Stage) -> Result<Finding> {
    let from = stage.engine()?.host.name().to_owned();
    let began = Instant::now();
    stage.cluster.run(&["crm_attribute", "--node", &from, "--name", "standby", "--update", "on"])?;
    wait_until("the container runs on the other node", SOON, || {
        Ok((stage.engine()?.host.name() != from).then_some(()))
    })?;
    stage.runs()?;
    let to = stage.engine()?.host.name().to_owned();
    Ok(Finding::good(format!("from {from} to {to} in {:.1} s", began.elapsed().as_secs_f64())))
}
