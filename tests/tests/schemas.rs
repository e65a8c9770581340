//! Schemas of a newer cluster for the tools on a node.

use picket_tests::parity::schemas;

#[test]
fn schemas_of_a_newer_cluster_are_fetched_and_hostile_ones_are_not() {
    let finding = schemas::fetched().unwrap();
    assert!(finding.holds, "{}", finding.figure);
}
