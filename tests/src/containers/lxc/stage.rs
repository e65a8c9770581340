//! A cluster whose nodes run LXC containers, and one container that is to be its guest.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::super::group::Group;
use super::super::{Part, picketctl, root};
use super::{ADDRESS, GUEST, SERVICE, Tool};
use crate::cluster::Cluster;
use crate::host::Host;
use crate::program::{Program, tail};
use crate::wait::wait_until;

const NODE: &str = include_str!("node.sh");
const START: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(120);

pub(crate) struct Stage {
    pub(super) tool: Tool,
    pub(crate) cluster: Cluster,
    // Emptied after the hosts are gone.
    _groups: Vec<Group>,
}

impl Stage {
    /// Nodes that can run containers, with libvirtd on each.
    pub(crate) fn new(tool: Tool, nodes: usize) -> Result<Self> {
        let cluster = Cluster::start(nodes)?;
        let mut groups = Vec::new();
        for node in cluster.nodes() {
            let group = Group::new(&format!("{}-lxc", node.name()));
            node.write("/etc/libvirt/libvirtd.conf", "auth_unix_rw = \"none\"\n")?;
            node.enable(Program::new("libvirtd", &["sh", "-c", NODE, "node.sh", group.name()]))?;
            groups.push(group);
            // Also a sign that the bridge is there.
            wait_until("libvirtd answers", START, || {
                node.pid("libvirtd")?;
                Ok(node.run(&["virsh", "-c", "lxc:///", "list"])?.status.success().then_some(()))
            })
            .with_context(|| tail(&node.output("libvirtd")))?;
        }
        Ok(Self { tool, cluster, _groups: groups })
    }

    /// Writes all that an administrator needs with picketctl, and hands it to the cluster.
    pub(super) fn configure(&self) -> Result<()> {
        let parts = [Part::Agent, Part::Shell, Part::ResourceAgents];
        let root = root(self.cluster.network(), "lxc", &parts)?;
        let root = root.to_str().context("the root's path is not UTF-8")?;
        let node = &self.cluster.nodes()[0];
        picketctl(node, &["key", "install", "--root", root])?;
        let same = picketctl(node, &["key", "compare", "/etc/pacemaker/authkey", root])?;
        ensure!(same.contains("\nthe same key"), "{same}");

        let address = format!("{ADDRESS}/24");
        let container = ["--root", root, "--init", "/usr/sbin/pacemaker-remoted", "--bridge", "lxcbr0"];
        let settings = [&["guest", self.tool.settings(), GUEST][..], &container, &["--address", &address]];
        let settings = picketctl(node, &settings.concat())?;
        let file = self.tool.file();
        for node in self.cluster.nodes() {
            node.write(file, &settings)?;
        }
        let resource: &[&str] = match self.tool {
            Tool::Libvirt => &["guest", "domain", GUEST, "--lxc", "--config", file, "--address", ADDRESS],
            Tool::Lxc => &["guest", "lxc", GUEST, "--config", file, "--address", ADDRESS],
        };
        self.cluster.extend(&format!(
            r#"<configuration>
              <resources>
                {}
                <primitive id="{SERVICE}" class="ocf" provider="test" type="service">
                  <operations><op id="{SERVICE}-monitor" name="monitor" interval="2s" timeout="20s"/></operations>
                </primitive>
              </resources>
              <constraints>
                <rsc_location id="{SERVICE}-inside" rsc="{SERVICE}" node="{GUEST}" score="INFINITY"
                  resource-discovery="exclusive"/>
              </constraints>
            </configuration>"#,
            picketctl(node, resource)?
        ))
    }

    /// Waits until the guest is online and the service runs there.
    pub(super) fn runs(&self) -> Result<()> {
        let what = "the guest is online and its service runs there";
        let holds = self.cluster.wait(what, SOON, |status| {
            status.is_online(GUEST) && status.node_of(SERVICE, "Started") == Some(GUEST)
        });
        holds.map(drop).with_context(|| self.words())
    }

    /// What the container's own tools left behind.
    fn words(&self) -> String {
        let logs = ["/var/log/libvirt/lxc/web.log", "/run/resource-agents/web-lxc.log"];
        let found = self.cluster.nodes().iter().flat_map(|node| logs.iter().map(move |log| node.read(log)));
        found.filter_map(Result::ok).collect()
    }

    /// The node where the container runs.
    pub(super) fn node(&self) -> Result<&Arc<Host>> {
        let status = self.cluster.status()?;
        let name = status.node_of(self.tool.resource(), "Started").context("the container runs nowhere")?;
        self.cluster.node(name)
    }

    /// The containers that run on a node, in the words of their tool.
    pub(super) fn list(&self, node: &Host) -> Result<String> {
        Ok(node.check(self.tool.list())?.trim().to_owned())
    }

    /// The pid of the living process in the container, as its node knows it, that has `word` in its name or arguments.
    pub(super) fn process(&self, node: &Host, word: &str) -> Result<Option<String>> {
        let list = node.check(&["ps", "-e", "-o", "pid=,stat=,comm=,args="])?;
        let lives = |line: &&str| !line.split_whitespace().nth(1).is_some_and(|stat| stat.starts_with('Z'));
        let mut lines = list.lines().filter(lives).filter(|line| line.contains(word));
        let pid = lines.next().and_then(|line| line.split_whitespace().next());
        if let Some(other) = lines.next() {
            bail!("more than one {word} on {}: {other}", node.name());
        }
        Ok(pid.map(str::to_owned))
    }
}
