//! Point 4: a client that never reads is disconnected within bounds, and others do not notice it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use picket_proto::notification::Notification;
use picket_proto::proxy::{ProxyMessage, ProxyOp};
use picket_proto::request::{CallOptions, Operation};
use picket_proto::xml::{Element, Verbatim};

use super::hostile::memory;
use super::scripted;
use crate::agent::Agent;
use crate::local;
use crate::peer::Peer;
use crate::report::Finding;

const SOON: Duration = Duration::from_secs(30);

/// What the cluster sends at a time, and how much of it at most: more than twice what may wait for a client.
const PIECE: usize = 500_000;
const FLOOD: usize = 60_000_000;

/// What the neighbor asks meanwhile.
const QUESTION: &str = r#"<query t="attrd" src="local-client" attr_name="level" task="query"/>"#;

/// How long one question of the neighbor may take, with the start of its process, on a busy machine.
const PROMPT: Duration = Duration::from_secs(5);

/// What the flood may cost once it is over.
const MORE_MEMORY: u64 = 96 * 1024 * 1024;

pub(super) fn measure() -> Result<Finding> {
    let mut figures = Vec::new();
    for (transport, op) in
        [("shared-mem", ProxyOp::Event), ("shared-mem", ProxyOp::Response), ("socket", ProxyOp::Event)]
    {
        let name = if op == ProxyOp::Event { "events" } else { "responses" };
        let figure = flood(transport, &op).with_context(|| format!("{name} over {transport}"))?;
        figures.push(format!("{name} over {transport}: {figure}"));
    }
    Ok(Finding::good(figures.join("; ")))
}

fn flood(transport: &str, op: &ProxyOp) -> Result<String> {
    let peer = Peer::start(Agent::Picket, &[("PCMK_ipc_type", transport)])?;
    let pid = peer.pid()?;
    let before = memory(pid)?;
    let program = local::program()?;
    let program = program.to_str().context("its path is not UTF-8")?;
    let over = AtomicBool::new(false);
    let (connected, connection) = channel();
    let (asked, sent) = std::thread::scope(|scope| {
        let cluster = scope.spawn(|| cluster(&peer, op, &connected, &over));
        // Without a cluster every tool is refused.
        let there = connection.recv_timeout(SOON).context("the scripted cluster does not connect");
        let asked = there.and_then(|()| ask_beside(&peer, program));
        over.store(true, Ordering::Relaxed);
        let sent = cluster.join().map_err(|_| anyhow::anyhow!("the scripted cluster panicked"))?;
        anyhow::Ok((asked, sent?))
    })?;
    let (questions, slowest) = asked?;
    ensure!(slowest < PROMPT, "a neighbor waited for {slowest:.1?}");
    let grown = memory(pid)?.saturating_sub(before);
    ensure!(grown < MORE_MEMORY, "the agent has {grown} bytes more than before");
    peer.pid().context("the agent did not survive")?;
    Ok(format!(
        "disconnected after {:.0} MB, {questions} neighbors answered within {:.0} ms",
        sent as f64 / 1e6,
        slowest.as_secs_f64() * 1000.0
    ))
}

/// Runs the deaf client, and others beside it until it was disconnected: how many, and the slowest one's time.
fn ask_beside(peer: &Peer, program: &str) -> Result<(usize, Duration)> {
    std::thread::scope(|scope| {
        let deaf = scope.spawn(|| peer.host.run_within(2 * SOON, &[program, "attack", "deaf"]));
        let (mut questions, mut slowest) = (0, Duration::ZERO);
        while !deaf.is_finished() || questions < 3 {
            let since = Instant::now();
            let said = peer.host.check(&[program, "ask", "attrd", "new", QUESTION])?;
            ensure!(said.contains("attr_value"), "the neighbor got '{said}'");
            slowest = slowest.max(since.elapsed());
            questions += 1;
        }
        let deaf = deaf.join().map_err(|_| anyhow::anyhow!("the deaf client's thread panicked"))??;
        ensure!(deaf.status.success(), "the deaf client: {}{}", deaf.stdout, deaf.stderr);
        Ok((questions, slowest))
    })
}

/// Floods the first client of `cib_rw` until its session has ended, answers everybody else until all is `over`. How much it
/// sent.
fn cluster(peer: &Peer, op: &ProxyOp, connected: &Sender<()>, over: &AtomicBool) -> Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let piece = Verbatim::from(&Element::new("flood").with("text", "x".repeat(PIECE)));
    let answer = Element::new("attrd").with("attr_value", 1);
    runtime.block_on(async {
        let mut controller = scripted::cluster(peer, SOON).await?;
        connected.send(())?;
        let deadline = Instant::now() + 3 * SOON;
        let (mut deaf, mut sent, mut ended) = (None::<String>, 0, false);
        while !over.load(Ordering::Relaxed) || (deaf.is_some() && !ended) {
            ensure!(
                Instant::now() < deadline,
                "the deaf client was not disconnected, {sent} bytes were sent"
            );
            if let (Some(session), false) = (&deaf, ended) {
                ensure!(sent < FLOOD, "{sent} bytes wait for a client that does not read");
                let message = ProxyMessage {
                    msg_id: Some(1),
                    msg: Some(piece.clone()),
                    ..ProxyMessage::new(op.clone(), Some(session))
                };
                controller.call(Operation::IpcForward(message), CallOptions::default()).await?;
                sent += PIECE;
            }
            while let Some(notification) = controller.notification(Duration::from_millis(1)).await? {
                let Notification::Proxy(message) = notification else { continue };
                match message.op {
                    ProxyOp::Request if message.session == deaf => {}
                    ProxyOp::New if message.server.as_deref() == Some("cib_rw") => deaf = message.session,
                    ProxyOp::Destroy if deaf.is_some() && message.session == deaf => {
                        ended = true;
                    }
                    ProxyOp::Request => {
                        let reply = ProxyMessage {
                            msg_id: message.msg_id,
                            msg: Some(Verbatim::from(&answer)),
                            ..ProxyMessage::new(ProxyOp::Response, message.session.as_deref())
                        };
                        controller.call(Operation::IpcForward(reply), CallOptions::default()).await?;
                    }
                    _ => {}
                }
            }
        }
        ensure!(ended, "the deaf client left, and the cluster was not told");
        Ok(sent)
    })
}
