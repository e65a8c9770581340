//! A cluster with one guest, and what runs there.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::agent::Agent;
use crate::cluster::Cluster;
use crate::guest::Guest;

/// What takes a few seconds on an idle machine.
pub(super) const SOON: Duration = Duration::from_secs(60);

pub(super) const GUEST: &str = "guest1";

/// One cluster, one guest with a dummy on it.
pub(super) struct Stage {
    pub(super) cluster: Cluster,
    pub(super) guest: Guest,
}

impl Stage {
    pub(super) fn new(agent: Agent, nodes: usize, environment: &[(&str, &str)]) -> Result<Self> {
        agent.executable()?; // a missing one is told before anything starts
        let mut cluster = Cluster::start(nodes)?;
        let guest = cluster.guest(GUEST, agent, environment).context("add the guest")?;
        cluster.wait("guest is online", SOON, |status| {
            status.is_online(GUEST) && status.node_of(GUEST, "Started").is_some()
        })?;
        Ok(Self { cluster, guest })
    }

    /// A dummy that prefers the guest, started.
    pub(super) fn add_dummy(&self) -> Result<()> {
        self.cluster.extend(&format!(
            r#"<configuration>
              <resources>
                <primitive id="dummy" class="ocf" provider="pacemaker" type="Dummy">
                  <instance_attributes id="dummy-attributes">
                    <nvpair id="dummy-state" name="state" value="/run/dummy.state"/>
                  </instance_attributes>
                </primitive>
              </resources>
              <constraints>
                <rsc_location id="dummy-prefers" rsc="dummy" node="{GUEST}" score="1000"/>
              </constraints>
            </configuration>"#
        ))?;
        self.cluster.wait("dummy runs on the guest", SOON, |status| status.runs_on("dummy", GUEST))?;
        self.cluster.settle(SOON)
    }
}
