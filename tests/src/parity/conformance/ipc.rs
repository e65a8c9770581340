//! Local tools, relayed to a scripted cluster. What needs a real one is compared by `show-ipc`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use picket_proto::proxy::{ProxyMessage, ProxyOp};
use picket_proto::request::Operation;
use picket_proto::xml::{Element, Verbatim};

use super::{Behavior, Cost, Shown};
use crate::parity::bench::{Bench, PATIENCE};
use crate::parity::client::Client;
use crate::parity::provider::{NODE, Seen, serve};
use crate::peer::Peer;
use crate::program::{Output, Program};
use crate::wait::wait_until;

const GENERATIONS: Shown = Shown::Test("tests/src/ipc_parity/generations.rs", "measure");

pub(super) const TABLE: &[Behavior] = &[
    Behavior::both(78, "abstract sockets of all servers", sockets),
    Behavior::both(79, "tools without a cluster fail at once", no_provider),
    Behavior::both(80, "crm_node -n: what the provider is asked", requests).costs(Cost::Agent),
    Behavior::both(81, "events and responses reach the tool", answers).costs(Cost::Agent),
    Behavior::both(82, "each ipc_fwd is answered", replies).costs(Cost::Agent),
    Behavior::both(83, "message for an unknown session: destroy, then the reply", unknown_session),
    Behavior::both(84, "a tool that is killed, a session that the cluster ends", ends).costs(Cost::Agent),
    Behavior::other(
        85,
        "a provider that leaves takes its own sessions along",
        Shown::Test("tests/src/ipc_parity/failover.rs", "measure"),
    ),
    Behavior::other(
        86,
        "cib_shm is cib_rw",
        Shown::Test("proto/src/ipc/endpoint.rs", "the_shared_cib_name_is_relayed_as_the_writable_one"),
    ),
    Behavior::other(87, "who may connect", Shown::Test("tests/src/local/attack.rs", "stranger")),
    Behavior::other(88, "540 KB, both ways", GENERATIONS),
    Behavior::other(89, "tools of 2.1 and of 3.0", GENERATIONS),
    Behavior::both(90, "hundreds of tools leave nothing behind", many).costs(Cost::Agent),
    Behavior::other(
        91,
        "tools in a guest of a real cluster",
        Shown::Test("tests/tests/ipc.rs", "tools_answer_as_through_the_original"),
    ),
];

fn sockets(bench: &Bench) -> Result<String> {
    let table = bench.peer()?.host.check(&["cat", "/proc/net/unix"])?;
    let names = ["lrmd", "cib_ro", "cib_rw", "cib_shm", "attrd", "stonith-ng", "pacemakerd", "crmd"];
    let there = |name: &&str| {
        table.lines().filter_map(|line| line.split_whitespace().nth(7)).any(|path| {
            // The kernel shows the NULs that fill such a name up as @ too.
            path.strip_prefix('@').is_some_and(|path| path.trim_end_matches('@') == *name)
        })
    };
    let missing: Vec<_> = names.iter().filter(|name| !there(name)).collect();
    ensure!(missing.is_empty(), "no {missing:?}");
    Ok(format!("{} of them", names.len()))
}

fn no_provider(bench: &Bench) -> Result<String> {
    let peer = bench.peer()?;
    let started = Instant::now();
    let node = peer.host.run_within(PATIENCE, &["crm_node", "-n"])?;
    let took = started.elapsed();
    ensure!(!node.status.success() && took < Duration::from_secs(5), "{} after {took:.1?}", node.status);
    let stop = peer.host.run_within(PATIENCE, &["pacemakerd", "--shutdown"])?;
    ensure!(!stop.status.success(), "pacemakerd --shutdown: {}", stop.stdout);
    peer.pid()?;
    Ok(format!("{} after {} ms", node.stderr.trim(), took.as_millis()))
}

/// Runs `crm_node -n` against the scripted cluster.
fn crm_node(peer: &Peer, cluster: &mut Client) -> Result<(Seen, Output)> {
    std::thread::scope(|scope| {
        let tool = scope.spawn(|| peer.host.run_within(PATIENCE, &["crm_node", "-n"]));
        let seen = serve(cluster, |_| Element::new("ack"));
        let output = tool.join().map_err(|_| anyhow::anyhow!("the tool's thread panicked"))?;
        Ok((seen?, output?))
    })
}

fn requests(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    let (seen, _) = crm_node(&peer, &mut Client::provider(&peer, "cluster")?)?;
    let new = seen.new.context("no new session")?;
    ensure!(new.attr("lrmd_ipc_server") == Some("crmd"), "{new}");
    let session = new.attr("lrmd_ipc_session").context("a session without id")?;
    // 2.1 tools want no response to the second one, 3.x tools do, which is 0x200 more.
    for (request, flags) in seen.requests.iter().zip([&["256"][..], &["256", "768"]]) {
        let found = request.attr("lrmd_ipc_msg_flags").unwrap_or_default();
        ensure!(flags.contains(&found), "{request}");
        ensure!(request.attr("lrmd_ipc_user") == Some("root"), "{request}");
        let name = request.attr("lrmd_ipc_client").unwrap_or_default();
        let (start, end) = name.rsplit_once('-').with_context(|| format!("client '{name}'"))?;
        ensure!(session.starts_with(end) && end.len() == 8, "client '{name}' of session {session}");
        let pid = start.strip_prefix("proxy-crmd-").with_context(|| format!("client '{name}'"))?;
        ensure!(pid.parse::<u32>().is_ok(), "client '{name}'");
    }
    let ids: Vec<_> = seen.requests.iter().filter_map(|request| request.attr("lrmd_ipc_msg_id")).collect();
    ensure!(ids == ["1", "2"], "message ids {ids:?}");
    Ok("new, 1 with 256, 2 with 256 (2.1) or 768 (3.x), by root".into())
}

fn answers(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    let (_, output) = crm_node(&peer, &mut Client::provider(&peer, "cluster")?)?;
    ensure!(output.stdout.trim() == NODE, "crm_node says '{}'{}", output.stdout, output.stderr);
    Ok(format!("crm_node says {NODE}"))
}

fn replies(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    let (seen, _) = crm_node(&peer, &mut Client::provider(&peer, "cluster")?)?;
    ensure!(seen.replies > 0, "the tool asked for nothing");
    Ok(format!("{} of {}", seen.replies, seen.replies))
}

fn unknown_session(bench: &Bench) -> Result<String> {
    let mut client = Client::provider(&*bench.peer()?, "cluster")?;
    let session = "11111111-2222-3333-4444-555555555555";
    let message = ProxyMessage::new(ProxyOp::Event, Some(session));
    let msg = Some(Verbatim::from(&Element::new("nothing")));
    client.call(Operation::IpcForward(ProxyMessage { msg, ..message }))?.is("lrmd_rc", 0)?;
    let early = client.early();
    let first = early.first().context("nothing came before the reply")?;
    first.is("lrmd_ipc_op", "destroy")?.is("lrmd_ipc_session", session)?;
    Ok("in this order".into())
}

/// The next document of this kind about a session, and which.
fn session(cluster: &mut Client, op: &str) -> Result<String> {
    loop {
        let doc = cluster.hear()?;
        if doc.text("lrmd_ipc_op") == op {
            return Ok(doc.text("lrmd_ipc_session").to_owned());
        }
    }
}

fn ends(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    let mut cluster = Client::provider(&peer, "cluster")?;
    // Nobody answers it, so it stays until it is killed.
    let pid = peer.host.start(&Program::new("killed", &["crm_node", "-n"]))?;
    let killed = session(&mut cluster, "new")?;
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL)?;
    ensure!(session(&mut cluster, "destroy")? == killed);
    peer.host.start(&Program::new("ended", &["crm_node", "-n"]))?;
    let ended = session(&mut cluster, "new")?;
    let asked = Instant::now();
    let message = ProxyMessage::new(ProxyOp::Destroy, Some(&ended));
    cluster.call(Operation::IpcForward(message))?.is("lrmd_rc", 0)?;
    let status = peer.host.ended("ended", PATIENCE)?;
    ensure!(!status.success(), "the tool ended with {status}");
    Ok(format!("destroy; the other tool ends after {} ms", asked.elapsed().as_millis()))
}

fn many(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    let mut cluster = Client::provider(&peer, "cluster")?;
    crm_node(&peer, &mut cluster)?;
    let left = || -> Result<(usize, usize)> {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", peer.pid()?))?.count();
        let files = peer.host.check(&["sh", "-c", "find /dev/shm -mindepth 1 | wc -l"])?;
        Ok((descriptors, files.trim().parse()?))
    };
    let before = left()?;
    let count = if bench.full { 1000 } else { 50 };
    for number in 0..count {
        let (_, output) = crm_node(&peer, &mut cluster)?;
        ensure!(output.stdout.trim() == NODE, "run {number}: '{}'{}", output.stdout, output.stderr);
    }
    let after = wait_until("nothing is left", PATIENCE, || {
        let after = left()?;
        Ok((after <= before).then_some(after))
    })?;
    Ok(format!("{count} runs; descriptors and files {before:?}, then {after:?}"))
}
