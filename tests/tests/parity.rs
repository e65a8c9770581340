//! What administrators and fate do to a cluster with guests, in short: see `picket_tests::parity::cluster`.

use picket_tests::Agent;
use picket_tests::parity::cluster;

#[test]
fn guests_survive_failures_commands_maintenance_and_graceful_shutdown() {
    let report = cluster::short(Agent::Picket, &mut |_| ());
    assert!(report.holds(), "{:#?}", report.shortfalls());
}

#[test]
#[ignore = "takes a minute: cargo test -p picket-tests --test parity -- --ignored; part of make show-parity"]
fn a_killed_or_frozen_agent_costs_no_service_where_nobody_fences() {
    let report = cluster::unfenced(Agent::Picket, &mut |_| ());
    assert!(report.holds(), "{:#?}", report.shortfalls());
}
