//! The files a cluster node starts from, and the documents for its CIB.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::host::Host;
use crate::program::Program;

/// `corosync.conf` for these nodes.
pub(crate) fn corosync(nodes: &[Arc<Host>]) -> String {
    // token: a crash is noticed after a good second; the default is three.
    let mut conf = String::from(
        "totem {\n  version: 2\n  cluster_name: picket\n  transport: knet\n  token: 1000\n}\n\
         system {\n  move_to_root_cgroup: no\n}\n\
         logging {\n  to_syslog: no\n  to_logfile: yes\n  logfile: /var/log/corosync/corosync.log\n  timestamp: hires\n}\n\
         quorum {\n  provider: corosync_votequorum\n",
    );
    if nodes.len() == 2 {
        // The survivor keeps quorum.
        conf.push_str("  two_node: 1\n");
    }
    conf.push_str("}\nnodelist {\n");
    for (index, node) in nodes.iter().enumerate() {
        let (name, address) = (node.name(), node.address());
        write!(
            conf,
            "  node {{\n    ring0_addr: {address}\n    name: {name}\n    nodeid: {}\n  }}\n",
            index + 1
        )
        .expect("writing to a String cannot fail");
    }
    conf.push_str("}\n");
    conf
}

/// The CIB a cluster starts with: fencing on, and an election after a second instead of twenty.
pub(crate) const CIB: &str = r#"<cib crm_feature_set="3.6.0" validate-with="pacemaker-3.7" epoch="1" num_updates="0" admin_epoch="0">
  <configuration>
    <crm_config>
      <cluster_property_set id="options">
        <nvpair id="options-stonith-enabled" name="stonith-enabled" value="true"/>
        <nvpair id="options-dc-deadtime" name="dc-deadtime" value="1s"/>
      </cluster_property_set>
    </crm_config>
    <nodes/>
    <resources>
      <primitive id="fencing" class="stonith" type="fence_picket_harness"/>
    </resources>
    <constraints/>
    <rsc_defaults>
      <meta_attributes id="defaults">
        <nvpair id="defaults-stickiness" name="resource-stickiness" value="1"/>
      </meta_attributes>
    </rsc_defaults>
  </configuration>
  <status/>
</cib>
"#;

/// What runs on a cluster node.
pub(crate) fn services(node: &str) -> [Program; 2] {
    // pacemakerd would wait whole seconds between its own attempts to reach corosync.
    let wait =
        "until corosync-cmapctl -g runtime.services.cfg.service_id >/dev/null 2>&1; do sleep 0.02; done";
    [
        Program::new("corosync", &["corosync", "-f"]),
        Program::new("pacemakerd", &["sh", "-c", &format!("{wait}; exec pacemakerd -f")]).with(&[
            ("PCMK_logfile", "/var/log/pacemaker/pacemaker.log"),
            ("PCMK_logfacility", "none"),
            ("PCMK_node_name", node),
        ]),
    ]
}

/// The connection resource of a guest.
pub(crate) fn connection(name: &str, address: Ipv4Addr) -> String {
    format!(
        r#"<primitive id="{name}" class="ocf" provider="pacemaker" type="remote">
          <instance_attributes id="{name}-attributes">
            <nvpair id="{name}-server" name="server" value="{address}"/>
          </instance_attributes>
          <operations>
            <op id="{name}-monitor" name="monitor" interval="10s" timeout="10s"/>
            <op id="{name}-start" name="start" interval="0" timeout="60s"/>
          </operations>
        </primitive>"#
    )
}
