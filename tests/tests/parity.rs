//! What administrators and fate do to a cluster with guests, in short: see `picket_tests::parity::cluster`.

use picket_tests::Agent;
use picket_tests::parity::cluster;

#[test]
fn guests_survive_failures_commands_maintenance_and_graceful_shutdown() {
    let report = cluster::short(Agent::Picket, &mut |_| ());
    assert!(report.holds(), "{:#?}", report.shortfalls());
}
