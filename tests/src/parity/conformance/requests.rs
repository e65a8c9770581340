//! What each request is answered with.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use picket_proto::request::{Operation, Request};

use super::{Behavior, Cost};
use crate::differential::op;
use crate::parity::bench::{Bench, PATIENCE, exit_code};
use crate::parity::client::Client;

pub(super) const TABLE: &[Behavior] = &[
    Behavior::differs(29, "register with version 1, 1.0, 1.1, 1.2, 2.0", hello, "uptime came with 2.1.6"),
    Behavior::both(30, "register with a version too old: -71, and the connection stays", too_old),
    Behavior::differs(31, "PCMK_node_start_state is in the hello", start_state, "it came with 2.1.7")
        .costs(Cost::Agent),
    Behavior::both(32, "message ids are echoed, call ids count all requests", call_ids),
    Behavior::ours(
        33,
        "replies within 100 ms while ten agents run",
        prompt,
        "Nagle and delayed ACKs cost it up to 85 ms each, see bench",
    ),
    Behavior::both(34, "poke: reply, then a notification to every registered client", poke),
    Behavior::both(40, "lrmd_check: no reply; a watchdog without SBD ends the agent with 100", check)
        .costs(Cost::Agent),
    Behavior::both(41, "an unknown request does no harm", unknown),
    Behavior::both(44, "a client without a name gets replies, no notifications", nameless),
];

fn hello(bench: &Bench) -> Result<String> {
    let peer = bench.peer()?;
    let mut uptime = 0;
    for version in ["1.0", "1.1", "1.2", "1", "2.0"] {
        let mut client = Client::connect(&peer)?;
        let reply = client.hello("t", Some(version), None)?;
        reply.is("lrmd_rc", 0)?.is("lrmd_op", "register")?;
        let id = reply.text("lrmd_clientid");
        let dashes: Vec<_> = id.match_indices('-').map(|(at, _)| at).collect();
        ensure!(id.len() == 36 && dashes == [8, 13, 18, 23], "client id '{id}'");
        ensure!(reply.text("lrmd_protocol_version").starts_with("1."), "{}", reply.0);
        uptime = reply.number("uptime")?;
    }
    Ok(format!("five of five, up for {uptime} s"))
}

fn too_old(bench: &Bench) -> Result<String> {
    let mut client = Client::connect(&*bench.peer()?)?;
    for version in [Some("0.9"), Some(""), Some("abc"), None] {
        client.hello("t", version, None)?.is("lrmd_rc", -71)?;
        client.poke()?.is("lrmd_rc", 0)?;
    }
    Ok("four of four".into())
}

fn start_state(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[("PCMK_node_start_state", "standby")])?;
    Client::connect(&peer)?.hello("t", Some("1.2"), None)?.is("node_start_state", "standby")?;
    Client::connect(&*bench.peer()?)?.hello("t", Some("1.2"), None)?.lacks("node_start_state")?;
    Ok("standby; absent where it is not set".into())
}

fn call_ids(bench: &Bench) -> Result<String> {
    let peer = bench.peer()?;
    let (mut a, mut b) = (bench.client()?, Client::join(&peer, "b")?);
    let first = a.poke()?.number("lrmd_callid")?;
    let mut ids = vec![first];
    for _ in 0..3 {
        // A request's id is the client's own, and the client finds its reply by it.
        ids.push(b.poke()?.number("lrmd_callid")?);
        ids.push(a.poke()?.number("lrmd_callid")?);
    }
    let steps = ids.windows(2).all(|pair| pair[1] == pair[0] + 1);
    ensure!(steps, "{ids:?}");
    Ok(format!("{} requests of two clients, each one more", ids.len()))
}

fn prompt(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    for number in 0..10 {
        let id = format!("busy{number}");
        client.register(&id, "Script")?;
        client.exec(&op(&id, "start").doing("i=0; while [ $i -lt 20 ]; do i=$((i+1)); sleep 0.05; done"))?;
    }
    // Three rounds, of which one has to be free of what else this machine does.
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let mut worst = Duration::ZERO;
        for _ in 0..20 {
            let started = Instant::now();
            client.poke()?;
            worst = worst.max(started.elapsed());
        }
        best = best.min(worst);
    }
    for _ in 0..10 {
        client.result()?.ended(0, 0)?;
    }
    ensure!(best < Duration::from_millis(100), "slowest of 20 replies: {best:.1?}");
    Ok(format!("slowest of 20 replies: {:.1} ms", best.as_secs_f64() * 1e3))
}

fn poke(bench: &Bench) -> Result<String> {
    let (mut a, mut b) = (bench.client()?, Client::join(&*bench.peer()?, "b")?);
    a.hear()?.is("lrmd_op", "lrmd_rsc_new_client")?;
    let reply = a.poke()?;
    reply.is("lrmd_rc", 0)?;
    ensure!(a.early().is_empty(), "the notification came before the reply");
    let call = reply.number("lrmd_callid")?;
    for client in [&mut a, &mut b] {
        let doc = client.hear()?;
        doc.is("lrmd_op", "lrmd_rsc_poke")?.is("lrmd_rc", 0)?.is("lrmd_callid", call)?;
        doc.lacks("lrmd_rsc_id")?.is("lrmd_remote_msg_type", "notify")?;
    }
    Ok("in this order, to both clients".into())
}

fn check(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    let mut client = Client::join(&peer, "t")?;
    for watchdog in [None, Some("0"), Some("-1")] {
        client.tell(Request::new(0, Operation::Check { watchdog: watchdog.map(str::to_owned) }))?;
        client.silent(Duration::from_millis(100))?;
        client.poke()?.is("lrmd_rc", 0)?;
        client.hear()?.is("lrmd_op", "lrmd_rsc_poke")?;
    }
    client.tell(Request::new(0, Operation::Check { watchdog: Some("10".into()) }))?;
    let code = exit_code(&peer, PATIENCE)?;
    ensure!(code == 100, "exit {code}");
    Ok("no replies; exit 100".into())
}

fn unknown(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    let reply = client.call(Operation::Unknown("lrmd_rsc_metadata".into()))?;
    ensure!(reply.rc()? == -95, "{}", reply.0);
    client.poke()?.is("lrmd_rc", 0)?;
    Ok("-95, as 2.1 (3.x says nothing)".into())
}

fn nameless(bench: &Bench) -> Result<String> {
    let mut nameless = Client::connect(&*bench.peer()?)?;
    let mut named = bench.client()?;
    nameless.poke()?.is("lrmd_rc", 0)?;
    named.hear()?.is("lrmd_op", "lrmd_rsc_poke")?;
    nameless.silent(Duration::from_millis(200))?;
    Ok("a reply and nothing else".into())
}
