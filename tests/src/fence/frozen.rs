//! A container that is a guest node and freezes: a real cluster fences it through picket-fence, and it comes back.

use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::device;
use crate::cluster::{Cluster, Status};
use crate::containers::{Engine, Part, root};
use crate::pki::Ca;
use crate::report::{Finding, Report, Step};
use crate::scenario::Scene;
use crate::wait::wait_until;

const GUEST: &str = "guest1";
const SERVICE: &str = "web";
const IMAGE: &str = "picket-guest:test";
const AGENT: &str = "fence_picket_docker";
/// On every node, where an administrator would keep them.
const CERTS: &str = "/etc/pacemaker/engine";

/// What takes seconds on an idle machine.
const SOON: Duration = Duration::from_secs(120);
/// Ten seconds between two monitors of the connection, ten until one is given up, then fencing, boot and start.
const RECOVERY: Duration = Duration::from_secs(240);

struct Stage {
    cluster: Cluster,
    engine: Engine,
    /// The container and its service as they were before, and when they froze.
    before: RefCell<Option<(Instance, Instant)>>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The kernel cannot end what is frozen, nor the host around it.
        let _ = self.engine.cli(&["unpause", GUEST]);
    }
}

/// Which run of the container and of its service it is: their processes on the machine.
#[derive(Debug, Eq, PartialEq)]
struct Instance {
    container: String,
    service: String,
}

const STEPS: [Step<Stage>; 5] = [
    ("the container is a guest node, and its service runs", starts),
    ("it freezes: the fence agent calls it on", freezes),
    ("the cluster fences it through picket-fence", fenced),
    ("its agent is connected again, and its service runs again", back),
    ("fenced once, and nobody else", once),
];

/// Two nodes, a container on a host of its own, and what happens when the container stands still.
pub fn container(watch: &mut dyn FnMut(Scene)) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    report.step("a cluster starts, and a container on an engine that asks for certificates", || {
        stage = Some(Stage::start()?);
        Ok(Finding::good("two nodes; the agent is process 1 of the container"))
    });
    report.checks.iter().for_each(|check| watch(Scene::Done(check)));
    let Some(stage) = stage else { return report };
    let (before, rest) = STEPS.split_at(1);
    if report.play(&stage, before, &mut |check| watch(Scene::Done(check))) {
        stage.show("before", watch);
        report.play(&stage, rest, &mut |check| watch(Scene::Done(check)));
        stage.show("after", watch);
    }
    report
}

impl Stage {
    fn start() -> Result<Self> {
        let cluster = Cluster::start(2)?;
        let host = cluster.network().host("hypervisor")?;
        let ca = Ca::new()?;
        let client = ca.issue_to("cluster")?;
        for node in cluster.nodes() {
            node.write(&format!("{CERTS}/ca.pem"), &ca.cert)?;
            node.write(&format!("{CERTS}/cert.pem"), &client.cert)?;
            node.write(&format!("{CERTS}/key.pem"), &client.key)?;
        }
        let engine = Engine::start_secured(&host, &ca, &host.address().to_string())?;
        let parts = [Part::Agent, Part::Shell, Part::ResourceAgents];
        engine.import(&root(cluster.network(), GUEST, &parts)?, IMAGE)?;
        let key = "/etc/pacemaker/authkey:/etc/pacemaker/authkey";
        let options = ["run", "-d", "--restart=always", "--net=host", "--name", GUEST, "-v", key, IMAGE];
        engine.cli(&[&options[..], &["/usr/sbin/pacemaker-remoted"]].concat())?;
        device::install(&cluster, AGENT)?;
        Ok(Self { cluster, engine, before: RefCell::new(None) })
    }

    /// The parameters of the device, but for the plug.
    fn parameters(&self) -> [(&'static str, String); 5] {
        [
            ("ip", self.engine.host.address().to_string()),
            ("ipport", Engine::TLS_PORT.to_string()),
            ("tlscacert", format!("{CERTS}/ca.pem")),
            ("tlscert", format!("{CERTS}/cert.pem")),
            ("tlskey", format!("{CERTS}/key.pem")),
        ]
    }

    /// Asks the fence agent itself, as an administrator on a node would.
    fn power(&self) -> Result<String> {
        let mut command = vec![AGENT.to_owned(), "--action=status".to_owned(), format!("--plug={GUEST}")];
        command.extend(self.parameters().iter().map(|(name, value)| format!("--{name}={value}")));
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        Ok(self.cluster.run(&words)?.trim().to_owned())
    }

    fn instance(&self) -> Result<Instance> {
        let container = self.engine.cli(&["inspect", "-f", "{{.State.Pid}}", GUEST])?.trim().to_owned();
        let list = self.engine.cli(&["top", GUEST, "-o", "pid,args"])?;
        let service = list
            .lines()
            .find(|line| line.contains(&format!("service-{SERVICE}")))
            .and_then(|line| line.split_whitespace().next())
            .with_context(|| format!("the service has no process: {list}"))?;
        Ok(Instance { container, service: service.to_owned() })
    }

    fn online(&self, deadline: Duration) -> Result<()> {
        let what = "the guest node is online and its service runs there";
        let online = |status: &Status| status.is_online(GUEST) && status.runs_on(SERVICE, GUEST);
        self.cluster.wait(what, deadline, online).map(drop)
    }

    fn show(&self, title: &'static str, watch: &mut dyn FnMut(Scene)) {
        let picture = self.cluster.crm_mon().unwrap_or_else(|e| format!("{e:#}"));
        watch(Scene::Picture(title, &picture));
    }

    /// The state before the freeze.
    fn before<T>(&self, look: impl FnOnce(&Instance, Instant) -> T) -> Result<T> {
        let before = self.before.borrow();
        let (instance, frozen) = before.as_ref().context("nothing froze yet")?;
        Ok(look(instance, *frozen))
    }
}

fn starts(stage: &Stage) -> Result<Finding> {
    let began = Instant::now();
    let parameters = stage.parameters();
    let mut parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    parameters.push(("pcmk_host_list", GUEST));
    device::add(&stage.cluster, "power", AGENT, &parameters)?;
    stage.cluster.remote(GUEST, stage.engine.host.address())?;
    stage.cluster.extend(&format!(
        r#"<configuration>
          <resources>
            <primitive id="{SERVICE}" class="ocf" provider="test" type="service">
              <operations><op id="{SERVICE}-monitor" name="monitor" interval="5s" timeout="30s"/></operations>
            </primitive>
          </resources>
          <constraints>
            <rsc_location id="{SERVICE}-place" rsc="{SERVICE}" node="{GUEST}" score="INFINITY"
              resource-discovery="exclusive"/>
          </constraints>
        </configuration>"#
    ))?;
    stage.online(SOON)?;
    let power = stage.power()?;
    let figure = format!("{:.1} s; fence_picket_docker: {power}", began.elapsed().as_secs_f64());
    Ok(Finding { figure, holds: power == "Status: ON" })
}

fn freezes(stage: &Stage) -> Result<Finding> {
    let instance = stage.instance()?;
    stage.engine.cli(&["pause", GUEST])?;
    stage.before.replace(Some((instance, Instant::now())));
    let said = stage.engine.cli(&["inspect", "-f", "{{.State.Status}}", GUEST])?;
    let power = stage.power()?;
    let figure = format!("the engine says {}, fence_picket_docker: {power}", said.trim());
    Ok(Finding { figure, holds: said.trim() == "paused" && power == "Status: ON" })
}

fn fenced(stage: &Stage) -> Result<Finding> {
    let seen =
        stage.cluster.wait("the guest node is to be fenced", RECOVERY, |status| !status.is_online(GUEST));
    seen.map(drop)?;
    let unclean = stage.before(|_, frozen| frozen.elapsed())?;
    wait_until("the fencing is over", RECOVERY, || {
        Ok(stage.cluster.fences()?.iter().any(|fence| fence.rebooted(GUEST)).then_some(()))
    })?;
    let took = stage.before(|_, frozen| frozen.elapsed())?;
    let old = stage.before(|instance, _| Path::new("/proc").join(&instance.container).exists())?;
    let figure = format!(
        "seen {:.1} s after it froze, off and on again after {:.1} s, the old process is {}",
        unclean.as_secs_f64(),
        took.as_secs_f64(),
        if old { "STILL THERE" } else { "gone" }
    );
    Ok(Finding { figure, holds: !old })
}

fn back(stage: &Stage) -> Result<Finding> {
    stage.online(RECOVERY)?;
    let took = stage.before(|_, frozen| frozen.elapsed())?;
    let after = stage.instance()?;
    let new =
        stage.before(|before, _| before.container != after.container && before.service != after.service)?;
    let figure = format!(
        "{:.1} s after it froze, container and service are {} processes",
        took.as_secs_f64(),
        if new { "new" } else { "THE SAME" }
    );
    Ok(Finding { figure, holds: new })
}

fn once(stage: &Stage) -> Result<Finding> {
    stage.cluster.settle(SOON)?;
    let fences = stage.cluster.fences()?;
    let told: Vec<String> = fences.iter().map(ToString::to_string).collect();
    Ok(Finding {
        figure: told.join(", "),
        holds: fences.len() == 1 && fences.iter().all(|fence| fence.rebooted(GUEST)),
    })
}
