//! What agents print.

use anyhow::{Result, ensure};

use super::Behavior;
use crate::agent::Agent;
use crate::differential::op;
use crate::parity::bench::{Bench, PATIENCE};
use crate::peer::Peer;
use crate::wait::wait_until;

pub(super) const TABLE: &[Behavior] = &[
    Behavior::both(55, "the last exit reason, 128 characters of it; none from init scripts", exit_reason),
    Behavior::both(56, "stderr is reported, or stdout where there is none", streams),
    Behavior::both(57, "300 KB of output are delivered", much),
];

const TALKATIVE: &str = "#!/bin/sh\necho 'ocf-exit-reason:from an init script' >&2\nexit 1\n";

fn exit_reason(bench: &Bench) -> Result<String> {
    let (peer, mut client) = (bench.peer()?, bench.client()?);
    client.register("reasons", "Script")?;
    let long = "x".repeat(200);
    let script =
        format!("echo ocf-exit-reason:first >&2; echo more >&2; echo ocf-exit-reason:{long} >&2; exit 1");
    let result = client.run(&op("reasons", "start").doing(&script))?;
    result.ended(1, 0)?.is("lrmd_rsc_exit_reason", &long[..128])?;
    peer.host.write("/etc/init.d/picket-talks", TALKATIVE)?;
    client.register_as("talks", "lsb", None, "picket-talks", 0)?;
    client.run(&op("talks", "start"))?.ended(1, 0)?.lacks("lrmd_rsc_exit_reason")?;
    Ok("the second of two, 128 of 200 characters".into())
}

fn streams(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.register("prints", "Script")?;
    let both = client.run(&op("prints", "start").doing("printf out; printf err >&2"))?;
    both.is("lrmd_rsc_output", "err")?;
    client.run(&op("prints", "start").doing("printf out"))?.is("lrmd_rsc_output", "out")?;
    client.run(&op("prints", "start"))?.lacks("lrmd_rsc_output")?;
    client.run(&op("prints", "start").doing("echo one; echo two of two; exit 1"))?.ended(1, 0)?;
    if bench.agent == Agent::Picket {
        // The original does so where debug messages are asked for.
        logged(&*bench.peer()?, "two of two")?;
    }
    Ok("stderr, stdout, none".into())
}

/// The output of what fails is in the detail log, line by line.
fn logged(peer: &Peer, words: &str) -> Result<()> {
    wait_until(&format!("'{words}' is logged"), PATIENCE, || {
        let log = std::fs::read_to_string(&peer.log)?;
        Ok(log.lines().any(|line| line.contains(words)).then_some(()))
    })
}

fn much(bench: &Bench) -> Result<String> {
    let mut client = bench.client()?;
    client.register("verbose", "Script")?;
    let result = client.run(&op("verbose", "start").doing("head -c 300000 /dev/zero | tr '\\0' x"))?;
    let length = result.ended(0, 0)?.text("lrmd_rsc_output").len();
    ensure!(length == 300_000, "{length} bytes");
    Ok(format!("{length} bytes"))
}
