//! The cluster's side of a local tool's session, scripted.

use anyhow::{Context, Result};
use picket_proto::proxy::{ProxyMessage, ProxyOp};
use picket_proto::request::Operation;
use picket_proto::xml::{Element, Verbatim};

use super::client::Client;

/// What the scripted cluster saw of one tool.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) new: Option<Element>,
    pub(crate) requests: Vec<Element>,
    pub(crate) replies: usize,
}

/// What the node is called.
pub(crate) const NODE: &str = "scripted-node";

/// The answer to a question for the node's own name, as a controller gives it.
fn node_info(question: &Element) -> Element {
    let value = |name| question.attr(name).unwrap_or_default().to_owned();
    let node = Element::new("node").with("id", 7).with("uname", NODE).with("crmd", "online");
    Element::new("create_reply_adv")
        .with("origin", "picket-tests")
        .with("t", "crmd")
        .with("subt", "response")
        .with("version", value("version"))
        .with("msg-id", value("reference"))
        .with("reference", value("reference"))
        .with("crm_task", value("crm_task"))
        .with("crm_sys_to", value("crm_sys_from"))
        .with("crm_sys_from", "crmd")
        .with("src", NODE)
        .child(Element::new("crm_xml").child(node.with("have-quorum", "true").with("remote_node", "true")))
}

/// Serves one tool, to its end; `response` answers where the tool waits for a response.
pub(crate) fn serve(cluster: &mut Client, response: impl Fn(&Element) -> Element) -> Result<Seen> {
    let mut seen = Seen::default();
    loop {
        let doc = cluster.hear()?;
        if doc.0.name != "lrmd_ipc_proxy" {
            continue;
        }
        match doc.text("lrmd_ipc_op") {
            "new" => seen.new = Some(doc.0),
            "destroy" => return Ok(seen),
            "request" => {
                let session = doc.text("lrmd_ipc_session").to_owned();
                let question = doc.0.first("lrmd_ipc_msg").and_then(|msg| msg.elements().next().cloned());
                let question = question.context("a request without a document")?;
                let mut forward = |op, msg_id, msg: Element| {
                    let msg = Some(Verbatim::from(&msg));
                    let message = ProxyMessage { msg_id, msg, ..ProxyMessage::new(op, Some(&session)) };
                    seen.replies += 1;
                    cluster.call(Operation::IpcForward(message))?.is("lrmd_rc", 0).map(drop)
                };
                if question.attr("crm_task") == Some("node-info") {
                    forward(ProxyOp::Event, None, node_info(&question))?;
                }
                // The tool says by a flag whether it waits for a response.
                if doc.number("lrmd_ipc_msg_flags")? & 0x200 != 0 {
                    let id = doc.number("lrmd_ipc_msg_id")?;
                    forward(ProxyOp::Response, Some(id), response(&question))?;
                }
                seen.requests.push(doc.0);
            }
            other => anyhow::bail!("unexpected {other}"),
        }
    }
}
