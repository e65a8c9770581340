//! Agents as devices of a cluster's fencer.

use std::time::Duration;

use anyhow::{Context, Result};

use super::program;
use crate::cluster::Cluster;

const START: Duration = Duration::from_secs(60);

/// Puts the program under the name of an agent on every node.
pub(super) fn install(cluster: &Cluster, agent: &str) -> Result<()> {
    let program = program()?;
    let program = program.to_str().context("the program's path is not UTF-8")?;
    cluster
        .nodes()
        .iter()
        .try_for_each(|node| node.check(&["ln", "-s", program, &format!("/usr/sbin/{agent}")]).map(drop))
}

/// Adds a device, and waits until it is started.
pub(super) fn add(cluster: &Cluster, id: &str, agent: &str, parameters: &[(&str, &str)]) -> Result<()> {
    let pairs: String = parameters
        .iter()
        .map(|(name, value)| format!(r#"<nvpair id="{id}-{name}" name="{name}" value="{value}"/>"#))
        .collect();
    cluster.create(
        "resources",
        &format!(
            r#"<primitive id="{id}" class="stonith" type="{agent}"><instance_attributes id="{id}-attributes">{pairs}</instance_attributes><operations><op id="{id}-monitor" name="monitor" interval="10s" timeout="20s"/></operations></primitive>"#
        ),
    )?;
    let what = format!("the device {id} is started");
    cluster.wait(&what, START, |status| status.node_of(id, "Started").is_some()).map(drop)
}
