//! The short scenario against a real one-node cluster, with either agent.

use picket_tests::{Agent, Report, scenario};

fn run(agent: Agent) {
    let report: Report = scenario::short(agent, &mut |_| ());
    assert!(report.holds(), "{:#?}", report.shortfalls());
}

#[test]
fn original_serves_a_cluster() {
    run(Agent::Original);
}

#[test]
fn picket_serves_a_cluster() {
    run(Agent::Picket);
}
