//! The listening socket.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Behavior, Cost};
use crate::agent::Agent;
use crate::host::Host;
use crate::parity::bench::Bench;
use crate::parity::client::Client;

pub(super) const TABLE: &[Behavior] = &[
    Behavior::both(1, "listens on [::]:3121, and takes IPv4 clients", default_socket),
    Behavior::both(2, "PCMK_remote_port is used, and -p wins over it", other_port).costs(Cost::Agent),
    Behavior::both(3, "a port that is none: warning, 3121 is used", bad_port).costs(Cost::Agent),
    Behavior::both(4, "PCMK_remote_address: no other address is bound", one_address).costs(Cost::Agent),
    Behavior::both(5, "port or address cannot be had: exit 100 within 2 s", cannot_listen).costs(Cost::Agent),
];

/// Address and backlog of each listening socket, as `ss` writes them.
fn listening(host: &Host) -> Result<Vec<(String, u32)>> {
    let table = host.check(&["ss", "--listening", "--tcp", "--numeric", "--no-header"])?;
    table
        .lines()
        .map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let (backlog, address) = (fields.get(2), fields.get(3));
            let backlog = backlog.and_then(|text| text.parse().ok()).with_context(|| line.to_owned())?;
            Ok(((*address.context("no address")?).to_owned(), backlog))
        })
        .collect()
}

fn default_socket(bench: &Bench) -> Result<String> {
    let peer = bench.peer()?;
    let sockets = listening(&peer.host)?;
    // ss writes `*` for an IPv6 socket that takes IPv4 too, `[::]` for one that does not.
    let ours = sockets.iter().find(|(address, _)| address == "*:3121");
    let (_, backlog) = ours.with_context(|| format!("listens elsewhere: {sockets:?}"))?;
    ensure!(*backlog >= 10, "backlog of {backlog}");
    ensure!(peer.addr.is_ipv4());
    bench.client()?.poke()?.is("lrmd_rc", 0)?;
    Ok(format!("*:3121 with backlog {backlog}, a client of {} served", peer.addr.ip()))
}

fn other_port(bench: &Bench) -> Result<String> {
    let peer = bench.launch(&[], &[("PCMK_remote_port", "4000")], 4000)?;
    Client::join(&peer, "t")?;
    let peer = bench.launch(&["-p", "4001"], &[("PCMK_remote_port", "4000")], 4001)?;
    Client::join(&peer, "t")?;
    ensure!(!peer.host.listens(4000)?, "listens on 4000 too");
    Ok("4000, then 4001".into())
}

fn bad_port(bench: &Bench) -> Result<String> {
    let peer = bench.launch(&[], &[("PCMK_remote_port", "70000")], 3121)?;
    let log = String::from_utf8_lossy(&std::fs::read(&peer.log)?).into_owned();
    let line = log.lines().find(|line| line.contains("70000")).context("the log does not name the value")?;
    ensure!(line.contains("warning:"), "no warning: {line}");
    Ok(line.rsplit_once("warning: ").map_or(line, |(_, words)| words).to_owned())
}

fn one_address(bench: &Bench) -> Result<String> {
    let peer = bench.launch(&[], &[("PCMK_remote_address", "127.0.0.1")], 3121)?;
    let sockets = listening(&peer.host)?;
    ensure!(sockets.len() == 1 && sockets[0].0 == "127.0.0.1:3121", "{sockets:?}");
    ensure!(peer.connect().is_err(), "{} accepts connections", peer.addr);
    Ok(sockets[0].0.clone())
}

fn cannot_listen(bench: &Bench) -> Result<String> {
    let (_network, host) = bench.host()?;
    let taken = host.in_network(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 3121)))?.context("take 3121")?;
    let (busy, first) = bench.run(&host, &[], &[])?;
    drop(taken);
    let (foreign, second) = bench.run(&host, &[], &[("PCMK_remote_address", "192.0.2.1")])?;
    ensure!(busy.status.code() == Some(100), "port in use: {}", busy.status);
    ensure!(foreign.status.code() == Some(100), "foreign address: {}", foreign.status);
    // The original computes Diffie-Hellman parameters first.
    let limit = if bench.agent == Agent::Original { 10 } else { 2 };
    ensure!(first.max(second) < Duration::from_secs(limit), "took {first:.1?} and {second:.1?}");
    Ok(format!("exit 100 after {} ms and {} ms", first.as_millis(), second.as_millis()))
}
