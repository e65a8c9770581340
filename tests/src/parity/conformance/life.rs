//! Start and end of the agent.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use nix::unistd::{Group, User};
use picket_proto::proxy::{ProxyMessage, ProxyOp};
use picket_proto::request::Operation;

use super::{Behavior, Cost, Shown};
use crate::differential::op;
use crate::parity::bench::{Bench, PATIENCE, exit_code, signal};
use crate::parity::client::Client;
use crate::peer::Peer;
use crate::wait::wait_until;

const BUG: &str = "2.1.5 exits right after it has asked, fixed in 2.1.6";
const INIT: Shown =
    Shown::Test("tests/tests/containers.rs", "process_1_loses_no_exit_status_and_leaves_no_zombie");
const INIT_ENVIRONMENT: Shown =
    Shown::Test("agent/src/init/environment.rs", "assignments_are_read_as_the_original_reads_them");
const BUNDLE: Shown = Shown::Test("tests/src/containers/bundle.rs", "bundle");

pub(super) const TABLE: &[Behavior] = &[
    Behavior::both(92, "SIGTERM without a cluster: exit 0 within 1 s", no_cluster).costs(Cost::Agent),
    Behavior::differs(93, "SIGTERM: the newest provider is asked, exit 0 when the last has left", asks, BUG)
        .costs(Cost::Agent),
    Behavior::differs(
        94,
        "shutdown_nack: exit 0 at once; ack: wait; a second SIGTERM: nothing",
        answers,
        BUG,
    )
    .costs(Cost::Agent),
    Behavior::differs(95, "operations between SIGTERM and disconnect are executed", busy, BUG)
        .costs(Cost::Agent),
    Behavior::both(99, "--help, --version, an unknown option: exit 0, 0, 64", options).costs(Cost::Agent),
    Behavior::both(100, "the log: ready line, owner, mode", log),
    Behavior::other(101, "as PID 1: reaps, forwards the exit code", INIT),
    Behavior::other(102, "pcmk-init.env", INIT_ENVIRONMENT),
    Behavior::other(103, "in a bundle's container", BUNDLE),
];

fn no_cluster(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    let _client = Client::join(&peer, "no provider")?;
    let asked = Instant::now();
    signal(&peer, Signal::SIGTERM)?;
    let code = exit_code(&peer, PATIENCE)?;
    let took = asked.elapsed();
    ensure!(code == 0 && took < Duration::from_secs(1), "exit {code} after {took:.2?}");
    Ok(format!("exit 0 after {} ms", took.as_millis()))
}

/// Hears what a cluster is asked at SIGTERM; other notifications are passed over.
fn hear_request(cluster: &mut Client) -> Result<()> {
    loop {
        let doc = cluster.hear()?;
        if doc.0.name == "lrmd_ipc_proxy" {
            doc.is("lrmd_ipc_op", "shutdown_req")?.is("lrmd_ipc_session", "0")?;
            return Ok(());
        }
    }
}

fn asks(bench: &Bench) -> Result<String> {
    let peer = bench.fresh(&[])?;
    let (mut old, mut new) = (Client::provider(&peer, "old")?, Client::provider(&peer, "new")?);
    old.hear()?.is("lrmd_op", "lrmd_rsc_new_client")?;
    signal(&peer, Signal::SIGTERM)?;
    hear_request(&mut new)?;
    wait_until("the listener is closed", PATIENCE, || Ok((!peer.host.listens(3121)?).then_some(())))?;
    old.silent(Duration::from_millis(500))?;
    new.leave();
    old.poke()?.is("lrmd_rc", 0)?;
    peer.pid()?;
    old.leave();
    let code = exit_code(&peer, PATIENCE)?;
    ensure!(code == 0, "exit {code}");
    Ok("asked the newest of two; exit 0 after both left".into())
}

fn forward(op: ProxyOp) -> Operation {
    Operation::IpcForward(ProxyMessage::new(op, None))
}

fn terminated(bench: &Bench) -> Result<(Peer, Client)> {
    let peer = bench.fresh(&[])?;
    let mut cluster = Client::provider(&peer, "cluster")?;
    signal(&peer, Signal::SIGTERM)?;
    hear_request(&mut cluster)?;
    Ok((peer, cluster))
}

fn answers(bench: &Bench) -> Result<String> {
    let (peer, mut cluster) = terminated(bench)?;
    let asked = Instant::now();
    // The agent may be gone before its reply arrives.
    let _ = cluster.call(forward(ProxyOp::ShutdownNack));
    let code = exit_code(&peer, PATIENCE)?;
    let took = asked.elapsed();
    ensure!(code == 0, "nack: exit {code}");

    let (peer, mut cluster) = terminated(bench)?;
    cluster.call(forward(ProxyOp::ShutdownAck))?.is("lrmd_rc", 0)?;
    signal(&peer, Signal::SIGTERM)?;
    cluster.silent(Duration::from_millis(500))?;
    cluster.poke()?.is("lrmd_rc", 0)?;
    peer.pid()?;
    cluster.leave();
    let code = exit_code(&peer, PATIENCE)?;
    ensure!(code == 0, "ack: exit {code}");
    Ok(format!("nack: exit 0 after {} ms; ack: exit 0 after the disconnect", took.as_millis()))
}

fn busy(bench: &Bench) -> Result<String> {
    let (peer, mut cluster) = terminated(bench)?;
    cluster.call(forward(ProxyOp::ShutdownAck))?.is("lrmd_rc", 0)?;
    cluster.register("last", "Script")?;
    cluster.run(&op("last", "start"))?.ended(0, 0)?;
    cluster.run(&op("last", "stop"))?.ended(0, 0)?;
    cluster.leave();
    let code = exit_code(&peer, PATIENCE)?;
    ensure!(code == 0, "exit {code}");
    Ok("a start and a stop, then exit 0".into())
}

fn options(bench: &Bench) -> Result<String> {
    let (_network, host) = bench.host()?;
    let (help, _) = bench.run(&host, &["--help"], &[])?;
    ensure!(help.status.code() == Some(0) && !help.stdout.is_empty(), "--help: {}", help.status);
    let (version, _) = bench.run(&host, &["--version"], &[])?;
    ensure!(version.status.code() == Some(0), "--version: {}", version.status);
    ensure!(version.stdout.contains("Pacemaker"), "--version says '{}'", version.stdout);
    let (bad, _) = bench.run(&host, &["--no-such-option"], &[])?;
    ensure!(bad.status.code() == Some(64), "an unknown option: {}", bad.status);
    Ok(version.stdout.lines().next().unwrap_or_default().to_owned())
}

fn log(bench: &Bench) -> Result<String> {
    let peer = bench.peer()?;
    let text = String::from_utf8_lossy(&fs::read(&peer.log)?).into_owned();
    ensure!(text.contains("successfully started and accepting connections"), "{text}");
    let meta = fs::metadata(&peer.log)?;
    let user = User::from_name("hacluster")?.context("no user hacluster")?;
    let group = Group::from_name("haclient")?.context("no group haclient")?;
    ensure!(
        meta.uid() == user.uid.as_raw() && meta.gid() == group.gid.as_raw(),
        "owner {}:{}",
        meta.uid(),
        meta.gid()
    );
    ensure!(meta.mode() & 0o7777 == 0o660, "mode {:o}", meta.mode());
    Ok("hacluster:haclient 0660".into())
}
