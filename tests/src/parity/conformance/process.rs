//! Agents as processes: how long, and what is killed.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Behavior, Cost};
use crate::differential::op;
use crate::host::Host;
use crate::parity::bench::{Bench, PATIENCE};
use crate::wait::wait_until;

pub(super) const TABLE: &[Behavior] = &[
    Behavior::both(52, "timeout: rc 1, status 2, the group is gone, earlier output is there", timeout),
    Behavior::both(53, "timeout with on-fail=block: only the child is killed", blocked),
    Behavior::both(54, "timeout 0: no limit", unlimited).costs(Cost::Time),
    Behavior::both(58, "a background process does not delay the result, and survives", background),
];

/// Pids, on the host, of processes with this command line.
fn processes(host: &Host, command: &str) -> Result<Vec<String>> {
    let output = host.run(&["pgrep", "--full", "--exact", command])?;
    Ok(output.stdout.split_whitespace().map(str::to_owned).collect())
}

fn end(host: &Host, pids: &[String]) -> Result<()> {
    let command: Vec<_> = ["kill", "-KILL"].into_iter().chain(pids.iter().map(String::as_str)).collect();
    host.check(&command).map(drop)
}

fn timeout(bench: &Bench) -> Result<String> {
    let (peer, mut client) = (bench.peer()?, bench.client()?);
    client.register("late", "Script")?;
    let started = Instant::now();
    let script = "printf before >&2; sleep 52.5 & sleep 52.25";
    let result = client.run(&op("late", "start").within(1500).doing(script))?;
    let took = started.elapsed();
    result.ended(1, 2)?.is("lrmd_rsc_output", "before")?;
    ensure!((1450..2600).contains(&took.as_millis()), "reported after {took:.2?}");
    wait_until("the whole group is gone", PATIENCE, || {
        let left = [processes(&peer.host, "sleep 52.5")?, processes(&peer.host, "sleep 52.25")?].concat();
        Ok(left.is_empty().then_some(()))
    })?;
    Ok(format!("after {:.2} s: {}", took.as_secs_f64(), result.text("lrmd_rsc_exit_reason")))
}

fn blocked(bench: &Bench) -> Result<String> {
    let (peer, mut client) = (bench.peer()?, bench.client()?);
    client.register("kept", "Script")?;
    let exec = op("kept", "start").within(500).doing("sleep 53.5 & sleep 53.25");
    client.run(&exec.with("CRM_meta_on_fail", "block"))?.ended(1, 2)?;
    let left = [processes(&peer.host, "sleep 53.5")?, processes(&peer.host, "sleep 53.25")?].concat();
    if !left.is_empty() {
        end(&peer.host, &left)?;
    }
    ensure!(left.len() == 2, "{} of 2 children of the agent live", left.len());
    Ok("its two children live".into())
}

fn unlimited(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.register("patient", "Script")?;
    let seconds = if bench.full { 30 } else { 3 };
    client.exec(&op("patient", "start").within(0).doing(&format!("sleep {seconds}")))?;
    let result = client.result_until(Instant::now() + Duration::from_secs(seconds) + PATIENCE)?;
    let Some(result) = result else { anyhow::bail!("no result") };
    Ok(format!("{} ms", result.ended(0, 0)?.number("lrmd_exec_time")?))
}

fn background(bench: &Bench) -> Result<String> {
    let (peer, mut client) = (bench.peer()?, bench.client()?);
    client.register("starts", "Script")?;
    let result = client.run(&op("starts", "start").doing("sleep 58.5 &"))?;
    let took = result.ended(0, 0)?.number("lrmd_exec_time")?;
    let left = processes(&peer.host, "sleep 58.5")?;
    ensure!(left.len() == 1, "{} background processes live", left.len());
    end(&peer.host, &left)?;
    ensure!(took < 3000, "took {took} ms");
    Ok(format!("{took} ms, and the process lives"))
}
