//! An agent, a client that it has to serve, and the means to attack it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use picket_agent::controller::{Arrival, Controller, Link};
use picket_agent::key::Key;
use picket_agent::wire::socket::Tuning;
use picket_agent::wire::tls::{Role, TlsError};
use picket_proto::notification::Notification;
use picket_proto::request::{CallOptions, Operation};
use tokio::runtime::Runtime;

use crate::agent::Agent;
use crate::peer::Peer;
use crate::report::Finding;
use crate::wait::wait_until;

/// For whatever must come.
const PATIENCE: Duration = Duration::from_secs(15);

/// The registered client is always served within this time.
const PROMPT: Duration = Duration::from_secs(1);

/// What an attack may leave behind, in KiB: the C library keeps some of 90 MiB of freed blocks for itself.
const LEFT: u64 = 12 * 1024;

/// How long after an attack its memory may stay.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) struct Scene {
    pub(super) peer: Peer,
    key: Key,
    runtime: Runtime,
    client: Controller,
    /// The slowest exchange of the registered client.
    slowest: Duration,
    /// Resident memory before the attack, KiB.
    before: u64,
    /// Most that was seen in between.
    most: u64,
}

impl Scene {
    pub(super) fn start() -> Result<Self> {
        let peer = Peer::start(Agent::Picket, &[])?;
        let key = Key::read(&peer.key)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let link = runtime.block_on(link(&peer, &key)).context("connect the registered client")?;
        let mut client = Controller::new(link);
        runtime.block_on(client.hello("bystander", Some("1.1"), true))?;
        let mut scene = Self { peer, key, runtime, client, slowest: Duration::ZERO, before: 0, most: 0 };
        scene.poke()?;
        scene.slowest = Duration::ZERO;
        scene.before = scene.memory()?;
        Ok(scene)
    }

    /// The registered client's connection monitor, as a cluster does it: the notification counts.
    pub(super) fn poke(&mut self) -> Result<()> {
        let started = Instant::now();
        let client = &mut self.client;
        self.runtime.block_on(async {
            client.call(Operation::Poke, CallOptions::default()).await?;
            loop {
                match client.notification(PATIENCE).await? {
                    Some(Notification::Generic { op, .. }) if op == "lrmd_rsc_poke" => return anyhow::Ok(()),
                    // Attackers that get through the handshake are announced.
                    Some(_) => {}
                    None => bail!("no notification of a poke"),
                }
            }
        })?;
        self.slowest = self.slowest.max(started.elapsed());
        self.most = self.most.max(self.memory()?);
        Ok(())
    }

    /// A TCP connection.
    pub(super) fn socket(&self) -> Result<TcpStream> {
        let stream = self.peer.connect()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// Sends bytes before TLS, and gives what comes back until the agent closes.
    pub(super) fn send_raw(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut stream = self.socket()?;
        stream.write_all(bytes)?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
                Err(error).context("wait for the agent to close the connection")
            }
            _ => Ok(answer),
        }
    }

    /// An encrypted connection.
    pub(super) fn link(&self) -> Result<Link> {
        self.runtime.block_on(link(&self.peer, &self.key))
    }

    /// An attempt with another key.
    pub(super) fn link_with(&self, key: &Key) -> Result<Result<Link, TlsError>> {
        let stream = self.peer.connect()?;
        self.runtime.block_on(open(stream, key))
    }

    /// Sends bytes behind the handshake.
    pub(super) fn send(&self, link: &mut Link, bytes: &[u8]) -> Result<()> {
        Ok(self.runtime.block_on(link.send_bytes(bytes))?)
    }

    /// Sends a text as a message.
    pub(super) fn say(&self, link: &mut Link, text: &str) -> Result<()> {
        Ok(self.runtime.block_on(link.send_text(text.to_owned()))?)
    }

    /// The next document for the attacker.
    pub(super) fn answer(&self, link: &mut Link) -> Result<String> {
        match self.runtime.block_on(link.receive(PATIENCE))? {
            Arrival::Text(text) => Ok(text),
            other => bail!("no answer: {other:?}"),
        }
    }

    /// Waits until the agent has closed the attacker's connection.
    pub(super) fn closed(&self, link: &mut Link) -> Result<()> {
        match self.runtime.block_on(link.receive(PATIENCE)) {
            Ok(Arrival::Closed) | Err(_) => Ok(()),
            Ok(other) => bail!("the connection is still there: {other:?}"),
        }
    }

    /// Waits for a line with that text in the log, and gives its message.
    pub(super) fn logged(&self, text: &str) -> Result<String> {
        let what = format!("the log says '{text}'");
        let line = wait_until(&what, PATIENCE, || {
            let log = fs::read_to_string(&self.peer.log)?;
            Ok(log.lines().rev().find(|line| line.contains(text)).map(str::to_owned))
        });
        let line = line.with_context(|| fs::read_to_string(&self.peer.log).unwrap_or_default())?;
        // Behind time, host, program, pid and module.
        Ok(line.split_once(") ").map_or(line.as_str(), |(_, message)| message).to_owned())
    }

    /// The agent's open descriptors.
    pub(super) fn descriptors(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.peer.pid()?))?.count())
    }

    /// Resident memory in KiB.
    fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.peer.pid()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// The figures, when the attack is over. `seen` is what the agent said to it.
    pub(super) fn judge(&mut self, seen: &str) -> Result<Finding> {
        self.poke()?;
        // A new client gets in, too.
        let started = Instant::now();
        drop(self.link()?);
        let entry = started.elapsed();
        // What is cut off gets a moment to go.
        let settled = wait_until("the memory is given back", SETTLE, || {
            Ok((self.memory()? <= self.before + LEFT).then_some(()))
        });
        let after = self.memory()?;
        ensure!(self.peer.pid().is_ok(), "the agent is gone");
        let ms = |time: Duration| time.as_millis();
        let figure = format!(
            "{seen}; memory {} -> {after} KiB (most {}); slowest poke {} ms, new client in {} ms",
            self.before,
            self.most.max(after),
            ms(self.slowest),
            ms(entry)
        );
        Ok(Finding { figure, holds: settled.is_ok() && self.slowest < PROMPT && entry < PROMPT })
    }
}

async fn link(peer: &Peer, key: &Key) -> Result<Link> {
    Ok(open(peer.connect()?, key).await??)
}

async fn open(stream: TcpStream, key: &Key) -> Result<Result<Link, TlsError>> {
    stream.set_nonblocking(true)?;
    let stream = tokio::net::TcpStream::from_std(stream)?;
    Ok(Link::open(stream, key, Role::Controller, Tuning::Prompt, PATIENCE).await)
}
