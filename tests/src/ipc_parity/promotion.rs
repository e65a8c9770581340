//! Point 2: attributes that agents and people in the guest set are the cluster's, and the other way round.

use anyhow::{Result, ensure};

use super::stage::{GUEST, SOON, Stage};
use crate::agent::Agent;
use crate::report::Finding;
use crate::wait::wait_until;

pub(super) fn measure() -> Result<Finding> {
    let stage = Stage::new(Agent::Picket, 1, &[])?;
    let (cluster, host) = (&stage.cluster, &stage.guest.host);
    cluster.extend(&resources(&cluster.nodes()[0].address().to_string()))?;
    cluster.wait("the state is promoted somewhere", SOON, |status| {
        status.resources.iter().any(|resource| resource.id == "state" && resource.role == "Promoted")
    })?;

    let score =
        |value: &str| host.check(&["crm_attribute", "--promotion=state", "--lifetime=reboot", "-v", value]);
    let node = cluster.nodes()[0].name();
    score("1000")?;
    cluster.wait("the guest's score promotes it", SOON, |s| s.node_of("state", "Promoted") == Some(GUEST))?;
    cluster.settle(SOON)?;
    score("-1000")?;
    cluster.wait("the guest's score demotes it", SOON, |s| s.node_of("state", "Promoted") == Some(node))?;

    let value =
        |from: &crate::host::Host, name: &str| from.check(&["attrd_updater", "-n", name, "-Q", "-N", GUEST]);
    host.check(&["attrd_updater", "-n", "there", "-U", "from-guest"])?;
    let there = value(&cluster.nodes()[0], "there")?;
    ensure!(there.contains(r#"value="from-guest""#), "the cluster says '{there}'");
    cluster.run(&["attrd_updater", "-n", "back", "-U", "from-cluster", "-N", GUEST])?;
    let back = value(host, "back")?;
    ensure!(back.contains(r#"value="from-cluster""#), "the guest says '{back}'");

    for (name, expected) in [("pingd", "1000"), ("#health-cpu", "green"), ("#health-memory", "red")] {
        wait_until(&format!("{name} of the guest is {expected}"), SOON, || {
            let output = cluster.nodes()[0].run(&["attrd_updater", "-n", name, "-Q", "-N", GUEST])?;
            Ok(output.stdout.contains(&format!(r#"value="{expected}""#)).then_some(()))
        })?;
    }
    let picture = host.check(&["crm_mon", "--one-shot"])?;
    ensure!(picture.contains(&format!("RemoteOnline: [ {GUEST} ]")), "crm_mon in the guest: {picture}");
    ensure!(cluster.fencing().record().is_empty(), "something was fenced");
    Ok(Finding::good(
        "promoted and demoted by scores from the guest; attributes seen both ways; ocf:pacemaker:ping, HealthCPU \
         and ocf:picket:health set theirs in the guest; crm_mon there shows the cluster",
    ))
}

fn resources(neighbor: &str) -> String {
    let here = |id: &str, provider: &str, kind: &str, parameters: &str| {
        format!(
            r#"<primitive id="{id}" class="ocf" provider="{provider}" type="{kind}">
              <instance_attributes id="{id}-attributes">{parameters}</instance_attributes>
              <operations><op id="{id}-monitor" name="monitor" interval="2s" timeout="30s"/></operations>
            </primitive>"#
        )
    };
    let parameter = |id: &str, name: &str, value: &str| {
        format!(r#"<nvpair id="{id}-{name}" name="{name}" value="{value}"/>"#)
    };
    let ping = [("host_list", neighbor), ("multiplier", "1000"), ("dampen", "1s"), ("attempts", "1")]
        .map(|(name, value)| parameter("ping", name, value))
        .concat();
    // Idle must be below both limits not to be green; a busy test machine has none to spare.
    let health = [("yellow_limit", "-1"), ("red_limit", "-2")]
        .map(|(name, value)| parameter("health", name, value))
        .concat();
    // The agent's own: every memory is above these limits. Processors are HealthCPU's here.
    let inside = [("cpu", "off"), ("memory", "0:0"), ("dampen", "1s")]
        .map(|(name, value)| parameter("inside", name, value))
        .concat();
    let at_home =
        |id: &str| format!(r#"<rsc_location id="{id}-here" rsc="{id}" node="{GUEST}" score="INFINITY"/>"#);
    format!(
        r#"<configuration>
          <resources>
            <clone id="states">
              <meta_attributes id="states-meta">
                <nvpair id="states-promotable" name="promotable" value="true"/>
              </meta_attributes>
              <primitive id="state" class="ocf" provider="pacemaker" type="Stateful">
                <instance_attributes id="state-attributes">{}</instance_attributes>
              </primitive>
            </clone>
            {}{}{}
          </resources>
          <constraints>{}{}{}</constraints>
        </configuration>"#,
        parameter("state", "state", "/run/stateful.state"),
        here("ping", "pacemaker", "ping", &ping),
        here("health", "pacemaker", "HealthCPU", &health),
        here("inside", "picket", "health", &inside),
        at_home("ping"),
        at_home("health"),
        at_home("inside"),
    )
}
