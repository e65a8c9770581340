//! Alert agents.

use crate::differential::{Sequence, Session};

pub(super) const SEQUENCES: &[Sequence] =
    &[Sequence::alone("alert", alert), Sequence::new("alert-that-cannot-run", alert_that_cannot_run)];

const AGENT: &str = r#"#!/bin/sh
{
    env | grep -e ^CRM_ -e ^OCF_ | LC_ALL=C sort
    echo "user=$(id -un):$(id -gn) groups=$(id -Gn)"
    echo "arguments=$#"
    echo "cwd=$(pwd)"
    echo "umask=$(umask)"
} >/run/picket-test/alert.$CRM_alert_node_sequence
mv /run/picket-test/alert.$CRM_alert_node_sequence /run/picket-test/seen.$CRM_alert_node_sequence
"#;

fn alert(s: &mut Session<'_>) {
    s.put("agent", AGENT);
    for (kind, file) in [("node", "seen.1"), ("resource", "seen.2")] {
        s.alert("/run/picket-test/agent", &[("CRM_alert_kind", kind), ("CRM_alert_desc", "a <b> & \"c\"")]);
        s.wait_for_file(file, true).show(file);
    }
}

fn alert_that_cannot_run(s: &mut Session<'_>) {
    s.alert("/no/such/alert", &[("CRM_alert_kind", "node")]).listen(200);
    s.put("agent", "exit 0\n").alert("/run/picket-test/agent", &[]).listen(200);
}
