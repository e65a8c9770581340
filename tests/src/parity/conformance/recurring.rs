//! Operations that repeat.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Behavior;
use crate::differential::agents::FOLDER;
use crate::differential::op;
use crate::parity::bench::Bench;
use crate::parity::client::Client;

pub(super) const TABLE: &[Behavior] = &[
    Behavior::both(63, "every second, times with the first result only", every_second),
    Behavior::both(64, "0x4: one result, then changes alone", changes),
    Behavior::both(65, "0x2: results go to who asked", originator),
    Behavior::both(66, "asked for twice: run at once with the new id, one cancel ends it", duplicate),
    Behavior::both(68, "stop: cancelled notifications, the reply, the stop's result", stop),
];

fn started(client: &mut Client, id: &str) -> Result<()> {
    client.register(id, "Script")?;
    client.run(&op(id, "start"))?.ended(0, 0)?;
    Ok(())
}

fn every_second(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    started(&mut client, "second")?;
    let first = client.run(&op("second", "monitor").every(1000).options(0))?;
    let mut before = Instant::now();
    ensure!(first.ended(0, 0)?.number("lrmd_run_time")? > 0 && first.number("lrmd_exec_time")? > 0);
    let mut pauses = Vec::new();
    for _ in 0..3 {
        let again = client.result()?;
        again.ended(0, 0)?.is("lrmd_run_time", 0)?.is("lrmd_exec_time", 0)?.is("lrmd_queue_time", 0)?;
        pauses.push(before.elapsed().as_millis());
        before = Instant::now();
    }
    ensure!(pauses.iter().all(|pause| (950..1800).contains(pause)), "pauses of {pauses:?} ms");
    Ok(format!("pauses of {pauses:?} ms"))
}

fn changes(bench: &Bench) -> Result<String> {
    let (peer, mut client) = (bench.peer()?, bench.client()?);
    started(&mut client, "steady")?;
    client.run(&op("steady", "monitor").every(200))?.ended(0, 0)?;
    client.silent(Duration::from_millis(900))?;
    peer.host.check(&["rm", &format!("{FOLDER}/steady.state")])?;
    client.result()?.ended(7, 0)?;
    client.silent(Duration::from_millis(900))?;
    Ok("0, silence, 7, silence".into())
}

fn originator(bench: &Bench) -> Result<String> {
    let mut other = Client::join(&*bench.peer()?, "other")?;
    let mut client = bench.client()?;
    other.hear()?.is("lrmd_op", "lrmd_rsc_new_client")?;
    client.register("mine", "Script")?;
    other.hear()?.is("lrmd_op", "lrmd_rsc_register")?;
    client.run(&op("mine", "start").options(2))?.ended(0, 0)?;
    other.silent(Duration::from_millis(300))?;
    client.run(&op("mine", "monitor").options(0))?;
    other.result()?.is("lrmd_rsc_action", "monitor")?;
    Ok("one of two clients; both without the option".into())
}

fn duplicate(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    started(&mut client, "twice")?;
    let monitor = || op("twice", "monitor").every(60_000);
    client.run(&monitor().known_as(Some("old")))?.is("lrmd_rsc_userdata_str", "old")?;
    let asked = Instant::now();
    let call = client.exec(&monitor().known_as(Some("new")))?;
    let again = client.result()?;
    let took = asked.elapsed();
    again.ended(0, 0)?.is("lrmd_callid", call)?.is("lrmd_rsc_userdata_str", "new")?;
    ensure!(again.number("lrmd_run_time")? == 0, "{}", again.0);
    ensure!(client.cancel("twice", "monitor", 60_000)? == 0);
    client.early();
    ensure!(client.cancel("twice", "monitor", 60_000)? == -95, "there is another one");
    Ok(format!("run again {} ms later", took.as_millis()))
}

fn stop(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    started(&mut client, "stops")?;
    for interval in [60_000, 61_000] {
        client.run(&op("stops", "monitor").every(interval))?.ended(0, 0)?;
    }
    client.exec(&op("stops", "stop"))?;
    let early = client.early();
    ensure!(early.len() == 2, "{} documents before the reply", early.len());
    for doc in &early {
        doc.is("lrmd_rsc_action", "monitor")?.is("lrmd_exec_op_status", 1)?;
    }
    client.result()?.is("lrmd_rsc_action", "stop")?.ended(0, 0)?;
    Ok("two, the reply, the result".into())
}
