//! Point 2: `ocf:picket:health` tells the cluster of a change, with its dampening, and of nothing else. The cluster is
//! scripted, so that it sees every request.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use picket_agent::controller::Controller;
use picket_proto::exec::ExecRequest;
use picket_proto::notification::Notification;
use picket_proto::outcome::OcfRc;
use picket_proto::proxy::{ProxyMessage, ProxyOp};
use picket_proto::request::{CallOptions, Operation};
use picket_proto::resource::Definition;
use picket_proto::xml::{Element, Verbatim};

use super::scripted;
use crate::agent::Agent;
use crate::peer::Peer;
use crate::report::Finding;

const SOON: Duration = Duration::from_secs(30);
const NODE: &str = "scripted-node";
const MEMORY: &str = "#health-memory";

/// Memory is what a test can make red and green at will.
const RED: &str = "0:0";
const GREEN: &str = "100:100";

/// The cluster's side: an attribute manager with one node.
struct Cluster {
    controller: Controller,
    attributes: BTreeMap<String, String>,
    /// Updates since the last look: name, value, dampening, what is updated.
    updates: Vec<[String; 4]>,
    queries: usize,
    runs: u64,
}

pub(super) fn measure() -> Result<Finding> {
    let peer = Peer::start(Agent::Picket, &[])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let controller = scripted::cluster(&peer, SOON).await?;
        let (attributes, updates) = (BTreeMap::new(), Vec::new());
        let mut cluster = Cluster { controller, attributes, updates, queries: 0, runs: 0 };
        let definition = Definition {
            id: "health".into(),
            class: "ocf".into(),
            provider: Some("picket".into()),
            agent: "health".into(),
        };
        cluster.controller.call(Operation::RscRegister(definition), CallOptions::default()).await?;

        let told = |color: &str| vec![[MEMORY, color, "7s", "update-both"].map(str::to_owned)];
        let steps = [
            ("a start tells", "start", RED, told("red")),
            ("nothing changed", "monitor", RED, Vec::new()),
            ("still nothing", "monitor", RED, Vec::new()),
            ("a change is told", "monitor", GREEN, told("green")),
            ("nothing changed since", "monitor", GREEN, Vec::new()),
        ];
        for (step, action, memory, expected) in steps {
            let updates = cluster.execute(action, memory).await?;
            ensure!(updates == expected, "{step}: {updates:?} in place of {expected:?}");
        }
        // The cluster forgets what a node said when the node goes away.
        cluster.attributes.clear();
        let again = cluster.execute("monitor", GREEN).await?;
        ensure!(again == told("green"), "what was forgotten was not told again: {again:?}");
        let looks = cluster.queries;
        ensure!(looks == 6, "{looks} questions in 6 looks");
        cluster.execute_with(&[("dampen", "7s")], "monitor").await?;
        let names: Vec<_> = cluster.attributes.keys().map(String::as_str).collect();
        ensure!(names.contains(&"#health-disk"), "other gauges say nothing: {names:?}");
        Ok(Finding::good(format!(
            "of {looks} looks 3 were news and told, each with its dampening; by default {}",
            names.join(" ")
        )))
    })
}

impl Cluster {
    /// Runs an action with the gauge of the memory alone; the updates that came of it.
    async fn execute(&mut self, action: &str, memory: &str) -> Result<Vec<[String; 4]>> {
        let off = ["cpu", "disk", "inodes", "pressure", "clock"].map(|name| (name, "off"));
        self.execute_with(&[&off[..], &[("memory", memory), ("dampen", "7s")]].concat(), action).await
    }

    async fn execute_with(&mut self, params: &[(&str, &str)], action: &str) -> Result<Vec<[String; 4]>> {
        // A monitor without interval is a probe, which looks at nothing. Each one here is another operation, whose first
        // run is the only one during the test.
        self.runs += 1;
        let interval = if action == "monitor" { 3_600_000 + self.runs } else { 0 };
        let request = ExecRequest {
            rsc_id: "health".into(),
            action: action.into(),
            interval,
            timeout: 30_000,
            params: params.iter().copied().collect(),
            ..ExecRequest::default()
        };
        self.controller.call(Operation::Exec(request), CallOptions::default()).await?;
        loop {
            let notification = self.controller.notification(SOON).await?;
            match notification.with_context(|| format!("no result of {action}"))? {
                Notification::Executed(report) => {
                    let outcome = &report.outcome;
                    ensure!(
                        outcome.rc == OcfRc::Ok && outcome.exit_reason.is_none(),
                        "{action}: {outcome:?}"
                    );
                    return Ok(std::mem::take(&mut self.updates));
                }
                Notification::Proxy(message) => self.serve(message).await?,
                Notification::Generic { .. } | Notification::NewClient => {}
            }
        }
    }

    async fn serve(&mut self, message: ProxyMessage) -> Result<()> {
        let (ProxyOp::Request, Some(msg)) = (&message.op, &message.msg) else { return Ok(()) };
        let question = msg.read()?;
        let value = |name| question.attr(name).unwrap_or_default().to_owned();
        let (op, answer) = match (value("crm_task").as_str(), value("task").as_str()) {
            ("hello", _) => return Ok(()),
            ("node-info", _) => {
                let node = Element::new("node").with("id", 7).with("uname", NODE);
                let answer = Element::new("reply").with("reference", value("reference"));
                (ProxyOp::Event, answer.child(Element::new("crm_xml").child(node)))
            }
            (_, "query") => {
                self.queries += 1;
                let answer = Element::new("attrd").with("subt", "query");
                let known = self.attributes.get(&value("attr_name")).map(|known| {
                    let node = Element::new("node").with("attr_host", NODE).with("attr_value", known);
                    answer.clone().with("attr_name", value("attr_name")).child(node)
                });
                (ProxyOp::Response, known.unwrap_or(answer))
            }
            (_, task) => {
                self.updates.push([
                    value("attr_name"),
                    value("attr_value"),
                    value("attr_dampening"),
                    task.into(),
                ]);
                self.attributes.insert(value("attr_name"), value("attr_value"));
                (ProxyOp::Response, Element::new("ack"))
            }
        };
        let msg_id = message.msg_id.filter(|_| op == ProxyOp::Response);
        let session = message.session.as_deref();
        let answer =
            ProxyMessage { msg_id, msg: Some(Verbatim::from(&answer)), ..ProxyMessage::new(op, session) };
        self.controller.call(Operation::IpcForward(answer), CallOptions::default()).await?;
        Ok(())
    }
}
