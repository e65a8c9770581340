//! A client of the executor's own local server, as a test program of root's is one.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use picket_agent::ipc::client::{Connection, Received};
use picket_proto::ipc::BUFFER;
use picket_proto::ipc::header::{Flags, Generation};
use picket_proto::xml::Element;

const LIMIT: Duration = Duration::from_secs(20);

/// What a test program asks, and how many messages it then waits for: the answer, and what all clients are told.
const QUESTIONS: [(&str, &str, usize); 12] = [
    ("lrmd_rsc_poke", "", 2),
    ("lrmd_rsc_info", r#"<lrmd_rsc lrmd_rsc_id="unknown"/>"#, 1),
    (
        "lrmd_rsc_register",
        r#"<lrmd_rsc lrmd_rsc_id="d" lrmd_class="ocf" lrmd_provider="pacemaker" lrmd_type="Dummy"/>"#,
        2,
    ),
    ("lrmd_rsc_info", r#"<lrmd_rsc lrmd_rsc_id="d"/>"#, 1),
    ("lrmd_rsc_exec", EXEC_START, 2),
    ("lrmd_rsc_exec", EXEC_MONITOR, 2),
    ("lrmd_get_recurring", r#"<lrmd_rsc lrmd_rsc_id="d"/>"#, 1),
    (
        "lrmd_rsc_cancel",
        r#"<lrmd_rsc lrmd_rsc_id="d" lrmd_rsc_action="monitor" lrmd_rsc_interval="60000"/>"#,
        2,
    ),
    ("lrmd_rsc_exec", EXEC_STOP, 2),
    ("lrmd_rsc_unregister", r#"<lrmd_rsc lrmd_rsc_id="d"/>"#, 2),
    ("nonsense", "", 1),
    // The end of a session that is not there.
    ("ipc_fwd", "", 2),
];

const EXEC_START: &str = r#"<lrmd_rsc lrmd_rsc_id="d" lrmd_rsc_action="start" lrmd_rsc_userdata_str="one" lrmd_timeout="20000"><attributes state="/run/d.state"/></lrmd_rsc>"#;
const EXEC_MONITOR: &str = r#"<lrmd_rsc lrmd_rsc_id="d" lrmd_rsc_action="monitor" lrmd_rsc_interval="60000" lrmd_rsc_userdata_str="two" lrmd_timeout="20000"><attributes state="/run/d.state"/></lrmd_rsc>"#;
const EXEC_STOP: &str = r#"<lrmd_rsc lrmd_rsc_id="d" lrmd_rsc_action="stop" lrmd_rsc_userdata_str="three" lrmd_timeout="20000"><attributes state="/run/d.state"/></lrmd_rsc>"#;

/// Attributes whose values differ from run to run or from release to release, or that belong to frames: the original
/// has them where it told a remote client the same before.
const PASSING: [&str; 12] = [
    "lrmd_callid",
    "lrmd_clientid",
    "lrmd_exec_time",
    "lrmd_origin",
    "lrmd_protocol_version",
    "lrmd_queue_time",
    "lrmd_rcchange_time",
    "lrmd_remote_msg_id",
    "lrmd_remote_msg_type",
    "lrmd_run_time",
    "lrmd_watchdog",
    "uptime",
];

/// The whole conversation, one line a message, without what passes.
pub fn converse(generation: &str) -> Result<String> {
    let mut said = String::new();
    let mut connection = open(generation)?;
    let hello =
        command("register").with("lrmd_clientname", "local-client").with("lrmd_protocol_version", "1.1");
    exchange(&mut connection, &hello, 1, &mut said)?;
    for (op, data, messages) in QUESTIONS {
        let mut question = command(op).with("lrmd_timeout", 0).with("lrmd_callopt", 0);
        if op == "lrmd_rsc_cancel" {
            question = question.with("lrmd_rsc_interval", 60_000);
        }
        if !data.is_empty() {
            question = question.child(Element::new("lrmd_calldata").child(Element::parse(data)?));
        }
        writeln!(said, "{op}")?;
        exchange(&mut connection, &question, messages, &mut said)?;
    }
    let provider = hello.with("lrmd_is_ipc_provider", "true");
    writeln!(said, "register as a provider")?;
    exchange(&mut connection, &provider, 1, &mut said)?;
    Ok(said)
}

/// What somebody gets who may use the cluster's tools and is not root.
pub fn ask_in_vain() -> Result<String> {
    let mut said = String::new();
    let mut connection = open("old")?;
    let hello =
        command("register").with("lrmd_clientname", "local-client").with("lrmd_protocol_version", "1.1");
    exchange(&mut connection, &hello, 1, &mut said)?;
    for (op, data) in QUESTIONS.map(|(op, data, _)| (op, data)) {
        let mut question = command(op).with("lrmd_timeout", 0).with("lrmd_callopt", 0);
        if !data.is_empty() {
            question = question.child(Element::new("lrmd_calldata").child(Element::parse(data)?));
        }
        writeln!(said, "{op}")?;
        exchange(&mut connection, &question, if op == "lrmd_rsc_poke" { 2 } else { 1 }, &mut said)?;
    }
    Ok(said)
}

fn open(generation: &str) -> Result<Connection> {
    let generation = match generation {
        "old" => Generation::Old,
        "new" => Generation::New,
        other => bail!("no generation '{other}'"),
    };
    Ok(Connection::open("lrmd", generation, BUFFER, LIMIT)?)
}

fn command(op: &str) -> Element {
    Element::new("lrmd_command").with("t", "lrmd").with("lrmd_op", op)
}

fn exchange(
    connection: &mut Connection,
    question: &Element,
    messages: usize,
    said: &mut String,
) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    let id = connection.send(&question.to_string(), Flags::RESPONSE_WANTED, deadline)?;
    let mut lines = Vec::new();
    while lines.len() < messages {
        let received = connection.receive(deadline);
        let received = received.with_context(|| format!("after {question}, with {lines:?}"))?;
        let (kind, document) = match received {
            Received::Response(document) if document.id == id => ("answer", document),
            Received::Response(document) => bail!("an answer to {} in place of {id}", document.id),
            Received::Event(document) => ("event", document),
        };
        lines.push(format!("    {kind} {}", lasting(Element::parse(&document.text)?)));
    }
    // An answer and an event come through different channels, in no order.
    lines.sort_unstable();
    lines.iter().for_each(|line| {
        said.push_str(line);
        said.push('\n');
    });
    Ok(())
}

fn lasting(mut element: Element) -> Element {
    element.attributes.retain(|(name, _)| !PASSING.contains(&name.as_str()));
    element.attributes.sort_unstable();
    // The number of an accepted execution.
    let rc = element.attributes.iter_mut().find(|(name, _)| name == "lrmd_rc");
    if let Some((_, value)) = rc.filter(|(_, value)| value.parse::<i64>().is_ok_and(|value| value > 0)) {
        "positive".clone_into(value);
    }
    let children = std::mem::take(&mut element.children);
    element.children = children
        .into_iter()
        .map(|child| match child {
            picket_proto::xml::Node::Element(child) => picket_proto::xml::Node::Element(lasting(child)),
            other => other,
        })
        .collect();
    element
}
