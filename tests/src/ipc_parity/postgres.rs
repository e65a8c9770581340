//! Point 2: PostgreSQL's resource agent in its replicating mode, in a guest that has none of Pacemaker's tools.

use anyhow::{Context, Result, ensure};

use super::bare::{SOON, strip};
use super::stage::{GUEST, Stage};
use crate::agent::Agent;
use crate::report::Finding;
use crate::wait::wait_until;

const DATA: &str = "/run/pg/data";

/// A database without content, in the newest release that is installed, whose programs are in the folder it prints.
const CREATE: &str = r#"
set -eu
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
install -d -o postgres -g postgres /run/pg /run/postgresql
su postgres -s /bin/sh -c "$bin/initdb -D $1 -A trust >/run/pg/initdb.log"
printf '%s\n' "hot_standby = on" "wal_level = replica" "listen_addresses = '*'" >>"$1/postgresql.conf"
printf '%s\n' "$bin"
"#;

pub(super) fn measure() -> Result<Finding> {
    let stage = Stage::new(Agent::Picket, 1, &[])?;
    let (cluster, host) = (&stage.cluster, &stage.guest.host);
    strip(host)?;
    let programs = host.check(&["sh", "-c", CREATE, "create", DATA])?;
    let programs = programs.trim();
    cluster.extend(&resources(programs, &host.address().to_string()))?;
    cluster.wait("PostgreSQL is promoted", SOON, |status| status.node_of("db", "Promoted") == Some(GUEST))?;

    let node = &cluster.nodes()[0];
    wait_until("the cluster knows its state", SOON, || {
        let said = node.run(&["attrd_updater", "-n", "db-status", "-Q", "-N", GUEST])?.stdout;
        Ok(said.contains(r#"value="PRI""#).then_some(()))
    })?;
    let data =
        node.check(&["crm_attribute", "-l", "forever", "-N", GUEST, "-n", "db-data-status", "-G", "-q"])?;
    ensure!(data.trim() == "LATEST", "its data is '{}'", data.trim());
    let psql = format!("{programs}/psql");
    let psql = ["su", "postgres", "-s", psql.as_str(), "--", "-Atc"];
    let asked = host.check(&[&psql[..], &["create table t (x int); select pg_is_in_recovery()"]].concat())?;
    ensure!(asked.lines().last() == Some("f"), "it says '{asked}'");
    let status = cluster.status().context("look at the cluster")?;
    ensure!(status.failures.is_empty(), "failed: {:?}", status.failures);
    Ok(Finding::good("PostgreSQL promoted: its state is PRI, its data LATEST, it takes writes; no failure"))
}

fn resources(programs: &str, address: &str) -> String {
    let set = |name: &str, value: &str| format!(r#"<nvpair id="db-{name}" name="{name}" value="{value}"/>"#);
    let op = |name: &str, interval: &str, role: &str| {
        format!(r#"<op id="db-{name}-{interval}" name="{name}" interval="{interval}" timeout="60s" {role}/>"#)
    };
    let parameters: String = [
        ("pgctl", format!("{programs}/pg_ctl")),
        ("psql", format!("{programs}/psql")),
        ("pgdata", DATA.to_owned()),
        ("tmpdir", "/run/pg/tmp".to_owned()),
        ("logfile", "/run/pg/log".to_owned()),
        ("rep_mode", "async".to_owned()),
        ("node_list", GUEST.to_owned()),
        ("master_ip", address.to_owned()),
    ]
    .iter()
    .map(|(name, value)| set(name, value))
    .collect();
    let operations: String =
        ["start", "stop", "promote", "demote", "notify"].map(|name| op(name, "0s", "")).concat()
            + &op("monitor", "3s", r#"role="Promoted""#)
            + &op("monitor", "4s", r#"role="Unpromoted""#);
    format!(
        r#"<configuration>
          <resources>
            <clone id="dbs">
              <meta_attributes id="dbs-meta">{}{}{}</meta_attributes>
              <primitive id="db" class="ocf" provider="heartbeat" type="pgsql">
                <instance_attributes id="db-attributes">{parameters}</instance_attributes>
                <operations>{operations}</operations>
              </primitive>
            </clone>
          </resources>
          <constraints>
            <rsc_location id="dbs-not" rsc="dbs" node="node1" score="-INFINITY" resource-discovery="never"/>
          </constraints>
        </configuration>"#,
        set("promotable", "true"),
        set("notify", "true"),
        set("clone-max", "1"),
    )
}
