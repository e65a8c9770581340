//! A host with an agent on it, for a cluster to run services on.

use std::sync::Arc;

use anyhow::Result;

use crate::agent::Agent;
use crate::host::Host;
use crate::network::Network;

/// A Pacemaker Remote node. Its agent starts again when it is fenced with a reboot.
pub struct Guest {
    /// Its host.
    pub host: Arc<Host>,
    /// What serves port 3121 there.
    pub agent: Agent,
}

impl Guest {
    pub(crate) fn start(
        network: &Arc<Network>,
        name: &str,
        agent: Agent,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let host = network.host(name)?;
        host.enable(agent.program(environment)?)?;
        Ok(Self { host, agent })
    }

    /// Its name, which is also the id of the connection resource.
    pub fn name(&self) -> &str {
        self.host.name()
    }
}
