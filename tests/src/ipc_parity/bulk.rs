//! A configuration of two megabytes.

use std::fmt::Write as _;

use anyhow::Result;

use crate::cluster::Cluster;

/// About how long the CIB is then, as `cibadmin` prints it.
pub(super) const SIZE: usize = 2_000_000;

/// A file, for no command line takes that much.
const FILE: &str = "/run/bulk.xml";

/// Adds resource templates, which the cluster stores and does nothing with, until the CIB is that long.
pub(super) fn add(cluster: &Cluster) -> Result<()> {
    let mut xml = String::from("<resources>");
    let mut value = 1_u64;
    for number in 0.. {
        if xml.len() >= SIZE {
            break;
        }
        // Values that differ, for compression is part of the way; with whole words of noise the original's buffer
        // is too small even on a cluster node.
        value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        write!(
            xml,
            r#"<template id="bulk{number}" class="ocf" provider="pacemaker" type="Dummy"><instance_attributes id="bulk{number}-attributes"><nvpair id="bulk{number}-fake" name="fake" value="{:x}"/></instance_attributes></template>"#,
            value >> 56
        )
        .expect("writing to a String cannot fail");
    }
    xml.push_str("</resources>");
    let node = &cluster.nodes()[0];
    node.write(FILE, &xml)?;
    node.check(&["cibadmin", "--modify", "--allow-create", "--scope", "resources", "--xml-file", FILE])?;
    Ok(())
}
