//! A cluster of one node, and a guest that is a machine with a systemd of its own: where documents are followed.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::Packages;
use super::document::Step;
use super::machine::Machine;
use super::root::Kind;
use crate::cluster::Cluster;
use crate::host::Host;
use crate::program::Program;
use crate::report::Finding;

/// Two cores shared with a build.
const SOON: Duration = Duration::from_secs(90);
pub(super) const GUEST: &str = "guest1";
const SERVICE: &str = "service";
/// The guest's address in documents (RFC 5737).
const EXAMPLE: &str = "192.0.2.10";

pub(super) struct Stage {
    pub(super) cluster: Cluster,
    pub(super) guest: Machine,
    /// Holds the guest's network.
    network: Arc<Host>,
}

impl Stage {
    /// A cluster that knows nothing of the guest. The guest has Debian's `pacemaker-remote` and the cluster's key; our
    /// package and the key are in its root's home.
    pub(super) fn new(packages: &Packages) -> Result<Self> {
        let cluster = Cluster::start(1)?;
        let network = cluster.network().host(GUEST)?;
        network.boot()?;
        let holder = network.start(&Program::new("holder", &["sleep", "3600"]))?;
        let key = fs::read(network.disk("/etc/pacemaker/authkey")).context("read the cluster's key")?;
        let namespace = format!("/proc/{holder}/ns/net");
        let files: [(&str, &[u8]); 2] = [("/etc/pacemaker/authkey", &key), ("/root/authkey", &key)];
        let guest = Machine::boot(Kind::Remote, Some(namespace.as_ref()), &files)?;
        guest.give(&packages.deb("picket-agent")?)?;
        Ok(Self { cluster, guest, network })
    }

    /// Adds the connection to the guest.
    pub(super) fn connect(&self) -> Result<()> {
        let address = self.network.address();
        self.cluster.create(
            "resources",
            &format!(
                r#"<primitive id="{GUEST}" class="ocf" provider="pacemaker" type="remote">
                  <instance_attributes id="{GUEST}-attributes">
                    <nvpair id="{GUEST}-server" name="server" value="{address}"/>
                  </instance_attributes>
                  <operations><op id="{GUEST}-monitor" name="monitor" interval="10s" timeout="30s"/></operations>
                </primitive>"#
            ),
        )
    }

    /// Adds a service that prefers the guest, and waits until it runs there.
    pub(super) fn serve(&self) -> Result<()> {
        self.cluster.extend(&format!(
            r#"<configuration><resources>
              <primitive id="{SERVICE}" class="ocf" provider="pacemaker" type="Dummy">
                <operations><op id="{SERVICE}-monitor" name="monitor" interval="5s"/></operations>
              </primitive>
            </resources><constraints>
              <rsc_location id="prefer-guest" rsc="{SERVICE}" node="{GUEST}" score="1000"/>
            </constraints></configuration>"#
        ))?;
        self.service_in_guest()
    }

    pub(super) fn service_in_guest(&self) -> Result<()> {
        self.cluster.wait("the service runs in the guest", SOON, |status| {
            status.is_online(GUEST) && status.runs_on(SERVICE, GUEST)
        })?;
        Ok(())
    }

    /// Carries out a document's command where the document says.
    pub(super) fn play(&self, step: &Step) -> Result<()> {
        let command = step.command.replace(EXAMPLE, &self.network.address().to_string());
        let played = match step.place.as_str() {
            "node1" => {
                let output = self.cluster.node("node1")?.run_within(SOON, &["sh", "-c", &command])?;
                let said = || format!("{}: {}{}", output.status, output.stdout, output.stderr);
                if output.status.success() { Ok(()) } else { Err(anyhow!(said())) }
            }
            // It would go on until it is interrupted.
            GUEST if command.starts_with("picketctl watch") => {
                self.guest.check(&format!("timeout 2 {command}; test $? = 124")).map(drop)
            }
            GUEST => self.guest.check(&command).map(drop),
            other => bail!("the test knows no place '{other}'"),
        };
        played.with_context(|| format!("{}# {command}", step.place))
    }

    /// The service runs in the guest, and what serves the cluster there is ours, under the original's unit name, too.
    pub(super) fn served_by_us(&self) -> Result<Finding> {
        self.service_in_guest()?;
        let state = self
            .guest
            .check("systemctl show --value -p ActiveState,Type,Id,WatchdogUSec pacemaker_remote")?;
        let words: Vec<_> = state.split_whitespace().collect();
        let running =
            self.guest.check("readlink /proc/$(systemctl show --value -p MainPID picket-agent)/exe")?;
        Ok(Finding {
            figure: format!("{}; pacemaker_remote is {}", running.trim(), words.join(" ")),
            holds: running.trim() == "/usr/sbin/picket-agent"
                && words.contains(&"active")
                && words.contains(&"notify"),
        })
    }
}
