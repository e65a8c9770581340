//! A guest of a running cluster changes from Debian's `pacemaker-remote` to our package: nothing but the commands of
//! `docs/migration.md`, each typed where the document says.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::document::{Step, section};
use super::machine::Machine;
use super::root::Kind;
use super::{Packages, checkout};
use crate::cluster::Cluster;
use crate::host::Host;
use crate::program::Program;
use crate::report::{Finding, Report};

const SOON: Duration = Duration::from_secs(90);
/// The heading in the document for the way that suits every service.
pub const MOVING: &str = "## Moving the services away";

const GUEST: &str = "guest1";
const SERVICE: &str = "service";

struct Stage {
    cluster: Cluster,
    guest: Machine,
    _network: std::sync::Arc<Host>,
}

/// Plays the document's section `heading`.
pub fn follow(packages: &Packages, heading: &str) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    report.step("a cluster runs a service in a guest through Debian's pacemaker-remote", || {
        let begun = begin(packages)?;
        let server = begun.guest.check("readlink /proc/$(pgrep -f '^/usr/sbin/pacemaker-remoted')/exe")?;
        ensure!(server.trim() == "/usr/sbin/pacemaker-remoted", "port 3121 is served by {server}");
        stage = Some(begun);
        Ok(Finding::good(server.trim()))
    });
    let Some(stage) = stage else { return report };
    report.step("every command of the document succeeds", || {
        let path = checkout().join("docs/migration.md");
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let steps = section(&text, heading);
        ensure!(steps.len() > 3, "{heading} has {} commands", steps.len());
        for step in &steps {
            stage.play(step).with_context(|| format!("{}# {}", step.place, step.command))?;
        }
        Ok(Finding::good(format!("{} commands", steps.len())))
    });
    report.step("the service is back in the guest, through picket-agent", || stage.served_by_us());
    report.step("no fencing, no failed action", || {
        let fenced = stage.cluster.fencing().record().len();
        let failures = stage.cluster.status()?.failures.len();
        let figure = format!("{fenced} fenced, {failures} failed actions");
        Ok(Finding { figure, holds: fenced == 0 && failures == 0 })
    });
    report
}

fn begin(packages: &Packages) -> Result<Stage> {
    let cluster = Cluster::start(1)?;
    let network = cluster.network().host(GUEST)?;
    network.boot()?;
    let holder = network.start(&Program::new("holder", &["sleep", "3600"]))?;
    let key = fs::read(network.disk("/etc/pacemaker/authkey")).context("read the cluster's key")?;
    let namespace = format!("/proc/{holder}/ns/net");
    let guest = Machine::boot(Kind::Remote, Some(namespace.as_ref()), &[("/etc/pacemaker/authkey", &key)])?;
    guest.give(&packages.deb("picket-agent")?)?;
    let address = network.address();
    cluster.extend(&format!(
        r#"<configuration><resources>
          <primitive id="{GUEST}" class="ocf" provider="pacemaker" type="remote">
            <instance_attributes id="{GUEST}-attributes"><nvpair id="{GUEST}-server" name="server" value="{address}"/></instance_attributes>
            <operations><op id="{GUEST}-monitor" name="monitor" interval="10s" timeout="30s"/></operations>
          </primitive>
          <primitive id="{SERVICE}" class="ocf" provider="pacemaker" type="Dummy">
            <operations><op id="{SERVICE}-monitor" name="monitor" interval="5s"/></operations>
          </primitive>
        </resources><constraints>
          <rsc_location id="prefer-guest" rsc="{SERVICE}" node="{GUEST}" score="1000"/>
        </constraints></configuration>"#
    ))?;
    let stage = Stage { cluster, guest, _network: network };
    stage.service_in_guest()?;
    Ok(stage)
}

impl Stage {
    fn service_in_guest(&self) -> Result<()> {
        self.cluster.wait("the service runs in the guest", SOON, |status| {
            status.is_online(GUEST) && status.runs_on(SERVICE, GUEST)
        })?;
        Ok(())
    }

    fn play(&self, step: &Step) -> Result<()> {
        match step.place.as_str() {
            "node1" => {
                let output = self.cluster.node("node1")?.run_within(SOON, &["sh", "-c", &step.command])?;
                ensure!(output.status.success(), "{}: {}{}", output.status, output.stdout, output.stderr);
                Ok(())
            }
            GUEST => self.guest.check(&step.command).map(drop),
            other => bail!("the test knows no place '{other}'"),
        }
    }

    fn served_by_us(&self) -> Result<Finding> {
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
