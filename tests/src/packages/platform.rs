//! The platform of documents on fencing: a Docker Engine, protected as its documentation says, with two machines.

use std::sync::Arc;

use anyhow::Result;

use crate::containers::{Engine, Part, root};
use crate::host::Host;
use crate::network::Network;
use crate::pki::Ca;
use crate::report::Finding;

/// Its address in documents (RFC 5737).
pub(super) const ADDRESS: &str = "192.0.2.30";
/// Where a cluster node has the files for it.
pub(super) const FOLDER: &str = "/etc/pacemaker/fence";

/// The files of a cluster node.
pub(super) fn files(ca: &Ca) -> Result<[(&'static str, String); 3]> {
    let client = ca.issue_to("client")?;
    Ok([("ca.pem", ca.cert.clone()), ("cert.pem", client.cert), ("key.pem", client.key)])
}

/// The engine, with the machines `vm1` and `vm2`.
pub(super) struct Platform {
    engine: Engine,
    host: Arc<Host>,
}

impl Platform {
    /// On a host of the network; a cluster node needs a route, see [`gateway`](Self::gateway).
    pub(super) fn start(network: &Arc<Network>, ca: &Ca) -> Result<Self> {
        let host = network.host("platform")?;
        host.boot()?;
        host.check(&["ip", "address", "add", &format!("{ADDRESS}/32"), "dev", "eth0"])?;
        let engine = Engine::start_secured(&host, ca, ADDRESS)?;
        engine.import(&root(network, "machine", &[Part::Shell])?, "machine:1")?;
        for name in ["vm1", "vm2"] {
            engine.cli(&["run", "-d", "--name", name, "--network", "none", "machine:1", "sleep", "10000"])?;
        }
        Ok(Self { engine, host })
    }

    /// Through which a cluster node reaches it.
    pub(super) fn gateway(&self) -> String {
        self.host.address().to_string()
    }

    /// The process of a machine; 0 where it has none.
    pub(super) fn process(&self, machine: &str) -> Result<String> {
        self.engine.cli(&["inspect", "-f", "{{.State.Pid}}", machine]).map(|pid| pid.trim().to_owned())
    }

    /// What `reboot` does: the process of vm2 is another one, and that of vm1 is not.
    pub(super) fn rebooted(&self, reboot: impl FnOnce() -> Result<()>) -> Result<Finding> {
        let (other, before) = (self.process("vm1")?, self.process("vm2")?);
        reboot()?;
        let after = self.process("vm2")?;
        let gone = !self.host.run(&["test", "-e", &format!("/proc/{before}")])?.status.success();
        let holds = gone && after != "0" && after != before && other == self.process("vm1")?;
        Ok(Finding { figure: format!("process {before} is {after} now"), holds })
    }
}
