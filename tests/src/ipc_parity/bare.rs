//! Point 2: guests without Pacemaker's tools. Real resource agents find nothing but our built-in commands: a Redis pair is
//! promoted, replicates and changes places; `ping` and `SysInfo` tell the cluster what they see.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::agent::{Agent, picketctl};
use crate::cluster::Cluster;
use crate::host::Host;
use crate::report::Finding;
use crate::wait::wait_until;

pub(super) const SOON: Duration = Duration::from_secs(120);
const GUESTS: [&str; 2] = ["guest1", "guest2"];

/// Takes all commands of Pacemaker away, on this host only, and puts ours in their places.
const STRIP: &str = r#"
set -eu
for file in $(dpkg -L pacemaker pacemaker-cli-utils | grep '^/usr/sbin/.'); do rm -f "$file"; done
for name in attrd_updater cibadmin crm_attribute crm_master crm_mon crm_node; do ln -s "$1" "/usr/sbin/$name"; done
! command -v crm_resource crm_failcount stonith_admin
"#;

const CONFIG: &str = "/run/redis.conf";
const SOCKET: &str = "/run/redis/redis.sock";

/// Two Redis servers know each other by the names of their nodes.
const REDIS: &str = r#"
set -eu
install -d -o redis -g redis /run/redis /run/redis-data
cat >/run/redis.conf <<'END'
bind 0.0.0.0
protected-mode no
dir /run/redis-data
logfile /run/redis-data/log
save ""
repl-diskless-sync-delay 0
END
"#;

pub(super) fn measure() -> Result<Finding> {
    let mut cluster = Cluster::start(1)?;
    let guests = GUESTS.map(|name| cluster.guest(name, Agent::Picket, &[]));
    let [first, second] = guests;
    let (first, second) = (first?, second?);
    let names = format!(
        "127.0.0.1 localhost\n{} {}\n{} {}\n",
        first.host.address(),
        first.name(),
        second.host.address(),
        second.name()
    );
    for host in [&first.host, &second.host] {
        strip(host)?;
        host.check(&["sh", "-c", REDIS])?;
        host.write("/etc/hosts", &names)?;
    }
    cluster
        .wait("both guests are online", SOON, |status| GUESTS.iter().all(|name| status.is_online(name)))?;
    cluster.extend(&resources(&cluster.nodes()[0].address().to_string()))?;

    let host = |name: &str| if name == first.name() { &first.host } else { &second.host };
    let promoted = || -> Result<String> {
        let status = cluster.wait("one Redis is promoted, the other follows", SOON, |status| {
            status.node_of("redis", "Promoted").is_some() && status.node_of("redis", "Unpromoted").is_some()
        })?;
        Ok(status.node_of("redis", "Promoted").context("it was a moment ago")?.to_owned())
    };
    let leader = promoted()?;
    let follower = if leader == GUESTS[0] { GUESTS[1] } else { GUESTS[0] };
    replicates(host(&leader), host(follower), "one")?;

    // As an agent does it, or a person in the guest.
    host(follower).check(&["crm_master", "-r", "redis", "-l", "reboot", "-v", "100000"])?;
    cluster.wait("they change places", SOON, |status| {
        status.node_of("redis", "Promoted") == Some(follower)
            && status.node_of("redis", "Unpromoted") == Some(&leader)
    })?;
    replicates(host(follower), host(&leader), "two")?;

    let node = &cluster.nodes()[0];
    for (name, guest) in [("pingd", GUESTS[0]), ("arch", GUESTS[1])] {
        wait_until(&format!("{name} of {guest} is told"), SOON, || {
            let said = node.run(&["attrd_updater", "-n", name, "-Q", "-N", guest])?.stdout;
            Ok((said.contains("value=\"") && !said.contains("value=\"\"")).then_some(()))
        })?;
    }
    let status = cluster.status()?;
    ensure!(status.failures.is_empty(), "failed: {:?}", status.failures);
    ensure!(cluster.fencing().record().is_empty(), "something was fenced");
    Ok(Finding::good(
        "without Pacemaker's tools: Redis promoted, replicating, promoted on the other guest by its score and \
         replicating back; ping and SysInfo set theirs; no failure",
    ))
}

/// Puts our commands in the places of Pacemaker's.
pub(super) fn strip(host: &Host) -> Result<()> {
    host.check(&["sh", "-c", STRIP, "strip", &picketctl()?])?;
    Ok(())
}

/// What is written to one arrives at the other.
fn replicates(leader: &Host, follower: &Host, value: &str) -> Result<()> {
    leader.check(&["redis-cli", "-s", SOCKET, "set", "key", value])?;
    wait_until("the other one has it", SOON, || {
        let said = follower.run(&["redis-cli", "-s", SOCKET, "get", "key"])?.stdout;
        Ok((said.trim() == value).then_some(()))
    })
}

fn resources(neighbor: &str) -> String {
    let parameter = |id: &str, name: &str, value: &str| {
        format!(r#"<nvpair id="{id}-{name}" name="{name}" value="{value}"/>"#)
    };
    let at = |id: &str, node: &str, score: &str| {
        format!(
            r#"<rsc_location id="{id}-{node}" rsc="{id}" node="{node}" score="{score}" resource-discovery="always"/>"#
        )
    };
    let never = |id: &str| {
        format!(
            r#"<rsc_location id="{id}-node1" rsc="{id}" node="node1" score="-INFINITY" resource-discovery="never"/>"#
        )
    };
    let op = |id: &str, name: &str, interval: &str, role: &str| {
        format!(
            r#"<op id="{id}-{name}-{interval}" name="{name}" interval="{interval}" timeout="60s" {role}/>"#
        )
    };
    let redis =
        ["start", "stop", "promote", "demote", "notify"].map(|name| op("redis", name, "0s", "")).concat()
            + &op("redis", "monitor", "5s", r#"role="Promoted""#)
            + &op("redis", "monitor", "6s", r#"role="Unpromoted""#);
    format!(
        r#"<configuration>
          <resources>
            <clone id="pair">
              <meta_attributes id="pair-meta">{}{}{}</meta_attributes>
              <primitive id="redis" class="ocf" provider="heartbeat" type="redis">
                <instance_attributes id="redis-attributes">{}{}</instance_attributes>
                <operations>{redis}</operations>
              </primitive>
            </clone>
            <primitive id="ping" class="ocf" provider="pacemaker" type="ping">
              <instance_attributes id="ping-attributes">{}{}{}{}</instance_attributes>
              <operations>{}</operations>
            </primitive>
            <primitive id="info" class="ocf" provider="pacemaker" type="SysInfo">
              <instance_attributes id="info-attributes">{}</instance_attributes>
              <operations>{}</operations>
            </primitive>
          </resources>
          <constraints>{}{}{}{}{}</constraints>
        </configuration>"#,
        parameter("pair", "promotable", "true"),
        parameter("pair", "notify", "true"),
        parameter("pair", "clone-max", "2"),
        parameter("redis", "config", CONFIG),
        parameter("redis", "rundir", "/run/redis"),
        parameter("ping", "host_list", neighbor),
        parameter("ping", "multiplier", "1000"),
        parameter("ping", "dampen", "1s"),
        parameter("ping", "attempts", "1"),
        op("ping", "monitor", "2s", ""),
        parameter("info", "delay", "0s"),
        op("info", "monitor", "10s", ""),
        never("pair"),
        never("ping"),
        never("info"),
        at("ping", GUESTS[0], "INFINITY"),
        at("info", GUESTS[1], "INFINITY"),
    )
}
