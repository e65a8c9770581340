//! A device of a running cluster changes from Debian's `fence-agents` to picket-fence and back: nothing but the commands of
//! `docs/migration-fence-agents.md`, on a machine with Debian's packages.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Packages;
use super::document::{read, section};
use super::machine::Machine;
use super::platform::{ADDRESS, FOLDER, Platform, files};
use super::root::Kind;
use crate::host::Host;
use crate::network::Network;
use crate::pki::Ca;
use crate::program::Program;
use crate::report::{Finding, Report};
use crate::wait::wait_until;

const DOCUMENT: &str = "docs/migration-fence-agents.md";
const SOON: Duration = Duration::from_secs(90);

/// An election at once, in place of one after twenty seconds.
const CIB: &str = r#"<cib crm_feature_set="3.6.0" validate-with="pacemaker-3.7" epoch="1" num_updates="0" admin_epoch="0">
<configuration><crm_config><cluster_property_set id="options">
<nvpair id="options-dc-deadtime" name="dc-deadtime" value="1s"/>
</cluster_property_set></crm_config><nodes/><resources/><constraints/></configuration><status/></cib>
"#;

/// Debian's own corosync.conf makes a cluster of the one node `node1`.
const START: &str = "systemctl stop pacemaker && rm -f /var/lib/pacemaker/cib/* && \
                     install -o hacluster -g haclient -m 600 cib.xml /var/lib/pacemaker/cib/ && \
                     systemctl restart corosync && systemctl start pacemaker";

struct Stage {
    node: Machine,
    platform: Platform,
    /// Holds the node's network.
    _network: Arc<Host>,
}

impl Stage {
    fn new(packages: &Packages) -> Result<Self> {
        let network = Network::new()?;
        let ca = Ca::new()?;
        let platform = Platform::start(&network, &ca)?;
        let host = network.host("node1")?;
        host.boot()?;
        host.check(&["ip", "route", "add", ADDRESS, "via", &platform.gateway()])?;
        let holder = host.start(&Program::new("holder", &["sleep", "3600"]))?;
        let pems = files(&ca)?.map(|(name, text)| (format!("{FOLDER}/{name}"), text));
        let mut given: Vec<(&str, &[u8])> = vec![("/root/cib.xml", CIB.as_bytes())];
        given.extend(pems.iter().map(|(path, text)| (path.as_str(), text.as_bytes())));
        let node = Machine::boot(Kind::Node, Some(format!("/proc/{holder}/ns/net").as_ref()), &given)?;
        for name in super::fence::NAMES {
            node.give(&packages.deb(name)?)?;
        }
        node.check(START)?;
        wait_until("the node is the controller", SOON, || {
            let status = node.check("crm_mon --one-shot")?;
            Ok((status.contains("Current DC: node1") && status.contains("Online: [ node1 ]")).then_some(()))
        })?;
        Ok(Self { node, platform, _network: host })
    }

    /// A device of Debian's agent.
    fn configure(&self) -> Result<()> {
        let host_map = "node1:vm1;node2:vm2";
        let parameters = [
            ("ip", ADDRESS),
            ("ipport", "2376"),
            // The oldest that the engine knows is later than the agent's default.
            ("api_version", "1.41"),
            ("tlscacert", &format!("{FOLDER}/ca.pem")),
            ("tlscert", &format!("{FOLDER}/cert.pem")),
            ("tlskey", &format!("{FOLDER}/key.pem")),
            ("pcmk_host_map", host_map),
        ];
        let pairs: String = parameters
            .iter()
            .map(|(name, value)| {
                format!("<nvpair id=\"fence-vms-{name}\" name=\"{name}\" value=\"{value}\"/>")
            })
            .collect();
        self.node.check(&format!(
            "cibadmin --create --scope resources --xml-text '<primitive id=\"fence-vms\" class=\"stonith\" \
             type=\"fence_docker\"><instance_attributes id=\"fence-vms-attributes\">{pairs}</instance_attributes>\
             </primitive>' && crm_resource --wait --timeout=60s"
        ))?;
        self.node.check("crm_mon --one-shot | grep 'fence-vms.*Started'").map(drop)
    }

    /// Plays a section, the fencing in which comes last.
    fn follow(&self, heading: &str) -> Result<Finding> {
        let steps = section(&read(DOCUMENT)?, heading);
        let (last, before) = steps.split_last().with_context(|| format!("{heading} has no commands"))?;
        for step in before {
            self.node.check(&step.command).with_context(|| format!("{}# {}", step.place, step.command))?;
        }
        ensure!(
            last.command.starts_with("stonith_admin --reboot node2 "),
            "{heading} does not end with fencing"
        );
        let found = self.platform.rebooted(|| self.node.check(&last.command).map(drop))?;
        Ok(Finding { figure: format!("{} commands; {}", steps.len(), found.figure), ..found })
    }

    /// Whose agent the device runs: its name, and what is behind that.
    fn agent(&self) -> Result<String> {
        let query = "cibadmin --query --xpath \"//primitive[@id='fence-vms']\"";
        let name = self.node.check(&format!("{query} | sed -n 's/.* type=\"\\([^\"]*\\)\".*/\\1/p'"))?;
        let real = self.node.check(&format!("readlink -f /usr/sbin/{}", name.trim()))?;
        Ok(format!("{} is {}", name.trim(), real.trim()))
    }
}

const DEBIAN: &str = "fence_docker is /usr/sbin/fence_docker";

/// Plays the document, with a look at who fences after each section.
const SECTIONS: [(&str, &str, &str); 4] = [
    (
        "one device changes under the running cluster, and fences",
        "## One device at a time",
        "fence_picket_docker is /usr/sbin/picket-fence",
    ),
    ("it goes back, and fences", "## The way back for one device", DEBIAN),
    (
        "the drop-in names take over with no change of configuration, and fence",
        "## All devices at once",
        "fence_docker is /usr/sbin/picket-fence",
    ),
    ("they go, and Debian's agent fences", "## The way back for all devices", DEBIAN),
];

/// Plays `docs/migration-fence-agents.md`.
pub fn follow(packages: &Packages) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    report.step("a cluster fences with Debian's fence_docker", || {
        let stage = stage.insert(Stage::new(packages)?);
        stage.configure()?;
        let agent = stage.agent()?;
        ensure!(agent == DEBIAN, "{agent}");
        stage.platform.rebooted(|| stage.node.check("stonith_admin --reboot node2 --timeout 120").map(drop))
    });
    let Some(stage) = stage else { return report };
    for (words, heading, expected) in SECTIONS {
        let done = report.step(words, || {
            let found = stage.follow(heading)?;
            let agent = stage.agent()?;
            ensure!(agent == expected, "{agent}");
            Ok(Finding { figure: format!("{}; {agent}", found.figure), ..found })
        });
        if !done {
            return report;
        }
    }
    report.step("nobody else was fenced, and no fencing failed", || {
        let history = stage.node.check("stonith_admin --history '*' --verbose")?;
        let count = history.lines().filter(|line| line.contains("node2") && line.contains("reboot")).count();
        let wrong: Vec<_> =
            history.lines().filter(|line| line.contains("of node1") || line.contains("failed")).collect();
        Ok(Finding {
            figure: format!("{count} times node2 {}", wrong.join("; ")),
            holds: wrong.is_empty() && count >= 5,
        })
    });
    report
}
