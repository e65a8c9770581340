//! Several clients, and their end.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Behavior, Cost};
use crate::differential::agents::FOLDER;
use crate::differential::op;
use crate::parity::bench::{Bench, PATIENCE};
use crate::parity::client::Client;
use crate::peer::Peer;
use crate::wait::wait_until;

pub(super) const TABLE: &[Behavior] = &[
    Behavior::both(73, "a second client's handshake is told to the first alone", newcomer),
    Behavior::both(74, "results go to both clients", both_hear),
    Behavior::both(75, "the first leaves, the second stays: recurring operations report to it", one_leaves),
    Behavior::differs(
        76,
        "the last leaves: recurring operations end as registered",
        all_leave,
        "it tests option 3 where 3.x sends 1",
    )
    .costs(Cost::Agent),
    Behavior::both(77, "a client that vanishes is one that left", vanish).costs(Cost::Agent),
];

fn newcomer(bench: &Bench) -> Result<String> {
    let mut first = bench.client()?;
    let mut second = Client::connect(&*bench.peer()?)?;
    first.hear()?.is("lrmd_op", "lrmd_rsc_new_client")?;
    second.silent(Duration::from_millis(150))?;
    second.hello("second", Some("1.1"), None)?;
    for client in [&mut first, &mut second] {
        client.silent(Duration::from_millis(150))?;
    }
    Ok("once, at the handshake".into())
}

fn both_hear(bench: &Bench) -> Result<String> {
    let mut first = bench.client()?;
    let mut second = Client::join(&*bench.peer()?, "second")?;
    first.hear()?.is("lrmd_op", "lrmd_rsc_new_client")?;
    first.register("shared", "Script")?;
    let call = second.exec(&op("shared", "start"))?;
    for client in [&mut first, &mut second] {
        client.result()?.ended(0, 0)?.is("lrmd_callid", call)?;
    }
    Ok("both".into())
}

fn one_leaves(bench: &Bench) -> Result<String> {
    let mut first = bench.client()?;
    first.register_as("goes-on", "ocf", Some("picket-test"), "Script", 1)?;
    first.run(&op("goes-on", "start"))?;
    first.run(&op("goes-on", "monitor").every(200).options(0))?;
    let mut second = Client::join(&*bench.peer()?, "second")?;
    first.leave();
    for _ in 0..4 {
        second.result()?.is("lrmd_rsc_action", "monitor")?.ended(0, 0)?;
    }
    Ok("four results after the first left".into())
}

/// How often the agent of a resource was run as a monitor.
fn runs(peer: &Peer, id: &str) -> Result<usize> {
    let runs = peer.host.read(&format!("{FOLDER}/{id}.runs"))?;
    Ok(runs.lines().filter(|action| *action == "monitor").count())
}

/// Starts a resource, registered with this option, and its monitor.
fn monitored(client: &mut Client, id: &str, option: i64) -> Result<()> {
    client.register_as(id, "ocf", Some("picket-test"), "Script", option)?;
    client.run(&op(id, "start"))?.ended(0, 0)?;
    client.run(&op(id, "monitor").every(100))?.ended(0, 0)?;
    Ok(())
}

/// Waits until these monitors are not run any more, while the one of `clock` goes on.
fn end(peer: &Peer, ids: &[&str], clock: &str) -> Result<()> {
    let counts = || ids.iter().map(|id| runs(peer, id)).collect::<Result<Vec<_>>>();
    let (mut then, mut seen) = (runs(peer, clock)?, counts()?);
    wait_until(&format!("the monitors of {ids:?} end"), PATIENCE, || {
        // As long as any of them would have taken for several runs.
        if runs(peer, clock)? < then + 5 {
            return Ok(None);
        }
        let before = std::mem::replace(&mut seen, counts()?);
        then = runs(peer, clock)?;
        Ok((before == seen).then_some(()))
    })
}

fn all_leave(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    let mut client = Client::join(&peer, "t")?;
    for option in [0, 1, 3] {
        monitored(&mut client, &format!("option{option}"), option)?;
    }
    client.leave();
    end(&peer, &["option1", "option3"], "option0")?;
    let mut next = Client::join(&peer, "next")?;
    for option in [0, 1, 3] {
        next.info(&format!("option{option}"))?.is("lrmd_rc", 0)?;
    }
    Ok("0 goes on, 1 and 3 end, all stay registered".into())
}

fn vanish(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    for reset in [false, true] {
        let mut client = Client::join(&peer, "t")?;
        let (left, clock) = (format!("left{reset}"), format!("clock{reset}"));
        monitored(&mut client, &left, 3)?;
        monitored(&mut client, &clock, 0)?;
        client.vanish(reset)?;
        end(&peer, &[left.as_str()], &clock)?;
        let mut other = Client::join(&peer, "other")?;
        other.poke()?.is("lrmd_rc", 0)?;
        ensure!(other.unregister(&clock)? != -19);
    }
    Ok("without close_notify, and reset: its recurring operations end".into())
}
