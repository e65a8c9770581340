//! One agent alone on a host, with no cluster: for tests that are the cluster's side of the protocol themselves.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::unistd::Pid;

use crate::agent::Agent;
use crate::host::Host;
use crate::network::Network;
use crate::program::Program;
use crate::wait::wait_until;

/// The original computes Diffie-Hellman parameters first; on a busy machine that takes a while.
const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(10);
const PORT: u16 = 3121;

/// A running agent that listens.
pub struct Peer {
    /// Where it listens, in the network of its host: see [`Peer::connect`].
    pub addr: SocketAddr,
    /// Its host. Add a sibling with `peer.network.host("name")`.
    pub host: Arc<Host>,
    /// The segment of its host.
    pub network: Arc<Network>,
    /// The key, 4096 random bytes, readable from the machine.
    pub key: PathBuf,
    /// The agent's detail log, readable from the machine.
    pub log: PathBuf,
    /// What the agent wrote to its standard output and error.
    pub output: PathBuf,
}

impl Peer {
    /// Starts `agent` with `environment` added to its own, on a new host in a new network, and waits until it
    /// listens. `PCMK_remote_port` is honored.
    pub fn start(agent: Agent, environment: &[(&str, &str)]) -> Result<Self> {
        agent.executable()?; // a missing one is told before anything starts
        let network = Network::new()?;
        let host = network.host("peer")?;
        Self::start_on(&network, &host, agent, environment)
    }

    /// The same on a host that exists, for instance one prepared with files the agent is to find.
    pub fn start_on(
        network: &Arc<Network>,
        host: &Arc<Host>,
        agent: Agent,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let port = environment.iter().rev().find(|(name, _)| *name == "PCMK_remote_port");
        let port = match port {
            Some((_, port)) => port.parse().with_context(|| format!("PCMK_remote_port '{port}'"))?,
            None => PORT,
        };
        Self::start_program(network, host, agent, &agent.program(environment)?, (port, START))
    }

    /// The same with a program that may have arguments, and is to listen on a port within a limit.
    pub(crate) fn start_program(
        network: &Arc<Network>,
        host: &Arc<Host>,
        agent: Agent,
        program: &Program,
        (port, limit): (u16, Duration),
    ) -> Result<Self> {
        host.start(program)?;
        wait_until(&format!("{} agent listens on port {port}", agent.name()), limit, || {
            // An agent that gave up says why, at once.
            Ok(match host.pid("agent") {
                Err(e) => Some(Err(e)),
                Ok(_) => host.listens(port)?.then_some(Ok(())),
            })
        })??;
        Ok(Self {
            addr: (host.address(), port).into(),
            host: Arc::clone(host),
            network: Arc::clone(network),
            key: host.disk("/etc/pacemaker/authkey"),
            log: host.disk(Agent::LOG),
            output: host.output("agent"),
        })
    }

    /// A connection from the agent's own host. For one that crosses the network, use a sibling's
    /// [`Host::in_network`].
    pub fn connect(&self) -> Result<TcpStream> {
        self.host
            .in_network(|| TcpStream::connect(self.addr))?
            .with_context(|| format!("connect to {}", self.addr))
    }

    /// The agent's pid on the machine, so `/proc/PID/status` and signals work; an error once it has ended.
    pub fn pid(&self) -> Result<Pid> {
        self.host.pid("agent")
    }

    /// Ends it with SIGTERM and says how it ended.
    pub fn stop(self) -> Result<std::process::ExitStatus> {
        self.host.stop("agent", STOP)
    }
}
