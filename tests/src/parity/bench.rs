//! Where the checks of one agent take place.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};

use crate::agent::Agent;
use crate::differential::agents;
use crate::host::Host;
use crate::network::Network;
use crate::parity::client::Client;
use crate::peer::Peer;
use crate::program::Output;

const PORT: u16 = 3121;

/// For whatever must happen, on a machine that is shared with a build.
pub(crate) const PATIENCE: Duration = Duration::from_secs(12);

/// The original computes Diffie-Hellman parameters first, which takes seconds when it shares two cores.
const START: Duration = Duration::from_secs(40);

/// One kind of agent, and hosts to run it on.
pub struct Bench {
    /// Which agent.
    pub agent: Agent,
    /// Whether there is time for what takes half a minute.
    pub full: bool,
    /// The agent of all checks that leave it as it was.
    lasting: RefCell<Option<Rc<Peer>>>,
}

impl Bench {
    pub(super) fn new(agent: Agent, full: bool) -> Self {
        Self { agent, full, lasting: RefCell::new(None) }
    }

    /// An agent that other checks have used before and will use after. What is registered is gone afterwards.
    pub(super) fn peer(&self) -> Result<Rc<Peer>> {
        if let Some(peer) = &*self.lasting.borrow() {
            return Ok(Rc::clone(peer));
        }
        let peer = Rc::new(self.fresh(&[])?);
        *self.lasting.borrow_mut() = Some(Rc::clone(&peer));
        Ok(peer)
    }

    /// A registered client of that agent.
    pub(super) fn client(&self) -> Result<Client> {
        Client::join(&*self.peer()?, "t")
    }

    /// An agent for this check alone.
    pub(super) fn fresh(&self, environment: &[(&str, &str)]) -> Result<Peer> {
        self.launch(&[], environment, PORT)
    }

    /// The same with arguments; it has to listen on `port`.
    pub(super) fn launch(&self, arguments: &[&str], environment: &[(&str, &str)], port: u16) -> Result<Peer> {
        let (network, host) = self.host()?;
        self.launch_on(&network, &host, arguments, environment, port)
    }

    /// A host on which no agent runs yet, with the resource agents of the checks.
    pub(super) fn host(&self) -> Result<(Arc<Network>, Arc<Host>)> {
        let network = Network::new()?;
        let host = network.host("peer")?;
        agents::install(&host)?;
        Ok((network, host))
    }

    /// Starts the agent on a host that was prepared.
    pub(super) fn launch_on(
        &self,
        network: &Arc<Network>,
        host: &Arc<Host>,
        arguments: &[&str],
        environment: &[(&str, &str)],
        port: u16,
    ) -> Result<Peer> {
        let mut program = self.agent.program(environment)?;
        program.command.extend(arguments.iter().map(ToString::to_string));
        Peer::start_program(network, host, self.agent, &program, (port, START))
    }

    /// Runs the agent to its end, which has to come by itself.
    pub(super) fn run(
        &self,
        host: &Host,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<(Output, Duration)> {
        let program = self.agent.program(environment)?;
        let variables = program.environment.iter().map(|(name, value)| format!("{name}={value}"));
        let command: Vec<_> =
            ["env".to_owned()].into_iter().chain(variables).chain(program.command).collect();
        let command: Vec<_> = command.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
        let started = Instant::now();
        let output = host.run_within(PATIENCE, &command)?;
        Ok((output, started.elapsed()))
    }

    /// Leaves the agent as the next check wants it, or leaves it behind.
    pub(super) fn tidy(&self, failed: bool) {
        let Some(peer) = self.lasting.borrow_mut().take() else { return };
        if !failed && unregister_all(&peer).is_ok() {
            *self.lasting.borrow_mut() = Some(peer);
        }
    }
}

fn unregister_all(peer: &Peer) -> Result<()> {
    peer.pid()?;
    agents::clean(&peer.host)?;
    let mut client = Client::join(peer, "tidy")?;
    let registered = client.recurring(None)?;
    for id in registered.elements().filter_map(|resource| resource.attr("lrmd_rsc_id")) {
        let rc = client.unregister(id)?;
        ensure!(rc == 0, "an operation of {id} is still running: {rc}");
    }
    client.leave();
    Ok(())
}

/// Sends a signal to the agent.
pub(super) fn signal(peer: &Peer, signal: Signal) -> Result<()> {
    kill(peer.pid()?, signal).with_context(|| format!("send {signal}"))
}

/// The agent's end, which has to come in time: its exit status.
pub(super) fn exit_code(peer: &Peer, limit: Duration) -> Result<i32> {
    let status = peer.host.ended("agent", limit)?;
    status.code().with_context(|| format!("the agent ended with {status}"))
}
