//! A cluster, a hypervisor, and a virtual machine that is the cluster's guest.

use std::cell::{Cell, RefCell};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::super::device;
use super::disk::{self, Content, File};
use super::hypervisor::{self, Hypervisor, Process};
use super::{DEVICE, DOMAIN, GUEST, NEIGHBOR, SERVICE};
use crate::agent::Agent;
use crate::cluster::Cluster;
use crate::program::tail;

const AGENT: &str = "fence_picket_libvirt";
const SERVED: &str = include_str!("served.pl");
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 50);
const PORT: u16 = 8000;
/// For an answer of the service: milliseconds, if there is one at all.
const ANSWER: Duration = Duration::from_secs(3);

pub(super) struct Stage {
    // Its machines go down first, and with them what writes into the network's folder.
    pub(super) hypervisor: Hypervisor,
    pub(super) cluster: Cluster,
    pub(super) console: PathBuf,
    pub(super) neighbor: Process,
    /// When the last thing began that takes its time.
    pub(super) since: Cell<Instant>,
    pub(super) freezes: Cell<usize>,
    /// Before the last freeze.
    pub(super) before: RefCell<Option<Life>>,
}

/// One life of the machine, as others than the cluster see it.
pub(super) struct Life {
    pub(super) process: Process,
    /// The kernel's id of its boot, told by the service.
    pub(super) boot: String,
}

impl Stage {
    /// The machine is off yet, and the cluster does not know it; a neighbor has the name it has in the cluster.
    pub(super) fn new() -> Result<Self> {
        let cluster = Cluster::start(1)?;
        device::install(&cluster, AGENT)?;
        let hypervisor = Hypervisor::start(cluster.network())?;
        let folder = cluster.network().scratch().folder().join("vm");
        std::fs::create_dir(&folder).with_context(|| format!("create {}", folder.display()))?;
        let boot = disk::make(&folder, &files(cluster.network().key())?)?;
        let console = folder.join("console");
        hypervisor.define(DOMAIN, &hypervisor::machine(DOMAIN, ADDRESS, &boot, &console))?;
        hypervisor.define(NEIGHBOR, &hypervisor::empty(NEIGHBOR))?;
        // It would only look for a disk.
        hypervisor.virsh(&["start", "--paused", NEIGHBOR])?;
        let neighbor = hypervisor.process(NEIGHBOR)?;
        Ok(Self {
            hypervisor,
            cluster,
            console,
            neighbor,
            since: Cell::new(Instant::now()),
            freezes: Cell::new(0),
            before: RefCell::new(None),
        })
    }

    /// Tells the cluster of the machine, its power switch and its service.
    pub(super) fn configure(&self) -> Result<()> {
        let map = format!("{GUEST}:{DOMAIN}");
        let uri = self.hypervisor.uri();
        // libvirt waits a while before it kills a process that does not end, and the machine may be busy.
        let parameters = [("uri", uri.as_str()), ("pcmk_host_map", &map), ("pcmk_reboot_timeout", "180s")];
        device::add(&self.cluster, DEVICE, AGENT, &parameters)?;
        self.cluster.extend(&format!(
            r#"<configuration>
              <resources>
                <primitive id="{GUEST}" class="ocf" provider="pacemaker" type="remote">
                  <instance_attributes id="{GUEST}-attributes">
                    <nvpair id="{GUEST}-server" name="server" value="{ADDRESS}"/>
                  </instance_attributes>
                  <operations>
                    <op id="{GUEST}-monitor" name="monitor" interval="5s" timeout="15s"/>
                    <op id="{GUEST}-start" name="start" interval="0" timeout="300s"/>
                  </operations>
                </primitive>
                <primitive id="{SERVICE}" class="systemd" type="{SERVICE}">
                  <operations>
                    <op id="{SERVICE}-monitor" name="monitor" interval="5s" timeout="60s"/>
                    <op id="{SERVICE}-start" name="start" interval="0" timeout="120s"/>
                    <op id="{SERVICE}-stop" name="stop" interval="0" timeout="120s"/>
                  </operations>
                </primitive>
              </resources>
              <constraints>
                <rsc_location id="{SERVICE}-inside" rsc="{SERVICE}" node="{GUEST}" score="INFINITY"
                  resource-discovery="exclusive"/>
              </constraints>
            </configuration>"#
        ))
    }

    /// Asks the service, over the network, in which boot it runs.
    pub(super) fn ask(&self) -> Result<String> {
        let node = self.cluster.nodes().first().context("no node")?;
        let answer = node.in_network(|| -> Result<String> {
            let mut stream = TcpStream::connect_timeout(&SocketAddr::from((ADDRESS, PORT)), ANSWER)?;
            stream.set_read_timeout(Some(ANSWER))?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        })??;
        let boot = answer.split_whitespace().next();
        Ok(boot.context("the service answers nothing")?.to_owned())
    }

    pub(super) fn life(&self) -> Result<Life> {
        Ok(Life { process: self.hypervisor.process(DOMAIN)?, boot: self.ask()? })
    }

    /// What the fence agent says on the node: its last line.
    pub(super) fn power(&self) -> Result<String> {
        let node = self.cluster.nodes().first().context("no node")?;
        let uri = self.hypervisor.uri();
        let text = node.check(&[AGENT, "--action", "status", "--uri", &uri, "--plug", DOMAIN])?;
        Ok(text.lines().last().unwrap_or_default().to_owned())
    }

    /// What the machine itself has to say to a failure.
    pub(super) fn words(&self) -> String {
        format!("the machine's console: {}", tail(&self.console))
    }
}

/// What makes a Debian with the agent's unit a guest: the agent, the key, an address, a service.
fn files(key: &[u8]) -> Result<Vec<File>> {
    let file = |path, mode, content| File { path, mode, content };
    let text = |text: String| Content::Bytes(text.into_bytes());
    let card = format!("[Match]\nName=eth0\n[Network]\nAddress={ADDRESS}/24\n");
    let unit = "[Unit]\nDescription=Tells its boot\n[Service]\nExecStart=/usr/bin/perl /usr/lib/served.pl\n";
    Ok(vec![
        file("/usr/sbin/picket-agent", 0o755, Content::CopyOf(Agent::Picket.executable()?)),
        file("/etc/pacemaker/authkey", 0o600, Content::Bytes(key.to_owned())),
        file("/etc/systemd/network/10-eth0.network", 0o644, text(card)),
        file("/usr/lib/served.pl", 0o644, text(SERVED.to_owned())),
        file("/usr/lib/systemd/system/served.service", 0o644, text(unit.to_owned())),
    ])
}
