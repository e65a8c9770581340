//! A real Pacemaker cluster of one or two nodes, with guests and with fencing.

mod config;
mod history;
mod status;

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

pub use self::history::Fence;
pub use self::status::{Failure, Node, Resource, Status};
use crate::agent::Agent;
use crate::fencing::Fencing;
use crate::guest::Guest;
use crate::host::Host;
use crate::network::Network;
use crate::program::tail;
use crate::wait::wait_until;

/// Two nodes on two busy cores need about five seconds.
const START: Duration = Duration::from_secs(60);

/// A running cluster. Its nodes start corosync and Pacemaker again when they are fenced with a reboot.
pub struct Cluster {
    // First, so that no request boots a host which is being torn down.
    fencing: Fencing,
    nodes: Vec<Arc<Host>>,
    guests: Vec<Arc<Host>>,
    network: Arc<Network>,
}

impl Cluster {
    /// Starts `size` nodes named `node1` and so on, and waits until all are online with a controller elected.
    pub fn start(size: usize) -> Result<Self> {
        ensure!((1..=2).contains(&size), "a cluster of {size} nodes: the harness makes one or two");
        let network = Network::new()?;
        let fencing = Fencing::new(&network)?;
        let nodes: Vec<_> =
            (1..=size).map(|number| network.host(&format!("node{number}"))).collect::<Result<_>>()?;
        let cluster = Self { fencing, nodes, guests: Vec::new(), network };

        let corosync = config::corosync(&cluster.nodes);
        for node in &cluster.nodes {
            cluster.fencing.add(node)?;
            node.write("/etc/corosync/corosync.conf", &corosync)?;
            node.write("/var/lib/pacemaker/cib/cib.xml", config::CIB)?;
            node.check(&["chown", "hacluster:haclient", "/var/lib/pacemaker/cib/cib.xml"])?;
            node.check(&["chmod", "0600", "/var/lib/pacemaker/cib/cib.xml"])?;
            for service in config::services(node.name()) {
                node.enable(service)?;
            }
        }
        cluster.wait("all nodes are online", START, |status| {
            status.dc.is_some()
                && cluster.nodes.iter().all(|node| status.is_online(node.name()))
                && status.node_of("fencing", "Started").is_some()
        })?;
        Ok(cluster)
    }

    /// Adds a host that runs `agent`, and a connection to it. Does not wait until it is online.
    pub fn guest(&mut self, name: &str, agent: Agent, environment: &[(&str, &str)]) -> Result<Guest> {
        let guest = Guest::start(&self.network, name, agent, environment)?;
        self.connect(Arc::clone(&guest.host))?;
        Ok(guest)
    }

    /// Adds a connection to a host that runs an agent, and makes it one that can be fenced.
    pub fn connect(&mut self, host: Arc<Host>) -> Result<()> {
        self.fencing.add(&host)?;
        self.remote(host.name(), host.address())?;
        self.guests.push(host);
        Ok(())
    }

    /// Adds a connection to an agent at that address; how it is fenced is up to the caller.
    pub fn remote(&self, name: &str, address: Ipv4Addr) -> Result<()> {
        self.create("resources", &config::connection(name, address))
    }

    /// The network of all its hosts.
    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// The cluster nodes, without guests.
    pub fn nodes(&self) -> &[Arc<Host>] {
        &self.nodes
    }

    /// The power switch.
    pub fn fencing(&self) -> &Fencing {
        &self.fencing
    }

    /// The cluster node of that name.
    pub fn node(&self, name: &str) -> Result<&Arc<Host>> {
        self.nodes
            .iter()
            .find(|node| node.name() == name)
            .with_context(|| format!("no cluster node '{name}'"))
    }

    /// Runs an administrator's command on a cluster node that has quorum.
    pub fn run(&self, command: &[&str]) -> Result<String> {
        self.speaker()?.0.check(command)
    }

    /// Adds `xml` to a section of the CIB: `resources`, `constraints`, ...
    pub fn create(&self, section: &str, xml: &str) -> Result<()> {
        self.run(&["cibadmin", "--create", "--scope", section, "--xml-text", xml])?;
        Ok(())
    }

    /// Merges a `<configuration>` into the CIB in one change: what has an id that is there is altered, all else is
    /// added.
    pub fn extend(&self, configuration: &str) -> Result<()> {
        self.run(&["cibadmin", "--modify", "--allow-create", "--xml-text", configuration])?;
        Ok(())
    }

    /// The status as a node with quorum sees it.
    pub fn status(&self) -> Result<Status> {
        Ok(self.speaker()?.1)
    }

    /// The node to ask, and what it says.
    fn speaker(&self) -> Result<(&Arc<Host>, Status)> {
        let mut last = None;
        for node in self.nodes.iter().filter(|node| node.is_up()) {
            let status = node
                .check(&["crm_mon", "--output-as=xml", "--one-shot", "--inactive"])
                .and_then(|xml| Status::parse(&xml));
            match status {
                Ok(status) if status.dc.is_some() && status.quorum => return Ok((node, status)),
                // A node that has just booted knows nobody yet; another one may know better.
                Ok(_) => last = Some(anyhow!("{} has no controller or no quorum yet", node.name())),
                Err(e) => last = Some(e),
            }
        }
        Err(last.unwrap_or_else(|| anyhow!("every cluster node is off")))
    }

    /// What its own fencer was asked for, the newest first.
    pub fn fences(&self) -> Result<Vec<Fence>> {
        // Without --verbose it is the last one only.
        Fence::parse(&self.run(&["stonith_admin", "--history=*", "--verbose", "--output-as=xml"])?)
    }

    /// The status as `crm_mon` prints it for people.
    pub fn crm_mon(&self) -> Result<String> {
        self.run(&["crm_mon", "--one-shot", "--inactive", "--failcounts"])
    }

    /// Waits until `condition` holds; fails with `crm_mon` and the ends of all logs.
    pub fn wait(
        &self,
        what: &str,
        deadline: Duration,
        condition: impl Fn(&Status) -> bool,
    ) -> Result<Status> {
        let found = wait_until(what, deadline, || {
            let status = self.status()?;
            Ok(condition(&status).then_some(status))
        });
        found.map_err(|e| e.context(format!("{what}\n{}", self.picture())))
    }

    /// Waits until the cluster has nothing left to do.
    pub fn settle(&self, deadline: Duration) -> Result<()> {
        let (node, _) = self.speaker()?;
        let seconds = format!("--timeout={}s", deadline.as_secs());
        let output = node.run_within(deadline, &["crm_resource", "--wait", &seconds])?;
        if !output.status.success() {
            bail!("crm_resource --wait: {}: {}\n{}", output.status, output.stderr.trim(), self.picture());
        }
        Ok(())
    }

    /// All there is to say about a cluster that does not do what it should.
    fn picture(&self) -> String {
        let mut picture = self.crm_mon().unwrap_or_else(|e| format!("{e:#}"));
        for fenced in self.fencing.record() {
            writeln!(picture, "fenced: {fenced}").expect("writing to a String cannot fail");
        }
        for host in self.nodes.iter().chain(&self.guests) {
            let name = host.name();
            for log in [
                host.disk(Agent::LOG),
                host.output("corosync"),
                host.output("pacemakerd"),
                host.output("agent"),
            ] {
                if log.exists() {
                    write!(picture, "\n--- {name}: {}\n{}\n", log.display(), tail(&log))
                        .expect("writing to a String cannot fail");
                }
            }
        }
        picture
    }
}
