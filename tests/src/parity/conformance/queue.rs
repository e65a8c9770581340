//! Order: what waits for what, and what a cancel does.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Behavior;
use crate::differential::agents::FOLDER;
use crate::differential::op;
use crate::parity::bench::{Bench, PATIENCE};
use crate::parity::client::Client;
use crate::wait::wait_until;

pub(super) const TABLE: &[Behavior] = &[
    Behavior::both(61, "one resource: one after the other; six resources: all at the same time", parallel),
    Behavior::both(62, "a start delay at the head of the queue holds up the rest of it", delay),
    Behavior::both(67, "cancel of what waits, runs, is delayed, is one-shot, is not there", cancel),
    Behavior::both(69, "a monitor waits for the start that runs", monitor_waits),
];

fn parallel(bench: &Bench) -> Result<String> {
    let (peer, mut client) = (bench.peer()?, bench.client()?);
    client.register("serial", "Script")?;
    let step = |name| format!("echo begin >>{FOLDER}/{name}; sleep 0.2; echo end >>{FOLDER}/{name}");
    for _ in 0..2 {
        client.exec(&op("serial", "validate-all").doing(&step("serial.log")))?;
    }
    client.result()?;
    client.result()?;
    let log = peer.host.read(&format!("{FOLDER}/serial.log"))?;
    ensure!(log == "begin\nend\nbegin\nend\n", "one resource: {log}");

    for number in 0..6 {
        let id = format!("parallel{number}");
        client.register(&id, "Script")?;
        // Each one waits until all six are there: only if they run together it ends.
        let together = format!(
            "touch {FOLDER}/six.{number}; n=0; while set -- {FOLDER}/six.*; [ $# -lt 6 ] && [ $n -lt 100 ]; \
             do n=$((n+1)); sleep 0.05; done; [ $n -lt 100 ] || exit 1; exit 0"
        );
        client.exec(&op(&id, "validate-all").doing(&together))?;
    }
    for _ in 0..6 {
        client.result()?.ended(0, 0)?;
    }
    Ok("begin, end, begin, end; six met each other".into())
}

fn delay(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.register("slow", "Script")?;
    let started = Instant::now();
    client.exec(&op("slow", "start").after(800).known_as(Some("first")))?;
    client.exec(&op("slow", "monitor").known_as(Some("second")))?;
    client.result()?.is("lrmd_rsc_userdata_str", "first")?;
    let took = started.elapsed();
    client.result()?.is("lrmd_rsc_userdata_str", "second")?.ended(0, 0)?;
    ensure!(took >= Duration::from_millis(800), "started after {took:.2?}");
    Ok(format!("the first after {} ms, then the second", took.as_millis()))
}

/// The notification of a cancelled operation came before the reply.
fn cancelled_before_reply(client: &mut Client, action: &str) -> Result<()> {
    let early = client.early();
    let results: Vec<_> = early.iter().filter(|doc| doc.text("lrmd_op") == "lrmd_rsc_exec").collect();
    ensure!(results.len() == 1, "{} results before the reply", results.len());
    results[0].is("lrmd_exec_op_status", 1)?.is("lrmd_rsc_action", action)?;
    Ok(())
}

fn cancel(bench: &Bench) -> Result<String> {
    let (peer, mut client) = (bench.peer()?, bench.client()?);
    ensure!(client.cancel("nobody", "monitor", 1000)? == -19);
    client.register("ends", "Script")?;
    client.run(&op("ends", "start"))?.ended(0, 0)?;
    client.run(&op("ends", "monitor").every(60_000))?.ended(0, 0)?;
    ensure!(client.cancel("ends", "monitor", 59_000)? == -95, "wrong interval");
    ensure!(client.cancel("ends", "monitor", 60_000)? == 0, "waiting");
    cancelled_before_reply(&mut client, "monitor")?;

    let running = format!("touch {FOLDER}/cancel; exec sleep 67.5");
    client.exec(&op("ends", "monitor").every(60_000).doing(&running))?;
    wait_until("the monitor runs", PATIENCE, || Ok(peer.host.read(&format!("{FOLDER}/cancel")).ok()))?;
    ensure!(client.cancel("ends", "monitor", 60_000)? == 0, "running");
    cancelled_before_reply(&mut client, "monitor")?;
    let left = peer.host.run(&["pgrep", "--full", "--exact", "sleep 67.5"])?;
    ensure!(left.stdout.is_empty(), "the agent lives on");

    client.exec(&op("ends", "start").after(60_000))?;
    ensure!(client.cancel("ends", "start", 0)? == 0, "delayed");
    cancelled_before_reply(&mut client, "start")?;

    client.exec(&op("ends", "start").doing(&format!("touch {FOLDER}/once; sleep 0.4")))?;
    wait_until("the start runs", PATIENCE, || Ok(peer.host.read(&format!("{FOLDER}/once")).ok()))?;
    ensure!(client.cancel("ends", "start", 0)? == -95, "one-shot");
    client.result()?.ended(0, 0)?;
    client.silent(Duration::from_millis(200))?;
    Ok("0, 0, 0, -95, -95, -19; nothing afterwards".into())
}

fn monitor_waits(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.register("busy", "Script")?;
    client.exec(&op("busy", "start").doing("sleep 1"))?;
    client.exec(&op("busy", "monitor"))?;
    client.result()?.is("lrmd_rsc_action", "start")?.ended(0, 0)?;
    let monitor = client.result()?;
    let queued = monitor.ended(0, 0)?.number("lrmd_queue_time")?;
    ensure!(queued >= 800, "waited for {queued} ms");
    Ok(format!("waited for {queued} ms"))
}
